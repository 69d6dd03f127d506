"""A whole Airflow on this machine, for as long as a ``with`` block lasts."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import Processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

ROOT = Path(__file__).resolve().parent.parent
FINAL_STATES = {"success", "failed"}
TOLD_STATES = {"success", "failed", "deferred", "upstream_failed"}
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


class LocalAirflowError(Exception):
    """Airflow could not be started, or did not do what it was asked to."""


class LocalAirflow:
    """A throwaway Airflow with the example DAGs, on a free port, in a temporary folder.

    :param tell: called with each line of progress
    """

    components: tuple[str, ...] = ("api-server", "scheduler", "dag-processor", "triggerer")

    def __init__(self, tell: Callable[[str], None] = print) -> None:
        self._tell = tell
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.username = "admin"
        self.password = secrets.token_urlsafe(9)
        self._token = ""

    def __enter__(self) -> LocalAirflow:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        self.home = Path(tempfile.mkdtemp(prefix="emnify-airflow-"))
        self.env = self._environment()
        self.processes = Processes(self.env, self.home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.processes.stop()
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        """Set up this Airflow and nothing of one that the user has set up."""
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AIRFLOW") and name != "EMNIFY_APPLICATION_TOKEN"
        }
        loopback = "127.0.0.1,localhost"
        env["NO_PROXY"] = env["no_proxy"] = ",".join(
            part for part in (env.get("NO_PROXY") or env.get("no_proxy"), loopback) if part
        )
        if sys.platform == "darwin":
            env["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"  # Airflow forks its tasks
        return env | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags_examples"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            # On a busy machine they wait for each other, and longer than SQLite's own five seconds.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db?timeout=60",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",  # not a second for each of ten tasks
            "TMPDIR": str(self.home),
        }

    def start(self, connection: str) -> None:
        """Make the database and start all components.

        :param connection: the connection ``emnify_default``, as JSON
        :raises LocalAirflowError: when the database cannot be made
        """
        self.env["AIRFLOW_CONN_EMNIFY_DEFAULT"] = connection
        warehouse = {"conn_type": "sqlite", "host": str(self.home / "warehouse.db")}
        self.env["AIRFLOW_CONN_EMNIFY_WAREHOUSE"] = json.dumps(warehouse)
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({self.username: self.password}))
        self._tell("making the metadata database")
        migrated = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self.env, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if migrated.returncode:
            raise LocalAirflowError(f"`airflow db migrate` failed:\n{migrated.stdout}{migrated.stderr}")
        self._tell(f"starting {', '.join(self.components)}")
        for component in self.components:
            # Logs are read from the disk: servers for them would need two more ports.
            flags = ("--skip-serve-logs",) if component in {"scheduler", "triggerer"} else ()
            self.processes.start(component, sys.executable, "-m", "airflow", component, *flags)

    def wait_until_ready(self, seconds: float = 120) -> None:
        """Wait until every component reports itself healthy."""

        def healthy() -> bool:
            health = self.request("GET", "/api/v2/monitor/health")
            return all(
                health[part]["status"] == "healthy"
                for part in ("metadatabase", "scheduler", "dag_processor", "triggerer")
            )

        self.wait(healthy, "Airflow", seconds)
        login = {"username": self.username, "password": self.password}
        self._token = self.request("POST", "/auth/token", login)["access_token"]

    def wait_for_dag(self, dag_id: str, seconds: float = 60) -> None:
        """Wait until a DAG has been read from its file.

        :param dag_id: the DAG's id
        :param seconds: how long it may take
        :raises LocalAirflowError: when it does not load in time
        """
        path = f"/api/v2/dags/{dag_id}"
        self.wait(lambda: self.request("GET", path)["is_stale"] is False, f"the DAG {dag_id}", seconds)

    def run_dag(self, dag_id: str, *, conf: dict[str, Any] | None = None, seconds: float = 300) -> DagRun:
        """Run a DAG and wait for its end, telling each task as it ends.

        :param dag_id: the DAG's id
        :param conf: values for its params
        :param seconds: how long it may take
        :return: the finished run, successful or not
        :raises LocalAirflowError: when the DAG does not load or does not end in time
        """
        dag = f"/api/v2/dags/{dag_id}"
        self.wait_for_dag(dag_id)
        run = self.request("POST", f"{dag}/dagRuns", {"logical_date": None, "conf": conf or {}})
        path = f"{dag}/dagRuns/{run['dag_run_id']}"
        told: dict[str, str] = {}
        self._tell(f"running the DAG {dag_id}")

        def ended() -> bool:
            state = self.request("GET", path)["state"]
            for task in self.request("GET", f"{path}/taskInstances?order_by=end_date")["task_instances"]:
                self._tell_state(told, task["task_id"], task["state"])
            return state in FINAL_STATES

        self.wait(ended, f"the run of {dag_id}", seconds)
        return DagRun(self, path, self.request("GET", path)["state"])

    def _tell_state(self, told: dict[str, str], name: str, now: str | None) -> None:
        if now in TOLD_STATES and told.get(name) != now:
            told[name] = now
            self._tell(f"    {name}: {now}")

    def wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until a condition holds, while everything still runs.

        :raises LocalAirflowError: when it does not hold in time, or a DAG cannot be imported
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.processes.check()
            try:
                if condition():
                    return
            except urllib.error.HTTPError as error:
                if error.code not in {404, 503}:
                    raise
                if self._token:
                    self.fail_on_import_errors()
            except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError, sqlite3.OperationalError):
                pass  # not up yet
            time.sleep(0.25)
        tails = "\n".join(f"--- {name}\n{self.processes.tail(name, 10)}" for name in self.components)
        raise LocalAirflowError(f"Waited {seconds:.0f} s in vain for {what}. From the logs:\n{tails}")

    def fail_on_import_errors(self) -> None:
        """Raise if a file of the DAG folder cannot be imported.

        :raises LocalAirflowError: with the errors
        """
        if errors := self.request("GET", "/api/v2/importErrors")["import_errors"]:
            raise LocalAirflowError("\n".join(f"{one['filename']}:\n{one['stack_trace']}" for one in errors))

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Call Airflow's own REST API."""
        request = urllib.request.Request(  # noqa: S310 - always our own http://127.0.0.1
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"}
            | ({"Authorization": f"Bearer {self._token}"} if self._token else {}),
        )
        with _direct.open(request, timeout=20) as response:
            return json.load(response)


