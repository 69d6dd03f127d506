"""One read of the event list for all who watch events of a connection on an event loop.

Each watcher says from when on it needs the events, and how often; the feed reads from the earliest of these,
at the shortest interval, and gives everybody the same batch. Who comes later, or was away, just needs events
from earlier on. Nothing ends the feed but the last watcher's leaving: what fails is logged and read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.waits.event_filter import event_time, number_of
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError
from airflow_provider_emnify.triggers.shared.connection import access_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.triggers.shared.connection import Access

log = one_line_log(__name__)

Row = dict[str, Any]

_SHORTEST = 0.01  # seconds between two reads, whatever is asked for
_JITTER = 0.1
_BACKOFF_MOST = 8  # intervals between reads while they fail
_COMPLAINT = 60.0  # seconds between two log lines on what fails
_ROWS = 1000  # a page, if emnify gives as many
_AHEAD = timedelta(days=1)  # an upper end that no clock reaches: emnify takes a range only with both ends


@dataclass(eq=False)
class Batch:
    """What one read of the list has found.

    :param since: From when on it holds every event that was known when it was read.
    :param until: When it was read. Events of an earlier time can still come to be known.
    :param rows: The events, the oldest first.
    :param savers: What is to be done when everybody's conclusions from it are kept safe.
    """

    since: float
    until: float
    rows: list[Row]
    savers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def settle(self) -> None:
        """Do what is to be done, once."""
        savers, self.savers = self.savers, []
        for saver in savers:
            await saver()


@dataclass(eq=False)
class Demand:
    """What one watcher needs: events from ``since`` on, every ``interval`` seconds."""

    since: float
    interval: float


class EventFeed:
    """Reads the event list of one connection. Had from :func:`feed_for`.

    :param conn_id: The connection.
    :param on_gone: Called when nobody listens any more.
    """

    def __init__(self, conn_id: str, on_gone: Callable[[], None]) -> None:
        self._conn_id = conn_id
        self._on_gone = on_gone
        self._demands: set[Demand] = set()
        self._listeners: set[asyncio.Queue[Batch]] = set()
        self._task: asyncio.Task[None] | None = None
        self._access: Access | None = None
        self._hurry = asyncio.Event()
        self._failures = 0
        self._complained = float("-inf")

    @contextlib.contextmanager
    def demand(self, since: float, interval: float) -> Iterator[Demand]:
        """Have the list read for a watcher, for as long as the block lasts."""
        demand = Demand(since, max(interval, _SHORTEST))
        self._demands.add(demand)
        self.hurry()
        try:
            yield demand
        finally:
            self._demands.discard(demand)

    def hurry(self) -> None:
        """Have the list read at once: somebody needs events that the last batch does not hold."""
        self._hurry.set()

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield each batch from now on."""
        queue: asyncio.Queue[Batch] = asyncio.Queue()
        self._listeners.add(queue)
        if self._task is None or self._access is None:
            self._access = access_for(self._conn_id)
            # In a context of its own: in a triggerer, the context says to whose log a line belongs.
            self._task = asyncio.create_task(self._run(), context=contextvars.Context())
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
            if not self._listeners:
                self._on_gone()
                self._task.cancel()
                self._access.release()

    async def _run(self) -> None:
        began = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            await self._pause(began)
            self._hurry.clear()
            began = loop.time()
            since, until = min(demand.since for demand in self._demands), time.time()
            try:
                rows = await self._read(since)
            except Exception as error:
                self._failures += 1
                self._complain(error)
            else:
                self._failures = 0
                for listener in self._listeners:
                    listener.put_nowait(Batch(since, until, rows))

    async def _pause(self, began: float) -> None:
        """Sleep until the next read, which comes sooner when somebody is in a hurry."""
        loop = asyncio.get_running_loop()
        while True:
            left = float("inf")
            if self._demands:
                interval = min(demand.interval for demand in self._demands)
                pause = interval * min(2 ** max(self._failures - 1, 0), _BACKOFF_MOST)
                left = began + pause * random.uniform(1 - _JITTER, 1) - loop.time()  # noqa: S311 - no secret hangs on it
                if left <= 0 or (self._hurry.is_set() and not self._failures):
                    return
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), None if left == float("inf") else left)

    async def _read(self, since: float) -> list[Row]:
        assert self._access is not None  # noqa: S101 - for the type checker
        return await self._access.call(lambda client: read_events(client, since))

    def _complain(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained < _COMPLAINT:
            return
        self._complained = now
        known = isinstance(error, (EmnifyError, EmnifyConnectionConfigError))
        log.error(
            "The events of connection '%s' could not be read: %s. Trying again; none is missed meanwhile",
            self._conn_id,
            error if known else repr(error),
            exc_info=None if known else error,
        )


def read_events(client: EmnifyClient, since: float) -> list[Row]:
    """Return every event since a moment, the oldest first. Runs in a thread."""
    start = datetime.fromtimestamp(since, UTC)
    listing = client.events.list(from_=start, until=datetime.now(UTC) + _AHEAD, per_page=_ROWS)
    with listing:
        return sorted(listing, key=lambda row: (event_time(row), number_of(row) or 0))


_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, EventFeed]] = WeakKeyDictionary()


def feed_for(conn_id: str) -> EventFeed:
    """Return the feed of a connection on the running event loop. It reads while somebody listens."""
    feeds = _feeds.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in feeds:

        def forget() -> None:
            feeds.pop(conn_id, None)

        feeds[conn_id] = EventFeed(conn_id, forget)
    return feeds[conn_id]
