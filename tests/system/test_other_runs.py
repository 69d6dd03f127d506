"""Two runs of a task that make the same call at once and share nothing but a real Airflow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.test_transfer_assets import is_airflow_3, settings
from tests.system.triggerer import Component, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.filterwarnings("default")]

DAG = """
from datetime import datetime
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.operators.emnify import EmnifyOperator

with DAG("switch_on", schedule=None, start_date=datetime(2025, 1, 1)):
    arguments = {{"endpoint_id": {endpoint_id}, "payload": "{{{{ dag_run.conf['text'] }}}}"}}
    if {mapped}:
        EmnifyOperator.partial(task_id="send", call="sms.send").expand(arguments=[arguments])
    else:
        EmnifyOperator(task_id="send", call="sms.send", arguments=arguments)
"""
RUNS_ON_AIRFLOW_2 = """
from datetime import datetime, timezone
from airflow.models.dagbag import DagBag

bag = DagBag(read_dags_from_db=False)
bag.sync_to_db()
for hour, text in enumerate({texts}, 1):
    when = datetime(2026, 5, 4, hour, tzinfo=timezone.utc)
    bag.dags["switch_on"].create_dagrun(
        run_id=f"run-{{hour}}", run_type="manual", state="running", execution_date=when,
        data_interval=(when, when), conf={{"text": text}},
    )
"""
SMS = "/api/v1/endpoint/{endpoint_id}/sms"
TEXTS = ("on", "on", "off")


class Runs:
    """Runs of the DAG, each in a process of its own: ``dags test``, which on 2.11 does not say it is running.

    :param folder: Where the folder ``dags`` is, and the logs are to be.
    """

    def __init__(self, folder: Path, *, mapped: bool) -> None:
        self._folder = folder
        self._settings = settings(folder)
        self._map_index = ["--map-index", "0"] if mapped else []
        with Component(folder / "migrate.log", "db", "migrate", **self._settings) as migration:
            until(lambda: migration.ended, "the metadata database", seconds=120)
        if not is_airflow_3():
            script = [sys.executable, "-c", RUNS_ON_AIRFLOW_2.format(texts=TEXTS)]
            subprocess.run(script, env={**os.environ, **self._settings}, check=True, capture_output=True)

    def start(self, number: int) -> Component:
        """Start a run."""
        if is_airflow_3():
            conf = json.dumps({"text": TEXTS[number - 1]})
            command = ["dags", "test", "switch_on", f"2026-05-04T0{number}:00:00+00:00", "--conf", conf]
        else:
            command = ["tasks", "run", "switch_on", "send", f"run-{number}", *self._map_index]
            command += ["--local", "--ignore-all-dependencies"]
        return Component(self._folder / f"{number}.log", *command, **self._settings)

    def log(self, number: int) -> str:
        """Return what a run has written."""
        files = [self._folder / f"{number}.log", *self._folder.glob(f"logs/**/run_id=run-{number}/**/*.log")]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.mark.parametrize("mapped", [False, True])
def test_the_later_one_fails_and_names_the_earlier(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    sandbox = make_sandbox(1, limits=False)
    connection = json.loads(sandbox.airflow_connection)
    connection["extra"] = {"rate_limit_store": "memory", "timeout": 300}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
    (tmp_path / "dags").mkdir()
    (endpoint_id,) = sandbox.state.endpoints
    (tmp_path / "dags" / "dags.py").write_text(DAG.format(endpoint_id=endpoint_id, mapped=mapped))
    sending = sandbox.faults.add(method="POST", path=SMS, delay=250, times=None)
    runs = Runs(tmp_path, mapped=mapped)
    with runs.start(1) as first:
        until(lambda: sending.hits, "the call of the first run", first)
        with runs.start(2) as second, runs.start(3) as third:
            until(lambda: second.ended, "the end of the second run")
            until(lambda: sending.hits >= 2, "the call of another run with other arguments", third)
        assert not first.ended
    run_id = re.findall(r"running task.*(manual__\S+)", runs.log(1))[0] if is_airflow_3() else "run-1"
    said = f"EmnifyUnknownOutcomeError: this task in {run_id} makes the same call at this moment"
    assert said in runs.log(2)
    assert sending.hits == 2
