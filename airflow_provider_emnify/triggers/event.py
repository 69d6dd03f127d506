"""EmnifyEventTrigger: events of emnify start DAGs, by way of an asset watcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_emnify.api.enums import EventSeverity, EventSource
from airflow_provider_emnify.api.waits.event_filter import LATE_BY, EventFilter, event_time, number_of
from airflow_provider_emnify.arguments import Ids, parse_seconds
from airflow_provider_emnify.triggers.base import EmnifyWatchingTrigger
from airflow_provider_emnify.triggers.shared.event_feed import EventBatch, EventProducer, feed_for

Row = dict[str, Any]

_PORTION = 200  # events that are filtered before others have the event loop


@dataclass
class Cursor:
    """How far a watcher has read: all before ``since`` was emitted, and of the later what is in ``emitted``.

    :param since: In seconds since 1970.
    :param emitted: When the events happened that were emitted, by id.
    """

    since: float
    emitted: dict[int, float] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, value: Any) -> Cursor | None:
        """Make a cursor of what :meth:`to_plain` gave; None of anything else."""
        try:
            return cls(float(value["since"]), {int(key): float(when) for key, when in value["emitted"]})
        except (TypeError, KeyError, ValueError):
            return None

    def to_plain(self) -> dict[str, Any]:
        """Return the cursor as JSON can hold it."""
        return {"since": self.since, "emitted": [[key, when] for key, when in self.emitted.items()]}

    def emit(self, row: Row) -> bool:
        """Tell whether an event is yet to be emitted, and note that it is now."""
        key, when = number_of(row), event_time(row)
        if key is None or key in self.emitted or when < self.since:
            return False
        self.emitted[key] = when
        return True

    def advance(self, since: float) -> None:
        """Forget what happened before ``since``, after all of it was emitted."""
        self.since = max(self.since, since)
        self.emitted = {key: when for key, when in self.emitted.items() if when >= self.since}


class EmnifyEventTrigger(EmnifyWatchingTrigger):
    """Fire for each event of emnify that passes the filters. For ``AssetWatcher``, on Airflow 3.

    The event itself, as emnify writes it, is the payload: a DAG finds it in
    ``triggering_asset_events[asset][0].extra["payload"]``. All watchers of a connection share one read of the
    event list, whatever their filters.

    It begins with what happens from its first start on. An event may come to be known up to ``late_by``
    seconds after it happened. On Airflow 3.3 and later a restart of the triggerer misses no event and repeats
    none: how far was read is committed to the asset's state store after Airflow has stored the asset events.
    (Only a triggerer that is killed in the moment between the two repeats those events, which their ``id``
    tells.) On Airflow 3.0 to 3.2 nothing keeps it: what happens while no triggerer runs is not emitted.

    .. code-block:: python

        blocked = Asset(
            "emnify_device_blocked",
            watchers=[AssetWatcher(name="blocked", trigger=EmnifyEventTrigger(event_type=11))],
        )

    :param event_type: Numbers or names of event types; several: one will do. See ``client.events.types``.
    :param severity: ``"info"``, ``"warn"`` or ``"critical"``; or several.
    :param source: ``"network"``, ``"policy_control"`` or ``"api"``; or several.
    :param endpoint_ids: Ids of endpoints. Default: events of any endpoint, or of none.
    :param tags: Tags of the endpoint, one of which will do.
    :param poll_interval: Seconds (or a timedelta) between two reads. Default 60.
    :param late_by: Seconds (or a timedelta) that an event may arrive late, and the clock of the triggerer may
        be ahead. Default 3600: each read covers the last hour, as the stream ``events`` does.
    :param emnify_conn_id: The connection to emnify.
    :raises ValueError: when the DAG is parsed, for a filter that makes no sense.
    :raises RuntimeError: on Airflow 2.

    Vendor page: https://docs.emnify.com/developers/api/events/get-events
    """

    def __init__(
        self,
        *,
        event_type: int | str | Sequence[int | str] | None = None,
        severity: EventSeverity | int | str | Sequence[EventSeverity | int | str] | None = None,
        source: EventSource | int | str | Sequence[EventSource | int | str] | None = None,
        endpoint_ids: Ids | None = None,
        tags: str | Sequence[str] | None = None,
        poll_interval: float | timedelta = 60.0,
        late_by: float | timedelta = LATE_BY,
        emnify_conn_id: str = "emnify_default",
    ) -> None:
        super().__init__(emnify_conn_id=emnify_conn_id, poll_interval=poll_interval)
        self._filter = EventFilter.make(
            event_type=event_type, severity=severity, source=source, endpoint_ids=endpoint_ids, tags=tags
        )
        self.late_by = parse_seconds(late_by, "late_by")

    def arguments(self) -> Mapping[str, Any]:
        """Return the trigger's own arguments as plain values."""
        return {**self._filter.to_dict(), "late_by": self.late_by}

    def shared_stream_key(self) -> Hashable | None:
        """Return what all share whose events come from one read. Asked by Airflow 3.3 and later."""
        return ("airflow_provider_emnify.events", self.emnify_conn_id)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """Return what reads the events for all. Asked by Airflow 3.3 and later."""
        return EventProducer(kwargs["emnify_conn_id"])

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[EventBatch]
    ) -> AsyncIterator[TriggerEvent]:
        """Yield those events of the batches that pass the filters and were not yet emitted."""
        cursor = Cursor.from_plain(await self.load())
        if cursor is None:
            cursor = Cursor(time.time())
            await self.save(cursor.to_plain())
        feed = feed_for(self.emnify_conn_id)
        with feed.subscribe(cursor.since, self.poll_interval) as subscription:
            async for batch in shared_stream:
                if batch.since > cursor.since:
                    feed.refresh()  # it was read before this watcher subscribed
                    continue
                for number, row in enumerate(batch.rows):
                    if self._filter.matches(row) and cursor.emit(row):
                        yield TriggerEvent(row)  # type: ignore[no-untyped-call]
                    if number % _PORTION == _PORTION - 1:
                        await asyncio.sleep(0)
                cursor.advance(batch.until - self.late_by)
                subscription.since = cursor.since
                batch.commits.append(partial(self.save, cursor.to_plain()))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the events. Asked by Airflow before 3.3; there, too, all share one read."""
        async for event in self.filter_shared_stream(self._batches()):
            yield event

    async def _batches(self) -> AsyncIterator[EventBatch]:
        async for batch in feed_for(self.emnify_conn_id).batches():
            yield batch
            await batch.commit()
