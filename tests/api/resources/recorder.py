"""A client that sends nothing and remembers what it was asked to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.resources import Resources
from airflow_provider_emnify.api.transport.bodies import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    path_params: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    repeatable: bool | None = None


class Recorder(Resources):
    """Every resource of the client, over a transport that records.

    :param answer: What every request is answered with.
    """

    def __init__(self, answer: Any = None) -> None:
        self.sent: list[Sent] = []
        self.answer = answer
        self.finds: list[Any] = []
        self.secrets: list[str] = []
        super().__init__(self)  # type: ignore[arg-type]

    def request(
        self,
        method: str,
        path: str,
        *,
        path_params: Any = None,
        params: Any = None,
        json: Any = None,
        repeatable: bool | None = None,
        shape: Any = None,
    ) -> Any:
        del shape
        self.sent.append(Sent(method, path, path_params or {}, params or {}, json, repeatable))
        return self.answer

    def send(self, method: str, path: str, **arguments: Any) -> Answer:
        return Answer(200, {}, self.request(method, path, **arguments))

    def learn_secret(self, secret: str) -> None:
        self.secrets.append(secret)

    def create(
        self, path: str, *, find: Any = None, unique: bool = False, ids: Any = None, **arguments: Any
    ) -> dict[str, Any]:
        del unique, ids
        self.finds.append(find)
        self.request("POST", path, **arguments)
        return {"id": 1}

    def list(
        self,
        path: str,
        *,
        params: Any = None,
        q: str | None = None,
        sort: str | None = None,
        per_page: int | None = None,
        envelope: bool = False,
        ids: Any = None,
        **arguments: Any,
    ) -> Iterator[dict[str, Any]]:
        del ids
        size = "page_size" if envelope else "per_page"
        query = {**(params or {}), "page": 1, "q": q, "sort": sort, size: per_page}
        query = {name: value for name, value in query.items() if value is not None}
        self.request("GET", path, params=query, **arguments)
        return iter(())
