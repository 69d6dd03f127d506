"""The feed of events that all watchers of a connection share."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.event_feed import EventBatch, feed_for
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import ids_of
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
        with feed_for("emnify_default").subscribe(time.time(), 0.02):
            await batch
        await batches.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_token_in_an_event_is_handed_to_no_watcher_and_no_sensor(fleet: Sandbox) -> None:
    """Also by the list that is read for all of a connection, from the second look of a wait on."""
    token, (key,) = fleet.application_token, ids_of(fleet)
    endpoint = fleet.state.endpoints[key]
    endpoint.name, endpoint.tags = f"pump {token}", f"{token},tag"

    async def test() -> tuple[Any, Any]:
        feed = feed_for("emnify_default")
        batches = feed.batches()
        wait = Wait("event", key, "event_seen", (), filters={"since": "2020-01-01", "event_type": 11})
        waiting = asyncio.create_task(poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 15))
        with feed.subscribe(time.time() - 60, 0.02):
            for _ in range(2):
                assert not (await anext(batches)).rows
            await until(lambda: fleet.counts["GET /api/v1/event"] >= 4)
            said = f"seen {token} and {token}"
            fleet.state.emit(EventType.ENDPOINT_BLOCKED, said, time.time(), endpoint=endpoint)
            while not (rows := (await anext(batches)).rows):
                pass
        await batches.aclose()  # type: ignore[attr-defined]
        return rows, (await waiting).payload()

    rows, payload = run(test)
    assert rows[0]["description"] == "seen *** and ***"
    assert token not in json.dumps([rows, payload])
    assert payload["seen"][str(key)].startswith("seen *** and *** (event ")


def test_those_who_ask_for_other_events_share_a_read_that_holds_them_all(fleet: Sandbox) -> None:
    (key,) = ids_of(fleet)
    kinds = [EventType.ENDPOINT_BLOCKED, EventType.UPDATE_LOCATION]

    async def test() -> list[str]:
        waits = []
        for kind in kinds:
            filters = {"since": "2020-01-01", "event_type": kind.value}
            wait = Wait("event", key, "event_seen", (), filters=filters)
            joined = poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 15)
            waits.append(asyncio.create_task(joined))
        await until(lambda: fleet.counts["GET /api/v1/event"] >= 4)  # no more one by one
        for kind in kinds:
            fleet.state.emit(kind, "", time.time(), endpoint=fleet.state.endpoints[key])
        return [outcome.status for outcome in await asyncio.gather(*waits)]

    assert run(test) == ["success", "success"]
    together = [entry for entry in fleet.log if entry.template == "/api/v1/event"][:4]
    assert not [entry for entry in together if "type" in str(entry.query)]


def test_a_read_that_is_shared_goes_back_as_far_as_any_of_them_needs(fleet: Sandbox) -> None:
    (key,) = ids_of(fleet)

    async def test() -> str:
        wait = Wait("event", key, "event_seen", (), filters={"since": "2020-01-01", "event_type": 11})
        waiting = asyncio.create_task(poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 15))
        with feed_for("emnify_default").subscribe(time.time(), 0.02):
            await until(lambda: fleet.counts["GET /api/v1/event"] >= 4)
            ago = time.time() - 1800  # it comes to be known that late
            fleet.state.emit(EventType.ENDPOINT_BLOCKED, "", ago, endpoint=fleet.state.endpoints[key])
            return (await waiting).status

    assert run(test) == "success"


def test_one_watcher_that_leaves_takes_the_read_from_no_other(fleet: Sandbox) -> None:
    del fleet

    async def test() -> None:
        feed = feed_for("emnify_default")
        batches = feed.batches()
        with feed.subscribe(time.time(), 0.02):
            with feed.subscribe(time.time(), 0.02):
                await anext(batches)
            for _ in range(3):
                await anext(batches)
        await batches.aclose()  # type: ignore[attr-defined]

    run(test)


def test_a_batch_is_committed_once() -> None:
    saved: list[int] = []

    async def save() -> None:
        saved.append(1)

    async def test() -> None:
        batch = EventBatch(0.0, 0.0, [], [save])
        await batch.commit()
        await batch.commit()

    asyncio.run(test())
    assert saved == [1]
