"""The wire: the sandbox as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_emnify.sandbox.control.paths import PREFIX, answer_control
from airflow_provider_emnify.sandbox.http.answers import MISSING, Answer, ApiError
from airflow_provider_emnify.sandbox.http.engine import Engine, Request
from airflow_provider_emnify.sandbox.http.fields import parses

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_PAGE = Path(__file__).parent.parent / "page" / "index.html"
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' data:; frame-ancestors 'none'",
    "cache-control": "no-store",
}
_WITHOUT_CONTENT = (204, 304)
_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - addresses that mean each of a machine's


class App:
    """A page at ``/``, the control paths below ``/_sandbox``, the API elsewhere, as an ASGI application.

    :param engine: What acts on requests.
    :param transports: The open connections by the client's address, for faults that close one.
    :param hosts: The host names under which the API is served; None: any.
    :param control_hosts: The host names under which the sandbox is controlled; an IP address always is one,
        since no page of another site can have it as its name.
    """

    def __init__(
        self,
        engine: Engine,
        transports: MutableMapping[Any, asyncio.Transport],
        hosts: frozenset[str] | None = LOOPBACK,
        control_hosts: frozenset[str] = LOOPBACK,
    ) -> None:
        self._engine = engine
        self._transports = transports
        self._hosts = hosts
        self._control_hosts = control_hosts
        self._page = Answer(200, _PAGE.read_bytes(), _PAGE_HEADERS)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = await _request(scope, receive)
        host = request.headers.get("host", "")
        is_page = (request.method, scope["path"]) == ("GET", "/")
        if is_page or scope["path"].startswith(PREFIX):
            if (refusal := _refusal(request.headers, self._control_hosts)) is not None:
                await _send(send, Answer(403, {"detail": refusal}))
            else:
                await _send(send, self._page if is_page else answer_control(self._engine, request))
        elif self._hosts is not None and _host(host) not in self._hosts:
            await self._send(send, ApiError("NotFound", f"There is no host {host!r} here.").answer)
        else:
            await self._serve(request, scope, receive, send)

    async def _serve(self, request: Request, scope: Message, receive: Receive, send: Send) -> None:
        visit = self._engine.arrive(request)
        fault = visit.fault
        answer: Answer | None = None
        try:
            if fault is not None and fault.delay:
                await asyncio.sleep(fault.delay)
            acted = self._engine.act(visit)
            if fault is not None and fault.drop:
                await self._disconnect(scope, receive)
                return
            answer = acted
        except asyncio.CancelledError:
            return  # the sandbox ends, and has closed the connection
        finally:
            # Before it is sent: who has the answer may look at the log at once.
            self._engine.leave(visit, answer.status if answer is not None else None)
        with contextlib.suppress(asyncio.CancelledError):
            await self._send(send, answer, truncate=fault.truncate if fault else None)
            if fault is not None and fault.truncate is not None:
                await self._disconnect(scope, receive)

    async def _send(self, send: Send, answer: Answer, truncate: int | None = None) -> None:
        date = formatdate(int(self._engine.clock.time()), usegmt=True)
        dated = Answer(answer.status, answer.body, {"date": date, **answer.headers})
        await _send(send, dated, truncate)

    async def _disconnect(self, scope: Message, receive: Receive) -> None:
        transport = self._transports.get(tuple(scope.get("client") or ()))
        if transport is not None:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


async def _request(scope: Message, receive: Receive) -> Request:
    content = b""
    more = True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    query_string = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        raw_path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=dict(parse_qsl(query_string, keep_blank_values=True)),
        query_string=query_string,
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        content=content,
        address=(scope.get("client") or ("",))[0],
    )


async def _send(send: Send, answer: Answer, truncate: int | None = None) -> None:
    content = b"" if answer.body is MISSING or answer.status in _WITHOUT_CONTENT else answer.body
    if not isinstance(content, (str, bytes)):
        content = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    content = content.encode() if isinstance(content, str) else content
    is_html = isinstance(answer.body, (str, bytes)) and content.lstrip().startswith(b"<")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if content:
        headers.setdefault("content-type", "text/html" if is_html else "application/json")
    if answer.status not in _WITHOUT_CONTENT:
        headers.setdefault("content-length", str(len(content)))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    body = {"type": "http.response.body", "body": content[:truncate], "more_body": truncate is not None}
    await send(body)


def _host(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()


def hosts_of(address: str) -> frozenset[str]:
    """Return the host names under which a sandbox is controlled that listens on an address."""
    return LOOPBACK if address in _ANY else LOOPBACK | {address.lower()}


def _refusal(headers: Mapping[str, str], hosts: frozenset[str]) -> str | None:
    """Tell why a request must not control the sandbox: a page in a browser could have sent it.

    Its ``Host`` would be another name of this machine (DNS rebinding), its ``Origin`` another site.
    """
    host, origin = headers.get("host", ""), headers.get("origin")
    name = _host(host)
    if name not in hosts and not parses(ipaddress.ip_address, name):
        return "the sandbox is controlled under its address or localhost only, not under another Host"
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "a page of another Origin must not control the sandbox"
    return None
