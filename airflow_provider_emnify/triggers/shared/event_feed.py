"""The events of a connection for all who watch them: each batch of the poller of events goes to all of them.

Each watcher says from when on it needs the events, and how often; the poller reads from the earliest of
these, at the shortest interval, together with the event sensors that wait. The feed ends only when the last
watcher unsubscribes: what fails is logged and read again.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.triggers.shared.members import Batch, Watching
from airflow_provider_emnify.triggers.shared.poller import EVENTS, Poller
from airflow_provider_emnify.triggers.shared.registry import forget, shared
from airflow_provider_emnify.triggers.shared.rounds import SHORTEST

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # before Airflow 3.3, where nothing asks for it
    SharedStreamProducer = object  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

log = one_line_log(__name__)


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


class EventFeed(Watching):
    """All watchers of events of a connection: one member of the poller of events. Had from :func:`feed_for`.

    :param conn_id: The connection.
    """

    wait = None
    pending = ()

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id
        self._subscriptions: set[Subscription] = set()
        self._listeners: set[asyncio.Queue[EventBatch]] = set()

    def __repr__(self) -> str:
        return f"the events of connection '{self._conn_id}' (none is missed meanwhile)"

    @contextlib.contextmanager
    def subscribe(self, since: float, interval: float) -> Iterator[Subscription]:
        """Have the list read for a watcher, for as long as the block lasts."""
        subscription = Subscription(since, max(interval, SHORTEST))
        self._subscriptions.add(subscription)
        self.refresh()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            if not self._subscriptions:
                self._poller.unsubscribe(self)
            self._shut_down_if_unused()

    def refresh(self) -> None:
        """Have the list read early: a watcher needs events that the last batch does not hold."""
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
            forget(self)

    @property
    def _poller(self) -> Poller:
        return shared(Poller, self._conn_id, EVENTS)

    @property
    def interval(self) -> float:
        """The shortest that a watcher asks for."""
        return min((each.interval for each in self._subscriptions), default=SHORTEST)

    @property
    def since(self) -> float:
        """The earliest that a watcher needs."""
        return min((each.since for each in self._subscriptions), default=float("inf"))

    def judge(self, found: Any) -> Batch:
        """Return the batch as it is."""
        batch: Batch = found
        return batch

    def take(self, verdict: Batch) -> None:
        """Give the batch to all subscribers."""
        self.error = ""
        for listener in self._listeners:
            listener.put_nowait(EventBatch(verdict.since, verdict.until, verdict.rows))

    def abort(self, message: str) -> None:
        """Log that the poller failed, and begin again with another one."""
        log.error("%s. %r goes on with a new poller", message, self)
        self._poller.unsubscribe(self)
        self.refresh()


def feed_for(conn_id: str) -> EventFeed:
    """Return the feed of a connection on the running event loop. It reads while somebody is subscribed."""
    return shared(EventFeed, conn_id)


class EventProducer(SharedStreamProducer):
    """The feed as a shared stream of Airflow 3.3: each batch goes to all watchers of a connection.

    Airflow tells it when the asset events that they made of a batch are stored; then each watcher saves how
    far it has read.

    :param conn_id: The connection.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    async def open_stream(self) -> AsyncIterator[tuple[EventBatch, EventBatch]]:
        """Yield each batch, as what the watchers get and as what is to be committed."""
        async for batch in feed_for(self._conn_id).batches():
            yield batch, batch

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Let the watchers save how far they have read: what they made of these batches is stored."""
        for item in batch:
            if item.outcome.failed:
                # Nothing is saved of it: the one that failed starts again from what it saved before.
                log.warning("A watcher of connection '%s' failed; it starts again", self._conn_id)
            else:
                await item.broker_payload.commit()
