"""What a resource is made of: operations, the call that carries one out, and how arguments become a request.

A method of a resource is declared with :func:`operation`, which names the REST operation and hands the method
a :class:`Call`. The method only says where its arguments go: into the path, the query or the body.
"""

from __future__ import annotations

import functools
import inspect
import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_emnify.api.errors import EmnifyError, EmnifyServerError, EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.transport.answers import Kind, Shape
from airflow_provider_emnify.api.transport.paging import Listing, Page
from airflow_provider_emnify.api.values import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.resources.fields import Row, Rows
    from airflow_provider_emnify.api.transport.bodies import Answer


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
F = TypeVar("F")
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

    :param answer: What its answer holds, see
        :class:`~airflow_provider_emnify.api.transport.answers.Shape`; by default what the method returns.
    :param ids: The type of the ``id`` in that answer; None where it has none.
    """

    def decorate(function: Callable[Concatenate[S, Call, P], R]) -> Callable[Concatenate[S, P], R]:
        returned = str(function.__annotations__.get("return"))
        shape = Shape(answer or _PROMISED.get(returned, "json"), ids)
        declared = Operation(method, path, paged, secret, repeatable, secret_arguments, secret_fields, shape)

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


_recovers: ContextVar[bool] = ContextVar("_recovers", default=True)


@contextmanager
def without_recovery() -> Iterator[None]:
    """Do not look for what was created when an answer is lost: the caller looks before and after."""
    token = _recovers.set(False)
    try:
        yield
    finally:
        _recovers.reset(token)


def nothing_found() -> None:
    """Find nothing, as is right for who looks by itself."""


def recovers() -> bool:
    """Tell whether a create looks for what was created when its answer is lost."""
    return _recovers.get()


BEGINNING = 100
"""Rows of a long list that are looked at for one that was created a moment ago."""


def newcomer(list_all: Callable[[], Iterable[Row]], is_it: Callable[[Row], bool]) -> Callable[[], Row | None]:
    """Return what finds a thing that is created from now on, among things that look like it.

    :param list_all: Lists where it will be found; asked at once for those that are there already.
    :param is_it: Tells whether a row looks like it.
    """
    if not recovers():
        return nothing_found
    before = {str(row.get("id")) for row in list_all() if is_it(row)}
    return lambda: next((row for row in list_all() if is_it(row) and str(row.get("id")) not in before), None)


def latest_newcomer(
    list_latest: Callable[[], Iterable[Row]], is_it: Callable[[Row], bool]
) -> Callable[[], Row | None]:
    """Return what :func:`newcomer` does, for a list that is long: only its beginning is read.

    :param list_latest: Lists the latest first.
    :param is_it: Tells whether a row looks like it.
    """
    if not recovers():
        return nothing_found

    def beginning() -> Rows:
        return list(islice(list_latest(), BEGINNING))

    before = {str(row.get("id")) for row in beginning()}
    return lambda: next((row for row in beginning() if is_it(row) and str(row.get("id")) not in before), None)


def find_lost(find: Callable[[], F | None], lost: EmnifyUnknownOutcomeError) -> F | None:
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
