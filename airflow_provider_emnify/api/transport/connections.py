"""One HTTP exchange: a request out, one whole answer in, bounded in size and in time.

What ``requests`` does not do by itself: an answer is read as it comes, unpacked in small steps, and refused
past :data:`MOST_BYTES`; all of it, from the first byte of the request on, takes at most so long, however
slowly the bytes come; answers before the answer (``103`` and the like) are passed over; it is known whether
anything of the request can have reached the server, and why there is no answer; and another thread can end
it.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from airflow_provider_emnify.api.transport.urls import Route, is_loopback

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of an answer, unpacked, that are taken at most."""

LONGEST_CONNECT = 10.0
"""Seconds to reach the host; the timeout is for its answer."""

WHOLE = 5
"""Times the timeout: the most that one exchange takes, however slowly its bytes come."""

_CHUNK = 64 * 1024
_CONNECTIONS = 32  # kept open for as many threads
_MOST_INTERIM = 20  # answers before the answer
_WBITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_NOT_ASKED_FOR = {"br", "zstd", "compress", "x-compress"}


class AnswerTooLargeError(Exception):
    """An answer past the bound, or with a ``Content-Encoding`` that was not asked for."""


class TooSlowError(TimeoutError):
    """The whole of an exchange took longer than it may."""


@dataclass(eq=False)
class Exchange:
    """What is under way in a thread.

    :param deadline: Reading of ``time.monotonic()`` at which it is over.
    :param timeout: Seconds without a byte after which it is over.
    :param began: Whether something of the request was handed to a connection that had been made; None where
        that is not known.
    """

    deadline: float
    timeout: float
    began: bool | None = None
    _socket: Any = field(default=None, repr=False)
    _aborted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def use(self, connection: Any) -> None:
        """Take note of the socket that is used, so that it can be shut down."""
        with self._lock:
            self._socket = connection
            if self._aborted:
                raise ConnectionAbortedError("the client was closed")

    def abort(self) -> None:
        """End it, from another thread."""
        with self._lock:
            self._aborted = True
            if self._socket is not None:
                # Only the wire: a TLS socket's own shutdown would wait for the thread that reads it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def left(self) -> float:
        """Return the seconds until the next byte has to be there.

        :raises TooSlowError: when the time of the whole exchange is over.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TooSlowError
        return min(self.timeout, left)


class _Current(threading.local):
    exchange: Exchange | None = None


_current = _Current()


@contextlib.contextmanager
def exchanging(exchange: Exchange) -> Iterator[None]:
    """Have the connections of this thread keep to the bounds of an exchange."""
    _current.exchange = exchange
    try:
        yield
    finally:
        _current.exchange = None


class _BoundedReader(io.RawIOBase):
    """Reads a socket until the exchange's time is over, however slowly the bytes come."""

    def __init__(self, inner: io.BufferedReader, connection: Any, exchange: Exchange) -> None:
        super().__init__()
        self._inner = inner
        self._connection = connection
        self._exchange = exchange

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(self._exchange.left())
        return self._inner.raw.readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """The answer itself; what comes before it (1xx) is passed over."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if (exchange := _current.exchange) is not None:
            self.fp = io.BufferedReader(_BoundedReader(self.fp, sock, exchange))

    def begin(self) -> None:
        super().begin()
        for _ in range(_MOST_INTERIM):
            if not 100 <= self.status < 200 or self.status == http.client.SWITCHING_PROTOCOLS:  # noqa: PLR2004 - HTTP's own numbers
                break
            self.headers = None  # type: ignore[assignment] # as before the first one
            super().begin()
        if self.status < 200:  # noqa: PLR2004 - HTTP's own number
            raise http.client.HTTPException(f"no answer after {self.status}")


class _Noticing:
    """A connection that tells the exchange when something is sent."""

    _connecting = False
    sock: Any

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self._connecting = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        if (exchange := _current.exchange) is not None:
            exchange.use(self.sock)
            if not self._connecting:  # else it is a proxy that is asked for a tunnel
                exchange.began = True
        super().send(data)  # type: ignore[misc]


class _Connection(_Noticing, HTTPConnection):
    response_class = _Answer


class _TlsConnection(_Noticing, HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        if (exchange := _current.exchange) is not None:
            exchange.began = False
        return super().send(*args, **kwargs)


class Session(requests.Session):
    """A session whose answers come in bounds.

    It follows no redirect, nor looks at where one leads; and nothing for this machine goes through a proxy
    that the environment names for others: the token would go to it.

    :param host: The API's host name.
    :param user_agent: Value of the header.
    :param route: Proxy, certificates and headers.
    """

    def __init__(self, host: str, user_agent: str, route: Route) -> None:
        super().__init__()
        self._route = route
        self.headers.update(dict(route.headers))
        self._is_local = is_loopback(host)
        self._settings: Any = None
        self.headers.update(
            {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        )
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(pool_maxsize=_CONNECTIONS))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return none: a token goes to no other host."""
        del resp
        return None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Return a request ready to be sent, with this session's headers and cookies.

        It has an ``auth``, so no ``.netrc`` is looked for; nothing else of a session's own is there to merge,
        and without merging a call takes a fifth less time.
        """
        prepared = requests.PreparedRequest()
        prepared.prepare(
            method=request.method,
            url=request.url,
            headers=self.headers,
            params=request.params,
            json=request.json,
            auth=request.auth,
            cookies=self.cookies,
        )
        return prepared

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the environment's settings, for a host of this machine without its proxies.

        They are looked up once: all requests go to the same host, and the search takes a third of a request.
        """
        if self._settings is None:
            settings = super().merge_environment_settings(url, proxies, stream, verify, cert)
            if self._route.proxy is not None:
                settings["proxies"] = dict.fromkeys(("http", "https"), self._route.proxy)
            elif self._is_local:
                settings["proxies"] = dict(self.proxies)
            if self._route.ca_bundle is not None:
                settings["verify"] = self._route.ca_bundle
            self._settings = settings
        return self._settings


