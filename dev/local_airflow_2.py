"""A whole Airflow 2 on this machine: without API server and DAG processor; its database tells the states."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any

from local_airflow import DagRun, LocalAirflow, LocalAirflowError

RUN_ID = "the_run"


class LocalAirflow2(LocalAirflow):
    """A throwaway Airflow 2 with the example DAGs, in a temporary folder."""

    components = ("scheduler", "triggerer")

    def _environment(self) -> dict[str, str]:
        """Run tasks in forks: what Airflow 2 has for SQLite starts a new Python for each, one at a time."""
        return super()._environment() | {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "_AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK": "1",
        }

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Wait until scheduler and triggerer have reported themselves, and fail on import errors."""
        jobs = "SELECT COUNT(DISTINCT job_type) FROM job WHERE state = 'running'"
        self.wait(lambda: self._rows(jobs)[0][0] == len(self.components), "Airflow", seconds)

    def run_dag(self, dag_id: str, *, conf: dict[str, Any] | None = None, seconds: float = 300) -> DagRun:
        """Run a DAG with its own params and wait for its end, telling each task as it ends."""
        dag = "SELECT dag_id FROM serialized_dag WHERE dag_id = ?"
        self.wait(lambda: bool(self._rows(dag, dag_id)), f"the DAG {dag_id}", 90)
        self.fail_on_import_errors()
        command = [sys.executable, "-m", "airflow", "dags", "trigger", dag_id, "--run-id", RUN_ID]
        begun = subprocess.run(command, env=self.env, check=False, capture_output=True, text=True)
        if begun.returncode:
            raise LocalAirflowError(f"The DAG {dag_id} could not be run:\n{begun.stdout}{begun.stderr}")
        told: dict[str, str] = {}
        self._tell(f"running the DAG {dag_id}")

        def ended() -> bool:
            for task, state in self._rows("SELECT task_id, state FROM task_instance ORDER BY end_date"):
                self._tell_state(told, task, state)
            return self._state(dag_id) in {"success", "failed"}

        self.wait(ended, f"the run of {dag_id}", seconds)
        return DagRun(self, dag_id, self._state(dag_id))

    def fail_on_import_errors(self) -> None:
        """Raise if a file of the DAG folder cannot be imported.

        :raises LocalAirflowError: with the errors
        """
        if errors := self._rows("SELECT filename, stacktrace FROM import_error"):
            raise LocalAirflowError("\n".join(f"{name}:\n{trace}" for name, trace in errors))

    def _state(self, dag_id: str) -> str:
        return str(self._rows("SELECT state FROM dag_run WHERE dag_id = ?", dag_id)[0][0])

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        uri = f"file:{self.home}/airflow.db?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=20)) as database:
            return database.execute(query, values).fetchall()


class LocalPages2(LocalAirflow2):
    """The pages of a throwaway Airflow 2, and nothing that runs DAGs: whoever comes is the administrator."""

    components = ("webserver",)

    def _environment(self) -> dict[str, str]:
        (self.home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
        return super()._environment() | {
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
        }

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Wait until the pages are served."""

        def healthy() -> bool:
            return bool(self.request("GET", "/health")["metadatabase"]["status"] == "healthy")

        self.wait(healthy, "Airflow", seconds)
