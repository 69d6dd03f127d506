"""A triggerer that holds thousands of waits has short garbage collections, and nothing piles up in it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from airflow.triggers.base import BaseTrigger

from airflow_provider_emnify.api import EndpointStatus, Limits
from airflow_provider_emnify.api.waits.wait import Reading, Wait
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.triggers import wait as wait_module
from airflow_provider_emnify.triggers.shared.garbage import Waits
from airflow_provider_emnify.triggers.shared.members import WaitMember
from airflow_provider_emnify.triggers.shared.poller import poller_for
from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger
from tests.fleets import disabled
from tests.triggers.waiting import join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done to the garbage collector, in a process that has not yet done it."""
    done: list[str] = []
    monkeypatch.setattr(wait_module, "WAITS", Waits())
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setenv("AIRFLOW__EMNIFY__TRIGGERER_GC_FREEZE", "True")
    return done


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What is freed now, is freed without the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def trigger(sandbox: Sandbox, *, left: float = 20, in_triggerer: bool = False) -> EmnifyWaitTrigger:
    wait = Wait("endpoint_status", sorted(sandbox.state.endpoints), "enabled").to_dict()
    made = EmnifyWaitTrigger("emnify_default", wait, 0.02, time.time() + left)
    made.trigger_id = 7 if in_triggerer else None  # type: ignore[assignment] # as the triggerer does
    return made


async def event(made: EmnifyWaitTrigger) -> Any:
    return [event.payload async for event in made.run()]


def test_what_lives_is_frozen_with_the_first_wait_and_when_there_are_twice_as_many(frozen: list[str]) -> None:
    waits, at = Waits(), []
    for number in range(1, 20_001):
        waits.begins()
        if len(frozen) > len(at):
            at.append(number)
    assert at == [1, 1000, 2000, 4000, 8000, 16_000]


