"""Quotas on the clock, and traffic limit extensions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

DATA = "/api/v1/endpoint/1000001/quota/data"
SMS = "/api/v1/endpoint/1000001/quota/sms"
EXTENSIONS = "/api/v1/endpoint/1000001/traffic_limit_extension"
DAY = 86_400


pytestmark = pytest.mark.fleet(2, token_life=90 * DAY)


@pytest.fixture
def device(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def quota(sandbox: Sandbox, days: float = 30, **fields: Any) -> dict[str, Any]:
    expiry = datetime.fromtimestamp(sandbox.clock.time() + days * DAY, UTC)
    return {
        "volume": 100,
        "expiry_date": expiry.isoformat(),
        "status": {"id": "1"},
        "action_on_exhaustion": {"id": "1"},
        "threshold_percentage": 20,
        **fields,
    }


def events(api: Api) -> list[str]:
    rows = api.get("/api/v1/endpoint/1000001/event").json()
    return [row["event_type"]["description"] for row in rows]


@pytest.mark.parametrize(("path", "kind"), [(DATA, "data"), (SMS, "sms")])
def test_a_quota_is_used_up_and_topped_up(fleet: Sandbox, device: Api, path: str, kind: str) -> None:
    assert device.get(path).status_code == 404
    answer = device.post(path, quota(fleet))
    assert (answer.status_code, answer.content) == (201, b"")
    told = device.get(path).json()
    assert told["status"] == {"id": "1", "description": "ACTIVE"}
    assert (told["volume"], told["last_volume_added"], told["threshold_percentage"]) == (100, 100, 20)
    assert told["action_on_exhaustion"] == {"id": "1", "description": "Block"}
    assert fleet.consume(1_000_001, 85, kind) == 15  # type: ignore[arg-type]
    assert fleet.consume(1_000_001, 40, kind) == 0  # type: ignore[arg-type]
    assert device.get(path).json()["status"] == {"id": "2", "description": "EXHAUSTED"}
    names = {"data": ["Quota threshold reached", "Quota used up"], "sms": []}[kind]
    assert events(device)[-2:] == (names or ["SMS quota threshold reached", "SMS quota used up"])
    device.post(path, quota(fleet, volume=60))
    assert device.get(path).json()["status"]["id"] == "1"
    assert device.delete(path).status_code == 204
    assert device.delete(path).status_code == 404


def test_a_quota_expires_on_the_clock(fleet: Sandbox, device: Api) -> None:
    device.post(DATA, quota(fleet, 1))
    fleet.clock.advance(DAY - 60)
    assert device.get(DATA).json()["status"]["id"] == "1"
    fleet.clock.advance(61)
    assert device.get(DATA).json()["status"] == {"id": "3", "description": "EXPIRED"}
    assert events(device)[-1] == "Data quota expired"


def test_a_replaced_quota_expires_no_more(fleet: Sandbox, device: Api) -> None:
    device.post(DATA, quota(fleet, 1))
    device.post(DATA, quota(fleet, 30))
    fleet.clock.advance(2 * DAY)
    assert device.get(DATA).json()["status"]["id"] == "1"


def test_a_quota_refills_itself_daily_if_asked(fleet: Sandbox, device: Api) -> None:
    device.post(DATA, quota(fleet, 3.5, auto_refill=1))
    for _ in range(3):
        fleet.consume(1_000_001, 200)
        assert device.get(DATA).json()["status"]["id"] == "2"
        fleet.clock.advance(DAY)
        assert (device.get(DATA).json()["volume"], device.get(DATA).json()["status"]["id"]) == (100, "1")
    fleet.clock.advance(DAY)
    assert device.get(DATA).json()["status"]["id"] == "3"


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        (DATA, {"volume": None}, "volume is required"),
        (DATA, {"volume": -1}, "not negative"),
        (DATA, {"volume": "100"}, "volume has invalid format"),
        (DATA, {"expiry_date": None}, "expiry_date is required"),
        (DATA, {"expiry_date": "2001-01-01T00:00:00Z"}, "in the future"),
        (DATA, {"status": None}, "status is required"),
        (DATA, {"status": {"id": "4"}}, "one of 1, 2, 3"),
        (DATA, {"action_on_exhaustion": None}, "action_on_exhaustion is required"),
        (DATA, {"action_on_exhaustion": {"id": "2"}}, "one of 1"),
        (DATA, {"threshold_percentage": 101}, "from 0 to 100"),
        (SMS, {"threshold_percentage": None}, "threshold_percentage is required"),
    ],
)
def test_a_quota_that_lacks_something_is_a_422(
    fleet: Sandbox, device: Api, path: str, fields: dict[str, Any], message: str
) -> None:
    answer = device.post(path, quota(fleet, **fields))
    assert answer.status_code == 422
    assert message in answer.text
    assert device.get(path).status_code == 404


def test_with_quirks_volumes_come_as_strings(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1, quirks=True)
    api = connect(sandbox)
    api.post(DATA, quota(sandbox))
    assert api.get(DATA).json()["volume"] == "100.0"


def test_an_extension_lifts_the_block_and_ends_with_the_month(fleet: Sandbox, device: Api) -> None:
    fleet.block(1_000_001)
    made = device.post(EXTENSIONS, {"volume": 1000})
    assert (made.status_code, made.json()["volume"], made.json()["endpoint_id"]) == (201, 1000, 1_000_001)
    fleet.clock.advance(5)
    status = device.get("/api/v1/endpoint/1000001/connectivity").json()["status"]
    assert status == {"description": "ONLINE"}
    assert device.get(EXTENSIONS).json() == [made.json()]
    fleet.clock.advance(31 * DAY)
    assert device.get(EXTENSIONS).json() == []


def test_extensions_are_removed_together(device: Api) -> None:
    device.post(EXTENSIONS, {"volume": 1})
    device.post(EXTENSIONS, {"volume": 2, "traffic_limit_id": 2})
    assert len(device.get(EXTENSIONS).json()) == 2
    assert device.delete(EXTENSIONS).status_code == 204
    assert device.get(EXTENSIONS).json() == []


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"volume": 0}, 400), ({"volume": 1, "traffic_limit_id": 99}, 404)]
)
def test_an_extension_that_makes_no_sense_is_refused(device: Api, body: dict[str, Any], status: int) -> None:
    assert device.post(EXTENSIONS, body).status_code == status
