"""A request as a value: what is sent, and what may come back. It is passed on whole until it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import EmnifyError, ErrorKind
from airflow_provider_emnify.api.transport.answers import ANYTHING, JSON, Shape
from airflow_provider_emnify.api.transport.urls import fill_path

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.bodies import Answer, Pick


@dataclass(frozen=True)
class Request:
    """One request.

    :param method: HTTP method.
    :param template: Path from ``/api`` on, with ``{names}`` for what stands in ``path_values``.
    :param path_values: Values for the path; they are percent-encoded.
    :param query: Query; None values are left out, booleans are written as emnify does.
    :param body: Body, as JSON.
    :param idempotent: Whether sending it twice is the same as sending it once. None: all but a POST are.
    :param shape: What the answer must hold. None: some JSON for a GET (or a 204), and anything else.
    :param pick: Makes what is kept of each object in the answer, from the inside out. A large list of which
        little is wanted costs less so.
    :param check: Raises when an answer, or an error made of one, is not what the call promises; what it
        raises is sent again where that is transient.
    :raises ValueError: for a path that is none, or lacks a value.
    """

    method: str
    template: str
    path_values: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: Any = None
    idempotent: bool | None = None
    shape: Shape | None = None
    pick: Pick | None = None
    check: Callable[[Answer | EmnifyError], None] | None = None
    path: str = field(init=False)
    """The path as it is sent."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", fill_path(self.template, self.path_values))

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def error(self, kind: type[ErrorKind], message: str, status: int | None = None) -> ErrorKind:
        """Return an error of this request."""
        return kind(message, status=status, method=self.method, path=self.path)

    @property
    def may_be_repeated(self) -> bool:
        """Whether it may be sent again when its outcome is unknown."""
        return self.method != "POST" if self.idempotent is None else self.idempotent

    @property
    def promised(self) -> Shape:
        """What the answer must hold."""
        return self.shape or (JSON if self.method == "GET" else ANYTHING)
