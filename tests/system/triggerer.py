"""Real triggerers and schedulers: processes of the installed Airflow, over the database of the tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

from airflow.configuration import conf
from airflow.utils.session import create_session

from tests.system import minder
from tests.system.minder import end

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

CONNECTION = "emnify_in_database"
DAG_FILE = """
from datetime import datetime
from airflow_provider_emnify.airflow_names import DAG
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointStatusSensor

with DAG("waits", schedule=None, start_date=datetime(2026, 1, 1)):
    for number in range(4):
        EmnifyEndpointStatusSensor(task_id=f"wait_{number}", endpoint_ids=1)
"""
_SETTINGS = {
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",  # seconds until another one takes over
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
}


class Component:
    """A program of Airflow. At the end it is killed with all that it has started, however the tests end."""

    def __init__(self, log: Path, *command: str, **settings: str) -> None:
        shared = {
            "AIRFLOW__CORE__FERNET_KEY": conf.get("core", "fernet_key"),  # random in each process else
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": conf.get("database", "sql_alchemy_conn"),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        self._log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *command],
                env={**os.environ, **_SETTINGS, **shared, **settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._minder = subprocess.Popen(
            [sys.executable, minder.__file__, str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log.read_text(errors="replace")

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the signal to it and its children; kill what does not end by it; wait until none is left."""
        if self._minder.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, number)
            self._process.wait(15)
        end(self._process.pid)
        self._process.wait(5)
        self._minder.communicate(timeout=30)


def triggerer(folder: Path, name: str = "triggerer", *flags: str) -> Component:
    """Start a triggerer."""
    return Component(folder / f"{name}.log", "triggerer", "--skip-serve-logs", *flags)


def until(happened: Callable[[], Any], what: str, *components: Component, seconds: float = 90) -> Any:
    """Wait for something, and return it; the test fails with the logs when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := happened():
            return found
        if any(component.ended for component in components):
            break
        time.sleep(0.1)
    logs = "\n".join(component.log[-3000:] for component in components)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{logs}")


class Scheduler:
    """A scheduler of Airflow 3 that runs tasks, and the API server that these talk to.

    :param folder: Where the folder ``dags`` is, and the logs are to be.
    :param more: More of Airflow's configuration.
    """

    def __init__(self, folder: Path, **more: str) -> None:
        self._folder, self._more = folder, more
        self.url = ""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> list[Component]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
            "AIRFLOW__API_AUTH__JWT_SECRET": "for-this-test-alone-and-long-enough-for-sha512-to-be-at-ease",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": _bundle(self._folder / "dags"),
            **self._more,
        }
        flags = ("--host", "127.0.0.1", "--port", str(port))
        api = self._stack.enter_context(Component(self._folder / "api.log", "api-server", *flags, **settings))
        until(lambda: _listens(port), "the API server", api)
        log = self._folder / "scheduler.log"
        return [api, self._stack.enter_context(Component(log, "scheduler", "--skip-serve-logs", **settings))]

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _bundle(folder: Path) -> str:
    kwargs = {"path": str(folder)}
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return json.dumps([{"name": "examples", "classpath": classpath, "kwargs": kwargs}])


def save_connection(url: str, token: str) -> None:
    """Put the connection to emnify into the database, or change it there."""
    from airflow.models.connection import Connection
    from sqlalchemy import select

    with create_session() as session:
        row = session.scalars(select(Connection).where(Connection.conn_id == CONNECTION)).first()
        if row is None:
            row = Connection(conn_id=CONNECTION, conn_type="emnify", host=url)
        row.set_password(token)
        row.host = url
        row.set_extra('{"rate_limit_store": "memory"}')
        session.add(row)


class Waits:
    """Deferred tasks of a DAG run in the database, one for each wait.

    :param folder: An empty folder for the DAG file.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "waits.py").write_text(DAG_FILE)
        self._run_id = f"run-{time.time_ns()}"
        make_run(folder, self._run_id)

    def forget(self) -> None:
        """Delete the run: a scheduler of another test would go on with it."""
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        with create_session() as session:
            session.delete(session.scalars(select(DagRun).where(DagRun.run_id == self._run_id)).one())

    def defer(self, number: int, trigger: EmnifyWaitTrigger) -> None:
        """Have task ``wait_<number>`` wait by that trigger, as if it had deferred."""
        from airflow.models.trigger import Trigger

        with create_session() as session:
            row = Trigger.from_object(trigger)
            session.add(row)
            session.flush()
            task = self._task(session, number)
            task.state, task.trigger_id = "deferred", row.id
            task.next_method, task.next_kwargs = "execute_complete", {}
            task.trigger_timeout = datetime.now(UTC) + timedelta(hours=1)
            task.try_number = 1

    def mark(self, number: int, state: str | None) -> None:
        """Act on a task as a user does: mark it, or clear it (None)."""
        with create_session() as session:
            task = self._task(session, number)
            task.state = state
            task.trigger_id = None

    def state(self, number: int) -> str | None:
        """Return the state of a task."""
        with create_session() as session:
            found = self._task(session, number).state
            return None if found is None else str(getattr(found, "value", found))

    def event(self, number: int) -> dict[str, Any]:
        """Return the event with which a task is to go on."""
        with create_session() as session:
            kwargs = self._task(session, number).next_kwargs
        return dict(_plain(kwargs).get("event") or {})

    def is_over(self, *numbers: int) -> bool:
        """Tell whether the tasks are to go on."""
        return all(self.state(number) == "scheduled" for number in numbers)

    def _task(self, session: Any, number: int) -> Any:
        from airflow.models.taskinstance import TaskInstance
        from sqlalchemy import select

        return session.scalars(
            select(TaskInstance).where(
                TaskInstance.dag_id == "waits",
                TaskInstance.run_id == self._run_id,
                TaskInstance.task_id == f"wait_{number}",
            )
        ).one()


