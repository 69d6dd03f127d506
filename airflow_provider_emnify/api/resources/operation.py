"""What a resource is made of: operations, the call that carries one out, and how arguments become a request.

A method of a resource is declared with :func:`operation`, which names the REST operation and hands the method
a :class:`Call`. The call knows the arguments; the method only says whether they filter a list, are fields of
a body, or something else.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow_provider_emnify.api.resources.fields import UNSET, as_fields, filters, given
from airflow_provider_emnify.api.secrets.names import show
from airflow_provider_emnify.api.transport.answers import Kind, Shape
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_id

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.transport import Transport

__all__ = ["Call", "Listing", "Operation", "Resource", "operation", "operations_of"]


@dataclass(frozen=True)
class Operation:
    """One REST operation of emnify.

    :param method: HTTP method.
    :param path: Path template, for example ``/api/v1/endpoint/{endpoint_id}``.
    :param paged: Its answer comes in pages.
    :param secret: Its answer or its arguments hold a secret (token, password, key): never for XCom or a log.
    :param secret_arguments: Where its arguments hold secrets, as ``psk`` or ``destination.credentials.url``.
    :param secret_fields: Names of the fields of its answer that hold secrets, which are hidden in an XCom.
    :param idempotent: May be sent again when its outcome is unknown; None decides by the method.
    :param shape: What its answer holds.
    :param may_be_empty: A list that is just empty, without a word on pages, where the id is unknown.
    """

    method: str
    path: str
    paged: bool = False
    secret: bool = False
    idempotent: bool | None = None
    secret_arguments: tuple[str, ...] = ()
    secret_fields: tuple[str, ...] = ()
    shape: Shape = field(default_factory=Shape)
    may_be_empty: bool = False


def shown(name: str, operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return a call as a log shows it: long values are cut, secrets masked; of a secret write, names only."""
    if operation.secret and operation.method != "GET":
        return f"{name}({', '.join(arguments)})"
    given = {key: value for key, value in arguments.items() if value is not UNSET}
    return f"{name}({show(given, operation.secret_arguments)})"


class Call:
    """One call of an operation, ready to be sent. Its path takes the arguments that it names.

    :param transport: Sends it.
    :param operation: The operation.
    :param parameters: What its method takes.
    :param given: What its method was given.
    """

    def __init__(
        self,
        transport: Transport,
        operation: Operation,
        parameters: Mapping[str, inspect.Parameter],
        given: Row,
    ) -> None:
        self._transport = transport
        self._operation = operation
        self._parameters = parameters
        #: What its method was called with, by name, with its defaults; a method may change it.
        self.arguments = {name: given.get(name, parameter.default) for name, parameter in parameters.items()}

    @property
    def keywords(self) -> Row:
        """Those of the arguments that are given by keyword, but for what the path takes."""
        in_path = names_in(self._operation.path)
        return {
            name: value
            for name, value in self.arguments.items()
            if self._parameters[name].kind is inspect.Parameter.KEYWORD_ONLY and name not in in_path
        }

    def request(
        self,
        *,
        params: Row | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        **path_values: Any,
    ) -> Any:
        """Send it and return the parsed answer, None when it is empty.

        :param params: Query; what is None is not sent.
        :param json: Body.
        :param idempotent: Overrides the operation's own, where arguments decide (a dry run is idempotent).
        :param path_values: Values for names in the path that are not called like an argument.
        """
        return self._transport.send(self._made(path_values, params, json, idempotent)).body

    def row(self, **how: Any) -> Row:
        """Send it and return the object that answers it; see :meth:`request`."""
        found: Row = self.request(**how)
        return found

    def rows(self, **how: Any) -> Rows:
        """Send it and return the list that answers it; see :meth:`request`."""
        found: Rows = self.request(**how)
        return found

    def create(
        self,
        *,
        json: Any,
        find: Callable[[], Row | None] | None = None,
        unique: bool = False,
    ) -> Row:
        """Send it and return the created object with at least its ``id``.

        :param find: Looks for the created object when the answer was lost.
        :param unique: emnify itself refuses a second one, so it may be sent again when ``find`` says None.
        """
        return self._transport.create(self._made({}, None, json), find=find, unique=unique)

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
        return self._transport.list(
            self._made(path_values, params),
            q=q,
            sort=sort,
            per_page=per_page,
            envelope=envelope,
            paged=self._operation.paged,
            may_be_empty=self._operation.may_be_empty,
        )

    def filtered(self, *, several: Collection[str] = (), **parse: Callable[[Any], Any]) -> Listing:
        """Return the rows of its list that pass the keywords of the method, ``sim_id`` as ``sim``.

        :param several: Filters that may have up to six values.
        :param parse: Parses the value of a keyword.
        """
        given = self.keywords
        paging = {name: given.pop(name, None) for name in ("q", "sort", "per_page")}
        terms = {
            name.removesuffix("_id"): parse[name](value) if name in parse else value
            for name, value in given.items()
            if value is not None
        }
        paging["q"] = filters(paging["q"], several=several, **terms)
        return self.list(**paging)

    def fields(self, **parse: Callable[[Any], Any]) -> Row:
        """Return the keywords of the method as fields of a body or a query, see :func:`as_fields`.

        None is sent, and empties the field, where UNSET is the default.

        :param parse: Parses the value of a keyword.
        """
        nullable = {name for name, parameter in self._parameters.items() if parameter.default is UNSET}
        return as_fields(self.keywords, parse, nullable)

    def _made(self, path_values: Row, query: Row | None, body: Any = None, idempotent: Any = None) -> Request:
        """Return the request.

        :raises ValueError: naming a value for the path that is not a valid id.
        """
        operation, names = self._operation, names_in(self._operation.path)
        values = {**self.arguments, **path_values} if names else {}
        return Request(
            operation.method,
            operation.path,
            {name: _path_value(name, values[name]) for name in names},
            given(**query) if query else None,
            body,
            operation.idempotent if idempotent is None else idempotent,
            operation.shape,
        )


