"""A real Airflow for these tests: the installed one, with a metadata database of its own in each process."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
NEED_AIRFLOW_3 = {"on_device_blocked"}


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
