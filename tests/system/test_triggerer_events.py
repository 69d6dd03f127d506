"""Events of emnify start a DAG on a real Airflow 3.3: once each, also when the triggerer is killed."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("airflow.triggers.shared_stream") is None:
    pytest.skip("from Airflow 3.3 on", allow_module_level=True)

from airflow.utils.session import create_session

from airflow_provider_emnify.sandbox.lookups import EventType
from tests.system.conftest import EXAMPLES
from tests.system.triggerer import CONNECTION, Component, save_connection, sync, triggerer, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.usefixtures("metadata_database"),
]

DAG_ID = "on_device_blocked"
LIST = "GET /api/v1/event"


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    sandbox = make_sandbox(3, limits=False)
    save_connection(sandbox.url, sandbox.application_token)
    return sandbox


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[None]:
    """The example, as it is but for its connection and its pace; no run or watcher of it is left behind."""
    from airflow.dag_processing.dagbag import DagBag

    folder = tmp_path / "dags"
    folder.mkdir()
    text = (EXAMPLES / f"{DAG_ID}.py").read_text()
    assert text.count("poll_interval=60") == 1
    text = text.replace("poll_interval=60", f"poll_interval=1, emnify_conn_id={CONNECTION!r}")
    assert text.count("EmnifyHook()") == 1
    (folder / f"{DAG_ID}.py").write_text(text.replace("EmnifyHook()", f"EmnifyHook({CONNECTION!r})"))
    sync(DagBag(dag_folder=str(folder)), DAG_ID)
    with create_session() as session:
        from airflow.models.dag import DagModel

        model = session.get(DagModel, DAG_ID)
        assert model is not None
        model.is_paused = False
    yield
    _forget()


def _forget() -> None:
    from airflow.models.asset import AssetDagRunQueue, AssetEvent, AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import delete, select

    with create_session() as session:
        for run in session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID)):
            session.delete(run)
        for asset in session.scalars(select(AssetModel).where(AssetModel.name == "emnify_device_blocked")):
            asset.watchers.clear()
        for table in (AssetDagRunQueue, AssetEvent, AssetStateStoreModel):
            session.execute(delete(table))


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


def looked(sandbox: Sandbox, more: int = 2) -> Callable[[], bool]:
    now = sandbox.counts[LIST]
    return lambda: sandbox.counts[LIST] >= now + more


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
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    def run() -> Any:
        with create_session() as session:
            return session.scalars(
                select(DagRun).where(DagRun.dag_id == DAG_ID, DagRun.state.in_(["success", "failed"]))
            ).first()

    with Scheduler(tmp_path) as components, triggerer(tmp_path) as watching:
        until(looked(fleet), "looks", watching)
        block(fleet, 1)
        ended = until(run, "the run", watching, *components, seconds=50)
        with create_session() as session:
            report = session.scalars(
                select(XComModel.value).where(XComModel.run_id == ended.run_id, XComModel.task_id == "report")
            ).one()
    assert ended.state == "success", components[0].log[-3000:]
    assert str(sorted(fleet.state.endpoints)[1]) in str(report)
    assert "BLOCKED" in str(report)
    assert "traffic limit" in str(report)


class Scheduler:
    """A scheduler that runs tasks, and the API server that these talk to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> list[Component]:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
            "AIRFLOW__API_AUTH__JWT_SECRET": "for-this-test-alone-and-long-enough-for-sha512-to-be-at-ease",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": _bundle(self._folder / "dags"),
        }
        api = ("api-server", "--host", "127.0.0.1", "--port", port)
        self._components = [
            Component(self._folder / "scheduler.log", "scheduler", "--skip-serve-logs", **settings),
            Component(self._folder / "api.log", *api, **settings),
        ]
        return self._components

    def __exit__(self, *_: object) -> None:
        for component in self._components:
            component.kill()


def _bundle(folder: Path) -> str:
    import json

    kwargs = {"path": str(folder)}
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return json.dumps([{"name": "examples", "classpath": classpath, "kwargs": kwargs}])
