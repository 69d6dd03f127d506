"""One poller for the waits of a connection: who shares what, and when they look."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.poller import poller_for
from airflow_provider_emnify.triggers.shared.registry import everything
from tests.fleets import disabled, ids_of
from tests.triggers.waiting import GET, enable, join, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.triggers.shared.members import Outcome

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)


def test_many_waits_share_one_client_and_read_each_id_once_a_round(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> list[Outcome]:
        waits = [asyncio.create_task(join([first, second][: 1 + number % 2])) for number in range(50)]
        await until(lambda: fleet.counts[GET] >= 6)
        enable(fleet)
        return await asyncio.gather(*waits)

    outcomes = run(test)
    assert {outcome.status for outcome in outcomes} == {"success"}
    assert fleet.authentications == 1
    assert fleet.peaks[GET] == 1
    read = [entry.path.rpartition("/")[2] for entry in fleet.log if entry.method == "GET"]
    assert abs(read.count(str(first)) - read.count(str(second))) <= 2


def test_it_goes_with_its_last_wait(fleet: Sandbox) -> None:
    enable(fleet)

    async def test() -> None:
        before = set(asyncio.all_tasks())
        await asyncio.gather(join(ids_of(fleet)[:2]), join(ids_of(fleet)[2:]))
        await until(lambda: set(asyncio.all_tasks()) == before)
        assert not everything()
        threads = [
            thread for thread in threading.enumerate() if thread.name.startswith("emnify-emnify_default")
        ]
        await until(lambda: not any(thread.is_alive() for thread in threads))
        await join(ids_of(fleet)[:1])  # and comes again with the next

    run(test)
    assert fleet.authentications == 1  # the token has stayed


def test_a_cancelled_wait_leaves_the_others_alone(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> Outcome:
        cancelled, other = asyncio.create_task(join(first)), asyncio.create_task(join(second))
        await until(lambda: fleet.counts[GET] >= 2)
        cancelled.cancel()
        enable(fleet)
        outcome = await other
        assert cancelled.cancelled()
        return outcome

    assert run(test).status == "success"
    assert fleet.authentications == 1


def test_cancelling_all_ends_everything_at_once(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", delay=60, times=None)

    async def test() -> None:
        waits = [asyncio.create_task(join(key)) for key in ids_of(fleet)]
        await until(lambda: fleet.counts[GET] == 1)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    run(test)
    assert fleet.log[-1].status is None  # the request goes on, and nobody waits for it


def test_the_event_loop_is_never_held(fleet: Sandbox) -> None:
    asked, turns = threading.Semaphore(0), threading.Semaphore(0)

    def hang() -> None:
        asked.release()
        assert turns.acquire(timeout=10), "the event loop waits for this answer"

    fleet.faults.add(method="GET", do=hang)
    fleet.faults.add(method="POST", do=hang)
    enable(fleet)

    async def test() -> Outcome:
        wait = asyncio.create_task(join(ids_of(fleet)[:1]))
        for _ in range(2):
            await until(lambda: asked.acquire(blocking=False))
            turns.release()
        return await wait

    assert run(test).status == "success"


def test_a_wait_that_comes_later_does_not_wait_for_the_next_round(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> Outcome:
        long = asyncio.create_task(join(first, interval=60))
        await until(lambda: fleet.counts[GET] >= 1)
        enable(fleet, second)
        outcome = await join(second, interval=60)
        long.cancel()
        return outcome

    assert run(test).status == "success"


def test_a_slow_wait_is_not_read_at_a_quick_one_s_pace(fleet: Sandbox) -> None:
    slow, quick = ids_of(fleet)[:2]

    async def test() -> None:
        waits = [asyncio.create_task(join(slow, interval=30)), asyncio.create_task(join(quick))]
        await until(lambda: fleet.counts[GET] >= 10)
        for wait in waits:
            wait.cancel()

    run(test)
    read = [entry.path.rpartition("/")[2] for entry in fleet.log if entry.method == "GET"]
    assert read.count(str(slow)) <= 2
    assert read.count(str(quick)) >= 8


def test_the_deadline_ends_a_wait(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    outcome = run(lambda: join(key, left=0.2))
    assert outcome.status == "timeout"
    assert f"still waiting for {key} (Disabled)" in outcome.message
    assert outcome.seen == {str(key): "Disabled"}


def test_each_wait_ends_at_its_own_deadline(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> list[Outcome]:
        return await asyncio.gather(join(first, left=0.2), join(second, left=0.1), join(first, left=0.3))

    assert [outcome.status for outcome in run(test)] == ["timeout"] * 3


def test_a_wait_whose_deadline_is_past_is_looked_at_once(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]
    enable(fleet, first)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(join(first, left=-60), join(second, left=-60)))

    assert [outcome.status for outcome in run(test)] == ["success", "timeout"]


def test_no_ids_are_done_at_once(fleet: Sandbox) -> None:
    assert run(lambda: join([])).status == "success"
    assert fleet.requests == 0


def test_each_connection_has_a_poller_of_its_own(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    enable(fleet)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", fleet.airflow_connection)

    async def test() -> list[Outcome]:
        wait = Wait("endpoint_status", ids_of(fleet)[:1], "enabled")
        joins = [
            poller_for(name, wait).join(wait, 0.02, time.time() + 9) for name in ("emnify_default", "other")
        ]
        return list(await asyncio.gather(*joins))

    assert {outcome.status for outcome in run(test)} == {"success"}
    assert fleet.authentications == 2
