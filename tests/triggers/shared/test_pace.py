"""Who is looked at first when there is no time for all, and what is said and logged of waits."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import Limits
from airflow_provider_emnify.api.enums import Connectivity
from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.waits.wait import Reading, Wait
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.triggers.shared import members as members_module
from airflow_provider_emnify.triggers.shared import order as order_module
from airflow_provider_emnify.triggers.shared import poller as module
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import connection, disabled, ids_of
from tests.triggers.waiting import GET, enable, join, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.triggers.shared.members import Outcome

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)

ONLINE = ["online", "offline", "attached", "blocked"]
whose: contextvars.ContextVar[int] = contextvars.ContextVar("whose")


async def connectivity(key: int, left: float) -> Outcome:
    wait = Wait("endpoint_connectivity", key, ONLINE, ())
    return await poller_for("emnify_default", wait).join(wait, 0.05, time.time() + left)


def test_the_shortest_deadlines_come_first(fleet: Sandbox) -> None:
    keys = ids_of(fleet)
    lefts = dict(zip(keys, (50, 20, 40, 10, 30), strict=True))

    async def test() -> None:
        await asyncio.gather(*(connectivity(key, left) for key, left in lefts.items()))

    run(test)
    read = [int(e.path.split("/")[-2]) for e in fleet.log if e.path.endswith("/connectivity")]
    assert read == sorted(keys, key=lambda key: lefts[key])


def test_deadlines_that_can_be_met_are_met_also_of_waits_that_join_during_a_round(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look takes what the limit allows; each wait has just the time for those before it."""
    del fleet
    a_look = LIMITS[0].seconds / LIMITS[0].calls
    clock, reads = [0.0], dict[int, float]()
    deadlines = {number: a_look * number + 1.0 for number in range(1, 301)}
    order = random.Random(3).sample(list(deadlines), 300)
    late = [number for number in order if number > 200][:70]
    waits: list[asyncio.Task[Outcome]] = []

    async def begin(numbers: list[int]) -> None:
        for number in numbers:
            wait = Wait("endpoint_connectivity", number, ONLINE, ())
            poller = poller_for("emnify_default", wait)
            waits.append(asyncio.create_task(poller.join(wait, 1000, deadlines[number])))
        await asyncio.sleep(0)

    async def test() -> list[Outcome]:
        loop = asyncio.get_running_loop()

        def read(client: Any, kind: Any, ids: list[int], filters: Any) -> dict[int, Reading]:
            del client, kind, filters
            if len(reads) == 100:
                asyncio.run_coroutine_threadsafe(begin(late), loop).result(9)
            clock[0] += a_look
            reads.update(dict.fromkeys(ids, clock[0]))
            return dict.fromkeys(ids, Reading(Connectivity.ONLINE.value, "Online"))

        monkeypatch.setattr(module, "read", read)
        for each in (module, order_module):
            monkeypatch.setattr(each, "time", SimpleNamespace(time=lambda: clock[0]))
        await begin([number for number in order if number not in late])
        await until(lambda: len(waits) == len(order))
        return list(await asyncio.gather(*waits))

    assert {outcome.status for outcome in run(test)} == {"success"}
    assert [number for number, at in reads.items() if at > deadlines[number]] == []


@pytest.mark.parametrize(("calls", "warnings"), [(4, 1), (2000, 0)])
def test_a_round_that_takes_longer_than_a_wait_has_time_is_said_early(
    fleet: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    calls: int,
    warnings: int,
) -> None:
    for each in (module, order_module):
        monkeypatch.setattr(each, "LIMITS", (replace(LIMITS[0], calls=calls),))

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(*(connectivity(key, 50) for key in ids_of(fleet))))

    with caplog.at_level(logging.WARNING, module.__name__):
        assert {outcome.status for outcome in run(test)} == {"success"}  # the warning comes before the harm
    said = [record.getMessage() for record in caplog.records if "read late" in record.getMessage()]
    assert len(said) == warnings
    for line in said:
        for words in (
            "endpoint_connectivity",
            f"{calls} requests in 300 s",
            "5 reads take 375 s",
            "task_share",
        ):
            assert words in line


