"""What a resource is made of: operations, the call that carries one out, and how arguments become a request.

A method of a resource is declared with :func:`declared`, which names the REST operation. It has no body: its
positional arguments stand in the path, its keywords filter a paged list, are the query of another GET, and
else the fields of a body, and its annotation says what it returns. Its ``Signature`` says how each argument
is written. A method that has more to do is an :func:`operation`, which takes the :class:`Call` as ``call``.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

from airflow_provider_emnify.api.resources.fields import UNSET, as_json, as_text, given
from airflow_provider_emnify.api.resources.signature import Signature
from airflow_provider_emnify.api.secrets.names import secrets_in, show
from airflow_provider_emnify.api.transport.answers import Kind, Shape
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.transport.recover import created_since, having
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Numbers, Row, Rows
from airflow_provider_emnify.api.values import parse_bool, parse_id

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.transport import Transport

__all__ = ["Call", "Listing", "Operation", "Resource", "declared", "operation", "operations_of"]


@dataclass(frozen=True)
class Operation:
    """One REST operation of emnify.

    :param method: HTTP method.
    :param path: Path template, for example ``/api/v1/endpoint/{endpoint_id}``.
    :param paged: Its answer comes in pages.
    :param envelope: These say in their body, not in their headers, which they are, and no ``q`` filters them.
    :param secret: Its answer or its arguments hold a secret (token, password, key): never for XCom or a log.
    :param secret_arguments: Where its arguments hold secrets, as ``psk`` or ``destination.credentials.url``.
    :param secret_fields: Names of the fields of its answer that hold secrets, which are hidden in an XCom.
    :param idempotent: May be sent again when its outcome is unknown; None decides by the method.
    :param shape: What its answer holds.
    :param may_be_empty: A list that is just empty, without a word on pages, where the id is unknown.
    :param known_by: Fields by which the created thing is known in the resource's ``list``, where it is looked
        for when the answer was lost.
    """

    method: str
    path: str
    paged: bool = False
    envelope: bool = False
    secret: bool = False
    idempotent: bool | None = None
    secret_arguments: tuple[str, ...] = ()
    secret_fields: tuple[str, ...] = ()
    shape: Shape = field(default_factory=Shape)
    may_be_empty: bool = False
    known_by: tuple[str, ...] = ()


def shown(name: str, operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return a call as a log shows it: long values are cut, secrets masked; of a secret write, names only."""
    if operation.secret and operation.method != "GET":
        return f"{name}({', '.join(arguments)})"
    given = {key: value for key, value in arguments.items() if value is not UNSET}
    return f"{name}({show(given, operation.secret_arguments)})"


class Call:
    """One call of an operation, ready to be sent. Its path takes the arguments that it names.

    :param resource: Whose method it is.
    :param operation: The operation.
    :param signature: What its method takes.
    :param given: What its method was given.
    """

    def __init__(self, resource: Resource, operation: Operation, signature: Signature, given: Row) -> None:
        self._resource = resource
        self._transport = resource.transport
        self._operation = operation
        self._signature = signature
        #: What its method was called with, by name, with its defaults; a method may change it.
        self.arguments = {name: given.get(name, one.default) for name, one in signature.parameters.items()}

    @property
    def keywords(self) -> Row:
        """Those of the arguments that are given by keyword, but for what the path takes and the paging."""
        return {name: self.arguments[name] for name in self._signature.keywords if name in self.arguments}

    def send(self) -> Any:
        """Send it as it is declared, and return what its method does."""
        operation = self._operation
        if self._signature.returns is Listing:
            filtered = operation.paged and not operation.envelope
            return self.filtered() if filtered else self.list(params=self.query())
        if operation.method == "GET":
            return self.request(params=self.query())
        body = self.fields() if self._signature.keywords else None
        if operation.known_by or operation.shape.kind == "created":
            return self.create(json=body)
        answer = self.request(json=body)
        return None if operation.shape.kind in {"nothing", "acknowledgement"} else answer

    def request(self, *, params: Row | None = None, json: Any = None, idempotent: bool | None = None) -> Any:
        """Send it and return the parsed answer, None when it is empty.

        :param params: Query; what is None is not sent.
        :param json: Body.
        :param idempotent: Overrides the operation's own, where arguments decide (a dry run is idempotent).
        """
        return self._transport.send(self._made(params, json, idempotent)).body

    def create(self, *, json: Any, find: Callable[[], Row | None] | None = None, unique: bool = False) -> Row:
        """Send it and return the created object with at least its ``id``.

        :param find: Looks for the created object when the answer was lost; by default in the resource's list,
            where the operation says what it is known by.
        :param unique: emnify itself refuses a second one, so it may be sent again when ``find`` says None.
        """
        if known_by := self._operation.known_by:
            same = having(**{name: json.get(name) for name in known_by})
            find = created_since(self._resource.list, same)  # type: ignore[attr-defined]
        return self._transport.create(self._made(None, json), find=find, unique=unique)

    def list(self, *, params: Row | None = None, q: str | None = None) -> Listing:
        """Return its rows, lazily, page by page where it is paged; see :meth:`request`.

        :param q: Filters, as emnify writes them.
        """
        operation = self._operation
        return self._transport.list(
            self._made(params),
            q=q,
            sort=as_text(self.arguments.get("sort"), "sort", "-name,id"),
            per_page=self.arguments.get("per_page"),
            envelope=operation.envelope,
            paged=operation.paged,
            may_be_empty=operation.may_be_empty,
        )

    def filtered(self) -> Listing:
        """Return the rows of its list that pass the keywords of the method.

        :raises ValueError: for one end of a time range without the other.
        """
        return self.list(q=self._signature.filters(self.arguments))

    def query(self) -> Row:
        """Return the keywords of the method as a query, see :func:`as_query`."""
        return self._signature.query(self.arguments)

    def fields(self, **parse: Callable[[Any], Any]) -> Row:
        """Return the keywords of the method as fields of a body, see :func:`as_fields`.

        None is sent, and empties the field, where UNSET is the default.

        :param parse: Parses the value of a keyword of whose type not all is said.
        """
        return self._signature.fields(self.arguments, parse)

    def _made(self, query: Row | None, body: Any = None, idempotent: bool | None = None) -> Request:
        """Return the request.

        :raises ValueError: naming an argument for the path that is not a valid id.
        """
        operation, signature = self._operation, self._signature
        return Request(
            operation.method,
            operation.path,
            {
                name: _path_value(argument, self.arguments[argument], text=argument in signature.texts)
                for name, argument in signature.in_path.items()
            },
            given(**query) if query else None,
            as_json(body),
            operation.idempotent if idempotent is None else idempotent,
            operation.shape,
        )


