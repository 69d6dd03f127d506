"""What is gone satisfies a wait for ``deleted``; what the network knows nothing of exists all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException, AirflowSensorTimeout
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)
from airflow_provider_emnify.sensors.sim import EmnifySimStatusSensor
from tests.sensors.modes import run
from tests.sensors.test_sensors import ids_of, in_each_mode, options

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode

MISSING = {
    "1401": {"error_code": 1401, "error_token": "InvalidReference", "message": "not found"},
    "1201": {"error_code": 1201, "error_token": "ResourceNotFound", "message": "not found"},
    "no code": "",
    "page": "<html>not found</html>",
}
UNKNOWN = {
    "1401": {"error_code": 1401, "error_token": "InvalidReference", "message": "Unknown Location"},
    "1201": {"error_code": 1201, "message": "Requested resource not found: unknown location"},
    "page": "<html><title>404</title>Unknown Location</html>",
    "subscriber": {"error_code": 1401, "message": "UNKNOWN_SUBSCRIBER"},
    "network": {"status_code": 404, "error": "External Network"},
}
OF_ENDPOINTS = (EmnifyEndpointStatusSensor, "endpoint_ids", "/api/v1/endpoint")
OF_SIMS = (EmnifySimStatusSensor, "sim_ids", "/api/v1/sim")
of_each = pytest.mark.parametrize(("sensor", "name", "path"), [OF_ENDPOINTS, OF_SIMS])
in_each_form = pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)


pytestmark = pytest.mark.fleet(6, retries=False)


def numbers_of(fleet: Sandbox, name: str) -> list[int]:
    return ids_of(fleet) if name == "endpoint_ids" else [one.sim_id for one in fleet.state.endpoints.values()]  # type: ignore[misc]


@in_each_mode
@of_each
@in_each_form
def test_what_is_gone_is_deleted(
    fleet: Sandbox, mode: Mode, sensor: Any, name: str, path: str, missing: Any
) -> None:
    first, second, *_ = numbers_of(fleet, name)
    row = {"id": second, "status": {"id": 1}}
    fleet.faults.add(method="GET", path=f"{path}/{first}$", status=404, body=missing, times=None)
    fleet.faults.add(method="GET", path=f"{path}/{second}$", status=200, body=row, times=2)
    fleet.faults.add(method="GET", path=f"{path}/{second}$", status=404, body=missing, times=None)
    found = run(sensor(**options(mode), **{name: [first, second]}, target_status="deleted"))
    assert found == {str(first): "gone", str(second): "gone"}


@in_each_mode
@of_each
@in_each_form
def test_any_that_is_gone_is_enough(
    fleet: Sandbox, mode: Mode, sensor: Any, name: str, path: str, missing: Any
) -> None:
    first, second, *_ = numbers_of(fleet, name)
    fleet.faults.add(method="GET", path=f"{path}/{second}$", status=404, body=missing, times=None)
    found = run(sensor(**options(mode), **{name: [first, second]}, target_status=["deleted"], wait_for="any"))
    assert found[str(second)] == "gone"


@in_each_mode
@of_each
def test_what_a_list_does_not_hold_is_asked_for_and_gone(
    fleet: Sandbox, mode: Mode, sensor: Any, name: str, path: str
) -> None:
    absent = list(range(1, 9))
    found = run(sensor(**options(mode), **{name: absent}, target_status="deleted"))
    assert found == {str(key): "gone" for key in absent}


@in_each_mode
@of_each
@in_each_form
def test_what_is_gone_fails_every_other_wait(
    fleet: Sandbox, mode: Mode, sensor: Any, name: str, path: str, missing: Any
) -> None:
    first = numbers_of(fleet, name)[0]
    fleet.faults.add(method="GET", path=f"{path}/{first}$", status=404, body=missing, times=None)
    with pytest.raises(AirflowFailException, match=f"{first} does not exist"):
        run(sensor(**options(mode), **{name: first}))


@in_each_mode
@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN)
def test_a_device_that_no_network_knows_is_waited_for_and_the_others_go_on(
    fleet: Sandbox, mode: Mode, unknown: Any
) -> None:
    first, second, third, *_ = ids_of(fleet)
    fleet.power(third, on=False)
    path = f"/api/v1/endpoint/{first}/connectivity$"
    fault = fleet.faults.add(method="GET", path=path, status=404, body=unknown, times=3)

    def change(look: int) -> None:
        if look == 2:
            fleet.power(third)
        if look > 2:
            fleet.clock.advance(60)

    sensor = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=[first, second, third])
    assert set(run(sensor, before_look=change)) == {str(first), str(second), str(third)}
    assert fault.hits == 3


@in_each_mode
def test_a_device_that_no_network_knows_in_time_is_a_timeout_that_says_so(fleet: Sandbox, mode: Mode) -> None:
    first, second, *_ = ids_of(fleet)
    path = f"/api/v1/endpoint/{first}/connectivity$"
    fleet.faults.add(method="GET", path=path, status=404, body=UNKNOWN["1401"], times=None)
    sensor = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=[first, second])
    sensor.timeout = 0.0 if mode != "deferrable" else 0.3
    with pytest.raises(AirflowSensorTimeout, match=rf"still waiting for {first} \(Unknown Location\)"):
        run(sensor)


@in_each_mode
@in_each_form
def test_a_device_that_does_not_exist_is_not_waited_for(fleet: Sandbox, mode: Mode, missing: Any) -> None:
    key = ids_of(fleet)[0]
    path = f"/api/v1/endpoint/{key}/connectivity$"
    fleet.faults.add(method="GET", path=path, status=404, body=missing, times=None)
    with pytest.raises(AirflowFailException, match=f"endpoint {key} does not exist"):
        run(EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=key))
