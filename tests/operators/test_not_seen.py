"""Devices that were not seen for some days are selected: by events, and by what the network says now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import Connectivity, EndpointStatus, EventSource
from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.operators.endpoint import (
    EmnifyDeleteEndpointsOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUpdateEndpointsOperator,
)
from airflow_provider_emnify.operators.sim import EmnifySetSimStatusOperator
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointStatusSensor
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FIRST, DAY = 1_000_001, 86_400
EVENTS, LIST = "GET /api/v1/event", "GET /api/v1/endpoint"
OWN_EVENTS = "GET /api/v1/endpoint/{endpoint_id}/event"
CONNECTIVITY = "GET /api/v1/endpoint/{endpoint_id}/connectivity"


def seen_at_times(sandbox: Sandbox) -> None:
    """Nobody is on the network but 3 and 4; 0 was seen yesterday, 1 long ago; 5 is new, 6 is no pump."""
    devices = [*sandbox.state.endpoints.values()]
    for device in devices:
        device.connectivity = Connectivity.OFFLINE
        device.created = sandbox.clock.time() - 60 * DAY
        device.tag_ids = (2,)
    happen(sandbox, 0, 1, EventType.DELETE_PDP_CONTEXT)
    happen(sandbox, 1, 20, EventType.CREATE_PDP_CONTEXT)
    happen(sandbox, 2, 1, EventType.ENDPOINT_BLOCKED)
    devices[3].connectivity, devices[4].connectivity = Connectivity.ONLINE, Connectivity.ATTACHED
    devices[5].created = sandbox.clock.time() - 2 * DAY
    devices[6].tag_ids = ()


def happen(sandbox: Sandbox, number: int, days_ago: float, kind: EventType) -> None:
    state, when = sandbox.state, sandbox.clock.time() - days_ago * DAY
    state.emit(kind, kind.label, when, source=EventSource.NETWORK, endpoint=state.endpoints[FIRST + number])


pytestmark = pytest.mark.fleet(12, events=0, prepare=seen_at_times)


def selected(**select: Any) -> list[int]:
    operator = EmnifyUpdateEndpointsOperator(task_id="t", select=select, imei_lock=True)
    return [key - FIRST for key in operator.execute(context())]


@pytest.mark.parametrize("days", [7, "7", 7.0, [7, "30"], timedelta(days=7)])
def test_neither_seen_nor_there_now_nor_new(fleet: Sandbox, days: Any) -> None:
    assert selected(not_seen_for=days) == [1, 2, 6, 7, 8, 9, 10, 11]
    assert (fleet.counts[LIST], fleet.counts[EVENTS], fleet.counts[CONNECTIVITY]) == (1, 1, 10)
    assert fleet.counts[OWN_EVENTS] == 0


def test_it_goes_with_other_fields_and_a_longer_time_finds_fewer(fleet: Sandbox) -> None:
    assert selected(not_seen_for=7, tags="tracker") == [1, 2, 7, 8, 9, 10, 11]
    assert selected(not_seen_for=25, tags="tracker") == [2, 7, 8, 9, 10, 11]
    assert selected(not_seen_for=0.5, tags="tracker") == [0, 1, 2, 5, 7, 8, 9, 10, 11]


def test_the_events_of_a_few_are_read_one_by_one(fleet: Sandbox) -> None:
    assert selected(not_seen_for=7, id=[FIRST + number for number in (0, 1, 3, 5)]) == [1]
    assert (fleet.counts[EVENTS], fleet.counts[OWN_EVENTS], fleet.counts[CONNECTIVITY]) == (0, 3, 2)


def test_a_device_that_is_deleted_meanwhile_is_left_out(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", path="/api/v1/endpoint/1000008/connectivity", status=404)
    assert 7 not in selected(not_seen_for=7)


@pytest.mark.parametrize("path", ["/api/v1/event", "/api/v1/endpoint/1000002/connectivity"])
def test_what_cannot_be_read_is_an_error_and_not_unseen(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    without_retries(fleet, monkeypatch)
    fleet.faults.add(method="GET", path=path, status=403)
    operator = EmnifyDeleteEndpointsOperator(task_id="t", select={"not_seen_for": 7}, confirm=True)
    with pytest.raises(AirflowFailException):
        operator.execute(context())
    assert len(fleet.state.endpoints) == 12
    assert fleet.counts["DELETE /api/v2/endpoint/multi"] == 0


def test_they_are_paused_deleted_and_waited_for(fleet: Sandbox) -> None:
    select = {"not_seen_for": 7, "tags": "tracker"}
    paused = EmnifySetEndpointStatusOperator(
        task_id="t", select=select, status="disabled", sim_status="suspended", only_if="activated"
    ).execute(context())
    assert [key - FIRST for key in paused] == [1, 2, 7, 8, 9, 10, 11]
    sensor = EmnifyEndpointStatusSensor(task_id="t", select=select, target_status="disabled")
    assert len(sensor.execute(context())) == 7
    delete = EmnifyDeleteEndpointsOperator(task_id="t", select=select, sims="suspend", confirm=True)
    delete.execute(context())
    assert len([one for one in fleet.state.endpoints.values() if one.status != EndpointStatus.DELETED]) == 5


@pytest.mark.parametrize("days", [0, -1, 31, "soon", True, None, float("nan"), float("inf"), [7, 45], 1e9])
def test_what_nobody_can_know_is_refused_when_the_dag_is_parsed(days: Any) -> None:
    with pytest.raises(ValueError, match=r"not_seen_for: .* at most 30: emnify keeps events no longer"):
        EmnifyUpdateEndpointsOperator(task_id="t", select={"not_seen_for": days}, imei_lock=True)


def test_sims_have_no_such_field() -> None:
    with pytest.raises(ValueError, match="select: unknown field 'not_seen_for' is not valid for SIMs"):
        EmnifySetSimStatusOperator(task_id="t", select={"not_seen_for": 7}, status="suspended")
