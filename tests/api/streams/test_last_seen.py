"""Endpoints with the time at which they were last seen, from one reading of the events of 30 days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api import EmnifyPermissionError, EventSource
from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.streams.catalogue import STREAMS, get_stream
from airflow_provider_emnify.api.streams.last_seen import SEEN_BY, read_last_seen
from tests.api.streams.support import connect

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FIRST, HOUR, DAY = 1_000_001, 3_600, 86_400
EVENTS, LIST = "GET /api/v1/event", "GET /api/v1/endpoint"

pytestmark = pytest.mark.fleet(5, events=0)


def happen(sandbox: Sandbox, number: int, kind: EventType, ago: float) -> datetime:
    """Have something happened to a device; return when."""
    state = sandbox.state
    when = float(int(sandbox.clock.time() - ago))
    state.emit(kind, kind.label, when, source=EventSource.NETWORK, endpoint=state.endpoints[FIRST + number])
    return datetime.fromtimestamp(when, UTC)


def last_seen(sandbox: Sandbox, **more: object) -> dict[int, datetime | None]:
    with connect(sandbox) as client:
        rows = list(get_stream("endpoints", last_seen=True).rows(client, **more))  # type: ignore[arg-type]
    return {row["id"] - FIRST: row["last_seen_at"] for row in rows}


@pytest.mark.parametrize("kind", SEEN_BY)
def test_the_latest_event_of_each_counts_whatever_came_in_which_order(
    fleet: Sandbox, kind: EventType
) -> None:
    newest = happen(fleet, 0, kind, HOUR)
    happen(fleet, 0, EventType.UPDATE_LOCATION, 3 * DAY)
    other = happen(fleet, 1, kind, 29 * DAY)
    happen(fleet, 2, EventType.ENDPOINT_BLOCKED, HOUR)
    happen(fleet, 3, EventType.PURGE_LOCATION, HOUR)
    assert last_seen(fleet) == {0: newest, 1: other, 2: None, 3: None, 4: None}


def test_events_are_read_once_whatever_the_devices_are(fleet: Sandbox) -> None:
    for number in range(5):
        happen(fleet, number, EventType.CREATE_PDP_CONTEXT, HOUR)
    assert len(last_seen(fleet, filters={"name": "Device 2"})) == 1
    assert (fleet.counts[EVENTS], fleet.counts[LIST]) == (1, 1)


def test_an_event_without_a_time_or_a_device_says_nothing(fleet: Sandbox) -> None:
    body = [{"id": 1, "timestamp": "soon", "endpoint": {"id": FIRST}}, {"id": 2, "timestamp": "2025-01-01"}]
    fleet.faults.add(method="GET", path="/api/v1/event", status=200, body=body, times=3)
    with connect(fleet) as client:
        assert read_last_seen(client) == {}


def test_more_devices_than_can_be_held_are_refused(fleet: Sandbox) -> None:
    for number in range(3):
        happen(fleet, number, EventType.UPDATE_LOCATION, HOUR)
    with connect(fleet) as client:
        assert len(read_last_seen(client, most=3)) == 3
        with pytest.raises(ValueError, match="last_seen: more than 2 endpoints had events in 30 days"):
            read_last_seen(client, most=2)


def test_events_that_cannot_be_read_are_an_error_and_not_never_seen(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", path="/api/v1/event", status=403)
    with pytest.raises(EmnifyPermissionError):
        last_seen(fleet)


def test_only_endpoints_have_it_and_only_when_asked(fleet: Sandbox) -> None:
    with pytest.raises(ValueError, match="last_seen: 'sims' has no such column; allowed: endpoints"):
        get_stream("sims", last_seen=True)
    assert get_stream("endpoints") is STREAMS["endpoints"]
    assert "last_seen_at" not in {column.name for column in STREAMS["endpoints"].columns}
