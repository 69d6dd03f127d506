"""Runs an operator that waits as Airflow would: deferred, its trigger made anew, resumed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import TaskDeferred
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator


def deferred(operator: EmnifyWaitingOperator, task_context: Any = None) -> TaskDeferred:
    """Execute it until it defers."""
    with pytest.raises(TaskDeferred) as caught:
        operator.execute(context() if task_context is None else task_context)
    return caught.value


def stored(deferral: TaskDeferred) -> Any:
    """Return the trigger that the triggerer makes of what the database holds."""
    trigger: Any = deferral.trigger
    path, kwargs = trigger.serialize()
    assert path == f"{type(trigger).__module__}.{type(trigger).__qualname__}"
    return type(trigger)(**json.loads(json.dumps(kwargs)))


def resume(operator: EmnifyWaitingOperator, deferral: TaskDeferred) -> Any:
    """Wait in the triggerer, and go on in another process."""
    event = asyncio.run(_event(stored(deferral)))
    kwargs = json.loads(json.dumps(deferral.kwargs or {}))
    return operator.resume_execution(deferral.method_name, {**kwargs, "event": event}, context())


async def _event(trigger: Any) -> Any:
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    return events[0]
