"""The examples that sync: on the installed Airflow, into SQLite, a real PostgreSQL and a real MariaDB."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, SimStatus
from airflow_provider_emnify.transfers.sources import stream as stream_source
from airflow_provider_emnify.transfers.sql import sql_hook
from tests.transfers.mariadb import MariaDB
from tests.transfers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.transfers.database_server import DatabaseServer

pytestmark = [pytest.mark.airflow, pytest.mark.filterwarnings("default")]


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(endpoints=7, spare_sims=5, events=40, limits=False)


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Just after the hour, events would be waited for that come late."""
    monkeypatch.setattr(stream_source.FromStream, "wait_until", lambda *_: None)


@pytest.fixture(params=[None, Postgres, MariaDB], ids=["sqlite", "postgresql", "mariadb"])
def warehouse(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], list[Any]]]:
    """An empty database behind the connection that the examples use; runs a query in it."""
    kind: type[DatabaseServer] | None = request.param
    with contextlib.ExitStack() as stack:
        if kind is None:
            pytest.importorskip("airflow.providers.sqlite", reason="apache-airflow-providers-sqlite")
            connection = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "w.db")})
        else:
            kind.skip_unless_installed()
            connection = stack.enter_context(kind()).airflow_connection
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_WAREHOUSE", connection)
        yield lambda query: [tuple(row) for row in sql_hook("emnify_warehouse").get_records(query)]