def read_body(response: requests.Response) -> bytes:
    """Read an answer to its end, unpacked. Its connection is good for another request then.

    :raises AnswerTooLargeError: past :data:`MOST_BYTES`, or for a ``Content-Encoding`` not asked for.
    :raises Exception: what ``urllib3`` or ``zlib`` raise for an answer that is cut or damaged.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        for chunk in _unpacked(response):
            size += len(chunk)
            if size > MOST_BYTES:
                raise AnswerTooLargeError(f"it is larger than {MOST_BYTES // 1024 // 1024} MiB")
            chunks.append(chunk)
    except BaseException:
        response.close()
        raise
    return b"".join(chunks)


def _unpacked(response: requests.Response) -> Iterator[bytes]:
    named = response.headers.get("Content-Encoding") or ""
    codings = [name for name in (part.strip().lower() for part in named.split(",")) if name in _WBITS]
    if len(codings) > 1 or any(part.strip().lower() in _NOT_ASKED_FOR for part in named.split(",")):
        raise AnswerTooLargeError("its Content-Encoding was not asked for")
    packed = iter(partial(response.raw.read, _CHUNK, decode_content=False), b"")
    return _inflated(packed, _WBITS[codings[0]]) if codings else packed


def _inflated(packed: Iterator[bytes], wbits: int) -> Iterator[bytes]:
    unpacker, first = zlib.decompressobj(wbits), True
    for chunk in packed:
        data, is_more = chunk, False
        while (data or is_more) and not unpacker.eof:
            try:
                out = unpacker.decompress(data, _CHUNK)
            except zlib.error:
                if not first or wbits != zlib.MAX_WBITS:
                    raise
                unpacker, first = zlib.decompressobj(-zlib.MAX_WBITS), False  # deflate as some understand it
                continue
            first, is_more, data = False, len(out) == _CHUNK, unpacker.unconsumed_tail
            if unpacker.eof and wbits > zlib.MAX_WBITS and unpacker.unused_data[:2] == b"\x1f\x8b":
                data, unpacker = unpacker.unused_data, zlib.decompressobj(wbits)  # one more member
            yield out
    if not first and not unpacker.eof:
        raise urllib3.exceptions.ProtocolError("the compressed answer ends too early")


def was_never_sent(error: Exception) -> bool:
    """Tell by the error alone, where no connection of ours took part."""
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError | ValueError):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, urllib3.exceptions.ProxyError):
        cause = cause.original_error
    return isinstance(cause, NewConnectionError | ConnectTimeoutError)


def is_untrusted(error: BaseException) -> bool:
    """Tell whether the server's certificate is what is wrong."""
    return any(
        isinstance(one, ssl.SSLCertVerificationError | ssl.CertificateError)
        or "CERTIFICATE_VERIFY_FAILED" in str(one)
        for one in _causes(error)
    )


def reason(error: Exception, host: str, exchange: Exchange, *, was_sent: bool) -> str:
    """Say what happened, to which host, in a few words."""
    if is_untrusted(error):
        return f"no trusted TLS connection to {host}: {_innermost(error)}"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"{host} could not be reached within {min(exchange.timeout, LONGEST_CONNECT):g} s"
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        if time.monotonic() >= exchange.deadline:
            return f"{host} did not answer in whole within {WHOLE * exchange.timeout:g} s"
        return f"{host} did not answer within {exchange.timeout:g} s"
    if not was_sent:
        proxy = any(isinstance(one, urllib3.exceptions.ProxyError) for one in _causes(error))
        return f"{'the proxy to ' if proxy else ''}{host} could not be reached: {_innermost(error)}"
    return f"the connection to {host} broke: {_innermost(error)}"


def _causes(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it was made of, the deepest last."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        inner = inner or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        error = inner if isinstance(inner, BaseException) else None
    return found


def _innermost(error: BaseException) -> str:
    """Return what the deepest cause says, without the addresses of objects."""
    deepest = _causes(error)[-1]
    return re.sub(r"^(<.*>|\w+\(.*?\)): ", "", str(deepest)) or type(deepest).__name__
