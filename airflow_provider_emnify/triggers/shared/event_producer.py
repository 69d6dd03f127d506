"""The event list as a shared stream of Airflow 3.3: read once for all watchers, and saved when they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # before Airflow 3.3, where nothing asks for it
    SharedStreamProducer = object  # type: ignore[assignment,misc]

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.triggers.shared.event_feed import feed_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_provider_emnify.triggers.shared.event_feed import EventBatch

log = one_line_log(__name__)


class EventProducer(SharedStreamProducer):
    """Gives each batch of the feed to all watchers of a connection.

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
