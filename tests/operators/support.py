"""Shared by the tests of operators and sensors: a task's context, and mapping as Airflow does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.fleets import connection

if TYPE_CHECKING:
    import pytest

    from airflow_provider_emnify.sandbox import Sandbox


def context(*, try_number: int = 1, run_started: float | None = None) -> Any:
    """Return what an operator reads of a task's context."""
    started = datetime.now(UTC) if run_started is None else datetime.fromtimestamp(run_started, UTC)
    return {"ti": SimpleNamespace(try_number=try_number), "dag_run": SimpleNamespace(start_date=started)}


def run(sandbox: Sandbox, try_number: int = 1, *, run_id: str = "r", **more: Any) -> Any:
    """Return the context of a task instance of a run that began five seconds ago by the sandbox's clock."""
    started = datetime.fromtimestamp(sandbox.clock.time(), UTC) - timedelta(seconds=5)
    instance = SimpleNamespace(try_number=try_number, dag_id="d", task_id="t", run_id=run_id, map_index=-1)
    return {"ti": instance, "dag_run": SimpleNamespace(**{"start_date": started, "clear_number": 0, **more})}


def without_retries(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the client send each request once, so that a fault is an error at once."""
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", connection(sandbox, max_retries=0))


def unmap(mapped: Any, **expanded: Any) -> Any:
    """Make the operator of one mapped task instance, as Airflow does in the worker."""
    return mapped.unmap(expanded)
