"""Two runs that overlap, step by step the same each time: on one host, or on two that share nothing."""

from __future__ import annotations

import importlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.locks import Locks

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from airflow_provider_emnify.sandbox import Sandbox

    Run = Callable[[], Any]

ELSEWHERE = "emnify_elsewhere"
_SECONDS = 60.0  # after which a test that hangs fails


def elsewhere(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a connection as of another host: it shares no store with the tasks of this one."""
    connection = {**json.loads(sandbox.airflow_connection), "extra": {"rate_limit_store": "host"}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{ELSEWHERE.upper()}", json.dumps(connection))
    return ELSEWHERE


def both(*runs: Run) -> list[Any]:
    """Run tasks at the same time, and return what came of each: its result or its error."""

    def outcome(run: Run) -> Any:
        _let_tasks_run_in_this_thread()
        try:
            return run()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(outcome, runs))


def in_turn(monkeypatch: pytest.MonkeyPatch, owner: type, write: str, first: Run, second: Run) -> list[Any]:
    """Have the second ask for the lock just before the first writes: they share a store."""
    writing, asked = threading.Event(), threading.Event()
    plain_write, plain_hold = getattr(owner, write), Locks.hold

    def write_late(*args: Any, **kwargs: Any) -> Any:
        writing.set()
        assert asked.wait(_SECONDS)
        return plain_write(*args, **kwargs)

    def ask(self: Locks, *args: Any, **kwargs: Any) -> Any:
        if writing.is_set():
            asked.set()
        return plain_hold(self, *args, **kwargs)

    def begin_late() -> Any:
        assert writing.wait(_SECONDS)
        return second()

    monkeypatch.setattr(owner, write, write_late)
    monkeypatch.setattr(Locks, "hold", ask)
    return both(first, begin_late)


def at_once(monkeypatch: pytest.MonkeyPatch, owner: type, write: str, first: Run, second: Run) -> list[Any]:
    """Have neither write before the other has looked, then both, the first one first: they share no store."""
    looked, written = threading.Barrier(2, timeout=_SECONDS), threading.Event()
    plain_write = getattr(owner, write)
    own = threading.local()

    def write_together(*args: Any, **kwargs: Any) -> Any:
        if getattr(own, "met", True):  # not one of the two
            return plain_write(*args, **kwargs)
        own.met = True
        looked.wait()
        if not own.is_first:
            assert written.wait(_SECONDS)
        try:
            return plain_write(*args, **kwargs)
        finally:
            written.set()

    def run(task: Run, is_first: bool) -> Any:
        own.met, own.is_first = False, is_first
        return task()

    monkeypatch.setattr(owner, write, write_together)
    return both(lambda: run(first, True), lambda: run(second, False))


def _let_tasks_run_in_this_thread() -> None:
    """Airflow 2 notes in the thread that has imported it who runs an operator, and looks in any."""
    module = importlib.import_module("airflow.models.baseoperator")
    safeguard: Any = getattr(module, "ExecutorSafeguard", None)
    if safeguard is not None:
        safeguard._sentinel.callers = {}
