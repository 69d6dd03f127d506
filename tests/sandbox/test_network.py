"""Operators that an endpoint must not use, and failures to locate one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

LIST = "/api/v1/endpoint/1000001/operator_blacklist"
LOCATION = "/api/v1/endpoint/1000001/connectivity_info"


pytestmark = pytest.mark.fleet(2)


@pytest.fixture
def device(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def test_an_operator_is_blocked_once(device: Api) -> None:
    operator = next(row for row in device.get("/api/v1/operator").json() if row["name"] == "Vodafone")
    assert device.get(LIST).json() == []
    assert device.put(f"{LIST}/{operator['id']}").status_code == 204
    again = device.put(f"{LIST}/{operator['id']}")
    assert (again.status_code, again.json()["error_code"]) == (409, 1405)
    assert [row["name"] for row in device.get(LIST).json()] == ["Vodafone"]
    assert device.get(LIST.replace("1000001", "1000002")).json() == []
    assert device.delete(f"{LIST}/{operator['id']}").status_code == 204
    assert device.delete(f"{LIST}/{operator['id']}").status_code == 404
    assert device.put(f"{LIST}/99").status_code == 404


def test_a_failure_to_locate_is_part_of_a_good_answer(fleet: Sandbox, device: Api) -> None:
    assert device.get(LOCATION).json()["subscriber_info"]["success"] is True
    fleet.outcomes.add("connectivity_info", 1_000_001, message="System failure")
    fleet.outcomes.add("connectivity_info", message="")
    failed, empty = device.get(LOCATION), device.get(LOCATION)
    assert failed.status_code == empty.status_code == 200
    assert failed.json()["subscriber_info"] == {"success": False, "error": "System failure"}
    assert set(empty.json()) == {"request_timestamp", "reply_timestamp"}
    fleet.power(1_000_001, on=False)
    assert device.get(LOCATION).json()["subscriber_info"]["error"] == "Absent subscriber"


def test_a_reset_is_seen_among_the_events(device: Api) -> None:
    path = "/api/v1/endpoint/1000001"
    assert device.patch(f"{path}/connectivity", {"location": None, "pdp_context": None}).status_code == 204
    kinds = [event["event_type"]["description"] for event in device.get(f"{path}/event").json()]
    assert kinds[0] == "Reset connectivity"
