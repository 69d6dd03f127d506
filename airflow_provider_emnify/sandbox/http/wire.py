"""What a route sees of a request and says to it, and the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError, not_found

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.accounts import Accounts, Identity
    from airflow_provider_emnify.sandbox.world.state import State


@dataclass(slots=True)
class Call:
    """One request, checked so far that a route can act on it."""

    state: State
    accounts: Accounts
    method: str
    template: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    address: str
    now: float
    caller: Identity | None = None
    partial: int | None = None

    def id(self, name: str, resource: str) -> int:
        """Return the path parameter ``name`` as a number; what is none is not found."""
        text = self.path[name]
        if not (text.isascii() and text.isdecimal()):
            raise not_found(resource, text)
        return int(text)

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


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A route and whether it is open to everybody."""

    handler: Handler
    public: bool = False


ROUTES: dict[tuple[str, str], Route] = {}
"""The routes by (method, path template)."""


def serves(method: str, template: str, *, public: bool = False) -> Callable[[Handler], Handler]:
    """Register a function as the route of an operation.

    :param public: No auth token is asked for.
    """

    def register(handler: Handler) -> Handler:
        ROUTES[method, template] = Route(handler, public)
        return handler

    return register
