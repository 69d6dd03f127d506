"""A device's SMS starts a DAG on a real Airflow 3: sandbox, API server, asset event, scheduler, DAG run."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if find_spec("airflow.sdk") is None:
    pytest.skip("from Airflow 3 on", allow_module_level=True)

from airflow.utils.session import create_session

from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
from tests.system.triggerer import CONNECTION, Scheduler, save_connection, sync, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),
    pytest.mark.allow_openapi_violations,  # the OpenAPI has no field for the secret of an API secret
    pytest.mark.usefixtures("metadata_database"),
]

SECRET = "the API secret of the service profile, long enough for any of them, as SHA-512 would have it"
DAG_ID = "on_sms"
DAG = f"""
from airflow.sdk import dag, task
from airflow_provider_emnify.assets import emnify_asset


@dag(schedule=[emnify_asset("sms", {CONNECTION!r})])
def on_sms():
    @task
    def read(triggering_asset_events=None):
        return [event.extra["text"] for events in triggering_asset_events.values() for event in events]

    read()


on_sms()
"""


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    sandbox = make_sandbox(3, limits=False)
    save_connection(sandbox.url, sandbox.application_token)
    return sandbox


@pytest.fixture
def secret(fleet: Sandbox) -> None:
    from airflow.models.connection import Connection
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalars(select(Connection).where(Connection.conn_id == CONNECTION)).one()
        row.set_extra(json.dumps({"rate_limit_store": "memory", "api_secret": SECRET}))


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[None]:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dag import DagModel

    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / f"{DAG_ID}.py").write_text(DAG)
    sync(DagBag(dag_folder=str(tmp_path / "dags")), DAG_ID)
    with create_session() as session:
        model = session.get(DagModel, DAG_ID)
        assert model is not None
        model.is_paused = False
    yield
    _forget()


def _forget() -> None:
    from airflow.models.asset import AssetDagRunQueue, AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.models.log import Log
    from sqlalchemy import delete, select

    with create_session() as session:
        for run in session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID)):
            session.delete(run)
        for table in (AssetDagRunQueue, AssetEvent, Log):
            session.execute(delete(table))


def point_at(sandbox: Sandbox, url: str) -> None:
    """Have the service profile of all devices call a URL, signed."""
    with EmnifyClient(
        Credentials(application_token=sandbox.application_token),
        base_url=sandbox.url,
        limits=Limits("memory"),
    ) as client:
        callback = client.api_callbacks.create(url=f"{url}/emnify/callbacks/{CONNECTION}/sms")
        secret = client.api_secrets.create(purpose="Airflow", secret=SECRET)
        client.service_profiles.update(1, api_callback_id=callback["id"], api_secret_id=secret["id"])


def runs() -> list[Any]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(DagRun).where(DagRun.dag_id == DAG_ID)).all()
        session.expunge_all()
    return list(found)


@pytest.mark.usefixtures("dag", "secret")
def test_an_sms_of_a_device_starts_a_dag_in_less_than_ten_seconds(fleet: Sandbox, tmp_path: Path) -> None:
    defaults = {
        "AIRFLOW__EMNIFY__CALLBACKS": CONNECTION,
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
    }
    airflow = Scheduler(tmp_path, **defaults)
    with airflow as components:
        point_at(fleet, airflow.url)
        until(lambda: "Starting the scheduler" in components[1].log, "the scheduler", *components)
        endpoint_id = min(fleet.state.endpoints)
        sent = time.time()
        fleet.send_sms(endpoint_id, "BATTERY 12")
        until(lambda: fleet.callbacks[0].done, "the callback", *components)
        run = until(lambda: [run for run in runs() if run.start_date], "the run", *components)[0]
        took = run.start_date.timestamp() - sent
        done = until(lambda: [run for run in runs() if run.state == "success"], "its end", *components)
    assert fleet.callbacks[0].statuses == [200]
    assert [event.extra["text"] for event in events()] == ["BATTERY 12"]
    assert len(done) == 1
    assert took < 10, took


def events() -> list[Any]:
    from airflow.models.asset import AssetEvent
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(AssetEvent).order_by(AssetEvent.id)).all()
        session.expunge_all()
    return list(found)
