"""SMS: what fits into one, its way to the device, and what can go wrong on it."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

PATH = "/api/v1/endpoint/1000001/sms"
LONG = 160


pytestmark = pytest.mark.fleet(2)


@pytest.fixture
def device(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def send(api: Api, path: str = PATH, **fields: Any) -> str:
    answer = api.post(path, {"payload": "Hello", **fields})
    assert (answer.status_code, answer.content) == (201, b"")
    return answer.headers["Location"]


def status(api: Api, location: str) -> int:
    return int(api.get(location).json()["status"]["id"])


def test_an_sms_is_pending_then_in_progress_then_delivered(fleet: Sandbox, device: Api) -> None:
    location = send(device, source_address="1234567")
    assert location == f"{PATH}/1"
    assert status(device, location) == 1
    fleet.clock.advance(0.7)
    assert status(device, location) == 2
    fleet.clock.advance(1.4)
    sms = device.get(location).json()
    assert sms["status"] == {"id": 4, "description": "Delivered"}
    assert (sms["payload"], sms["source_address"], sms["sim_id"]) == ("Hello", "1234567", "2000101")
    assert sms["delivery_date"] == sms["final_date"] > sms["submit_date"]
    assert [row["id"] for row in device.get(PATH).json()] == [1]
    assert device.get("/api/v1/endpoint/1000002/sms").json() == []


def test_an_sms_waits_for_a_device_that_is_off(fleet: Sandbox, device: Api) -> None:
    fleet.power(1_000_001, on=False)
    location = send(device)
    fleet.clock.advance(3600)
    assert status(device, location) == 3
    fleet.power(1_000_001, on=True)
    fleet.clock.advance(5)
    assert status(device, location) == 4


def test_an_sms_that_is_not_delivered_in_time_expires(fleet: Sandbox, device: Api) -> None:
    fleet.block(1_000_001)
    soon = datetime.fromtimestamp(fleet.clock.time() + 60, UTC)
    location = send(device, expiry_date=soon.isoformat())
    fleet.clock.advance(61)
    assert status(device, location) == 6
    fleet.block(1_000_001, blocked=False)
    fleet.clock.advance(60)
    assert status(device, location) == 6


def test_an_sms_can_be_ordered_to_fail(fleet: Sandbox, device: Api) -> None:
    order = fleet.outcomes.add("sms", 1_000_001, message="Memory capacity exceeded")
    fleet.outcomes.add("sms", 1_000_002, times=None)
    first, second = send(device), send(device)
    fleet.clock.advance(3)
    assert [status(device, location) for location in (first, second)] == [5, 4]
    assert device.get(first).json()["gsm_map_error"] == "Memory capacity exceeded"
    assert order.hits == 1


def test_an_sms_is_canceled_until_it_is_over(fleet: Sandbox, device: Api) -> None:
    location = send(device)
    assert device.delete(location).status_code == 200
    fleet.clock.advance(10)
    assert status(device, location) == 7
    again = device.delete(location)
    assert (again.status_code, again.json()["error_token"]) == (422, "NotAllowed")


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": "x" * LONG},
        {"payload": "€" * 80},
        {"payload": "ж" * 70, "dcs": 8},
        {"payload": "😀" * 35, "dcs": 8},
        {"payload": "x" * 153, "udh": "050003CC0201"},
        {"payload": "ж" * 67, "udh": "050003CC0201", "dcs": 8},
        {"payload": "x" * 140, "dcs": 4},
        {"source_address": "CompanyName", "source_address_type": {"id": 208}},
        {"source_address": "+4912345", "source_address_type": {"id": 145}},
        {"dest_address": "5"},
    ],
)
def test_what_fits_is_taken(device: Api, fields: dict[str, Any]) -> None:
    sms = device.get(send(device, **fields)).json()
    assert {key: sms[key] for key in fields if key != "source_address_type"} == {
        key: value for key, value in fields.items() if key != "source_address_type"
    }


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"payload": "x" * (LONG + 1)}, "has 161 characters; one SMS with dcs 0 takes 160"),
        ({"payload": "€" * 81}, "has 162 characters"),
        ({"payload": "ж"}, "not in the GSM alphabet"),
        ({"payload": "ж" * 71, "dcs": 8}, "takes 70"),
        ({"payload": "x" * 154, "udh": "050003CC0201"}, "takes 153"),
        ({"payload": "ж" * 68, "udh": "050003CC0201", "dcs": 8}, "takes 67"),
        ({"dcs": 300}, "from 0 to 255"),
        ({"udh": "0500"}, "its first octet says 5"),
        ({"udh": "xx"}, "hexadecimal"),
        ({"source_address": "Company Name", "source_address_type": {"id": 208}}, "at most 11"),
        ({"source_address": "Company"}, "is not a number"),
        ({"source_address": "1", "source_address_type": {"id": 7}}, "Invalid reference"),
        ({"expiry_date": "2001-01-01T00:00:00Z"}, "in the future"),
        ({"expiry_date": "soon"}, "expecting a date"),
        ({"payload": None}, "payload is required"),
    ],
)
def test_what_does_not_fit_is_a_422(device: Api, fields: dict[str, Any], message: str) -> None:
    answer = device.post(PATH, {"payload": "Hello", **fields})
    assert answer.status_code == 422
    assert message in answer.text
    assert device.get(PATH).json() == []


def test_an_endpoint_without_a_sim_gets_no_sms(device: Api) -> None:
    path = f"/api/v1/endpoint/{device.new_endpoint()}/sms"
    assert device.post(path, {"payload": "Hello"}).status_code == 422


def test_an_sms_belongs_to_its_endpoint(device: Api) -> None:
    number = send(device).rpartition("/")[2]
    assert device.get(f"/api/v1/endpoint/1000002/sms/{number}").status_code == 404
    assert device.get(f"{PATH}/99").status_code == 404
    assert device.get("/api/v1/endpoint/7/sms").status_code == 404


@pytest.mark.allow_openapi_violations
def test_with_quirks_numbers_come_as_strings(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1, quirks=True, sms_delivered_after=math.inf)
    api = connect(sandbox)
    send(api)
    send(api)
    first, second = api.get(PATH).json()
    assert (first["id"], first["retry_count"], first["status"]["id"]) == ("1", "0", "1")
    assert (second["id"], second["retry_count"], second["status"]["id"]) == (2, 0, 1)


def test_an_answer_has_the_date_of_the_sandbox(fleet: Sandbox, device: Api) -> None:
    fleet.clock.advance(30 * 86_400)
    date = parsedate_to_datetime(device.get(PATH).headers["Date"]).timestamp()
    assert abs(date - fleet.clock.time()) < 10
