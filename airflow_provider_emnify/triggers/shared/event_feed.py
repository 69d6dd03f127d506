"""The events of a connection for all who watch them: each batch of the poller of events goes to everybody.

Each watcher says from when on it needs the events, and how often; the poller reads from the earliest of
these, at the shortest interval, together with the event sensors that wait. Nothing ends the feed but the last
watcher's leaving: what fails is logged and read again.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.triggers.shared.members import Batch
from airflow_provider_emnify.triggers.shared.poller import EVENTS, Poller
from airflow_provider_emnify.triggers.shared.registry import forget, shared
from airflow_provider_emnify.triggers.shared.rounds import SHORTEST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from airflow_provider_emnify.api.waits.wait import Id, Reading

log = one_line_log(__name__)

_LOGGED_EVERY = 60.0  # seconds between two log lines on what fails


@dataclass(eq=False, slots=True)
class EventBatch(Batch):
    """A batch for watchers.

    :param commits: What each watcher does once what it made of the batch is stored: it saves its cursor.
    """

    commits: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def commit(self) -> None:
        """Have every watcher save its cursor, once."""
        commits, self.commits = self.commits, []
        for save in commits:
            await save()


@dataclass(eq=False, slots=True)
class Subscription:
    """What one watcher needs: events from ``since`` on, every ``interval`` seconds."""

    since: float
    interval: float


class EventFeed:
    """All watchers of events of a connection: one member of the poller of events. Had from :func:`feed_for`.

    :param conn_id: The connection.
    """

    wait = None
    pending: Sequence[Id] = ()
    deadline = float("inf")
    over = False

    def __init__(self, conn_id: str) -> None:
        self.due = float("-inf")
        self.error = ""
        self.query: Mapping[str, Any] = {}
        self._conn_id = conn_id
        self._loop = asyncio.get_running_loop()
        self._poller: Poller | None = None
        self._subscriptions: set[Subscription] = set()
        self._listeners: set[asyncio.Queue[EventBatch]] = set()
        self._logged = float("-inf")

    @contextlib.contextmanager
    def subscribe(self, since: float, interval: float) -> Iterator[Subscription]:
        """Have the list read for a watcher, for as long as the block lasts."""
        subscription = Subscription(since, max(interval, SHORTEST))
        self._subscriptions.add(subscription)
        if self._poller is None:
            self._poller = shared(Poller, self._conn_id, EVENTS)
        self.refresh()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions and self._poller is not None:
                self._poller.unsubscribe(self)
                self._poller = None
            self._shut_down_if_unused()

    def refresh(self) -> None:
        """Have the list read early: a watcher needs events that the last batch does not hold."""
        if self._poller is not None:
            self._poller.subscribe(self)

    async def batches(self) -> AsyncIterator[EventBatch]:
        """Yield each batch from now on."""
        queue: asyncio.Queue[EventBatch] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
            self._shut_down_if_unused()

    def _shut_down_if_unused(self) -> None:
        if not self._subscriptions and not self._listeners:
            forget(self._loop, self)

    @property
    def interval(self) -> float:
        """The shortest that a watcher asks for."""
        return min((each.interval for each in self._subscriptions), default=SHORTEST)

    @property
    def since(self) -> float:
        """The earliest that a watcher needs."""
        return min((each.since for each in self._subscriptions), default=float("inf"))

    def judge(self, found: Mapping[Id, Reading] | Batch) -> Any:
        """Take the batch as it is."""
        return found

    def take(self, verdict: Batch) -> None:
        """Give the batch to everybody."""
        self.error = ""
        for listener in self._listeners:
            listener.put_nowait(EventBatch(verdict.since, verdict.until, verdict.rows))

    def record_failure(self, reason: str, *, permanent: bool) -> None:
        """Log why the list could not be read, at most once a minute; the next round reads again."""
        del permanent
        self.error, now = reason, self._loop.time()
        if now - self._logged >= _LOGGED_EVERY:
            self._logged = now
            log.error(
                "Polling failed: %s (events of connection '%s'). Trying again; none is missed meanwhile",
                reason,
                self._conn_id,
            )

    def abort(self, message: str) -> None:
        """Log that the poller broke, and begin again with another one."""
        log.error("%s. The events of connection '%s' are read again", message, self._conn_id)
        if self._poller is not None:
            self._poller.unsubscribe(self)
            self._poller = shared(Poller, self._conn_id, EVENTS)
            self._poller.subscribe(self)


def feed_for(conn_id: str) -> EventFeed:
    """Return the feed of a connection on the running event loop. It reads while somebody is subscribed."""
    return shared(EventFeed, conn_id)
