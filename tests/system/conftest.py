"""A real Airflow for these tests: the installed one, with a metadata database of its own in each process."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
NEED_AIRFLOW_3 = {"on_device_blocked", "on_device_sms"}


@pytest.fixture(scope="session")
def metadata_database() -> Iterator[None]:
    """Migrate a fresh SQLite database in this process's AIRFLOW_HOME, and let Airflow know the examples."""
    with pytest.MonkeyPatch.context() as patch:
        bundle = {
            "name": "examples",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(EXAMPLES)},
        }
        patch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(EXAMPLES))
        # Airflow 2.11 names an executor for its own tests that wants more than SQLite; dag.test() uses none.
        patch.setenv("_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK", "1")
        from airflow.utils.db import initdb
        from asgiref.sync import SyncToAsync

        assert os.environ["AIRFLOW_HOME"] != os.path.expanduser("~/airflow")
        initdb()
        # Airflow reads connections for triggers in asgiref's one thread, which stays as long as the process.
        SyncToAsync.single_thread_executor.submit(int).result()
        yield


@pytest.fixture(scope="session")
def examples(metadata_database: None) -> Any:
    """Every example DAG, as Airflow loads it."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2.11
        from airflow.models.dagbag import DagBag

    bag = DagBag(dag_folder=str(EXAMPLES))
    assert not bag.import_errors
    return bag


@pytest.fixture
def run_example(
    examples: Any, sandbox_connection: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run an example DAG to its end against the sandbox, deferred tasks as well; return the DAG run."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where the rate limits are kept

    def run(dag_id: str, **params: Any) -> Any:
        return examples.dags[dag_id].test(run_conf=params)

    return run


@pytest.fixture
def person(examples: Any) -> Iterator[Callable[[str], None]]:
    """Someone who answers what the DAG asks, through Airflow's REST API as its UI does; on 3.1 and later."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    answered: list[int] = []

    def serve(option: str) -> None:
        from airflow.api_fastapi.app import create_app
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from fastapi.testclient import TestClient

        app = create_app(apps="core")
        user = SimpleAuthManagerUser(username="ann", role="ADMIN")
        token = app.state.auth_manager.generate_jwt(user)
        with TestClient(app, headers={"Authorization": f"Bearer {token}"}) as client:
            while not over.wait(0.2):
                asked = client.get("/api/v2/dags/~/dagRuns/~/hitlDetails").json()["hitl_details"]
                # Airflow loses an answer that comes before it has put the task aside.
                waiting = [one["task_instance"] for one in asked if not one["response_received"]]
                for ti in [ti for ti in waiting if ti["state"] != "running"]:
                    path = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/-1/hitlDetails"
                    answer = {"chosen_options": [option], "params_input": {}}
                    answered.append(client.patch(path.format(**ti), json=answer).status_code)

    def wait_for(option: str) -> None:
        if "approve" in examples.dags["cost_guard"].task_ids:
            threads.append(threading.Thread(target=serve, args=(option,)))
            threads[0].start()

    yield wait_for
    over.set()
    for thread in threads:
        thread.join()
    assert not threads or 200 in answered, answered
