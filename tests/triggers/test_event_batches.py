"""What a watcher of events makes of a batch, and what it does without a store for its state."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.sdk.definitions.asset", reason="asset watchers need Airflow 3")

from airflow_provider_emnify.triggers import base
from airflow_provider_emnify.triggers.event import Cursor, EmnifyEventTrigger
from airflow_provider_emnify.triggers.shared.event_feed import EventBatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.fleet(1, retries=False)


class SomeStore:
    """The state store of an asset, with a cursor in it; or of a watcher of several assets."""

    def __init__(self, cursor: Cursor | None) -> None:
        self._cursor = cursor
        self.asked = 0

    async def aget(self, key: str) -> Any:
        del key
        self.asked += 1
        if self._cursor is None:
            raise ValueError("several assets")
        return self._cursor.to_plain()

    async def aset(self, key: str, value: Any) -> None:
        del key, value
        self.asked += 1


def row(number: int, when: float) -> dict[str, Any]:
    kind = {"id": 11, "description": "Endpoint blocked"}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    return {"id": number, "timestamp": moment, "event_type": kind}


@pytest.mark.usefixtures("fleet")
def test_a_batch_that_begins_too_late_for_a_watcher_is_not_taken_for_all() -> None:
    """It was read before the watcher came: what lies between is read anew, and is emitted in its order."""
    now = time.time()

    async def batches() -> AsyncIterator[EventBatch]:
        yield EventBatch(now - 10, now, [row(2, now - 5)])
        yield EventBatch(now - 900, now + 1, [row(1, now - 600), row(2, now - 5)])

    async def test() -> list[int]:
        trigger = EmnifyEventTrigger(event_type=11, late_by=60)
        trigger.asset_state_store = SomeStore(Cursor(now - 800))  # type: ignore[assignment]
        return [event.payload["id"] async for event in trigger.filter_shared_stream(batches())]

    assert asyncio.run(test()) == [1, 2]


def test_the_watcher_of_several_assets_does_without_a_store_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = SomeStore(None)

    async def test() -> None:
        trigger = EmnifyEventTrigger(event_type=11)
        trigger.asset_state_store = store  # type: ignore[assignment]
        assert await trigger.load() is None
        assert await trigger.load() is None
        await trigger.save({})

    with caplog.at_level(logging.WARNING, base.__name__):
        asyncio.run(test())
    assert store.asked == 1
    assert len([record for record in caplog.records if "several assets" in record.message]) == 1
