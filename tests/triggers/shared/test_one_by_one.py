"""Waits whose ids each take a request: told as it comes, and nobody has to wait for a long round to end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import ids_of, offline
from tests.triggers.waiting import join, move_clock, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.triggers.shared.members import Outcome

PATH = "/api/v1/endpoint/{endpoint_id}/connectivity"
GET = f"GET {PATH}"
MANY = 40


pytestmark = pytest.mark.fleet(MANY, retries=False, prepare=offline)


async def online(ids: Any, *, interval: float = 0.02, target: Any = "online") -> Outcome:
    wait = Wait("endpoint_connectivity", ids, target, ())
    return await poller_for("emnify_default", wait).join(wait, interval, time.time() + 20)


def asked_for(sandbox: Sandbox) -> list[int]:
    return [int(entry.path.split("/")[4]) for entry in sandbox.log if entry.template == PATH]


def test_each_wait_gets_its_reading_before_the_round_is_over(fleet: Sandbox) -> None:
    async def test() -> int:
        waits = [asyncio.create_task(online(key, target="offline")) for key in ids_of(fleet)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        asked = fleet.counts[GET]
        await asyncio.gather(*waits)
        return asked

    assert run(test) < MANY
    assert fleet.counts[GET] == MANY


def test_one_that_joins_does_not_wait_for_the_end_of_a_long_round(fleet: Sandbox) -> None:
    joins, *others = ids_of(fleet)
    fleet.faults.add(path=PATH, delay=0.01, times=None)

    async def test() -> None:
        waits = [asyncio.create_task(online(key, interval=30)) for key in others]
        await until(lambda: fleet.counts[GET] > 0)
        await online(joins, interval=30, target="offline")
        for wait in waits:
            wait.cancel()

    run(test)
    assert joins in asked_for(fleet)[: MANY // 2]


def test_waits_on_something_else_do_not_wait_for_it(fleet: Sandbox) -> None:
    fleet.faults.add(path=PATH, delay=0.02, times=None)

    async def test() -> int:
        waits = [asyncio.create_task(online(key, interval=30)) for key in ids_of(fleet)]
        await until(lambda: fleet.counts[GET] > 0)
        await join(ids_of(fleet)[0])
        asked = fleet.counts[GET]
        for wait in waits:
            wait.cancel()
        return asked

    assert run(test) < MANY


def test_an_id_that_several_wait_for_is_read_once_a_round(fleet: Sandbox) -> None:
    async def test() -> None:
        twice = [*ids_of(fleet), *ids_of(fleet)]
        waits = [asyncio.create_task(online(key, interval=30)) for key in twice]
        await until(lambda: fleet.counts[GET] >= MANY)
        await asyncio.sleep(0.1)
        for wait in waits:
            wait.cancel()

    run(test)
    assert set(Counter(asked_for(fleet)).values()) == {1}


def test_one_that_fails_again_and_again_keeps_no_other_from_being_looked_at(fleet: Sandbox) -> None:
    broken, *others = ids_of(fleet)
    fleet.faults.add(path=f"/endpoint/{broken}/", status=500, times=None)

    async def test() -> list[Outcome]:
        wait = asyncio.create_task(online(broken, target="offline"))
        outcomes = await asyncio.gather(*(online(key, target="offline") for key in others))
        assert not wait.done()
        wait.cancel()
        return list(outcomes)

    assert {outcome.status for outcome in run(test)} == {"success"}


def test_an_outage_is_not_asked_about_for_each_id(fleet: Sandbox) -> None:
    fleet.faults.add(path=PATH, status=503, times=None)

    async def test() -> None:
        waits = [asyncio.create_task(online(key, interval=30)) for key in ids_of(fleet)]
        await asyncio.sleep(0)
        move_clock(1)  # those that join are gathered for so long
        members = poller_for("emnify_default", Wait("endpoint_connectivity", 1, "online")).rounds.members
        await until(lambda: all(member.error for member in members))  # the round is over
        assert fleet.counts[GET] == 2
        for asked, pause in ((4, 33), (5, 66)):  # each round begins when the one before is over
            move_clock(pause)
            await until(lambda asked=asked: fleet.counts[GET] >= asked)  # type: ignore[misc]
        for wait in waits:
            wait.cancel()

    asyncio.run(test())
    assert fleet.counts[GET] <= 6


def test_a_lack_of_permission_is_asked_about_once(fleet: Sandbox) -> None:
    fleet.faults.add(path=PATH, status=403, times=None)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(*(online(key, interval=30) for key in ids_of(fleet))))

    assert {outcome.status for outcome in run(test)} == {"failed"}
    assert fleet.counts[GET] == 1