@pytest.mark.parametrize(("left", "task_share", "late"), [(50, 0.25, 2), (50, 0.0, 1), (400, 0.25, 0)])
def test_a_wait_that_cannot_be_read_in_its_time_is_told_so_at_once_in_its_own_log(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, left: float, task_share: float, late: int
) -> None:
    """The address has four requests in 300 s, of which a quarter may be reserved: no place before that."""
    for each in (module, order_module):
        monkeypatch.setattr(each, "LIMITS", (replace(LIMITS[0], calls=4),))
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", connection(fleet, max_retries=0, task_share=task_share))
    told: list[tuple[int, str]] = []
    monkeypatch.setattr(
        members_module.log, "warning", lambda text, *values: told.append((whose.get(), text % values))
    )

    async def test() -> None:
        waits = []
        for key in (keys := ids_of(fleet)):
            whose.set(key)
            waits.append(asyncio.create_task(connectivity(key, left + key - keys[0])))
        await asyncio.gather(*waits)

    run(test)
    assert [number for number, _ in told] == ids_of(fleet)[5 - late :]
    for _, line in told:
        assert line.startswith("Time will run out before this is read even once")


def test_a_wait_that_was_never_looked_at_says_why(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain, make, sleeps = Limits.acquire, EmnifyHook.client_from_settings, list[Any]()

    def note_sleep(*args: Any, **options: Any) -> Any:
        sleeps.append(options["sleep"])
        return make(*args, **options)

    def hold_up(self: Limits, *args: Any, **kwargs: Any) -> float:
        if fleet.requests > 2:  # the token, and two looks
            sleeps[-1](60)  # until its connection is shut down
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(EmnifyHook, "client_from_settings", note_sleep)
    monkeypatch.setattr(Limits, "acquire", hold_up)
    monkeypatch.setattr(module, "FIRST_READ", 0.05)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(*(connectivity(key, 0.5) for key in ids_of(fleet))))

    with caplog.at_level(logging.WARNING, module.__name__):
        outcomes = run(test)
    late = [outcome.message for outcome in outcomes if outcome.status == "timeout"]
    assert len(late) == 3
    for message in late:
        for words in ("not read yet", "2 of the 5 reads", "2000 requests in 300 s", "task_share"):
            assert words in message
    assert len([record for record in caplog.records if "read late" in record.message]) == 1


def test_progress_is_logged_for_the_task_that_waits_when_it_changes(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[int, str]] = []
    monkeypatch.setattr(
        members_module.log, "info", lambda text, *values: lines.append((whose.get(), text % values))
    )
    monkeypatch.setattr(members_module, "PROGRESS_EVERY", 0.0)
    first, second = ids_of(fleet)[:2]

    async def test() -> None:
        waits = []
        for number, ids in enumerate(([first, second], [second])):
            whose.set(number)
            waits.append(asyncio.create_task(join(ids)))
        await until(lambda: fleet.counts[GET] >= 8)
        assert [number for number, _ in lines] == [0]  # nothing has changed since; one id is no news
        enable(fleet, first)
        await until(lambda: len(lines) == 2)
        enable(fleet, second)
        await asyncio.gather(*waits)

    run(test)
    assert lines[1][0] == 0
    assert "1 of 2 endpoints Enabled" in lines[1][1]


def test_progress_is_logged_once_a_minute_at_most(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(members_module.log, "info", lambda text, *values: lines.append(text % values))

    async def test() -> None:
        wait = asyncio.create_task(join(ids_of(fleet)))
        for number, key in enumerate(ids_of(fleet), 1):
            await until(lambda number=number: fleet.requests >= 3 * number)  # type: ignore[misc]
            enable(fleet, key)
        await wait

    run(test)
    assert len(lines) == 1


def test_a_wait_that_was_cancelled_before_it_was_read_is_not_late(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_READ", 0.05)
    read, goes_on = module.read, threading.Event()

    def read_slowly(*args: Any) -> Any:
        assert goes_on.wait(20)
        return read(*args)

    monkeypatch.setattr(module, "read", read_slowly)

    async def test() -> None:
        staying = asyncio.create_task(connectivity(ids_of(fleet)[0], 50))
        leaving = asyncio.create_task(connectivity(ids_of(fleet)[1], 0.05))
        await asyncio.sleep(0)
        leaving.cancel()
        late = time.time() + 0.3
        await until(lambda: time.time() > late)
        goes_on.set()
        await staying

    with caplog.at_level(logging.WARNING, module.__name__):
        run(test)
    assert "read late" not in caplog.text
