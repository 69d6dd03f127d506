"""Runs a sensor to its end in each of its modes, as Airflow would."""

from __future__ import annotations

import asyncio
import copy
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest
from airflow.exceptions import AirflowRescheduleException

from airflow_provider_emnify.airflow_names import BaseSensorOperator, TaskDeferred
from airflow_provider_emnify.api.waits import wait as waits
from airflow_provider_emnify.triggers.shared import poller
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sensors.base import EmnifyWaitSensor

Mode = Literal["poke", "reschedule", "deferrable"]


def run(sensor: EmnifyWaitSensor, before_look: Callable[[int], None] = lambda _: None) -> Any:
    """Run it until it returns or raises.

    :param before_look: Called before each look at emnify, with its number: the world changes meanwhile.
    """
    looks = 0

    def counted(look: Callable[..., Any]) -> Callable[..., Any]:
        def read(*arguments: Any) -> Any:
            nonlocal looks
            looks += 1
            before_look(looks)
            return look(*arguments)

        return read

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((waits, "read"), (poller, "read"), (poller, "list_events")):
            patch.setattr(module, name, counted(getattr(module, name)))
        return _run(sensor)


def _run(sensor: EmnifyWaitSensor) -> Any:
    if sensor.mode == "reschedule":
        return _reschedule(sensor)
    try:
        return sensor.execute(context())
    except TaskDeferred as deferred:
        trigger: Any = deferred.trigger
        path, kwargs = trigger.serialize()
        assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
        event = asyncio.run(_first_event(type(trigger)(**kwargs)))
        return sensor.resume_execution(deferred.method_name, {"event": event}, context())


async def _first_event(trigger: Any) -> Any:
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]


def _reschedule(sensor: EmnifyWaitSensor) -> Any:
    """Start anew for each look, as after each AirflowRescheduleException; the first start is remembered."""
    started = datetime.now(UTC)
    task_context = context()
    instance = task_context["ti"]
    instance.get_first_reschedule_date = lambda _: started
    for name in ("dag_id", "task_id", "run_id", "map_index", "max_tries"):
        setattr(instance, name, 0)
    module: Any = sys.modules[BaseSensorOperator.__module__]
    with pytest.MonkeyPatch.context() as patch:
        # Airflow 2 asks its database.
        patch.setattr(module, "_orig_start_date", lambda **_: started, raising=False)
        while True:
            try:
                return copy.deepcopy(sensor).execute(task_context)
            except AirflowRescheduleException:
                continue
