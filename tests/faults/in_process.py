"""A sandbox without a server: each request goes from the client's session straight to it."""

from __future__ import annotations

import io
import itertools
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from airflow_provider_emnify.api.transport.connections import Session
from airflow_provider_emnify.sandbox import Sandbox, routes  # noqa: F401 - the routes register themselves
from airflow_provider_emnify.sandbox.http.answers import MISSING, Answer
from airflow_provider_emnify.sandbox.http.engine import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


_PORTS = itertools.cycle(range(1, 65536))  # nobody listens: each is a host of its own, with its own locks


class InProcess(Sandbox):
    """A sandbox that is reached through :meth:`answer` instead of a port.

    :param extra: More extras of its connection.
    :param as_user: Let its connection have a user's credentials instead of an application token.
    """

    def __init__(
        self,
        endpoints: int = 0,
        *,
        as_user: bool = False,
        extra: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(endpoints, limits=False, port=next(_PORTS), **settings)
        self.as_user = as_user
        self.extra = {"rate_limit_store": "memory", "max_retries": 0, **(extra or {})}
        self._counting = threading.Lock()
        self.seen: list[str] = []
        """What was asked for so far: ``METHOD /path/template``."""
        self.answers: dict[int, Answer] = {}
        """What the n-th request was answered with."""
        self.instead: Callable[[int], Answer | None] = lambda number: None
        """What the n-th request is answered with, which then is not acted on."""
        self.twist: Callable[[int, Answer], Answer] = lambda number, answer: answer
        """What becomes of the answer to the n-th request."""

    @property
    def airflow_connection(self) -> str:
        """A connection that keeps its count in memory and sends each request once."""
        user = {"login": self.username, "password": self.password} if self.as_user else {}
        return json.dumps({**json.loads(super().airflow_connection), **user, "extra": self.extra})

    def answer(self, sent: requests.PreparedRequest) -> Answer:
        """Let the sandbox act on a request."""
        url = urlsplit(str(sent.url))
        content = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
        visit = self.engine.arrive(
            Request(
                method=str(sent.method),
                raw_path=url.path,
                query=dict(parse_qsl(url.query, keep_blank_values=True)),
                query_string=url.query,
                headers={name.lower(): str(value) for name, value in sent.headers.items()},
                content=content,
                address="127.0.0.1",
            )
        )
        call = f"{sent.method} {visit.entry.template or url.path}"
        with self._counting:
            number = len(self.seen)
            self.seen.append(call)
        answer = self.instead(number) or self.twist(number, self.engine.act(visit))
        self.answers[number] = answer
        self.engine.leave(visit, answer.status)
        return answer

    def reach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have every client reach this sandbox, and ``emnify_default`` lead to it."""
        adapter = _Adapter(self)
        monkeypatch.setattr(Session, "get_adapter", lambda session, url: adapter)
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", self.airflow_connection)


class Cut(bytes):
    """A body of which the second half does not arrive."""

    __slots__ = ()


class _Adapter(BaseAdapter):
    def __init__(self, sandbox: InProcess) -> None:
        super().__init__()
        self._sandbox = sandbox

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._sandbox.answer(request)
        content = b"" if answer.body is MISSING else answer.body
        if not isinstance(content, bytes):
            content = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        headers = {**answer.headers, "Content-Length": str(len(content))}
        if isinstance(answer.body, Cut):
            content = content[: len(content) // 2]
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(headers)
        response.url, response.request = str(request.url), request
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(content),
            headers,
            answer.status,
            preload_content=False,
            request_method=request.method,
            enforce_content_length=True,
        )
        return response

    def close(self) -> None:
        """Keep nothing open."""
