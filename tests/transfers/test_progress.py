"""Long transfers say how far they are, every ten seconds at most, and in the end what it took."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.transport.sending import ClientStats
from airflow_provider_emnify.transfers import progress as module
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.progress import Progress
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.fleets import WITH_EVENTS
from tests.transfers.support import run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

LOG = logging.getLogger(__name__)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock, caplog: pytest.LogCaptureFixture) -> Progress:
    caplog.set_level(logging.INFO)
    return Progress(LOG, "sims", "page", clock=clock)


def test_a_line_comes_every_ten_seconds_at_most(
    progress: Progress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    progress.all_rows, progress.all_parts = 1_000_000, 400
    for _ in range(100):
        clock.now += 0.5
        progress.add(2_500, 1)
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "sims: 50,000 of 1,000,000 rows, page 20 of 400; about 3 min left"
    assert caplog.messages[-1] == "sims: 250,000 of 1,000,000 rows, page 100 of 400; about 2 min left"


def test_what_is_not_known_is_not_said(
    progress: Progress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.now += 11
    progress.add(10, 1)
    progress.all_parts = 4
    clock.now += 11
    progress.add(10, 1)
    assert caplog.messages == ["sims: 10 rows, page 1", "sims: 20 rows, page 2 of 4; about 22 s left"]


def test_the_summary_has_requests_retries_and_throttled_seconds(
    progress: Progress, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    progress.add(1_234_567)
    clock.now += 40
    progress.finish("file:///lake", ClientStats(401, 2, 12.34, 1))
    sent = "401 requests, 2 of them retries, 12.3 s throttled by the rate limits"
    assert caplog.messages == [f"sims: 1,234,567 rows read in 40 s, into file:///lake; {sent}"]


@pytest.mark.parametrize("kind", ["files", "table"])
@pytest.mark.parametrize(
    ("stream", "line"),
    [
        ("sims", "sims: 35 of 35 rows, page 1 of 1"),
        ("connectivity", "connectivity: 25 rows, endpoint 25 of 25"),
    ],
)
def test_files_and_tables_say_it_alike(
    kind: str,
    stream: str,
    line: str,
    fleet: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "EVERY", 0.0)
    connection = f'{{"conn_type": "sqlite", "host": "{tmp_path / "warehouse.db"}"}}'
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    operator: Any = (
        EmnifyToObjectStorageOperator(task_id="sync", stream=stream, path=str(tmp_path))
        if kind == "files"
        else EmnifyToSqlOperator(task_id="sync", stream=stream, sql_conn_id="warehouse")
    )
    rows = run(operator)["rows"]
    assert line in caplog.text
    sent = r"\d+ requests, 0 of them retries, [\d.]+ s throttled by the rate limits"
    assert re.search(rf"{stream}: {rows} rows read in \d+ s, into \S+; {sent}", caplog.text)