def states(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def result_of(run: Any, task_id: str = "report") -> Any:
    return run.get_task_instance(task_id).xcom_pull(task_ids=task_id)


def test_nightly_sync_brings_inventory_and_usage_into_a_database(
    run_example: Callable[..., Any], sandbox: Sandbox, warehouse: Callable[[str], list[Any]]
) -> None:
    run = run_example("nightly_sync")
    assert set(states(run).values()) == {"success"}, states(run)
    report = result_of(run)
    assert report["emnify_endpoints"] == 7
    assert report["emnify_sims"] == 12
    assert report["emnify_organisation_usage_daily"] >= 1
    assert warehouse("SELECT count(*), count(sim_id) FROM emnify_endpoints") == [(7, 7)]
    assert warehouse("SELECT count(*) FROM emnify_sims WHERE status = 'Issued'") == [(5,)]

    before = warehouse("SELECT * FROM emnify_organisation_usage_daily ORDER BY date")
    (gone,) = list(sandbox.state.sims)[:1]
    del sandbox.state.sims[gone]
    again = run_example("nightly_sync")
    assert set(states(again).values()) == {"success"}, states(again)
    assert warehouse("SELECT count(*) FROM emnify_sims") == [(11,)]
    assert warehouse("SELECT * FROM emnify_organisation_usage_daily ORDER BY date") == before


def test_events_to_lake_writes_parquet_once(
    run_example: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    lake = tmp_path / "lake"
    oldest = min(event.timestamp for event in sandbox.state.events.values())
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(oldest - 1))
    run = run_example("events_to_lake", path=f"file://{lake}", start=start)
    assert set(states(run).values()) == {"success"}, states(run)
    files = list(lake.glob("timestamp_day=*/*.parquet"))
    rows = [(str(file), row) for file in files for row in parquet.ParquetFile(file).read().to_pylist()]
    assert sorted(row["id"] for _, row in rows) == sorted(sandbox.state.events)
    assert all(f"timestamp_day={row['timestamp'].date()}/" in path for path, row in rows)
    assert result_of(run)["rows"] == 40
    assert len(list(lake.glob("_manifest-*.json"))) == 1


def test_airflow_knows_what_was_written_and_how_far_it_got(
    run_example: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    from airflow.utils.session import create_session

    asset = pytest.importorskip("airflow.models.asset", reason="dag.test() of 2.11 knows no datasets")
    run = run_example("events_to_lake", path=f"file://{tmp_path / 'lake'}")
    result = result_of(run)
    with create_session() as session:
        events = session.query(asset.AssetEvent).filter_by(source_run_id=run.run_id).all()
        (said,) = [event.extra for event in events]
    assert said["rows"] == result["rows"]
    assert said["interval_end"] == result["interval_end"]
    assert said["written"] == [f"file://{tmp_path / 'lake'}"]
    try:
        from airflow.models.asset_state_store import AssetStateStoreModel
    except ImportError:  # before Airflow 3.3
        return
    with create_session() as session:
        kept = {row.key: row.value for row in session.query(AssetStateStoreModel).all()}
    assert result["interval_end"] in str(kept["events_to_lake.events.interval_end"])


MAPPED = """
from datetime import datetime
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator

with DAG("mapped_sync", schedule=None, start_date=datetime(2025, 1, 1)):
    EmnifyToObjectStorageOperator.partial(task_id="sync", path={path!r}).expand(stream=["sims", "tags"])
"""


@pytest.mark.usefixtures("metadata_database", "sandbox_connection")
def test_instances_of_a_mapped_transfer_are_called_by_their_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the rate limits are kept
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "mapped_sync.py").write_text(MAPPED.format(path=str(tmp_path / "lake")))
    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    except ImportError:  # Airflow 2.11, whose dag.test() needs no serialized DAG
        from airflow.models.dagbag import DagBag

        bag = DagBag(dag_folder=str(folder))
    else:
        from airflow.models.dagbundle import DagBundleModel
        from airflow.utils.session import create_session

        bag = DagBag(dag_folder=str(folder))
        with create_session() as session:
            session.merge(DagBundleModel(name="mapped_sync"))
        sync_bag_to_db(bag, "mapped_sync", None)
    instances = bag.dags["mapped_sync"].test().get_task_instances()
    assert {(one.rendered_map_index, str(one.state)) for one in instances} == {
        *(("sims", "success"), ("tags", "success")),
    }


def spoil(sandbox: Sandbox) -> None:
    """Make SIMs that cost too much: one on a disabled endpoint, one that never connected."""
    state = sandbox.state
    state.endpoints[1_000_001].status = EndpointStatus.DISABLED
    state.endpoints[1_000_002].connectivity = Connectivity.OFFLINE
    state.endpoints[1_000_002].powered = False
    silent = state.endpoints[1_000_002].sim_id
    for number in [event.id for event in state.events.values() if (event.sim or {}).get("id") == silent]:
        del state.events[number]


def test_cost_guard_reports_and_suspends_what_a_person_approves(
    run_example: Callable[..., Any],
    sandbox: Sandbox,
    warehouse: Callable[[str], list[Any]],
    person: Callable[[str], None],
) -> None:
    spoil(sandbox)
    person("Approve")
    run = run_example("cost_guard", daily_megabytes=0)
    assert set(states(run).values()) == {"success"}, states(run)
    expected = {("disabled endpoint", 2_000_006), ("never connected", 2_000_007)}
    found = set(warehouse("SELECT reason, sim_id FROM emnify_cost_report"))
    assert {row for row in found if row[0] != "high usage"} == expected
    assert {row[0] for row in found} == {"disabled endpoint", "never connected", "high usage"}
    suspended = {sim.id for sim in sandbox.state.sims.values() if sim.status is SimStatus.SUSPENDED}
    assert suspended == ({2_000_006, 2_000_007} if "approve" in states(run) else set())


def test_cost_guard_suspends_nothing_that_a_person_rejects(
    run_example: Callable[..., Any],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    person: Callable[[str], None],
    examples: Any,
) -> None:
    if "approve" not in examples.dags["cost_guard"].task_ids:
        pytest.skip("approvals need Airflow 3.1")
    pytest.importorskip("airflow.providers.sqlite", reason="apache-airflow-providers-sqlite")
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "w.db")}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_WAREHOUSE", json.dumps(connection))
    spoil(sandbox)
    person("Reject")
    run = run_example("cost_guard")
    assert states(run)["suspend"] == "skipped"
    assert all(sim.status is not SimStatus.SUSPENDED for sim in sandbox.state.sims.values())


def test_cost_guard_asks_nobody_when_there_is_nothing_to_suspend(
    run_example: Callable[..., Any],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("airflow.providers.sqlite", reason="apache-airflow-providers-sqlite")
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "w.db")}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_WAREHOUSE", json.dumps(connection))
    run = run_example("cost_guard")
    assert states(run)["report"] == "success"
    assert states(run).get("approve", "skipped") == "skipped"