@pytest.mark.parametrize("setting", [None, "False"])
def test_nothing_is_frozen_unless_a_setting_asks_for_it(
    frozen: list[str], monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    if setting is None:
        monkeypatch.delenv("AIRFLOW__EMNIFY__TRIGGERER_GC_FREEZE")
    else:
        monkeypatch.setenv("AIRFLOW__EMNIFY__TRIGGERER_GC_FREEZE", setting)
    waits = Waits()
    for _ in range(5000):
        waits.begins()
    assert not frozen


def test_waits_that_come_and_go_freeze_no_more(frozen: list[str]) -> None:
    waits = Waits()
    for _ in range(10):
        for _ in range(1500):
            waits.begins()
        for _ in range(1500):
            waits.ends()
    assert len(frozen) == 2


def test_only_a_triggerer_is_treated_so(
    fleet: Sandbox, frozen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__EMNIFY__EVENT_HOLD", "0")
    asyncio.run(event(trigger(fleet, left=0.1)))
    assert not frozen
    asyncio.run(event(trigger(fleet, left=0.1, in_triggerer=True)))
    assert frozen == ["freeze"]
    assert wait_module.WAITS.number == 0


class Bare(BaseTrigger):
    """The least that waits."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    async def run(self) -> Any:
        await asyncio.get_running_loop().create_future()
        yield


def test_a_wait_has_few_objects_more_than_the_least_that_waits(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full collection looks at each of them, while the event loop stands still."""
    number, judged = 1000, Counter[str]()
    keys = sorted(fleet.state.endpoints)
    take = WaitMember.take

    def count(self: WaitMember, verdict: Any) -> None:
        take(self, verdict)
        judged["waits"] += 1

    monkeypatch.setattr(WaitMember, "take", count)

    def wait(key: int) -> EmnifyWaitTrigger:
        wanted = Wait("endpoint_status", key, "enabled").to_dict()
        return EmnifyWaitTrigger("emnify_default", wait=wanted, poll_interval=1, deadline=time.time() + 3600)

    async def held(make: Any, settled: Any) -> int:
        gc.collect()
        before = len(gc.get_objects())
        tasks = [asyncio.create_task(event(make(keys[n % len(keys)]))) for n in range(number)]
        await asyncio.sleep(0)
        while not settled():  # noqa: ASYNC110 - requests are made in another thread
            await asyncio.sleep(0.005)
        gc.collect()
        objects = len(gc.get_objects()) - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return objects

    async def test() -> tuple[int, int]:
        bare = await held(lambda _: Bare(), lambda: True)
        one = asyncio.create_task(event(wait(keys[0])))  # what one makes for all of them
        while not judged:  # noqa: ASYNC110 - requests are made in another thread
            await asyncio.sleep(0.005)
        ours = await held(wait, lambda: judged["waits"] > number)
        one.cancel()
        await asyncio.gather(one, return_exceptions=True)
        return ours, bare

    ours, bare = asyncio.run(test())
    assert (ours - bare) / number < 4.5  # the wait, its member, its log's context, and who awaits its end


def test_a_read_leaves_nothing_more_to_look_at() -> None:
    """Ten thousand objects a round would make a full collection due every few rounds."""

    async def test() -> set[str]:
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        wait = Wait("endpoint_status", 7, "enabled")
        member = WaitMember(wait, 60, time.time() + 60, loop.create_future(), context, wait.ids)
        for _ in range(2):
            member.take(member.judge({7: Reading(EndpointStatus.DISABLED.value, "Disabled")}))
        gc.collect(1)  # after which the collector does not look at tuples of texts and numbers
        return {name for name in member.__slots__ if gc.is_tracked(getattr(member, name))}

    assert asyncio.run(test()) == {"wait", "outcome", "context"}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("end", ["success", "failed", "timeout", "cancelled", "timeout while it is held up"])
def test_a_wait_that_is_over_is_freed_without_the_garbage_collector(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    if end == "timeout while it is held up":
        plain, make, sleeps, end = Limits.acquire, EmnifyHook.client_from_settings, list[Any](), "timeout"

        def note_sleep(*args: Any, **options: Any) -> Any:
            sleeps.append(options["sleep"])
            return make(*args, **options)

        def hold_up(self: Limits, *args: Any, **kwargs: Any) -> float:
            if fleet.requests > 1:  # it has had its token, and has looked
                sleeps[-1](60)  # until its connection is shut down
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(EmnifyHook, "client_from_settings", note_sleep)
        monkeypatch.setattr(Limits, "acquire", hold_up)
    status = {"success": EndpointStatus.ENABLED, "failed": EndpointStatus.DELETED}
    for endpoint in fleet.state.endpoints.values():
        endpoint.status = status.get(end, EndpointStatus.DISABLED)

    async def test() -> tuple[Any, list[weakref.ref[Any]]]:
        made = trigger(fleet, left=0.1 if end == "timeout" else 20)
        task = asyncio.create_task(event(made))
        poller = poller_for("emnify_default", Wait.from_dict(made.wait))
        await asyncio.sleep(0)
        freed = [weakref.ref(each) for each in (made, task, poller, *(m.wait for m in poller.rounds.members))]
        if end == "cancelled":
            while not fleet.requests:  # noqa: ASYNC110 - they are made in another thread
                await asyncio.sleep(0.005)
            task.cancel()
        (payload,) = await asyncio.gather(task, return_exceptions=True)
        return payload, freed

    payload, freed = asyncio.run(test())
    assert isinstance(payload, asyncio.CancelledError) if end == "cancelled" else payload[0]["status"] == end
    del payload
    deadline = time.monotonic() + 5
    while any(ref() for ref in freed) and time.monotonic() < deadline:
        time.sleep(0.01)  # a request of a wait that was cancelled may be under way
    assert [ref() for ref in freed] == [None] * 4


def test_a_wait_that_is_over_is_freed_though_its_poller_goes_on_and_its_deadline_is_far(
    fleet: Sandbox,
) -> None:
    first, second = sorted(fleet.state.endpoints)[:2]
    fleet.state.endpoints[second].status = EndpointStatus.ENABLED

    async def test() -> Any:
        staying = asyncio.create_task(join(first, left=3600))
        wait = Wait("endpoint_status", second, "enabled")
        poller, freed = poller_for("emnify_default", wait), weakref.ref(wait)
        assert (await poller.join(wait, 0.02, time.time() + 7200)).status == "success"
        del wait
        await join(second)  # the poller holds nothing of the round before
        gc.collect()
        staying.cancel()
        return freed()

    assert asyncio.run(test()) is None
