"""Undo what a task began at emnify, when someone ends it while it waits.

What is to be undone travels as plain values: ``{"call": "sms.cancel", "arguments": {...}}``, a call as on the
client. The state of the task tells what has happened: when it was marked failed, no attempt waits any more.
When it was cleared, its next attempt goes on with what was begun, and may have started already. When it is
deferred, the triggerer shuts down, and another one goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_emnify.api import EmnifyClient

log = one_line_log(__name__)

_MAY_TAKE = 30.0  # seconds
_ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})
under_way: set[asyncio.Future[None]] = set()
"""What is being cancelled: the event loop itself keeps no task."""


def check_calls(value: Any) -> tuple[dict[str, Any], ...]:
    """Return calls as plain values.

    :raises ValueError: when they are not of the form ``{"call": ..., "arguments": {...}}``.
    """
    calls = list(value or ())
    for call in calls:
        if not isinstance(call, Mapping) or set(call) != {"call", "arguments"}:
            raise ValueError(f"cancel: {call!r} is not a valid call; give call and arguments")
    return tuple({"call": call["call"], "arguments": dict(call["arguments"])} for call in calls)


def cancel(client: EmnifyClient, calls: Sequence[Mapping[str, Any]]) -> None:
    """Make the calls one after another. One that does not work (it may be over) keeps no other from it."""
    for call in calls:
        resource, name = str(call["call"]).split(".")
        shown = f"{call['call']}({', '.join(f'{key}={value}' for key, value in call['arguments'].items())})"
        try:
            getattr(getattr(client, resource), name)(**call["arguments"])
        except EmnifyError as error:
            log.warning("%s failed; what it was to cancel may go on at emnify: %s", shown, error)
        else:
            log.info("%s: cancelled", shown)


async def cancel_in_triggerer(
    trigger: BaseTrigger, conn_id: str, calls: Sequence[Mapping[str, Any]], *, timed_out: bool = False
) -> None:
    """Make the calls, if the task of a cancelled trigger has ended.

    Airflow goes on cancelling a trigger that is not gone at once. So this is done in a task of its own, which
    ends what it has begun. It is waited for as long as Airflow waits for a task that is killed.

    :param timed_out: The task's ``execution_timeout`` is over, whatever its state.
    """
    task = asyncio.ensure_future(_cancel_if_ended(trigger, conn_id, calls, timed_out=timed_out))
    under_way.add(task)
    task.add_done_callback(under_way.discard)
    await asyncio.wait({task}, timeout=_MAY_TAKE)


async def _cancel_if_ended(
    trigger: BaseTrigger, conn_id: str, calls: Sequence[Mapping[str, Any]], *, timed_out: bool
) -> None:
    if not timed_out and not await _has_ended(trigger):
        return
    from airflow_provider_emnify.triggers.shared.connection import connection_for  # for a triggerer alone

    connection = connection_for(conn_id)
    try:
        await connection.call(lambda client: cancel(client, calls))
    except (EmnifyError, EmnifyConnectionConfigError) as error:
        log.warning("What the task began was not cancelled, and goes on at emnify: %s", error)
    finally:
        connection.release()


async def _has_ended(trigger: BaseTrigger) -> bool:
    """Tell whether the task has ended, so that no attempt waits any more.

    When that cannot be found out, it counts as waiting: work that goes on does less harm.
    """
    try:
        state = await task_state(trigger.task_instance)
    except Exception:
        log.exception("The state of the task could not be read; what it began is left to go on at emnify")
        return False
    return state in _ENDED


async def task_state(instance: Any) -> str | None:
    """Return the state of a task instance, as Airflow has it; None where it has none."""
    from asgiref.sync import sync_to_async

    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:  # Airflow 2
        from airflow.models import TaskInstance

        found: Any = await sync_to_async(TaskInstance.get_task_instance)(
            instance.dag_id, instance.run_id, instance.task_id, instance.map_index
        )
        return None if found is None or found.state is None else str(found.state)
    states = await sync_to_async(RuntimeTaskInstance.get_task_states)(
        dag_id=instance.dag_id,
        task_ids=[instance.task_id],
        run_ids=[instance.run_id],
        map_index=instance.map_index,
    )
    index = instance.map_index
    key = instance.task_id if index is None or index < 0 else f"{instance.task_id}_{index}"
    state = states.get(instance.run_id, {}).get(key)
    return None if state is None else str(state)
