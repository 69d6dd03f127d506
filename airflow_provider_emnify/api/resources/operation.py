"""What a resource is made of: operations, the call that carries one out, and how arguments become a request.

A method of a resource is declared with :func:`operation`, which names the REST operation and hands the method
a :class:`Call`. The method only says where its arguments go: into the path, the query or the body.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

from airflow_provider_emnify.api.answers import Kind, Shape
from airflow_provider_emnify.api.errors import EmnifyError, EmnifyServerError, EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.ids import parse_id, parse_ids
from airflow_provider_emnify.api.paging import Listing, Page

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.sending import Answer

Row = dict[str, Any]
Rows = list[Row]
Numbers = list[int]
Ids = int | str | Sequence[int | str]
Moment = datetime | date | str


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset.UNSET
"""Default of an argument for which None means something: what is UNSET is not sent, None is sent as null."""


@dataclass(frozen=True)
class Operation:
    """One REST operation of emnify.

    :param method: HTTP method.
    :param path: Path template, for example ``/api/v1/endpoint/{endpoint_id}``.
    :param paged: Its answer comes in pages.
    :param secret: Its answer or its arguments hold a secret (token, password, key): never for XCom or a log.
    :param secret_arguments: Where its arguments hold secrets, as ``psk`` or ``destination.credentials.url``.
    :param secret_fields: Names of the fields of its answer that hold secrets, which are hidden in an XCom.
    :param repeatable: May be sent again when its outcome is unknown; None decides by the method.
    :param shape: What its answer holds.
    """

    method: str
    path: str
    paged: bool = False
    secret: bool = False
    repeatable: bool | None = None
    secret_arguments: tuple[str, ...] = ()
    secret_fields: tuple[str, ...] = ()
    shape: Shape = field(default_factory=Shape)


class Call:
    """One operation, ready to be sent by a client."""

    def __init__(self, client: EmnifyClient, operation: Operation) -> None:
        self._client = client
        self._operation = operation

    def request(
        self,
        *,
        params: Row | None = None,
        json: Any = None,
        repeatable: bool | None = None,
        **path_values: Any,
    ) -> Any:
        """Send it and return the parsed answer, None when it is empty.

        :param params: Query; what is None is not sent.
        :param json: Body.
        :param repeatable: Overrides the operation's own, where arguments decide (a dry run may be repeated).
        :param path_values: A value for each name in the path.
        """
        return self._client.request(
            self._operation.method,
            self._operation.path,
            path_params=self._path_params(path_values),
            params=given(**params) if params else None,
            json=json,
            repeatable=self._operation.repeatable if repeatable is None else repeatable,
            shape=self._operation.shape,
        )

    def create(
        self,
        *,
        json: Any,
        params: Row | None = None,
        find: Callable[[], Row | None] | None = None,
        unique: bool = False,
        **path_values: Any,
    ) -> Row:
        """Send it and return the created object with at least its ``id``.

        :param find: Looks for the created object when the answer was lost.
        :param unique: emnify itself refuses a second one, so it may be sent again when ``find`` says None.
        """
        return self._client.create(
            self._operation.path,
            path_params=self._path_params(path_values),
            params=given(**params) if params else None,
            json=json,
            find=find,
            unique=unique,
            ids=self._operation.shape.ids,
        )

    def list(
        self,
        *,
        params: Row | None = None,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = None,
        envelope: bool = False,
        **path_values: Any,
    ) -> Listing:
        """Return its rows, lazily, page by page where it is paged.

        :param envelope: The answer carries its paging in the body (``/api/v2/tags``), not in headers.
        """
        if not self._operation.paged:
            return Listing(
                lambda _: self._at_once(params, path_values), paged=False, name=f"GET {self._operation.path}"
            )
        return self._client.list(
            self._operation.path,
            path_params=self._path_params(path_values),
            params=given(**params) if params else None,
            q=q,
            sort=sort,
            per_page=per_page,
            envelope=envelope,
            ids=self._operation.shape.ids,
        )

    def _at_once(self, params: Row | None, path_values: Row) -> Page:
        """Return the rows of a list that comes in one answer; of one thing, a list of it."""
        path, query = self._operation.path, given(**params) if params else None
        answer = self._client.send(
            "GET",
            path,
            path_params=self._path_params(path_values),
            params=query,
            shape=self._operation.shape,
        )
        if isinstance(answer.body, dict):
            return Page([answer.body])
        return page_of(answer, path)

    def _path_params(self, values: Row) -> Row | None:
        return {name: _path_value(name, value) for name, value in values.items()} or None


_TEXT_IDS = {
    *("bic", "cloudconnect_attachment_id", "custom_event_id", "data_stream_id", "id", "operation_id"),
    *("org_id", "org_id_or_my", "quota_type", "system_event_id", "template_id", "user_id"),
}
"""Names in paths whose values are texts, or may be; the others are numbers."""


def _path_value(name: str, value: Any) -> Any:
    """Return the value for a name in a path: a number, or a text that leads nowhere else.

    :raises ValueError: naming both.
    """
    if name not in _TEXT_IDS:
        return parse_id(value, name)
    if isinstance(value, bool) or not re.fullmatch(r"[\w@+-][\w.:@+-]*", str(value).strip()):
        raise ValueError(f"{name}: {value!r} is no id")
    return str(value).strip() if isinstance(value, str) else value


def page_of(answer: Answer, path: str, *, envelope: bool = False) -> Page:
    """Return the page of a list that an answer holds.

    :raises EmnifyServerError: when it holds none.
    """
    try:
        if envelope:
            return Page.from_envelope(answer.body)
        return Page.from_headers(answer.body, answer.headers)
    except TypeError as error:
        raise EmnifyServerError(str(error), status=answer.status, method="GET", path=path) from None


class Resource:
    """The operations on one kind of thing, bound to a client.

    :param client: Sends the requests.
    """

    def __init__(self, client: EmnifyClient) -> None:
        self._client = client


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Resource)


_PROMISED: dict[str, Kind] = {
    "None": "nothing",
    "Numbers": "nothing",
    "Row": "object",
    "Rows": "list",
    "Listing": "list",
    "Any": "either",
}


def operation(
    method: str,
    path: str,
    *,
    paged: bool = False,
    secret: bool = False,
    repeatable: bool | None = None,
    secret_arguments: tuple[str, ...] = (),
    secret_fields: tuple[str, ...] = (),
    answer: Kind | None = None,
    ids: type[int] | type[str] | None = None,
) -> Callable[[Callable[Concatenate[S, Call, P], R]], Callable[Concatenate[S, P], R]]:
    """Declare a method of a resource as a REST operation, and hand it the :class:`Call` for it.

    Callers and ``inspect.signature`` see the method without ``call``; the declaration is its ``.operation``.

    :param answer: What its answer holds, see :class:`~airflow_provider_emnify.api.answers.Shape`; by default
        what the method returns.
    :param ids: The type of the ``id`` in that answer; None where it has none.
    """

    def decorate(function: Callable[Concatenate[S, Call, P], R]) -> Callable[Concatenate[S, P], R]:
        returned = str(function.__annotations__.get("return"))
        shape = Shape(answer or _PROMISED.get(returned, "json"), ids)
        declared = Operation(
            method, path, paged, secret, repeatable, secret_arguments, secret_fields, shape
        )

        @functools.wraps(function)
        def send(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return function(self, Call(self._client, declared), *args, **kwargs)

        signature = inspect.signature(function)
        visible = [parameter for name, parameter in signature.parameters.items() if name != "call"]
        send.__dict__["__signature__"] = signature.replace(parameters=visible)
        send.__dict__["operation"] = declared
        return send

    return decorate


def operations_of(resource: type[Resource]) -> dict[str, Operation]:
    """Return a resource's methods by name, with the operation that each stands for."""
    members = ((name, getattr(member, "operation", None)) for name, member in inspect.getmembers(resource))
    return {name: found for name, found in members if isinstance(found, Operation)}


