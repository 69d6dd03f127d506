"""The app in Airflow's API server that takes what emnify sends.

Who sends is known before a body is read; nothing is answered with 2xx before it is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import ServerStats
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.callbacks.keep import CannotKeepError, Outcome, keep
from airflow_provider_emnify.callbacks.messages import (
    Message,
    NotEmnifyError,
    is_one_of,
    parse_receipt,
    parse_records,
    parse_sms,
    verify_jwt,
)
from airflow_provider_emnify.callbacks.settings import (
    API_SECRET,
    STREAM_SECRET,
    CallbackSettings,
    ConnectionSecrets,
)

if TYPE_CHECKING:
    from airflow_provider_emnify.api.limits.buckets import LocalBucket

log = one_line_log(__name__)

MIB = 1024 * 1024
LARGEST_SMS, LARGEST_STREAM = MIB, 16 * MIB
READ_SECONDS = 60.0
AT_ONCE = 4  # callbacks that are kept at the same time: Airflow's own requests need threads and sessions too
_MINUTE = 60_000
_HOUR = 3600.0


class RefusedError(Exception):
    """A callback that is not taken.

    :param status: The status of the answer.
    :param reason: Why, without anything secret.
    :param retry_after: Seconds after which it may be taken.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}


class Hourly:
    """Warnings that come back: the first at once, then one an hour with how often it was meanwhile."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[float, int]] = {}

    def warn(self, about: str, message: str) -> None:
        """Log a message, or count it.

        :param about: What it is about: what is said once an hour. One of few: all are remembered.
        """
        said_at, times = self._said.get(about, (float("-inf"), 0))
        if time.monotonic() - said_at < _HOUR:
            self._said[about] = said_at, times + 1
            return
        log.warning("%s%s", message, f" ({times} more since it was last said)" if times else "")
        self._said[about] = time.monotonic(), 0


class Callbacks:
    """Takes callbacks: who sends them, how many, how large, what they say; and has them kept.

    :param settings: What the configuration says.
    """

    def __init__(self, settings: CallbackSettings) -> None:
        from anyio import CapacityLimiter

        self._settings = settings
        self._secrets = ConnectionSecrets()
        self._threads = CapacityLimiter(AT_ONCE)
        self._hourly = Hourly()
        self._buckets: dict[str, LocalBucket] = {}
        if settings.unsigned:
            log.warning(
                "[emnify] callbacks_unsigned is on: WHOEVER REACHES this API server can start DAGs by "
                "/emnify/callbacks of a connection that has no '%s' or '%s' in its extra",
                *(API_SECRET, STREAM_SECRET),
            )

    async def sms(self, request: Any) -> Any:
        """Take an SMS of a device (POST), or a delivery receipt (PATCH)."""
        parse = parse_receipt if request.method == "PATCH" else parse_sms
        header = request.headers.get("authorization")
        return await self._take(request, API_SECRET, partial(verify_jwt, header), LARGEST_SMS, parse)

    async def stream(self, request: Any) -> Any:
        """Take a record of a data stream, or a list of them."""
        is_signed = partial(is_one_of, request.path_params["secret"])
        return await self._take(request, STREAM_SECRET, is_signed, LARGEST_STREAM, parse_records)

    async def _take(
        self,
        request: Any,
        extra: str,
        is_signed: Callable[[tuple[str, ...]], bool],
        largest: int,
        parse: Callable[[bytes], Message | None],
    ) -> Any:
        from anyio.to_thread import run_sync
        from starlette.responses import JSONResponse

        conn_id = request.path_params["conn_id"]
        known = conn_id if conn_id in self._settings.connections else "other"
        try:
            if known == "other":
                raise RefusedError(404, "no callbacks are taken for this connection")
            await run_sync(self._admit, conn_id, extra, is_signed, limiter=self._threads)
            self._count(conn_id)
            content = await _read(request, largest)
            status, answer = await run_sync(self._keep, conn_id, parse, content, limiter=self._threads)
        except RefusedError as refused:
            ServerStats.incr(f"emnify.callbacks.{refused.status}", tags={"emnify_conn_id": known})
            self._hourly.warn(
                f"{known} {extra} {refused.status}",
                f"Refused a callback of connection '{known}' with {refused.status}: {refused.reason}",
            )
            answer = {"detail": refused.reason}
            return JSONResponse(answer, refused.status, refused.headers)
        return JSONResponse(answer, status)

    def _admit(self, conn_id: str, extra: str, is_signed: Callable[[tuple[str, ...]], bool]) -> None:
        """Refuse who is not emnify."""
        try:
            secrets = self._secrets.get(conn_id, extra)
        except Exception as error:
            reason = f"the connection cannot be read ({type(error).__name__})"
            raise RefusedError(503, reason) from error
        if not secrets and not self._settings.unsigned:
            raise RefusedError(
                403, f"the connection has no '{extra}' in its extra, so nobody can tell who this is from"
            )
        if secrets and not is_signed(secrets):
            raise RefusedError(401, "it is not signed by a secret of the connection")

    def _count(self, conn_id: str) -> None:
        """Refuse what is too much. Runs on the event loop: one at a time."""
        if conn_id not in self._buckets:
            from pyrate_limiter import InMemoryBucket, Rate

            from airflow_provider_emnify.api.limits.buckets import LocalBucket

            rate = Rate(self._settings.per_minute, _MINUTE)
            self._buckets[conn_id] = LocalBucket(InMemoryBucket([rate]), rate)
        if wait := self._buckets[conn_id].take().wait:
            raise RefusedError(429, "too many callbacks", retry_after=-(-wait // 1000))

    def _keep(
        self, conn_id: str, parse: Callable[[bytes], Message | None], content: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Keep what came, and return the answer."""
        try:
            message = parse(content)
        except NotEmnifyError as error:
            raise RefusedError(400, str(error)) from None
        if message is None:
            return 200, {"outcome": "nothing"}
        try:
            outcome, where = keep(conn_id, message, self._settings.path)
        except CannotKeepError as error:
            raise RefusedError(503, str(error)) from None
        except Exception as error:
            log.exception("Callback %s %s of '%s' is not kept", message.kind, message.id[:40], conn_id)
            raise RefusedError(503, "it could not be kept; see the API server's log", 10) from error
        ServerStats.incr(f"emnify.callbacks.{message.kind}.{outcome.value}", tags={"emnify_conn_id": conn_id})
        if outcome is Outcome.UNKNOWN:
            self._hourly.warn(
                where,
                f"No DAG knows the asset {where}, and [emnify] callbacks_path is not set: what came for it "
                "is counted and dropped",
            )
        return 202 if outcome is Outcome.UNKNOWN else 200, {"outcome": outcome.value}


async def _read(request: Any, largest: int) -> bytes:
    """Return a body, unless it is too large or too slow."""
    from starlette.requests import ClientDisconnect

    too_large = RefusedError(413, f"more than {largest} bytes")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdecimal() and int(length[:20]) > largest:
        raise too_large
    content = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > largest:
                    raise too_large
    except (TimeoutError, ClientDisconnect):
        raise RefusedError(408, "the body did not come to its end") from None
    return bytes(content)


def build_app(settings: CallbackSettings) -> Any:
    """Return the ASGI app, to be mounted at ``/emnify/callbacks``."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    class RouteWithSecret(Route):
        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            # Access logs show the path when the answer is sent, also a 405: the server's, and Airflow's own.
            scope["path"] = scope["path"].removesuffix(scope["path_params"]["secret"]) + "***"
            scope["raw_path"] = scope["path"].encode()
            await super().handle(scope, receive, send)

    callbacks = Callbacks(settings)
    app = Starlette(
        routes=[
            Route("/{conn_id}/sms", callbacks.sms, methods=["POST", "PATCH"]),
            RouteWithSecret("/{conn_id}/stream/{secret:path}", callbacks.stream, methods=["POST"]),
        ]
    )
    app.router.redirect_slashes = False
    return app
