"""The HTTP server of a sandbox: uvicorn in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

START_SECONDS = 30.0
BACKLOG = 2048


class Server:
    """Serves an application on a port until it is stopped.

    :param host: Address to listen on.
    :param port: Port to listen on; 0: a free one.
    :raises OSError: if the port cannot be had.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # The protocol is named so that asyncio sends small answers at once (TCP_NODELAY).
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.transports: dict[Any, asyncio.Transport] = {}
        """The open connections by the client's address."""
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] | None = None

    def start(self, app: Any) -> None:
        """Serve ``app``; returns when it is reachable."""
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(app, started), name=f"emnify-sandbox-{self.port}", daemon=True
        )
        self._thread.start()
        if not started.wait(START_SECONDS) or not self._thread.is_alive():
            self.stop()
            raise RuntimeError("the sandbox's server did not start")

    def stop(self) -> None:
        """Close every connection and end the thread."""
        if self._stop is not None:
            self._stop()
        if self._thread is not None:
            self._thread.join(START_SECONDS)
        self._socket.close()

    def _run(self, app: Any, started: threading.Event) -> None:
        try:
            asyncio.run(self._serve(app, started))
        finally:
            started.set()

    async def _serve(self, app: Any, started: threading.Event) -> None:
        import uvicorn
        from uvicorn.server import ServerState

        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(ended.set)

        config = uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,  # the sandbox sends the date of its own clock
            proxy_headers=False,
            timeout_keep_alive=75,
        )
        config.load()
        protocol, shared = _protocol(self.transports), ServerState()
        listener = await loop.create_server(
            lambda: protocol(config=config, server_state=shared, app_state={}),
            sock=self._socket,
            backlog=BACKLOG,
        )
        self._stop = end
        started.set()
        await ended.wait()
        listener.close()
        for transport in list(self.transports.values()):
            transport.abort()
        await asyncio.sleep(0)  # the requests on them learn of it before they are cancelled
        for task in list(shared.tasks):
            task.cancel()
        await asyncio.sleep(0)


def _protocol(transports: dict[Any, asyncio.Transport]) -> Any:
    """Return uvicorn's protocol, with a note of each connection that is open."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol

    class Noted(base):  # type: ignore[misc]
        """Keeps the transports by the client's address."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            self.peer = transport.get_extra_info("peername")[:2]
            transports[self.peer] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            transports.pop(self.peer, None)
            super().connection_lost(exc)

    return Noted