def _path_value(name: str, value: Any, *, text: bool) -> Any:
    """Return the value for a path: a number, or a text that leads nowhere else.

    :raises ValueError: naming both.
    """
    if not text:
        return parse_id(value, name)
    if isinstance(value, bool) or not re.fullmatch(r"[\w@+-][\w.:@+-]*", str(value).strip()):
        raise ValueError(f"{name}: {value!r} is not a valid id")
    return str(value).strip() if isinstance(value, str) else value


class Resource:
    """The operations on one kind of thing, bound to a transport.

    :param transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def name(self) -> str:
        """The name of its attribute on the client."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", type(self).__name__).lower()


P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Resource)
F = TypeVar("F", bound=Callable[..., Any])


_PROMISED: tuple[tuple[list[Any], Kind], ...] = (
    ([NoneType, Numbers], "nothing"),
    ([Row], "object"),
    ([Rows, Listing], "list"),
    ([Any], "either"),
)
"""What an answer holds, by what the method returns."""


def declared(
    method: str,
    path: str,
    *,
    answer: Kind | None = None,
    ids: type[int] | type[str] | None = None,
    holds: Mapping[str, type] | None = None,
    **facts: Any,
) -> Callable[[F], F]:
    """Declare a method of a resource as a REST operation, which is sent as its signature says.

    The declaration is the method's ``.operation``, with its ``.signature``.

    :param answer: What its answer holds, see
        :class:`~airflow_provider_emnify.api.transport.answers.Shape`; by default what the method returns.
    :param ids: The type of the ``id`` in that answer; None where it has none.
    :param holds: Fields that the object in that answer always has, or each in its list, and their types.
    :param facts: The others of an :class:`Operation`.
    """

    def decorate(function: F) -> F:
        signature = Signature(function, path)
        promised: Kind = next((kind for types, kind in _PROMISED if signature.returns in types), "json")
        shape = Shape(answer or promised, ids, holds or {})
        declared = Operation(method, path, shape=shape, **facts)

        @functools.wraps(function)
        def send(self: Resource, /, *args: Any, **kwargs: Any) -> Any:
            for name in signature.flags:
                if isinstance(kwargs.get(name), str):  # "False" is not true
                    kwargs[name] = parse_bool(kwargs[name], name)
            given = {**dict(zip(signature.parameters, args, strict=False)), **kwargs}
            _learn_secrets(self.transport, given, declared.secret_arguments)
            call = Call(self, declared, signature, given)
            if self.transport.on_call is not None:
                self.transport.on_call(shown(f"{self.name}.{function.__name__}", declared, given))
            if signature.takes_call:
                return function(self, call, *args, **kwargs)
            function(self, *args, **kwargs)  # refuses arguments that it does not take
            return call.send()

        send.__dict__["__signature__"] = signature.visible
        send.__dict__["operation"] = declared
        send.__dict__["signature"] = signature
        return cast("F", send)

    return decorate


def _learn_secrets(transport: Transport, given: Row, places: Collection[str]) -> None:
    """Have nothing show the secrets among arguments. A URL that may hold one stays to be seen in a log."""
    for place, secret in secrets_in(given, places) if places else ():
        if not place.endswith("url"):
            for one in secret if isinstance(secret, list) else [secret]:
                transport.learn_secret(str(one))


def operation(
    method: str, path: str, **facts: Any
) -> Callable[[Callable[Concatenate[S, Call, P], R]], Callable[Concatenate[S, P], R]]:
    """Declare a method that has more to do, and hand it the :class:`Call`: see :func:`declared`.

    Callers and ``inspect.signature`` see the method without ``call``.
    """
    return declared(method, path, **facts)  # type: ignore[return-value]


def operations_of(resource: type[Resource]) -> dict[str, Operation]:
    """Return a resource's methods by name, with the operation that each stands for."""
    members = ((name, getattr(member, "operation", None)) for name, member in inspect.getmembers(resource))
    return {name: found for name, found in members if isinstance(found, Operation)}
