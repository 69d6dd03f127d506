"""Garbage is collected rarely while a transfer runs, and as before after it; a triggerer is left alone."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.transfers.garbage import rare_collections
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.progress import Progress
from tests.fleets import WITH_EVENTS
from tests.transfers.support import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

USUAL = (701, 11, 12)


def state() -> tuple[Any, bool]:
    return gc.get_threshold(), gc.get_freeze_count() > 0


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """A collector that nobody else has changed."""
    before = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize("status", [None, 403])
def test_a_transfer_puts_the_collector_back_also_when_it_fails(
    status: int | None, fleet: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Progress, "add", lambda *_, **__: seen.append(state()))
    if status is not None:
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}/connectivity", status=status, skip=20)
    operator = EmnifyToObjectStorageOperator(task_id="sync", stream="connectivity", path=str(tmp_path))
    if status is None:
        run(operator)
    else:
        with pytest.raises(AirflowFailException):
            run(operator)
    assert seen
    assert all(threshold[0] > 10 * USUAL[0] and is_frozen for threshold, is_frozen in seen)
    assert state() == (USUAL, False)


def test_of_two_at_a_time_the_last_one_puts_it_back() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with rare_collections():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with rare_collections():
        rarely = state()
        thread.start()
        assert inside.wait(60)
    assert state() == rarely
    leave.set()
    thread.join()
    assert state() == (USUAL, False)


def test_what_somebody_else_has_frozen_stays_so() -> None:
    gc.freeze()
    try:
        with rare_collections():
            pass
        assert state() == (USUAL, True)
    finally:
        gc.unfreeze()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.set_threshold(0)
    with rare_collections():
        assert gc.get_threshold()[0] == 0


def test_a_triggerer_has_nothing_of_it() -> None:
    names = ("event", "status", "wait")
    program = "import sys\n" + "".join(f"import airflow_provider_emnify.triggers.{name}\n" for name in names)
    program += (
        "assert not [name for name in sys.modules if name.startswith('airflow_provider_emnify.transfers')]"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=100).returncode == 0
