"""The feed of events that all watchers of a connection share."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.triggers.shared.event_feed import feed_for
from tests.triggers.waiting import run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(1, retries=False)


def test_a_watcher_that_comes_after_the_last_read_failed_is_read_for(fleet: Sandbox) -> None:
    """Airflow keeps listening to the feed while its only watcher fails and begins again."""

    async def test() -> None:
        feed = feed_for("emnify_default")
        batches = feed.batches()
        batch = asyncio.ensure_future(anext(batches))
        fleet.faults.add(path="/api/v1/event", status=503)
        with feed.subscribe(time.time(), 20):
            await until(lambda: bool(feed.error))
        with feed.subscribe(time.time(), 0.02):
            await batch
        await batches.aclose()  # type: ignore[attr-defined]

    run(test)
