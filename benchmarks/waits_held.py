"""What a full garbage collection looks at in a triggerer: N triggers, held by Airflow's ``TriggerRunner``.

Two kinds are held alike, each in a process of its own: waits of this provider, and as the baseline a trigger
of Airflow itself that does nothing but sleep (``DateTimeTrigger``). ``benchmarks/waits.py`` runs it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from waits_loop import Loop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.triggers.base import BaseTrigger

SETTLED = 20.0  # seconds until each wait was read for
HELD = 40.0  # seconds in which nothing but that happens
SHARE = 0.01  # objects of a type a trigger, from which on it is shown


class Triggerer:
    """Airflow's ``TriggerRunner`` in this process, without the supervisor that tells it what to run."""

    def __init__(self) -> None:
        import structlog
        from airflow.jobs.triggerer_job_runner import TriggerRunner

        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self._runner = TriggerRunner()  # type: ignore[no-untyped-call]
        self.events = self._runner.events

    async def begin(self, key: int, trigger: BaseTrigger) -> None:
        """Have it run a trigger of a task, made of what Airflow keeps of it."""
        from airflow.executors.workloads.task import TaskInstanceDTO
        from airflow.executors.workloads.trigger import RunTrigger
        from airflow.models.trigger import Trigger

        path, arguments = trigger.serialize()
        task = TaskInstanceDTO(
            id=uuid.uuid4(),
            dag_version_id=uuid.uuid4(),
            task_id="wait",
            dag_id="waits",
            run_id="manual__2026-11-30T00:00:00+00:00",
            try_number=1,
            map_index=key,
            pool_slots=1,
            queue="default",
            priority_weight=1,
        )
        kept = Trigger.encrypt_kwargs(arguments)
        self._runner.to_create.append(RunTrigger(id=key, ti=task, classpath=path, encrypted_kwargs=kept))
        await self._runner.create_triggers()  # type: ignore[no-untyped-call]

    async def end(self) -> None:
        """Cancel all that it runs."""
        tasks = [each["task"] for each in self._runner.triggers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def trigger_of(kind: str, key: int) -> BaseTrigger:
    """Return a trigger that does not end meanwhile."""
    if kind == "airflow":
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        return DateTimeTrigger(datetime.now(UTC) + timedelta(hours=3))
    from airflow_provider_emnify.api.waits.wait import Wait
    from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

    wait = Wait("endpoint_status", key, "enabled").to_dict()
    return EmnifyWaitTrigger("emnify_default", wait, 60.0, time.time() + 3600)


def _types() -> Counter[str]:
    gc.collect()
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def _collection() -> float:
    """Return how much CPU time a full collection takes, in ms: the best of five."""
    took = []
    for _ in range(5):
        before = time.thread_time()
        gc.collect()
        took.append(time.thread_time() - before)
    return min(took) * 1000


async def held(kind: str, ids: Sequence[int], results: dict[str, Any]) -> None:
    """Hold one trigger an id, and count what is there for each."""
    triggerer = Triggerer()
    first, *others = ids
    await triggerer.begin(first, trigger_of(kind, first))
    await asyncio.sleep(2)  # what is made once for all of them is there then
    empty, empty_ms = _types(), _collection()
    loop = Loop()
    watch = asyncio.create_task(loop.watch())
    await asyncio.sleep(0.1)
    for key in others:
        await triggerer.begin(key, trigger_of(kind, key))
    await asyncio.sleep(SETTLED)
    while_begun = len(loop.collected)
    await asyncio.sleep(HELD)
    watch.cancel()
    loop.forget()
    full = _types()
    grown = {name: (number - empty[name]) / len(others) for name, number in full.items()}
    results.update(
        {
            "triggers": len(ids),
            "objects before": empty.total(),
            "objects a trigger": sum(grown.values()),
            "types": {name: share for name, share in grown.items() if share > SHARE},
            "ms before": empty_ms,
            "ms": _collection(),
            "collections": while_begun,
            "collections later": len(loop.collected) - while_begun,
            "collection CPU ms": max(loop.collected_cpu, default=0.0) * 1000,
            "held by us ms": max(loop.held_by_us) * 1000,
            "ended": len(triggerer.events),
        }
    )
    await triggerer.end()
