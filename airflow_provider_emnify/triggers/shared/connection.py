"""A connection inside a triggerer: one client, one auth token, and threads of its own for the requests.

All who need the connection on an event loop share it: pollers, and what cancels. It is shut down with the
last of them; the token stays (see ``triggers/shared/tokens.py``). A share of the address's rate limit is
reserved for tasks: the connection's ``task_share``. A connection that is changed is noticed within minutes,
or at once when its credentials are rejected.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import traceback
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow_provider_emnify.airflow_names import AirflowNotFoundException, get_async_connection
from airflow_provider_emnify.api import EmnifyAuthenticationError, EmnifyConnectionError
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.masking import mask_from
from airflow_provider_emnify.triggers.shared.registry import forget, shared
from airflow_provider_emnify.triggers.shared.threads import Threads
from airflow_provider_emnify.triggers.shared.tokens import held_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api import EmnifyClient

log = one_line_log(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = 4
_RETRIES = 1  # the next round is the retry
FETCH_EVERY = 300.0  # seconds after which a connection is fetched again: it may have been changed
_WARNING = 60.0  # seconds between two log lines on transient errors


class _ShutDownError(Exception):
    """Ends a thread's sleep when the connection is shut down."""


class SharedConnection:
    """A connection on one event loop. Had from :func:`connection_for`, given back with :meth:`release`.

    :param conn_id: The connection.
    """

    def __init__(self, conn_id: str) -> None:
        self.conn_id = conn_id
        self.users = 0
        self._mask = mask_from(asyncio.get_running_loop())
        self._pool = Threads(_THREADS, f"emnify-{conn_id}")
        self._running: set[concurrent.futures.Future[Any]] = set()
        self._connecting = asyncio.Lock()
        self._current: tuple[ConnectionSettings, EmnifyClient] | None = None
        self._fetched = float("-inf")
        self._is_shut_down = threading.Event()
        self._warned = float("-inf")

    @property
    def task_share(self) -> float:
        """The share of the address's limit that is reserved for tasks; 0 before the first call."""
        return 0.0 if self._current is None else self._current[0].task_share

    async def call(self, work: Callable[[EmnifyClient], R]) -> R:
        """Do work with the client, in a thread.

        When emnify does not accept the credentials, the connection is fetched again; if it was changed
        meanwhile, the work is done with the new one. Credentials that were rejected are never sent again.

        :raises EmnifyError: what the work raises.
        :raises EmnifyConnectionConfigError: when the connection cannot work.
        """
        settings, client = await self._connect()
        try:
            return await self.in_thread(work, client)
        except EmnifyAuthenticationError:
            new_settings, client = await self._connect(rejected=settings)
            if new_settings is settings:
                raise
        return await self.in_thread(work, client)

    def warn(self, reason: str) -> None:
        """Log a transient error: once a minute, however many meet it."""
        now = asyncio.get_running_loop().time()
        if now - self._warned >= _WARNING:
            self._warned = now
            log.warning(
                "Polling failed: %s (connection '%s'). Trying again until the waits' deadlines",
                reason,
                self.conn_id,
            )

    def release(self) -> None:
        """Give it back. The last one closes it, without waiting for a thread in the middle of a request."""
        self.users -= 1
        if self.users:
            return
        forget(self)
        self._is_shut_down.set()
        if self._current is not None:
            self._close(self._current[1])
        self._pool.shutdown()

    def _close(self, client: EmnifyClient) -> None:
        """Close a client once all that has begun with it is done."""
        begun = set(self._running)

        def close() -> None:
            concurrent.futures.wait(begun)
            client.close()

        self._pool.submit(close)

    async def _connect(
        self, rejected: ConnectionSettings | None = None
    ) -> tuple[ConnectionSettings, EmnifyClient]:
        """Return the connection and its client, made when they are first needed and when it was changed.

        A connection that cannot be fetched again for now is used as it was, unless that was rejected.

        :param rejected: A connection whose credentials were rejected; it may have been changed meanwhile.
        """
        async with self._connecting:
            before, now = self._current, asyncio.get_running_loop().time()
            if before and before[0] is not rejected and now - self._fetched < FETCH_EVERY:
                return before
            self._fetched = now
            try:
                settings = await self._fetch()
            except (EmnifyConnectionError, EmnifyConnectionConfigError) as error:
                if before is None or before[0] is rejected:
                    raise
                log.warning("Going on with connection '%s' as it was before: %s", self.conn_id, error)
                return before
            if before and settings == before[0]:
                return before
            self._current = settings, await self.in_thread(self._make_client, settings)
            if before:
                log.info("Connection '%s' was changed; using the new one", self.conn_id)
                self._close(before[1])
            return self._current

    async def _fetch(self) -> ConnectionSettings:
        try:
            conn = await get_async_connection(self.conn_id)
        except AirflowNotFoundException:
            raise EmnifyConnectionConfigError(self.conn_id, "id", "there is no such connection") from None
        except Exception as error:
            # Not its text: Airflow puts a connection's URI into some of these.
            kind = type(error).__name__
            raise EmnifyConnectionError(f"connection '{self.conn_id}' could not be read: {kind}") from None
        return await self.in_thread(ConnectionSettings.from_airflow, conn, self._mask)

    def _make_client(self, settings: ConnectionSettings) -> EmnifyClient:
        return EmnifyHook.client_from_settings(
            settings,
            max_retries=_RETRIES,
            leave=settings.task_share,
            sleep=self.sleep,
            token_cache=held_token(settings),
            on_secret=self._mask,
        )

    def sleep(self, seconds: float) -> None:
        """Sleep in a thread, until the connection is shut down at most."""
        if self._is_shut_down.wait(seconds):
            raise _ShutDownError

    async def in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do work in a thread of this connection."""
        future = self._pool.submit(lambda: _freeing(work, *args, **kwargs))
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)


def _freeing(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do work; an error of it keeps its traceback, without the variables in it.

    The library that retries requests keeps errors in a circle: else waits would be freed by a garbage
    collection only.
    """
    try:
        return work(*args, **kwargs)
    except Exception as error:
        traceback.clear_frames(error.__traceback__)
        raise


def connection_for(conn_id: str) -> SharedConnection:
    """Return a connection on the running event loop, for one more user of it."""
    connection = shared(SharedConnection, conn_id)
    connection.users += 1
    return connection
