"""Filters, sorting and paging of lists, with emnify's headers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError
from airflow_provider_emnify.sandbox.http.index import MOST_KEPT, Found, Texts
from airflow_provider_emnify.sandbox.http.wire import Call
from airflow_provider_emnify.sandbox.world.records.table import Table
from airflow_provider_emnify.sandbox.world.state import State

T = TypeVar("T")
Getter = Callable[["State", T], Any]


class Check(NamedTuple):
    """One criterion: a field, what is wanted of it in lower case, and what tells if a record passes."""

    name: str
    wanted: str
    passes: Callable[[Any], bool]


@dataclass(frozen=True)
class Listing(Generic[T]):
    """How a resource is listed.

    :param render: From the state and a record to its JSON.
    :param fields: What can be filtered and sorted by: name to value of a record. A string is looked for
        anywhere in the value, in any case; a number or None must be equal; of a tuple, one part must fit.
    :param default: Rows a page when nothing is asked for.
    :param maximum: Rows a page at most; more is cut silently.
    :param exact: Fields whose strings must be equal.
    :param known_by: Fields whose value leads to the id of the one record that can have it.
    :param texts: Fields whose text is another in almost each record.
    :param home: The organisation that a record belongs to; others than the caller's are not listed.
    """

    render: Callable[[State, T], Any]
    fields: Mapping[str, Getter[T]]
    default: int = 100
    maximum: int = 1000
    exact: frozenset[str] = field(default_factory=frozenset)
    known_by: Mapping[str, Callable[[State, str], int | None]] = field(default_factory=dict)
    texts: frozenset[str] = field(default_factory=frozenset)
    home: Getter[T] | None = None

    def answer(self, call: Call, rows: Collection[T] | Table[Any]) -> Answer:
        """Filter, sort and page ``rows``, which come in ascending order of their ids."""
        criteria = parse_criteria(call.query.get("q", ""))
        if isinstance(rows, Table):
            return self.page(call, self._find(call, rows, criteria))
        return self.page(call, self.filter(call.state, rows, criteria) if criteria else rows)

    def page(self, call: Call, rows: Collection[T]) -> Answer:
        """Sort rows and answer one page of them; a page beyond the last is the last."""
        if call.query.get("sort"):
            rows = self.sort(call.state, rows, call.query["sort"])
        per_page = min(number_in(call, "per_page", self.default), self.maximum)
        pages = math.ceil(len(rows) / per_page)
        current = max(1, min(number_in(call, "page", 1), pages))
        start = (current - 1) * per_page
        end = start + per_page
        shown = rows[start:end] if isinstance(rows, list) else islice(rows, start, end)
        return Answer(
            body=[self.render(call.state, row) for row in shown],
            headers={
                "X-Count-Per-Page": str(per_page),
                "X-Current-Page": str(current),
                "X-Total-Count": str(len(rows)),
                "X-Total-Pages": str(pages),
                "Link": "",
            },
        )

    def filter(self, state: State, rows: Iterable[T], criteria: Iterable[tuple[str, str]]) -> list[T]:
        """Return the rows that meet all criteria."""
        return _passing(rows, [self._check(state, *criterion) for criterion in criteria])

    def _check(self, state: State, name: str, wanted: str) -> Check:
        if name not in self.fields:
            raise ApiError("InvalidQueryCriteria", f"Search criteria {name} is invalid")
        get, lowered, exact = self.fields[name], wanted.lower(), name in self.exact
        return Check(name, lowered, lambda record: _fits(get(state, record), lowered, exact=exact))

    def _find(self, call: Call, table: Table[Any], criteria: list[tuple[str, str]]) -> Collection[T]:
        """Return the records of a table that meet all criteria, by way of an index."""
        state, checks = call.state, [self._check(call.state, *criterion) for criterion in criteria]
        if (home := self.home) is not None:
            own = call.own
            checks.append(Check("", str(own), lambda record: home(state, record) == own))
        if not checks:
            return table.values()
        for name, wanted, _ in checks:
            if wanted != "null" and name in self.known_by:
                record = table.get(self.known_by[name](state, wanted) or 0)
                return _passing([] if record is None else [record], checks)
            if wanted != "null" and name in self.texts:
                texts = self._index(table, Texts, name, partial(_text, self.fields[name], state))
                return sorted(_passing(texts.find(wanted), checks), key=attrgetter("id"))
        asked = tuple((check.name, check.wanted) for check in checks)
        index = self._index(table, Found, asked, lambda record: all(one.passes(record) for one in checks))
        found: list[T] = index.find()
        return found

    @staticmethod
    def _index(table: Table[Any], kind: type[Any], name: object, by: Any) -> Any:
        if (kind, name) not in table.indexes:
            if len(table.indexes) >= MOST_KEPT:
                del table.indexes[next(iter(table.indexes))]
            table.watch()
            table.indexes[kind, name] = kind(table, by)
            table.settle()
        return table.indexes[kind, name]

    def sort(self, state: State, rows: Iterable[T], order: str) -> list[T]:
        """Return the rows in the order that ``-a,b`` means; equal ones by ascending id."""
        ordered = list(rows)
        for key in reversed([part.strip() for part in order.split(",") if part.strip()]):
            name = key.lstrip("+-").strip()
            if name not in self.fields:
                raise ApiError("InvalidSortCriteria", f"Sort criteria {name} is invalid")
            get = self.fields[name]
            ordered.sort(key=lambda row: _sort_key(get(state, row)), reverse=key.startswith("-"))
        return ordered


def _passing(rows: Iterable[T], checks: list[Check]) -> list[T]:
    return [row for row in rows if all(check.passes(row) for check in checks)]


def _text(get: Getter[Any], state: State, record: Any) -> str:
    return str(get(state, record) or "null").lower()


def parse_criteria(query: str) -> list[tuple[str, str]]:
    """Split ``field:value,field:value``."""
    criteria = []
    for part in filter(None, (part.strip() for part in query.split(","))):
        name, colon, wanted = part.partition(":")
        if not colon or not name or not wanted:
            raise ApiError("InvalidQueryCriteria", f"Search criteria {part} is invalid")
        criteria.append((name.strip(), wanted.strip()))
    return criteria


def attributes(*names: str) -> dict[str, Getter[Any]]:
    """Fields that are attributes of the same name."""
    return {name: _attribute(name) for name in names}


def _attribute(name: str) -> Getter[Any]:
    return lambda state, record: getattr(record, name)


def dated(form: Callable[[float | None], str], **names: str) -> dict[str, Getter[Any]]:
    """Fields by the text of a moment.

    :param form: How a moment is written.
    :param names: Name of the field to name of the attribute.
    """
    return {name: _dated(form, attribute) for name, attribute in names.items()}


def _dated(form: Callable[[float | None], str], attribute: str) -> Getter[Any]:
    return lambda state, record: form(getattr(record, attribute))


def labelled(name: str) -> Getter[Any]:
    """A field by the number or the label of an enum, which is an attribute."""

    def get(state: State, record: Any) -> tuple[int, str]:
        member = getattr(record, name)
        return int(member), member.label

    return get


def in_organisation(state: State, record: Any) -> tuple[int, str]:
    """A field by the id or the name of the organisation that a record belongs to."""
    return record.organisation_id, state.organisations[record.organisation_id].name


def number_in(call: Call, name: str, default: int) -> int:
    """Return a query parameter that must be a positive whole number; 0 is the default too."""
    given = call.query.get(name, "")
    if not given:
        return default
    if not given.isascii() or not given.isdecimal():
        raise ApiError("BadRequest", f"{name} must be a positive whole number, not {given!r}.")
    return int(given[:19]) or default  # more digits make no difference


def number_after(prefix: str, digits: str) -> int | None:
    """Return the number that follows a prefix, where nothing but digits does."""
    found = re.fullmatch(re.escape(prefix) + "([0-9]{1,19})", digits)
    return int(found[1]) if found else None


def _fits(value: Any, wanted: str, *, exact: bool) -> bool:
    if isinstance(value, tuple):
        return any(_fits(part, wanted, exact=exact) for part in value)
    if value is None:
        return wanted == "null"
    if isinstance(value, bool):
        return wanted in ({"true", "1"} if value else {"false", "0"})
    if isinstance(value, int):
        return str(value) == wanted
    return value.lower() == wanted if exact else wanted in value.lower()


def _sort_key(value: Any) -> tuple[int, Any]:
    if isinstance(value, tuple):
        value = value[0] if value else None
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, (int, float)) else (2, str(value).lower())
