"""Events and statuses of emnify start DAGs on a real Airflow 3.3: once each, also when one is killed."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("airflow.triggers.shared_stream") is None:
    pytest.skip("from Airflow 3.3 on", allow_module_level=True)

from airflow.utils.session import create_session

from airflow_provider_emnify.api.enums import EventType, SimStatus
from tests.system.conftest import EXAMPLES
from tests.system.triggerer import CONNECTION, Scheduler, publish, save_connection, triggerer, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox


def in_the_database(sandbox: Sandbox) -> None:
    """Put a connection to it into Airflow's database."""
    save_connection(sandbox.url, sandbox.application_token)


pytestmark = [
    pytest.mark.fleet(3, prepare=in_the_database),
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("metadata_database"),
]

DAG_ID = "on_device_blocked"
DAGS = (DAG_ID, "on_suspended")
LIST = "GET /api/v1/event"
SIM = "GET /api/v1/sim/{sim_id}"
ON_SUSPENDED = """
from airflow.sdk import Asset, AssetWatcher, dag, task
from airflow_provider_emnify.triggers.status import EmnifyStatusTrigger

trigger = EmnifyStatusTrigger(
    sim_ids={ids}, target_status="suspended", poll_interval=1, emnify_conn_id={conn!r}
)
suspended = Asset("suspended_sims", watchers=[AssetWatcher(name="suspended", trigger=trigger)])


@dag(schedule=[suspended])
def on_suspended():
    @task
    def report(triggering_asset_events=None):
        return [event.extra["payload"] for event in triggering_asset_events[suspended]]

    report()


on_suspended()
"""


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[None]:
    """The example, as it is but for its connection and its pace; no run or watcher of it is left behind."""
    text = (EXAMPLES / f"{DAG_ID}.py").read_text()
    assert text.count("poll_interval=60") == 1
    text = text.replace("poll_interval=60", f"poll_interval=1, emnify_conn_id={CONNECTION!r}")
    assert text.count("EmnifyHook()") == 1
    publish(tmp_path, DAG_ID, text.replace("EmnifyHook()", f"EmnifyHook({CONNECTION!r})"))
    yield
    _forget()


@pytest.fixture
def dag_on_suspended(fleet: Sandbox, tmp_path: Path) -> Iterator[None]:
    """A DAG that starts when a SIM is suspended; no run or watcher of it is left behind."""
    publish(tmp_path, "on_suspended", ON_SUSPENDED.format(ids=sims_of(fleet), conn=CONNECTION))
    yield
    _forget()


def _forget() -> None:
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import delete, select

    with create_session() as session:
        for run in session.scalars(select(DagRun).where(DagRun.dag_id.in_(DAGS))):
            session.delete(run)
        for asset in session.scalars(select(AssetModel)):
            asset.watchers.clear()
        for table in (AssetDagRunQueue, AssetEvent, AssetStateStoreModel):
            session.execute(delete(table))


def sims_of(sandbox: Sandbox) -> list[int]:
    """The SIMs of the devices."""
    return sorted(endpoint.sim_id for endpoint in sandbox.state.endpoints.values() if endpoint.sim_id)


def told() -> list[dict[str, Any]]:
    """What the asset's events carry, in their order."""
    from airflow.models.asset import AssetEvent
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).order_by(AssetEvent.id)).all()
        return [event.extra["payload"] for event in events]


def stored() -> str:
    """What the watcher remembers, as text."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from sqlalchemy import select

    with create_session() as session:
        return str([row.value for row in session.scalars(select(AssetStateStoreModel))])


def reports() -> list[Any]:
    """What the runs have reported that are over, in their order."""
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    with create_session() as session:
        runs = session.scalars(
            select(DagRun)
            .where(DagRun.dag_id.in_(DAGS), DagRun.state.in_(["success", "failed"]))
            .order_by(DagRun.id)
        ).all()
        assert {run.state for run in runs} <= {"success"}
        found = [
            session.scalars(
                select(XComModel.value).where(XComModel.run_id == run.run_id, XComModel.task_id == "report")
            ).one()
            for run in runs
        ]
    return [json.loads(value) if isinstance(value, str) else value for value in found]


def looked(sandbox: Sandbox, more: int = 2, at: str = LIST) -> Callable[[], bool]:
    now = sandbox.counts[at]
    return lambda: sandbox.counts[at] >= now + more


def block(sandbox: Sandbox, number: int) -> int:
    """Block a device; return the id of the event."""
    sandbox.block(sorted(sandbox.state.endpoints)[number])
    return max(
        event.id for event in sandbox.state.events.values() if event.type is EventType.ENDPOINT_BLOCKED
    )


@pytest.mark.usefixtures("dag")
def test_a_kill_and_a_restart_neither_repeat_nor_miss_an_event(fleet: Sandbox, tmp_path: Path) -> None:
    with triggerer(tmp_path, "first") as first:
        until(looked(fleet), "looks", first)
        ids = [block(fleet, 0)]
        until(lambda: [row["id"] for row in told()] == ids, "the first event", first)
        until(lambda: str(ids[0]) in stored(), "its being remembered", first)
        first.kill(signal.SIGKILL)
    ids.append(block(fleet, 1))
    with triggerer(tmp_path, "second") as second:
        until(lambda: len(told()) == 2, "the second event", second)
        ids.append(block(fleet, 2))
        until(lambda: len(told()) == 3, "the third event", second)
        until(looked(fleet, 4), "more looks", second)
    assert [row["id"] for row in told()] == ids
    assert fleet.authentications == 2


@pytest.mark.usefixtures("dag")
def test_a_blocked_device_starts_the_example_which_reports_it(fleet: Sandbox, tmp_path: Path) -> None:
    with Scheduler(tmp_path) as components, triggerer(tmp_path) as watching:
        until(looked(fleet), "looks", watching)
        block(fleet, 1)
        (report,) = until(reports, "the run", watching, *components, seconds=150)
    assert str(sorted(fleet.state.endpoints)[1]) in str(report)
    assert "BLOCKED" in str(report)
    assert "traffic limit" in str(report)


@pytest.mark.usefixtures("dag_on_suspended")
def test_a_sim_that_is_suspended_starts_a_dag_also_one_suspended_while_no_triggerer_runs(
    fleet: Sandbox, tmp_path: Path
) -> None:
    first_sim, second_sim, _ = sims_of(fleet)
    with Scheduler(tmp_path) as components:
        with triggerer(tmp_path, "first") as first:
            until(looked(fleet, 6, SIM), "looks", first)
            fleet.state.sims[first_sim].status = SimStatus.SUSPENDED
            until(lambda: len(reports()) == 1, "the first run", first, *components, seconds=150)
            until(lambda: "Suspended" in stored(), "its being remembered", first)
            first.kill(signal.SIGKILL)
        fleet.state.sims[second_sim].status = SimStatus.SUSPENDED
        with triggerer(tmp_path, "second") as second:
            until(lambda: len(reports()) == 2, "the second run", second, *components, seconds=150)
            until(looked(fleet, 9, SIM), "more looks", second)
    entered = [
        {"sim_id": sim, "status": "Suspended", "before": "Activated"} for sim in (first_sim, second_sim)
    ]
    assert told() == entered
    assert reports() == [[payload] for payload in entered]
