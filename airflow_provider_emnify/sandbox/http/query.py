"""Filters, sorting and paging of lists, with emnify's headers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.http.wire import Call
    from airflow_provider_emnify.sandbox.world.state import State

T = TypeVar("T")
Getter = Callable[["State", T], Any]


@dataclass(frozen=True)
class Listing(Generic[T]):
    """How a resource is listed.

    :param render: From the state and a record to its JSON.
    :param fields: What can be filtered and sorted by: name to value of a record. A string is looked for
        anywhere in the value, in any case; a number or None must be equal; of a tuple, one part must fit.
    :param default: Rows a page when nothing is asked for.
    :param maximum: Rows a page at most; more is cut silently.
    :param exact: Fields whose strings must be equal.
    :param sortable: Fields to sort by, where these are not all.
    """

    render: Callable[[State, T], Any]
    fields: Mapping[str, Getter[T]]
    default: int = 100
    maximum: int = 1000
    exact: frozenset[str] = field(default_factory=frozenset)
    sortable: frozenset[str] | None = None

    def answer(self, call: Call, rows: Collection[T]) -> Answer:
        """Filter, sort and page ``rows``, which come in ascending order of their ids."""
        criteria = parse_criteria(call.query.get("q", ""))
        return self.page(call, self.filter(call.state, rows, criteria) if criteria else rows)

    def page(self, call: Call, rows: Collection[T]) -> Answer:
        """Sort rows and answer one page of them; a page beyond the last is the last."""
        if call.query.get("sort"):
            rows = self.sort(call.state, rows, call.query["sort"])
        per_page = min(number_in(call, "per_page", self.default), self.maximum)
        pages = math.ceil(len(rows) / per_page)
        current = max(1, min(number_in(call, "page", 1), pages))
        start = (current - 1) * per_page
        return Answer(
            body=[self.render(call.state, row) for row in islice(rows, start, start + per_page)],
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
        tests = []
        for name, wanted in criteria:
            if name not in self.fields:
                raise ApiError("InvalidQueryCriteria", f"Search criteria {name} is invalid")
            tests.append((self.fields[name], _test(wanted, exact=name in self.exact)))
        return [row for row in rows if all(test(get(state, row)) for get, test in tests)]

    def sort(self, state: State, rows: Iterable[T], order: str) -> list[T]:
        """Return the rows in the order that ``-a,b`` means; equal ones by ascending id."""
        ordered = list(rows)
        for key in reversed([part.strip() for part in order.split(",") if part.strip()]):
            name = key.lstrip("+-").strip()
            if name not in self.fields or (self.sortable is not None and name not in self.sortable):
                raise ApiError("InvalidSortCriteria", f"Sort criteria {name} is invalid")
            get = self.fields[name]
            ordered.sort(key=lambda row: _sort_key(get(state, row)), reverse=key.startswith("-"))
        return ordered


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
    return int(given) or default


def _test(wanted: str, *, exact: bool) -> Callable[[Any], bool]:
    lowered = wanted.lower()

    def test(value: Any) -> bool:
        if isinstance(value, tuple):
            return any(test(part) for part in value)
        if value is None:
            return lowered == "null"
        if isinstance(value, bool):
            return lowered in ({"true", "1"} if value else {"false", "0"})
        if isinstance(value, int):
            return str(value) == lowered
        return value.lower() == lowered if exact else lowered in value.lower()

    return test


def _sort_key(value: Any) -> tuple[int, Any]:
    if isinstance(value, tuple):
        value = value[0] if value else None
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, (int, float)) else (2, str(value).lower())