def given(**fields: Any) -> Row:
    """Keep the fields that were given: neither None nor UNSET."""
    return {name: value for name, value in fields.items() if value is not None and value is not UNSET}


def ref(value: Any, field: str) -> Any:
    """Return ``{"id": value}``, None or UNSET for what was not given.

    :param field: Name of the argument, for the message.
    :raises ValueError: if the value is not one id.
    """
    if value is None or value is UNSET:
        return value
    return {"id": parse_id(value, field)}


def nullable_ref(value: Any, field: str) -> Any:
    """Return ``{"id": value}`` with None as ``{"id": None}``: the way to empty a reference."""
    return {"id": None} if value is None else ref(value, field)


def refs(values: Any, field: str) -> Rows | None:
    """Return ``[{"id": value}, ...]``, None for what was not given."""
    return None if values is None else [{"id": value} for value in parse_ids(values, field)]


def moment(value: Moment | None) -> str | None:
    """Return a point in time as ``YYYY-MM-DDTHH:mm:ssZ`` in UTC. Without a time zone, UTC is meant.

    :raises ValueError: if the text is no ISO 8601 date or time.
    """
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    elif not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(value: Moment | None) -> str | None:
    """Return a date as ``YYYY-MM-DD``; of a point in time, its date in UTC.

    :raises ValueError: if the text is no ISO 8601 date or time.
    """
    text = moment(value)
    return None if text is None else text[:10]


