"""A sync starts the DAG that is scheduled on its asset, and tells it what was written; a real scheduler."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.triggerer import Component, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.system, pytest.mark.filterwarnings("default")]

UP = "Application startup complete"
DAGS = """
import json
from datetime import datetime
from pathlib import Path

from airflow_provider_emnify.airflow_names import DAG, task
from airflow_provider_emnify.assets import emnify_asset
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator

FOLDER = Path({folder!r})

with DAG("sync", schedule="@once", start_date=datetime(2025, 1, 1)):
    EmnifyToObjectStorageOperator(task_id="sims", stream="sims", path=str(FOLDER / "lake"), organisation=100)

with DAG("use", schedule=[emnify_asset("sims", organisation=100)], start_date=datetime(2025, 1, 1)):

    @task
    def tell(**context):
        events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
        extras = [event.extra for some in events.values() for event in some]
        (FOLDER / "part").write_text(json.dumps(extras))
        (FOLDER / "part").rename(FOLDER / "told.json")

    tell() >> EmnifyToObjectStorageOperator(
        task_id="again", stream="sims", path=str(FOLDER / "copy"), organisation=100
    )
"""


def settings(folder: Path) -> dict[str, str]:
    """Return the settings of an Airflow of its own, with a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder / "dags")},
    }
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # 2.11 looks for `airflow`
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor" if is_airflow_3() else "SequentialExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-this-test-alone-and-long-enough-for-sha512-to-be-at-ease",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
    }


def read(folder: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "airflow.db")) as connection:
        return [value for (value,) in connection.execute(statement)]


def runs_of_use(folder: Path) -> list[str]:
    return read(folder, "SELECT state FROM dag_run WHERE dag_id = 'use'")


def is_airflow_3() -> bool:
    return find_spec("airflow.sdk") is not None


def test_a_sync_starts_what_is_scheduled_on_its_asset_and_tells_it_the_row_count(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = make_sandbox(endpoints=3, spare_sims=4, limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "dags.py").write_text(DAGS.format(folder=str(tmp_path)))
    env = settings(tmp_path)
    with Component(tmp_path / "migrate.log", "db", "migrate", **env) as migration:
        until(lambda: migration.ended, "the metadata database", seconds=120)
    parts = [["api-server"], ["dag-processor"]] if is_airflow_3() else []
    components: list[Component] = []
    with ExitStack() as stack:
        for part in [*parts, ["scheduler", "--skip-serve-logs"]]:
            components.append(stack.enter_context(Component(tmp_path / f"{part[0]}.log", *part, **env)))
            if part == ["api-server"]:  # a task that does not find it fails
                until(lambda: UP in components[0].log, "the API server", components[0], seconds=120)
        until((tmp_path / "told.json").exists, "the DAG that is scheduled on it", *components, seconds=120)
        until(lambda: "success" in runs_of_use(tmp_path), "its end", *components, seconds=120)
        assert runs_of_use(tmp_path) == ["success"], "it starts no other one, though it emits the same asset"
        assert read(tmp_path, f"SELECT count(*) FROM {'asset' if is_airflow_3() else 'dataset'}_event") == [1]
    told: list[dict[str, Any]] = json.loads((tmp_path / "told.json").read_text())
    assert [(one["rows"], one["written"]) for one in told] == [(7, [f"file://{tmp_path}/lake"])]
    assert {"interval_start", "interval_end"} < set(told[0])
