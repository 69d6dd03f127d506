"""Devices and SIMs can be selected by a filter; it is resolved once, when the task runs."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException, TaskDeferred
from airflow_provider_emnify.api import EndpointStatus, SimStatus
from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifyDeleteEndpointsOperator,
    EmnifyReleaseSimOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUpdateEndpointsOperator,
)
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator
from airflow_provider_emnify.operators.sim import EmnifySetSimStatusOperator
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.operators.tag import EmnifyAddTagsOperator
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointStatusSensor
from airflow_provider_emnify.sensors.event import EmnifyEventSensor
from airflow_provider_emnify.sensors.sim import EmnifySimStatusSensor
from tests.fleets import ids_of
from tests.operators.support import context, unmap
from tests.operators.test_bad_arguments import ARGUMENTS, KINDS, VALID

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

FIRST, FREE = 1_000_001, 2_000_001


def of_all_kinds(sandbox: Sandbox) -> None:
    """Make devices differ: pumps, disabled ones, other profiles, IMEIs, and one that is deleted."""
    for number, device in enumerate(sandbox.state.endpoints.values()):
        device.tag_ids = (2,) if number < 4 else ()
        device.tags = "pump,berlin" if number == 5 else None
        device.status = EndpointStatus.DISABLED if number in {1, 6} else EndpointStatus.ENABLED
        device.service_profile_id = 2 if number == 2 else 1
        device.imei = f"35{number:012d}01"
    sandbox.state.endpoints[FIRST + 9].status = EndpointStatus.DELETED


pytestmark = pytest.mark.fleet(10, prepare=of_all_kinds)


def iccid(sandbox: Sandbox, number: int, *, luhn: bool = False) -> str:
    sim = sandbox.state.sims[sandbox.state.endpoints[FIRST + number].sim_id or 0]
    return sim.iccid_with_luhn if luhn else sim.iccid


def selected(select: Any, **more: Any) -> list[int]:
    """Return which endpoints an operator acts on."""
    operator = EmnifyUpdateEndpointsOperator(task_id="t", select=select, imei_lock=True, **more)
    return [key - FIRST for key in operator.execute(context())]


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({"tags": "tracker"}, [0, 1, 2, 3]),
        ({"tags": "tracker", "status": "enabled"}, [0, 2, 3]),
        ({"tags": ["tracker", "berlin"]}, [0, 1, 2, 3, 5]),
        ({"status": 1}, [1, 6]),
        ({"status": ["disabled", "deleted"]}, [1, 6, 9]),
        ({"service_profile_id": "2"}, [2]),
        ({"name": "Device 1"}, [0]),
        ({"name": ["Device 1", "Device 3", "nobody"]}, [0, 2]),
        ({"name": [[f"Device {number}"] for number in range(1, 9)]}, [*range(8)]),
        ({"imei": [f"35{number:012d}01" for number in (0, 4)]}, [0, 4]),
        ({"id": [FIRST, Decimal(FIRST + 1)]}, [0, 1]),
        ({"sim_status": "activated", "tags": "tracker"}, [0, 1, 2, 3]),
        ({"imei": int("35" + "0" * 12 + "01")}, [0]),
        ({"ip_address": "1.2.3.4"}, []),
        ({"name": []}, []),
        ({"tags": "['tracker', 'berlin']"}, [0, 1, 2, 3, 5]),
        ({"id": f"[{FIRST}, {FIRST + 1}]"}, [0, 1]),
        ({"id": str([(Decimal(FIRST),), (Decimal(FIRST + 1),)])}, [0, 1]),
        ({"name": '["Device 1", ["Device 3"]]'}, [0, 2]),
        ({"status": "('disabled', 'deleted')"}, [1, 6, 9]),
        ('{"tags": "tracker", "status": ["disabled"]}', [1]),
    ],
)
def test_endpoints_are_selected_by(fleet: Sandbox, select: Any, expected: list[int]) -> None:
    assert selected(select) == expected


@pytest.mark.parametrize("count", [1, 2, 8])
def test_an_iccid_is_taken_with_or_without_its_check_digit(fleet: Sandbox, count: int) -> None:
    wanted = [iccid(fleet, number, luhn=number % 2 == 1) for number in range(count)]
    assert selected({"iccid": wanted}) == [*range(count)]
    with pytest.raises(ValueError, match="its check digit is wrong"):
        EmnifyReleaseSimOperator(task_id="t", select={"iccid": f"{iccid(fleet, 0)}0"})


def test_what_emnify_lists_beside_it_is_left_alone(fleet: Sandbox) -> None:
    fleet.state.endpoints[FIRST].name = "pump"
    fleet.state.endpoints[FIRST + 1].name = "pump, old"
    assert selected({"name": "pump, old"}) == [1]
    assert selected({"name": ["pump"]}) == [0]


def test_it_is_resolved_once_and_logged_with_its_count(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = EmnifySetEndpointStatusOperator(task_id="t", select={"tags": "tracker"}, status="disabled")
    lines: list[str] = []
    monkeypatch.setattr(operator.log, "info", lambda text, *args: lines.append(text % args))
    assert operator.execute(context()) == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    assert lines[0] == "Selected 4 endpoints by tags tracker: 1000001, 1000002, 1000003, 1000004"
    reads = {name: count for name, count in fleet.counts.items() if name.startswith("GET ")}
    assert reads == {"GET /api/v1/endpoint": 1}, "what was listed is not read again"


def test_a_value_that_comes_twice_is_asked_for_once(fleet: Sandbox) -> None:
    assert selected({"id": [FIRST, str(FIRST), Decimal(FIRST)]}) == [0]
    assert fleet.counts["GET /api/v1/endpoint"] == 1


def test_a_field_that_is_misspelt_is_named_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"unknown field 'sim_staus' \(did you mean 'sim_status'\?\)"):
        EmnifySendSmsOperator(task_id="t", select={"sim_staus": "activated"}, text="on")


def test_a_template_that_renders_to_nothing_selects_nothing(fleet: Sandbox) -> None:
    assert selected("") == []
    with pytest.raises(AirflowFailException, match="select: it is empty, and so is endpoint_ids"):
        selected("None", fail_if_empty=True)
    assert fleet.requests == 0


def test_nothing_selected_does_nothing_or_fails_as_asked(fleet: Sandbox) -> None:
    select = {"name": "nobody"}
    assert EmnifyAddTagsOperator(task_id="t", select=select, tags="sandbox").execute(context()) == []
    assert EmnifySendSmsOperator(task_id="t", select=select, text="on").execute(context()) == {}
    assert EmnifyEndpointStatusSensor(task_id="t", select=select).execute(context()) == {}
    assert {name.partition(" ")[0] for name in fleet.counts} == {"GET", "POST"}
    for operator in (
        EmnifyDeleteEndpointsOperator(task_id="t", select=select, confirm=True, fail_if_empty=True),
        EmnifyEndpointStatusSensor(task_id="t", select=select, fail_if_empty="True"),
    ):
        with pytest.raises(AirflowFailException, match="select: there are no endpoints with name nobody"):
            operator.execute(context())


def test_more_than_allowed_are_refused_before_anything_is_done(fleet: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="max_selected: more than 3 endpoints are selected"):
        selected({"status": "enabled"}, max_selected=3)
    assert fleet.counts["PATCH /api/v2/endpoint/multi"] == 0
    assert len(selected({"status": "enabled"}, max_selected="7")) == 7


class TestSims:
    @pytest.mark.parametrize(
        ("select", "expected"),
        [
            ({"status": "issued", "assigned": False}, 100),
            ({"assigned": "True"}, 10),
            ({"assigned": [False, True]}, 110),
            ({"assigned": [False, "True"], "status": "issued", "id": [FREE, FREE + 1]}, 2),
            ({"status": ["activated", "suspended"]}, 10),
            ({"endpoint_id": [FIRST, FIRST + 1]}, 2),
            ({"imsi": "nothing"}, 0),
        ],
    )
    def test_sims_are_selected_by(self, fleet: Sandbox, select: Any, expected: int) -> None:
        sensor = EmnifySimStatusSensor(task_id="t", select=select, target_status=["issued", "activated"])
        assert len(sensor.execute(context())) == expected

    def test_free_sims_are_suspended_by_one_task(self, fleet: Sandbox) -> None:
        for number in range(3):
            fleet.state.sims[FREE + number].status = SimStatus.ACTIVATED
        operator = EmnifySetSimStatusOperator(
            task_id="t", select={"status": "activated", "assigned": False}, status="suspended"
        )
        assert operator.execute(context()) == [FREE, FREE + 1, FREE + 2]
        assert {fleet.state.sims[FREE + number].status for number in range(3)} == {SimStatus.SUSPENDED}


def test_a_selection_is_templated_and_mapped(fleet: Sandbox) -> None:
    operator = EmnifyReleaseSimOperator(task_id="t", select={"tags": "{{ params.tag }}"})
    operator.render_template_fields({"params": {"tag": "tracker"}})  # type: ignore[arg-type]
    assert operator.execute(context()) == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    mapped = EmnifyAddTagsOperator.partial(task_id="m", tags="sandbox").expand(
        select=[{"tags": "tracker"}, {"name": "Device 6"}]
    )
    assert unmap(mapped, select={"name": "Device 6"}).execute(context()) == [FIRST + 5]


def test_a_deferrable_sensor_waits_for_what_was_selected_then(fleet: Sandbox) -> None:
    sensor = EmnifyEndpointStatusSensor(
        task_id="t", select={"status": "disabled"}, target_status="enabled", deferrable=True
    )
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    assert deferred.value.trigger.wait["ids"] == [FIRST + 1, FIRST + 6]


def test_events_of_what_is_selected_are_waited_for(fleet: Sandbox) -> None:
    sensor = EmnifyEventSensor(task_id="t", select={"name": ["Device 1", "Device 2"]}, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    assert [str(one) for one in deferred.value.trigger.wait["ids"]] == [str(FIRST), str(FIRST + 1)]
    with pytest.raises(ValueError, match="endpoint_ids, select: give one of them, or none"):
        EmnifyEventSensor(task_id="t", endpoint_ids=7, select={"name": "a"})


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: EmnifyUpdateEndpointsOperator(task_id="t", tags="a", **more),
        lambda **more: EmnifyAddTagsOperator(task_id="t", tags="a", **more),
        lambda **more: EmnifyReleaseSimOperator(task_id="t", **more),
        lambda **more: EmnifySendSmsOperator(task_id="t", text="a", **more),
        lambda **more: EmnifyEndpointStatusSensor(task_id="t", **more),
    ],
)
def test_ids_or_a_selection_are_given_and_not_both(make: Callable[..., Any]) -> None:
    for wrong in ({}, {"endpoint_ids": 7, "select": {"name": "a"}}):
        with pytest.raises(ValueError, match=r"endpoint_ids, select.*: give one of them"):
            make(**wrong)


SELECTING = [name for name, kind in KINDS.items() if "select" in kind.declared]


@pytest.mark.parametrize("name", SELECTING)
def test_no_ids_beside_a_selection_are_no_ids(name: str) -> None:
    given = {**VALID[name], "select": {"id": 7}}
    ids = [field for field in ("endpoint_ids", "sim_ids", "euicc_ids", "endpoints") if field in given]
    task = KINDS[name](task_id="t", **{**given, **dict.fromkeys(ids)})
    assert task.select == {"id": 7}


NOT_SELECTED = {
    ("EmnifyAssignSimOperator", "endpoint_ids"): "each goes with the SIM at its place in sim_ids",
    ("EmnifyAssignSimOperator", "sim_ids"): "each goes with the endpoint at its place in endpoint_ids",
    ("EmnifyReleaseSimOperator", "sim_ids"): "select is of endpoints there",
    ("EmnifySimOperationOperator", "eids"): "beside sim_ids or select",
    ("EmnifyCancelSmsOperator", "sms_ids"): "SMS that a task has sent, known by its result",
    ("EmnifySmsDeliverySensor", "sms_ids"): "SMS that a task has sent, known by its result",
}
OF_DEVICES = re.compile("(endpoint|sim|euicc|sms)_ids?|eids?")


def test_whatever_acts_on_devices_or_sims_can_select_them() -> None:
    given = [(name, field) for name, field in ARGUMENTS if OF_DEVICES.fullmatch(field)]
    assert len(given) > 30
    without = {(name, field) for name, field in given if getattr(KINDS[name], "selects", None) != field}
    assert without == NOT_SELECTED.keys()


def test_euiccs_are_selected_by_eid(fleet: Sandbox) -> None:
    eids = [one.eid for one in [*fleet.state.euiccs.values()][:2]]
    operator = EmnifyEuiccOperationOperator(
        task_id="t", select={"eid": eids}, action="Enable profile", wait_for_completion=False
    )
    assert operator.execute(context())["pending"] == sorted(eids)


class TestRowsWithAnIccid:
    def create(self, rows: Any) -> Any:
        operator = EmnifyCreateEndpointsOperator(
            task_id="t", endpoints=rows, service_profile_id=1, tariff_profile_id=1
        )
        return operator.execute(context())

    @pytest.mark.parametrize("count", [2, 8])
    def test_devices_are_created_by_iccid(self, fleet: Sandbox, count: int) -> None:
        sims = [fleet.state.sims[FREE + number] for number in range(count)]
        rows = [{"name": "a", "iccid": sims[0].iccid}, *({"iccid": sim.iccid_with_luhn} for sim in sims[1:])]
        ids = self.create(rows)
        assert [fleet.state.endpoints[key].sim_id for key in ids] == [sim.id for sim in sims]
        assert self.create(rows) == ids
        assert len(ids_of(fleet)) == 10 + count

    @pytest.mark.parametrize(
        ("rows", "says"),
        [
            ([{"iccid": "8988303999999999999"}], "there is no SIM of ICCID 8988303999999999999"),
            ([{"iccid": "8988303000002000001"}, {"sim_id": FREE}], "SIM 2000001 is in more than one row"),
        ],
    )
    def test_what_cannot_be_is_refused_before_anything_is_created(
        self, fleet: Sandbox, rows: Any, says: str
    ) -> None:
        with pytest.raises(AirflowFailException, match=says):
            self.create(rows)
        assert len(ids_of(fleet)) == 10

    @pytest.mark.parametrize("row", [{"iccid": "8988"}, {"iccid": "8988303000002000001", "sim_id": 1}])
    def test_a_bad_row_is_refused_when_the_dag_is_parsed(self, row: Any) -> None:
        with pytest.raises(ValueError, match="endpoints: "):
            EmnifyCreateEndpointsOperator(
                task_id="t", endpoints=[row], service_profile_id=1, tariff_profile_id=1
            )
