"""How streams are read: windows of events, usage by day and hour, one call a device, fleets that change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EmnifyServerError, EventSource
from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.streams import readers as reading
from airflow_provider_emnify.api.streams.catalogue import STREAMS, Interval
from tests.api.streams.support import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = Interval(NOW - timedelta(hours=2), NOW - timedelta(hours=1))


def test_devices_without_a_row_are_counted_and_logged(
    make_sandbox: Callable[..., Sandbox], caplog: pytest.LogCaptureFixture
) -> None:
    sandbox = make_sandbox(4, limits=False)
    path = "/api/v1/endpoint/{endpoint_id}/connectivity"
    sandbox.faults.add(path=path, status=404, body={"message": "Unknown Location"}, times=3)
    rows = list(STREAMS["connectivity"].rows(connect(sandbox)))
    assert len(rows) == 1
    assert "3 devices have no row: Unknown Location (3)" in caplog.text
    path = "/api/v1/endpoint/{endpoint_id}/quota/data"
    sandbox.faults.add(path=path, status=404, body={"error_code": 1401}, times=None)
    assert list(STREAMS["data_quotas"].rows(connect(sandbox))) == []


def emit(sandbox: Sandbox, when: datetime) -> int:
    event = sandbox.state.emit(EventType.UPDATE_LOCATION, "", when.timestamp(), source=EventSource.NETWORK)
    return event.id


def ids(sandbox: Sandbox, interval: Interval = HOUR, **options: Any) -> list[int]:
    with connect(sandbox) as client:
        return [row["id"] for row in STREAMS["events"].rows(client, interval=interval, **options)]


# -- events -----------------------------------------------------------------------------------------------


def test_an_event_at_a_border_is_in_one_of_two_windows(sandbox: Sandbox) -> None:
    just_before = emit(sandbox, HOUR.start - timedelta(milliseconds=1))
    begin = emit(sandbox, HOUR.start)
    last = emit(sandbox, HOUR.end - timedelta(milliseconds=1))
    end = emit(sandbox, HOUR.end)
    before = Interval(HOUR.start - timedelta(hours=1), HOUR.start)
    after = Interval(HOUR.end, HOUR.end + timedelta(minutes=30))
    assert ids(sandbox) == [last, begin]
    assert ids(sandbox, before) == [just_before]
    assert ids(sandbox, after) == [end]


def test_a_window_with_too_many_events_is_cut(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    there = [emit(sandbox, HOUR.start + timedelta(seconds=30 * place)) for place in range(120)]
    assert ids(sandbox) == there[::-1]
    assert sandbox.counts["GET /api/v1/event"] > 12


def test_events_of_one_second_are_not_cut_for_ever(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    there = [emit(sandbox, HOUR.start) for _ in range(30)]
    assert sorted(ids(sandbox)) == there


def test_an_event_that_comes_late_into_the_window_is_not_lost(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_EVENTS", 10)
    there = {emit(sandbox, HOUR.start + timedelta(minutes=place)) for place in range(30)}
    late: list[int] = []
    sandbox.faults.add(
        path="/api/v1/event", skip=3, do=lambda: late.append(emit(sandbox, HOUR.end - timedelta(seconds=1)))
    )
    assert there <= set(ids(sandbox))
    assert there | set(late) == set(ids(sandbox))


def test_a_window_that_comes_short_is_read_again(sandbox: Sandbox) -> None:
    there = [emit(sandbox, HOUR.start + timedelta(seconds=place)) for place in range(5)]
    some = [{"id": there[0], "timestamp": HOUR.start.isoformat()}]
    headers = {"X-Total-Pages": "1", "X-Current-Page": "1", "X-Total-Count": "5"}
    sandbox.faults.add(path="/api/v1/event", status=200, body=some, headers=headers)
    assert sorted(ids(sandbox)) == there
    assert sandbox.counts["GET /api/v1/event"] == 2


def test_a_window_that_always_comes_short_is_an_error(sandbox: Sandbox) -> None:
    headers = {"X-Total-Pages": "1", "X-Current-Page": "1", "X-Total-Count": "5"}
    sandbox.faults.add(path="/api/v1/event", status=200, body=[], headers=headers, times=None)
    with pytest.raises(EmnifyServerError, match="counts more than it sends"):
        ids(sandbox)


def test_events_can_be_filtered(sandbox: Sandbox) -> None:
    emit(sandbox, HOUR.start)
    assert ids(sandbox, filters={"severity": "critical"}) == []
    assert "severity:2" in sandbox.log[-1].query["q"]


# -- usage ------------------------------------------------------------------------------------------------