BEGINNING = 100
"""Rows of a long list that are looked at for one that was created a moment ago."""

MOST_VALUES = 6
"""As many values as emnify takes for one filter, where it takes several."""


def filters(q: str | None = None, *, several: Collection[str] = (), **fields: Any) -> str | None:
    """Return the ``q`` of a list: ``field:value,field:value``, None when nothing filters.

    :param q: Filters as the caller wrote them; those of ``fields`` are added.
    :param several: Fields that may have up to six values, given as a list.
    :param fields: A value for each field; UNSET does not filter, None filters on ``null``. A trailing
        underscore in a name is dropped (``from_``).
    :raises ValueError: for a value that a filter cannot express.
    """
    terms = [q] if q else []
    for keyword, value in fields.items():
        name = keyword.rstrip("_")
        if value is UNSET:
            continue
        if isinstance(value, (list, tuple, set, frozenset)):
            terms.append(f"{name}:{_several(name, list(value), several)}")
        else:
            terms.append(f"{name}:{_filter_text(name, value, separator=name in several)}")
    return ",".join(terms) or None


def time_range(from_: Moment | None, until: Moment | None) -> Row:
    """Return the filters ``from_`` and ``until``, which emnify takes only together.

    :raises ValueError: if one of them is missing.
    """
    if (from_ is None) != (until is None):
        raise ValueError("from_ and until: emnify takes them only together")
    return {"from_": moment(from_) or UNSET, "until": moment(until) or UNSET}


def newcomer(list_all: Callable[[], Iterable[Row]], is_it: Callable[[Row], bool]) -> Callable[[], Row | None]:
    """Return what finds a thing that is created from now on, among things that look like it.

    :param list_all: Lists where it will be found; asked at once for those that are there already.
    :param is_it: Tells whether a row looks like it.
    """
    before = {str(row.get("id")) for row in list_all() if is_it(row)}
    return lambda: next((row for row in list_all() if is_it(row) and str(row.get("id")) not in before), None)


def latest_newcomer(
    list_latest: Callable[[], Iterable[Row]], is_it: Callable[[Row], bool]
) -> Callable[[], Row | None]:
    """Return what :func:`newcomer` does, for a list that is long: only its beginning is read.

    :param list_latest: Lists the latest first.
    :param is_it: Tells whether a row looks like it.
    """

    def beginning() -> Rows:
        return list(islice(list_latest(), BEGINNING))

    before = {str(row.get("id")) for row in beginning()}
    return lambda: next((row for row in beginning() if is_it(row) and str(row.get("id")) not in before), None)


def find_lost(find: Callable[[], Row | None], lost: EmnifyUnknownOutcomeError) -> Row | None:
    """Return what was created by a call whose answer was lost, None when it is not found.

    :param find: Looks for it.
    :param lost: The error of the call.
    :raises EmnifyUnknownOutcomeError: when it cannot be looked for: whether it was created is not known then.
    """
    try:
        return find()
    except EmnifyError as error:
        lost.message += f". It could not be looked for: {error.message}"
        raise lost from error


def unless_none(value: Any, parse: Callable[[Any], Any] = lambda value: value) -> Any:
    """Return the parsed value of an argument that does not filter when it is None."""
    return UNSET if value is None else parse(value)


def _several(name: str, values: list[Any], several: Collection[str]) -> str:
    if name not in several:
        raise ValueError(f"{name}: emnify filters by one value here, not by {values!r}")
    if not 1 <= len(values) <= MOST_VALUES:
        raise ValueError(f"{name}: emnify takes one to {MOST_VALUES} values, not {len(values)}")
    return "|".join(_filter_text(name, value, separator=True) for value in values)


def _filter_text(name: str, value: Any, *, separator: bool) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return moment(value) or ""
    if isinstance(value, date):
        return value.isoformat()
    text = str(int(value)) if isinstance(value, int) else str(value).strip()
    if not text:
        raise ValueError(f"{name}: an empty value cannot be filtered by")
    if "," in text or (separator and "|" in text):
        raise ValueError(
            f"{name}: {value!r} holds a separator of emnify's filters; give single values, as a list"
        )
    return text