class DagRun:
    """A finished run of a DAG."""

    def __init__(self, airflow: LocalAirflow, path: str, state: str) -> None:
        self._airflow = airflow
        self._path = path
        self.state = state

    @property
    def succeeded(self) -> bool:
        """Whether every task that had to succeed did."""
        return self.state == "success"

    def result(self, task_id: str) -> Any:
        """Give what a task returned."""
        entry = self._airflow.request(
            "GET", f"{self._path}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=false"
        )
        return _parsed(entry["value"])

    def failures(self) -> str:
        """Give the logs of the tasks that failed."""
        tasks = self._airflow.request("GET", f"{self._path}/taskInstances")["task_instances"]
        failed = [(task["task_id"], task["try_number"]) for task in tasks if task["state"] == "failed"]
        return "\n".join(
            f"--- {task_id}, try {number}\n{self._log(task_id, number)}" for task_id, number in failed
        )

    def _log(self, task_id: str, try_number: int) -> str:
        log = self._airflow.request("GET", f"{self._path}/taskInstances/{task_id}/logs/{try_number}")
        lines = []
        for line in log["content"]:
            if not line.get("timestamp") or line["event"].startswith("::"):
                continue  # where the log comes from, and how to fold it
            lines.append(f"{line['timestamp']} {line['event']}")
            details = line.get("error_detail") or ()
            lines.extend(f"    {detail['exc_type']}: {detail['exc_value']}" for detail in details)
        return "\n".join(lines[-25:])


def free_port() -> int:
    """Find a port on the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _parsed(value: Any) -> Any:
    """Read an XCom value, which the API gives as JSON or as a string of it."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
