"""The DAG that the README and the start page give to copy runs as it stands."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import Connectivity

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="it has the names of Airflow 3"),
]


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(endpoints=2, spare_sims=3, online_after=0)


def dag_in(page: str) -> str:
    (block,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
        if "def new_pump" in block
    ]
    return str(block)


def test_both_pages_have_the_same_dag() -> None:
    assert dag_in("README.md") == dag_in("docs/start.md")


@pytest.mark.airflow
def test_it_brings_a_device_online(
    metadata_database: None, sandbox_connection: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "new_pump.py").write_text(dag_in("README.md"))
    bundle = {
        "name": "first",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(dags)},
    }
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    bag: Any = DagBag(dag_folder=str(dags))
    assert not bag.import_errors
    run = bag.dags["new_pump"].test()

    assert {str(ti.state) for ti in run.get_task_instances()} == {"success"}
    (pump,) = [row for row in sandbox_connection.state.endpoints.values() if row.name == "Pump 7"]
    assert pump.connectivity is Connectivity.ONLINE
