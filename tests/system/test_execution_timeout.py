"""``execution_timeout`` ends a task that a real triggerer waits for; what it began is cancelled."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("airflow.sdk") is None:
    pytest.skip("the scheduler of these tests is Airflow 3's", allow_module_level=True)

from airflow.utils.session import create_session

from tests.fleets import disabled
from tests.system.triggerer import CONNECTION, Scheduler, make_run, save_connection, triggerer, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

ALLOWED = 12.0  # seconds
DAG = """
from datetime import datetime, timedelta
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointStatusSensor

waits = {{
    "emnify_conn_id": {conn!r},
    "endpoint_ids": {key},
    "deferrable": True,
    "timeout": 600,
    "execution_timeout": timedelta(seconds={allowed}),
}}
with DAG("timed", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    EmnifyEndpointStatusSensor(task_id="sensor", poke_interval=1, **waits)
    EmnifySendSmsOperator(task_id="sms", text="on", wait_for_completion=True, poll_interval=1, **waits)
"""


def in_the_database(sandbox: Sandbox) -> None:
    """Disable the devices, and put a connection to them into Airflow's database."""
    disabled(sandbox)
    save_connection(sandbox.url, sandbox.application_token)


pytestmark = [
    pytest.mark.fleet(1, prepare=in_the_database, sms_delivered_after=1e9),
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("metadata_database"),
]


@pytest.fixture
def run_id(fleet: Sandbox, tmp_path: Path) -> Iterator[str]:
    """A run of a DAG whose tasks wait for what does not come; it is not left behind."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    folder = tmp_path / "dags"
    folder.mkdir()
    (key,) = fleet.state.endpoints
    (folder / "timed.py").write_text(DAG.format(conn=CONNECTION, key=key, allowed=ALLOWED))
    run_id = f"run-{time.time_ns()}"
    make_run(folder, run_id, "timed")
    with create_session() as session:
        model = session.get(DagModel, "timed")
        assert model is not None
        model.is_paused = False
    yield run_id
    with create_session() as session:
        session.delete(session.scalars(select(DagRun).where(DagRun.run_id == run_id)).one())


def tasks(run_id: str) -> dict[str, Any]:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run_id)).all()
        return {one.task_id: one for one in found}


def states(run_id: str) -> list[str]:
    return sorted(str(getattr(task.state, "value", task.state)) for task in tasks(run_id).values())


def test_a_deferred_task_ends_when_its_time_is_over(fleet: Sandbox, run_id: str, tmp_path: Path) -> None:
    def are_over() -> bool:
        return states(run_id) == ["failed", "failed"]

    with Scheduler(tmp_path) as components, triggerer(tmp_path) as waiting:
        until(
            lambda: "deferred" in states(run_id),
            "a deferral",
            waiting,
            *components,
            seconds=120,
        )
        until(are_over, "the end of both", waiting, *components, seconds=120)
    for task in tasks(run_id).values():
        took = (task.end_date - task.start_date).total_seconds()
        assert ALLOWED - 1 <= took < 10 * ALLOWED  # the scheduler of a busy machine takes its time, too
    assert [sms.status.name for sms in fleet.state.sms.values()] == ["CANCELED"]
