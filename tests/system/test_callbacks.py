"""A device's SMS starts a DAG on a real Airflow 3: sandbox, API server, asset event, scheduler, DAG run."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

if find_spec("airflow.sdk") is None:
    pytest.skip("from Airflow 3 on", allow_module_level=True)

from airflow.utils.session import create_session

from airflow_provider_emnify.operators.callbacks import EmnifySetUpCallbacksOperator
from tests.api.support import free_port
from tests.operators.support import run as context_of
from tests.system.conftest import EXAMPLES
from tests.system.triggerer import CONNECTION, Component, Scheduler, publish, save_connection, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox


def in_the_database(sandbox: Sandbox) -> None:
    """Put a connection to it into Airflow's database, with the secrets of the callbacks."""
    from airflow.models.connection import Connection
    from sqlalchemy import select

    save_connection(sandbox.url, sandbox.application_token)
    with create_session() as session:
        row = session.scalars(select(Connection).where(Connection.conn_id == CONNECTION)).one()
        row.set_extra(json.dumps(EXTRA))


pytestmark = [
    pytest.mark.fleet(3, prepare=in_the_database),
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("metadata_database"),
    pytest.mark.allow_openapi_violations,  # the OpenAPI has no field for the secret of an API secret
]

SECRET = "the API secret of the service profile, long enough for any of them, as SHA-512 would have it"
STREAM_SECRET = "a-long-word-that-only-emnify-and-airflow-know"
EXTRA = {"rate_limit_store": "memory", "api_secret": SECRET, "stream_secret": STREAM_SECRET}
DAG_ID = "on_device_sms"
ON = {"AIRFLOW__EMNIFY__CALLBACKS": CONNECTION}


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[None]:
    """The example, as it is but for its connection; no run, event or note of it is left behind."""
    text = (EXAMPLES / f"{DAG_ID}.py").read_text()
    assert text.count('EMNIFY = "emnify_default"') == 1
    publish(tmp_path, DAG_ID, text.replace('EMNIFY = "emnify_default"', f"EMNIFY = {CONNECTION!r}"))
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


def set_up(sandbox: Sandbox, url: str) -> None:
    """Have emnify call an API server, as the operator does it."""
    connection = {**json.loads(sandbox.airflow_connection), "extra": EXTRA}
    task = EmnifySetUpCallbacksOperator(
        task_id="t", api_server_url=url, service_profile_ids=1, emnify_conn_id=CONNECTION
    )
    with pytest.MonkeyPatch.context() as patch:  # a task has the connection from Airflow, not from a database
        patch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
        task.execute(context_of(sandbox))


def read(table: str) -> list[Any]:
    from airflow.models.asset import AssetEvent
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    kind: Any = {"events": AssetEvent, "runs": DagRun}[table]
    with create_session() as session:
        rows = session.scalars(select(kind).order_by(kind.id)).all()
        session.expunge_all()
    return [row for row in rows if table == "events" or row.dag_id == DAG_ID]


@pytest.mark.usefixtures("dag")
def test_a_device_texts_a_dag_starts_within_ten_seconds_and_answers(fleet: Sandbox, tmp_path: Path) -> None:
    defaults = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1"}
    airflow = Scheduler(tmp_path, **ON, **defaults)
    with airflow as components:
        set_up(fleet, airflow.url)
        until(lambda: "Starting the scheduler" in components[1].log, "the scheduler", *components)
        endpoint_id = min(fleet.state.endpoints)
        sent = time.time()
        fleet.send_sms(endpoint_id, "BATTERY 12")
        (run,) = until(lambda: [run for run in read("runs") if run.start_date], "the run", *components)
        took = run.start_date.timestamp() - sent
        until(lambda: read("runs")[0].state == "success", "its end", *components)
    assert fleet.callbacks[0].statuses == [200]
    assert [event.extra["text"] for event in read("events")] == ["BATTERY 12"]
    texts = [sms.payload for sms in fleet.state.sms_of[endpoint_id]]
    assert texts == ["BATTERY 12", "OK 12, service is coming"]
    assert took < 10, took


def api_server(folder: Path, port: int) -> Component:
    """Start an API server that takes callbacks, on a port."""
    flags = ("--host", "127.0.0.1", "--port", str(port))
    server = Component(folder / "api.log", "api-server", *flags, AIRFLOW__API__WORKERS="1", **ON)
    until(lambda: "Application startup complete" in server.log[-500:], "the API server", server)
    return server


def is_calling(port: int) -> bool:
    """Tell whether a callback is under way."""
    return any(
        found.raddr and found.raddr.port == port and found.status == psutil.CONN_ESTABLISHED
        for found in psutil.Process().net_connections("tcp")
    )


@pytest.mark.usefixtures("dag")
def test_an_api_server_that_is_killed_in_a_request_makes_one_event_when_it_is_sent_again(
    fleet: Sandbox, tmp_path: Path
) -> None:
    from airflow import settings
    from sqlalchemy import text

    port = free_port()
    server = api_server(tmp_path, port)
    try:
        set_up(fleet, f"http://127.0.0.1:{port}")
        engine: Any = settings.engine
        with engine.connect() as busy:  # whoever writes into this database has to wait
            busy.execute(text("BEGIN IMMEDIATE"))
            fleet.send_sms(min(fleet.state.endpoints), "BATTERY 12")
            until(lambda: is_calling(port), "the callback", server)
            server.kill()
            busy.rollback()
        assert read("events") == []
        server = api_server(tmp_path, port)
        until(lambda: fleet.callbacks[0].done, "the callback, again", server)
    finally:
        server.kill()
    assert fleet.callbacks[0].statuses[0] is None
    assert [event.extra["text"] for event in read("events")] == ["BATTERY 12"]


@pytest.mark.usefixtures("dag")
def test_no_secret_is_in_the_log_of_the_api_server(fleet: Sandbox, tmp_path: Path) -> None:
    port = free_port()
    server = api_server(tmp_path, port)
    base = f"http://127.0.0.1:{port}/emnify/callbacks/{CONNECTION}"
    try:
        set_up(fleet, f"http://127.0.0.1:{port}")
        fleet.send_sms(min(fleet.state.endpoints), "HELLO")
        until(lambda: fleet.callbacks[0].done, "the callback", server)
        session = requests.Session()
        session.trust_env = False
        record = {"id": 1, "timestamp": "2026-01-01T00:00:00Z"}
        urls = [f"{base}/stream/{secret}" for secret in (STREAM_SECRET, "guessed")]
        statuses = [session.post(url, json=record).status_code for url in urls]
    finally:
        server.kill()
    assert statuses == [202, 401]
    for secret in (SECRET, STREAM_SECRET):
        assert secret not in server.log
