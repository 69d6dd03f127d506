"""The SMS of a device as its list has them: which count, since when, and long ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowSensorTimeout
from airflow_provider_emnify.api.waits.sms_replies import is_from_device, whole_texts
from airflow_provider_emnify.sensors.sms import EmnifySmsReplySensor
from tests.sensors.modes import run
from tests.sensors.test_sensors import in_each_mode, options

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode


pytestmark = pytest.mark.fleet(2)


@in_each_mode
def test_the_first_text_that_matches_is_returned_for_each_device(fleet: Sandbox, mode: Mode) -> None:
    first, second = sorted(fleet.state.endpoints)

    def devices_send(look: int) -> None:
        if look == 2:
            fleet.send_sms(first, "HELLO")
            fleet.send_sms(first, "BATTERY 12")
            fleet.send_sms(first, "BATTERY 11")
        if look == 3:
            fleet.send_sms(second, "BATTERY " + "9" * 300)

    since = datetime.now(UTC) - timedelta(minutes=5)
    sensor = EmnifySmsReplySensor(
        **options(mode), endpoint_ids=[first, second], since=since, matches=r"^BATTERY [0-9]+$"
    )
    assert run(sensor, devices_send) == {str(first): "BATTERY 12", str(second): "BATTERY " + "9" * 300}


@in_each_mode
def test_what_came_before_the_run_does_not_count_unless_it_is_asked_for(fleet: Sandbox, mode: Mode) -> None:
    endpoint_id = min(fleet.state.endpoints)
    fleet.send_sms(endpoint_id, "OLD")
    fleet.clock.advance(60)
    sensor = EmnifySmsReplySensor(
        **options(mode), endpoint_ids=endpoint_id, since=datetime.now(UTC) + timedelta(seconds=30)
    )
    sensor.timeout = 0.0
    with pytest.raises(AirflowSensorTimeout):
        run(sensor)


def test_by_default_it_is_since_the_start_of_the_run(fleet: Sandbox) -> None:
    from tests.operators.support import context

    endpoint_id = min(fleet.state.endpoints)
    fleet.send_sms(endpoint_id, "NEW")
    sensor = EmnifySmsReplySensor(**options("poke"), endpoint_ids=endpoint_id)
    given = context()
    given["dag_run"].start_date = datetime.now(UTC) - timedelta(seconds=30)
    assert sensor.execute(given) == {str(endpoint_id): "NEW"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"id": 1, "description": "MO"}, True),
        ({"id": 1}, True),
        ({"id": "1"}, True),
        ({"id": 9, "description": "mo "}, True),
        ({"id": 2, "description": "MT"}, False),
        ({"id": 1, "description": "MT"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_an_sms_of_the_device_is_told_by_its_type(kind: Any, *, expected: bool) -> None:
    assert is_from_device({"sms_type": kind}) is expected


def test_parts_are_joined_in_their_order_and_others_are_left_alone() -> None:
    def row(text: Any, udh: str | None = None, minute: int = 0) -> dict[str, Any]:
        return {"payload": text, "udh": udh, "submit_date": f"2026-01-01T00:{minute:02}:00.000+0000"}

    rows = [
        row("b", "050003010202", 1),
        row("a", "050003010201", 2),
        row(None, None, 3),
        row("whole", None, 4),
        row("lost", "050003020201", 5),
        row("again 2", "050003010202", 7),
        row("again 1, ", "050003010201", 6),
        row("late 2", "050003020202", 45),
        row("late 1, ", "050003020201", 44),
        row("wide", "06080400020201", 44),
    ]
    assert list(whole_texts(rows)) == ["ab", "whole", "again 1, again 2", "late 1, late 2"]


@pytest.mark.parametrize("other", ["883130000000000", 883130000000000])
def test_parts_are_joined_whether_numbers_come_as_text_or_not(other: Any) -> None:
    part = {"payload": "a", "udh": "050003010201", "source_address": "883130000000000", "dest_address": 777}
    rows = [part, {**part, "payload": "b", "udh": "050003010202", "source_address": other}]
    assert list(whole_texts(rows)) == ["ab"]


@pytest.mark.parametrize("address", [None, {}, {"id": 7}, [7], "", 7.5])
def test_an_address_of_any_kind_is_no_error(address: Any) -> None:
    row = {"payload": "a", "udh": "050003010201", "source_address": address, "dest_address": address}
    assert list(whole_texts([row, {"payload": "whole"}])) == ["whole"]
