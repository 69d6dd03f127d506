"""When who is read for: the loop of rounds by itself."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.members import StatusWatcher
from airflow_provider_emnify.triggers.shared.order import with_joined
from airflow_provider_emnify.triggers.shared.rounds import Rounds
from tests.triggers.waiting import move_clock

if TYPE_CHECKING:
    from airflow_provider_emnify.triggers.shared.members import Member


def watcher(interval: float) -> Member:
    return StatusWatcher(Wait("endpoint_status", 1, "enabled"), interval)


def test_a_round_that_jitter_makes_early_reads_for_those_that_are_due() -> None:
    async def test() -> None:
        rounds, often, seldom = Rounds(), watcher(60), watcher(600)
        rounds.join(often)
        rounds.join(seldom)
        assert set(rounds.due(regular=True)) == {often, seldom}
        move_clock(54)
        assert rounds.due(regular=True) == [often]

    asyncio.run(test())


def test_who_asks_for_an_early_read_gets_it_after_a_round_that_is_not_its_own() -> None:
    async def test() -> None:
        rounds, often, seldom = Rounds(), watcher(60), watcher(600)
        rounds.join(often)
        rounds.join(seldom)
        rounds.due(regular=True)
        move_clock(60)
        rounds.join(seldom)
        assert rounds.due(regular=True) == [often]
        assert rounds.due(regular=False) == [seldom]

    asyncio.run(test())


def test_who_joins_between_two_rounds_is_read_for_in_the_next_one_too() -> None:
    async def test() -> None:
        rounds, first, second = Rounds(), watcher(60), watcher(60)
        rounds.join(first)
        rounds.due(regular=True)
        move_clock(50)
        rounds.join(second)
        assert rounds.due(regular=False) == [second]
        move_clock(10)
        assert set(rounds.due(regular=True)) == {first, second}

    asyncio.run(test())


def test_one_whose_last_read_failed_is_not_first_however_little_time_it_has() -> None:
    failed: Any = SimpleNamespace(error="no answer", deadline=time.time())
    joined: Any = SimpleNamespace(error="", deadline=time.time() + 3600)
    assert with_joined([[failed]], [[joined]])[-1] == [joined]  # the last one is read first


def test_rounds_in_which_nothing_can_be_read_come_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: (low + high) / 2)

    async def test() -> list[float]:
        rounds, begun, now = Rounds(), list[float](), 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        rounds.join(watcher(60))

        async def read(due: list[Member]) -> bool:
            del due
            begun.append(now)
            return len(begun) < 5

        running = asyncio.create_task(rounds.run(read))
        while len(begun) < 7:
            now += 0.25
            await asyncio.sleep(0)
        running.cancel()
        return [later - before for before, later in pairwise(begun)]

    assert asyncio.run(test()) == pytest.approx([60, 120, 240, 240, 60, 60], abs=5)


def test_a_permanent_error_of_a_watcher_is_logged_once_and_again_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = StatusWatcher(Wait("endpoint_status", 1, "enabled"), 60.0)
    for _ in range(2):
        one.record_failure("no rights", permanent=True)
    assert caplog.text.count("Polling failed: no rights. Watching") == 1
    one.take({})
    one.record_failure("no rights", permanent=True)
    assert caplog.text.count("Polling failed: no rights. Watching") == 2
