"""What a route sees of a request, the table of routes, and how a route is found."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote

from airflow_provider_emnify.sandbox.http.answers import ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import Field, validate
from airflow_provider_emnify.sandbox.world.accounts import Accounts, Identity
from airflow_provider_emnify.sandbox.world.state import State

T = TypeVar("T")
Match = tuple[str, dict[str, str]]
Body = Any
"""JSON that is sent with status 200."""


@dataclass(slots=True)
class Call:
    """One request, checked so far that a route can act on it."""

    state: State
    accounts: Accounts
    template: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    address: str
    caller: Identity | None = None
    partial: int | None = None

    @property
    def own(self) -> int:
        """The organisation that the caller acts in."""
        return self.caller.organisation_id if self.caller else 0

    def id(self, name: str, resource: str) -> int:
        """Return the path parameter ``name``, a number of 64 bits, or answer 400 as recorded."""
        text = self.path[name]
        if not re.fullmatch(r"-?[0-9]{1,19}", text) or abs(int(text)) >= 2**63:
            raise ApiError("BadRequest", f"Cannot parse parameter {resource.lower()} id as Long")
        return int(text)

    def known(self, numbers: Container[int], name: str, resource: str) -> int:
        """Return the path parameter ``name``, one of some numbers, or answer 404."""
        number = self.id(name, resource)
        if number not in numbers:
            raise not_found(resource, number)
        return number

    def one(self, table: Mapping[int, T], name: str, resource: str) -> T:
        """Return what the path parameter ``name`` means in a table, or answer 404."""
        return table[self.known(table, name, resource)]

    def named(self, table: Mapping[str, T], name: str, resource: str) -> T:
        """Return what the path parameter ``name`` means where ids are texts, or answer 404."""
        if self.path[name] not in table:
            raise not_found(resource, self.path[name])
        return table[self.path[name]]

    def checked(
        self, fields: Mapping[str, Field], resource: str, *, partial: bool = False, status: int | None = None
    ) -> dict[str, Any]:
        """Return the body, an object that :func:`validate` finds good."""
        body = self.object()
        validate(body, fields, resource, partial=partial, status=status)
        return body

    def object(self) -> dict[str, Any]:
        """Return the body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            raise ApiError("BadRequest", "The body must be a JSON object.")
        return self.body

    def array(self) -> list[Any]:
        """Return the body, which must be a JSON array."""
        if not isinstance(self.body, list):
            raise ApiError("BadRequest", "The body must be a JSON array.")
        return self.body

    def applied(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items of a bulk call; or as many as a fault lets through, and answer 500 then."""
        yield from islice(items, self.partial)
        if self.partial is not None:
            raise ApiError("InternalServerError", "Internal server error")


Handler = Callable[[Call], Any]
H = TypeVar("H", bound=Handler)


GRAPHQL = ("POST", "/graphql")
"""What is served beside the REST API."""

ROUTES: dict[tuple[str, str], Handler] = {}
"""The routes by (method, path template); each returns an answer, or JSON for a 200, or None for a 204."""

PUBLIC: set[tuple[str, str]] = set()
"""The routes that are open to everybody."""


def serves(method: str, template: str, *, public: bool = False) -> Callable[[H], H]:
    """Register a function as the route of an operation.

    :param public: No auth token is asked for.
    """

    def register(handler: H) -> H:
        ROUTES[method, template] = handler
        if public:
            PUBLIC.add((method, template))
        return handler

    return register


class Router:
    """Finds the template that a path means; a literal segment goes before a parameter.

    Works on the raw, percent-encoded path, so that an encoded slash in a parameter stays part of it.

    :param operations: (method, template) of each operation.
    """

    def __init__(self, operations: Iterable[tuple[str, str]]) -> None:
        self._operations = frozenset(operations)
        self._patterns: dict[int, dict[str, re.Pattern[str]]] = {}
        """The templates by their number of slashes, with what a path of each looks like."""
        # In this order a brace comes after all letters, so that literals are tried first.
        for template in sorted({template for _, template in self._operations}):
            pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template.strip("/")))
            self._patterns.setdefault(template.count("/"), {})[template] = pattern

    def match(self, method: str, raw_path: str) -> Match | None:
        """Return the template and the decoded path parameters, or None.

        Templates that differ in their parameters' names only are told apart by the method.
        """
        for template, values in self._matches(raw_path):
            if (method, template) in self._operations:
                return template, {name: unquote(value) for name, value in values.items()}
        return None

    def knows(self, raw_path: str) -> bool:
        """Tell whether there is an operation at this path, with whatever method."""
        return any(True for _ in self._matches(raw_path))

    def _matches(self, raw_path: str) -> Iterator[Match]:
        path = raw_path.strip("/")
        for template, pattern in self._patterns.get(path.count("/") + 1, {}).items():
            if (match := pattern.fullmatch(path)) is not None:
                yield template, match.groupdict()