_TEXT_IDS = {
    *("bic", "cloudconnect_attachment_id", "custom_event_id", "data_stream_id", "id", "operation_id"),
    *("org_id", "org_id_or_my", "quota_type", "system_event_id", "template_id", "user_id"),
}
"""Names in paths whose values are texts, or may be; the others are numbers."""


@functools.cache
def names_in(path: str) -> tuple[str, ...]:
    """Return the names in a path template."""
    return tuple(re.findall(r"\{(\w+)\}", path))


def _path_value(name: str, value: Any) -> Any:
    """Return the value for a name in a path: a number, or a text that leads nowhere else.

    :raises ValueError: naming both.
    """
    if name not in _TEXT_IDS:
        return parse_id(value, name)
    if isinstance(value, bool) or not re.fullmatch(r"[\w@+-][\w.:@+-]*", str(value).strip()):
        raise ValueError(f"{name}: {value!r} is not a valid id")
    return str(value).strip() if isinstance(value, str) else value


class Resource:
    """The operations on one kind of thing, bound to a transport.

    :param transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def name(self) -> str:
        """The name of its attribute on the client."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


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
    answer: Kind | None = None,
    ids: type[int] | type[str] | None = None,
    holds: Mapping[str, type] | None = None,
    **facts: Any,
) -> Callable[[Callable[Concatenate[S, Call, P], R]], Callable[Concatenate[S, P], R]]:
    """Declare a method of a resource as a REST operation, and hand it the :class:`Call` for it.

    Callers and ``inspect.signature`` see the method without ``call``; the declaration is its ``.operation``.

    :param answer: What its answer holds, see
        :class:`~airflow_provider_emnify.api.transport.answers.Shape`; by default what the method returns.
    :param ids: The type of the ``id`` in that answer; None where it has none.
    :param holds: Fields that the object in that answer always has, or each in its list, and their types.
    :param facts: The others of an :class:`Operation`.
    """

    def decorate(function: Callable[Concatenate[S, Call, P], R]) -> Callable[Concatenate[S, P], R]:
        returned = str(function.__annotations__.get("return"))
        shape = Shape(answer or _PROMISED.get(returned, "json"), ids, holds or {})
        declared = Operation(method, path, shape=shape, **facts)

        signature = inspect.signature(function)
        visible = [parameter for name, parameter in signature.parameters.items() if name != "call"]
        parameters = {parameter.name: parameter for parameter in visible[1:]}

        @functools.wraps(function)
        def send(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
            given = {**dict(zip(parameters, args, strict=False)), **kwargs}
            call = Call(self._transport, declared, parameters, given)
            if self._transport.on_call is not None:
                self._transport.on_call(shown(f"{self.name}.{function.__name__}", declared, given))
            return function(self, call, *args, **kwargs)

        send.__dict__["__signature__"] = signature.replace(parameters=visible)
        send.__dict__["operation"] = declared
        return send

    return decorate


def operations_of(resource: type[Resource]) -> dict[str, Operation]:
    """Return a resource's methods by name, with the operation that each stands for."""
    members = ((name, getattr(member, "operation", None)) for name, member in inspect.getmembers(resource))
    return {name: found for name, found in members if isinstance(found, Operation)}