def _plain(value: Any) -> Any:
    """Take Airflow's own marks out of serialized values."""
    if isinstance(value, dict):
        if "__var" in value:
            return _plain(value["__var"])
        return {key: _plain(item) for key, item in value.items()}
    return value


def make_run(folder: Path, run_id: str, dag_id: str = "waits") -> None:
    """Make a run of the DAG in a folder, which a scheduler then goes on with."""
    now = datetime.now(UTC)
    if find_spec("airflow.sdk") is None:
        _make_run_on_airflow_2(folder, run_id, dag_id, now)
        return
    dag = sync(dag_bag(folder), dag_id)
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    dag.create_dagrun(
        run_id=run_id,
        logical_date=now,
        data_interval=(now, now),
        run_after=now,
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state="running",
    )


def dag_bag(folder: Path) -> Any:
    """Read the DAGs in a folder."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    return DagBag(dag_folder=str(folder))


def publish(folder: Path, dag_id: str, text: str) -> None:
    """Write a DAG file into a new folder ``dags``, and the DAG into the database, switched on."""
    from airflow.models.dag import DagModel

    (folder / "dags").mkdir()
    (folder / "dags" / f"{dag_id}.py").write_text(text)
    sync(dag_bag(folder / "dags"), dag_id)
    with create_session() as session:
        model = session.get(DagModel, dag_id)
        assert model is not None
        model.is_paused = False


def sync(bag: Any, dag_id: str) -> Any:
    """Write the DAGs into the database, as a DAG processor does, and return one of them."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.models.serialized_dag import SerializedDagModel

    assert not bag.import_errors
    bags: Any = import_module(type(bag).__module__)
    write = bags.sync_bag_to_db if hasattr(bags, "sync_bag_to_db") else type(bag).sync_to_db  # 3.0: a method
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
        session.commit()
        write(bag, "examples", None, session=session)
    with create_session() as session:
        found = SerializedDagModel.get(dag_id, session=session)
        assert found is not None
        return found.dag


def _make_run_on_airflow_2(folder: Path, run_id: str, dag_id: str, now: datetime) -> None:
    from airflow.models.dagbag import DagBag
    from airflow.utils.types import DagRunType

    bag = DagBag(dag_folder=str(folder), read_dags_from_db=False)
    bag.sync_to_db()
    bag.dags[dag_id].create_dagrun(
        state="running",
        execution_date=now,
        run_id=run_id,
        run_type=DagRunType.MANUAL,
        data_interval=(now, now),
        start_date=now,
    )
