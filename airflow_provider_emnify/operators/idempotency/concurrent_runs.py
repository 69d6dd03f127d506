"""Other runs of the same task that make the same call at this moment, as far as Airflow knows them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.airflow_names import Context

_KEY = "emnify_call"
_RUNNING = "running"


def runs_that_do_the_same(context: Context, call: str, log: Any) -> list[str]:
    """Say what this task is about to do, and return the ids of the runs that are at it as well.

    Each run says it (as an XCom, of which only a hash can be seen) before it looks: so of two that share
    nothing but Airflow, at least one sees the other. What fails costs a warning.

    :param context: The task's context.
    :param call: What is called with what, to the letter.
    :param log: Is told when Airflow cannot be asked.
    """
    instance: Any = context.get("ti")
    if instance is None:
        return []
    said = hashlib.sha256(call.encode()).hexdigest()
    others = _on_airflow_3 if hasattr(instance, "get_task_states") else _before_airflow_3
    try:
        instance.xcom_push(key=_KEY, value=said)
        return [run_id for run_id, says in others(instance) if says == said]
    except Exception as error:  # whatever Airflow makes of it
        log.warning("Could not look for other runs of this task that make the same call: %r", error)
        return []


def _on_airflow_3(instance: Any) -> Iterator[tuple[str, Any]]:
    """Return the other runs in which this task (or mapped task) is running, and what it says there."""
    map_index = -1 if instance.map_index is None else int(instance.map_index)
    same = {"dag_id": instance.dag_id, "task_ids": [instance.task_id], "map_index": map_index}
    if instance.get_ti_count(states=[_RUNNING], **same) <= 1:  # itself; all runs of a DAG may be many
        return
    for run_id, states in instance.get_task_states(**same).items():
        if run_id != instance.run_id and _RUNNING in states.values():
            yield (
                run_id,
                instance.xcom_pull(
                    dag_id=instance.dag_id,
                    task_ids=instance.task_id,
                    run_id=run_id,
                    map_indexes=map_index,
                    key=_KEY,
                ),
            )


def _before_airflow_3(instance: Any) -> Iterator[tuple[str, Any]]:
    from airflow.models import TaskInstance, XCom
    from airflow.utils.session import create_session

    one = {key: getattr(instance, key) for key in ("dag_id", "task_id", "map_index")}
    with create_session() as session:
        tasks = session.query(TaskInstance.run_id).filter_by(state=_RUNNING, **one)
        for (run_id,) in tasks.filter(TaskInstance.run_id != instance.run_id).all():
            yield run_id, XCom.get_one(key=_KEY, run_id=run_id, session=session, **one)
