"""A client that sends nothing and remembers what it was asked to send."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.resources import Resources
from airflow_provider_emnify.api.transport.bodies import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.api.transport.request import Request


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    path_params: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    idempotent: bool | None = None


class Recorder(Resources):
    """Every resource of the client, over a transport that records.

    :param answer: What every request is answered with.
    """

    on_call = None

    def __init__(self, answer: Any = None) -> None:
        self.sent: list[Sent] = []
        self.answer = answer
        self.finds: list[Any] = []
        self.secrets: list[str] = []
        super().__init__(self)  # type: ignore[arg-type]

    def send(self, request: Request) -> Answer:
        values, query = dict(request.path_values or {}), dict(request.query or {})
        self.sent.append(
            Sent(request.method, request.template, values, query, request.body, request.idempotent)
        )
        return Answer(200, {}, self.answer)

    def learn_secret(self, secret: str) -> None:
        self.secrets.append(secret)

    def create(self, request: Request, *, find: Any = None, unique: bool = False) -> dict[str, Any]:
        del unique
        self.finds.append(find)
        self.send(request)
        return {"id": 1}

    def list(
        self,
        request: Request,
        *,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = None,
        envelope: bool = False,
        paged: bool = True,
        may_be_empty: bool = False,
    ) -> Iterator[dict[str, Any]]:
        del may_be_empty
        size = "page_size" if envelope else "per_page"
        page = {"page": 1} if paged else {}
        query = {**(request.query or {}), **page, "q": q, "sort": sort, size: per_page}
        query = {name: value for name, value in query.items() if value is not None}
        request = replace(request, query=query)
        if not paged:
            return self._at_once(request)
        self.send(request)
        return iter(())

    def _at_once(self, request: Request) -> Iterator[dict[str, Any]]:
        yield from self.send(request).body or ()
