"""Every sensor, in each of its modes: it waits, it is done, it fails with emnify's reason, it skips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow_provider_emnify.sensors.cloud_connect import EmnifyCloudConnectSensor
from airflow_provider_emnify.sensors.data_stream import EmnifyDataStreamSensor
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)
from airflow_provider_emnify.sensors.euicc import EmnifyEuiccOperationSensor, EmnifySimOperationSensor
from airflow_provider_emnify.sensors.event import EmnifyEventSensor
from airflow_provider_emnify.sensors.quota import EmnifyQuotaSensor
from airflow_provider_emnify.sensors.sim import EmnifySimBatchSensor, EmnifySimStatusSensor
from airflow_provider_emnify.sensors.sms import EmnifySmsDeliverySensor, EmnifySmsReplySensor
from airflow_provider_emnify.sensors.user import EmnifyUserStatusSensor
from tests.operators.support import context, unmap, without_retries
from tests.sensors.modes import run
from tests.sensors.test_sensors import in_each_mode, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode


def status(number: int) -> dict[str, Any]:
    return {"id": 1, "status": {"id": number}}


def operation(**more: Any) -> dict[str, Any]:
    return {"id": "op", "finalization_date": "2026-01-01T00:00:00.000Z", **more}


@dataclass
class Case:
    """What emnify answers to one sensor: first while it waits, then at the end."""

    sensor: type[Any]
    path: str
    pending: Any
    done: Any
    seen: dict[str, str]
    arguments: dict[str, Any] = field(default_factory=dict)
    failed: Any = None
    failed_status: int = 200
    reason: str = ""
    gone: bool = True
    mapped: str = "endpoint_ids"

    def __str__(self) -> str:
        return self.sensor.__name__


def sms(number: int, text: str, kind: int) -> dict[str, Any]:
    return {
        "id": number,
        "payload": text,
        "submit_date": "2026-01-02T00:00:00.000+0000",
        "sms_type": {"id": kind, "description": "MO" if kind == 1 else "MT"},
    }


EUICC = {"operation_ids": "7/op"}
CASES = [
    Case(
        EmnifyEndpointStatusSensor,
        "/api/v1/endpoint/7$",
        status(1),
        status(0),
        {"7": "Enabled"},
        {"endpoint_ids": 7},
        failed=status(2),
        reason="endpoint 7 is Deleted",
    ),
    Case(
        EmnifyEndpointConnectivitySensor,
        "/api/v1/endpoint/7/connectivity$",
        {"status": {"description": "OFFLINE"}},
        {"status": {"description": "ONLINE"}},
        {"7": "ONLINE"},
        {"endpoint_ids": 7},
        failed={"status": {"description": "BLOCKED"}},
        reason="endpoint 7 is BLOCKED",
    ),
    Case(
        EmnifySimStatusSensor,
        "/api/v1/sim/7$",
        status(2),
        status(1),
        {"7": "Activated"},
        {"sim_ids": "7"},
        failed=status(3),
        reason="SIM 7 is Deleted",
        mapped="sim_ids",
    ),
    Case(
        EmnifySmsDeliverySensor,
        "/api/v1/endpoint/7/sms/12$",
        status(3),
        status(4),
        {"7/12": "Delivered"},
        {"sms_ids": {"7": [12]}},
        failed={**status(5), "gsm_map_error": "Absent subscriber"},
        reason="SMS 7/12 is Failed: Absent subscriber",
        mapped="sms_ids",
    ),
    Case(
        EmnifySmsReplySensor,
        "/api/v1/endpoint/7/sms$",
        [sms(12, "BATTERY?", 2)],
        [sms(12, "BATTERY?", 2), sms(13, "BATTERY 12", 1)],
        {"7": "BATTERY 12"},
        {"endpoint_ids": 7, "since": "2026-01-01T00:00:00Z"},
    ),
    Case(
        EmnifyUserStatusSensor,
        "/api/v1/user/7$",
        status(0),
        status(1),
        {"7": "Active"},
        {"user_ids": [7]},
        failed=status(2),
        reason="user 7 is Suspended",
        mapped="user_ids",
    ),
    Case(
        EmnifyQuotaSensor,
        "/api/v1/endpoint/7/quota/data$",
        {"status": {"id": "1"}},
        {"status": {"id": "2"}},
        {"7": "Exhausted"},
        {"endpoint_ids": 7, "target_status": "exhausted"},
    ),
    Case(
        EmnifyQuotaSensor,
        "/api/v1/endpoint/7/quota/sms$",
        {"status": {"id": "2"}},
        {"status": {"id": "1"}},
        {"7": "Active"},
        {"endpoint_ids": 7, "quota_type": "sms"},
    ),
    Case(
        EmnifyEventSensor,
        r"/api/v1/(endpoint/7/)?event\?",
        [],
        [{"id": 5, "timestamp": "2026-01-01T00:00:00.000Z", "description": "Blocked", "endpoint": {"id": 7}}],
        {"7": "Blocked (event 5, 2026-01-01T00:00:00.000Z)"},
        {"endpoint_ids": 7, "since": "2026-01-01T00:00:00Z"},
        gone=False,
    ),
    Case(
        EmnifyEuiccOperationSensor,
        "/api/v1/euicc/7/operation/op$",
        {"id": "op", "finalization_date": None},
        operation(),
        {"7/op": "SUCCEEDED"},
        EUICC,
        failed=operation(error={"reason": 5, "message": "no card"}),
        reason=r"eUICC operation 7/op is FAILED: no card \(reason 5\)",
        mapped="operation_ids",
    ),
    Case(
        EmnifySimOperationSensor,
        "/api/v1/sim/operation/op$",
        {"id": "op", "finalization_date": None},
        operation(total_count=2, failed_count=0),
        {"op": "SUCCEEDED"},
        {"operation_ids": "op"},
        failed=operation(total_count=2, failed_count=1, error=[{"eid": "89", "message": "no card"}]),
        reason="SIM operation op is PARTLY_FAILED: 89: no card",
        mapped="operation_ids",
    ),
    Case(
        EmnifyDataStreamSensor,
        "/api/v2/data_stream/7$",
        status(4),
        status(1),
        {"7": "Running"},
        {"data_stream_ids": 7},
        failed=status(3),
        reason="data stream 7 is Error",
        mapped="data_stream_ids",
    ),
    Case(
        EmnifyCloudConnectSensor,
        "/api/v1/cnc/breakout/7$",
        [status(1)],
        [status(5)],
        {"7": "Active"},
        {"attachment_ids": 7},
        failed=[status(8)],
        reason="Cloud Connect attachment 7 is Rolling back",
        mapped="attachment_ids",
    ),
    Case(
        EmnifySimBatchSensor,
        "/api/v1/sim_batch/bic/4423$",
        None,
        {"id": 7, "bic": "4423"},
        {"4423": "REGISTRABLE"},
        {"bics": "4423"},
        failed={"error_code": 1000, "error_token": "BadRequest", "message": "Registered already"},
        failed_status=400,
        reason="SIM batch 4423 is REGISTERED: Registered already",
        mapped="bics",
    ),
]
each_sensor = pytest.mark.parametrize("case", CASES, ids=str)


@pytest.fixture
def emnify(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = make_sandbox(limits=False)
    without_retries(sandbox, monkeypatch)
    return sandbox


def sensor_of(case: Case, mode: Mode, **more: Any) -> Any:
    return case.sensor(**options(mode, **more), **case.arguments)


def answer(sandbox: Sandbox, case: Case, body: Any, *, status: int = 200, times: int | None = None) -> None:
    rows = len(body) if isinstance(body, list) else 1
    headers = {"X-Total-Count": str(rows), "X-Total-Pages": "1"}
    sandbox.faults.add(method="GET", path=case.path, status=status, body=body, headers=headers, times=times)


@in_each_mode
@each_sensor
def test_it_waits_until_what_it_waits_for_is_there(emnify: Sandbox, case: Case, mode: Mode) -> None:
    if case.pending is not None:
        answer(emnify, case, case.pending, times=2)
    answer(emnify, case, case.done)
    assert run(sensor_of(case, mode)) == case.seen
    looks = emnify.requests - emnify.authentications
    assert looks == (1 if case.pending is None else 3)


@in_each_mode
@pytest.mark.parametrize("case", [case for case in CASES if case.failed], ids=str)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_failure_state_fails_without_retries_and_with_the_reason(
    emnify: Sandbox, case: Case, mode: Mode, soft_fail: bool
) -> None:
    answer(emnify, case, case.failed, status=case.failed_status)
    reason = None if soft_fail else case.reason  # Airflow has its own words for a skip
    with pytest.raises(AirflowSkipException if soft_fail else AirflowFailException, match=reason):
        run(sensor_of(case, mode, soft_fail=soft_fail))


@in_each_mode
@pytest.mark.parametrize("case", [case for case in CASES if case.gone], ids=str)
def test_what_does_not_exist_fails(emnify: Sandbox, case: Case, mode: Mode) -> None:
    answer(emnify, case, {"error_code": 1201, "message": "gone"}, status=404)
    with pytest.raises(AirflowFailException, match="does not exist"):
        run(sensor_of(case, mode))


@in_each_mode
@pytest.mark.parametrize("case", [case for case in CASES if case.pending is not None], ids=str)
def test_time_runs_out(emnify: Sandbox, case: Case, mode: Mode) -> None:
    answer(emnify, case, case.pending)
    sensor = sensor_of(case, mode)
    sensor.timeout = 0.0
    with pytest.raises(AirflowSensorTimeout, match="still waiting for"):
        run(sensor)


@in_each_mode
@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if case.pending is not None], ids=str)
def test_the_states_when_time_runs_out_can_be_the_result(
    emnify: Sandbox, case: Case, mode: Mode, soft_fail: bool
) -> None:
    answer(emnify, case, case.pending)
    sensor = sensor_of(case, mode, on_timeout="return", soft_fail=soft_fail)
    sensor.timeout = 0.0
    states = run(sensor)
    assert states.keys() == case.seen.keys()
    assert states != case.seen


@in_each_mode
@each_sensor
def test_where_nothing_could_be_read_there_are_no_states_to_return(
    emnify: Sandbox, case: Case, mode: Mode
) -> None:
    answer(emnify, case, "maintenance", status=503)
    sensor = sensor_of(case, mode, on_timeout="return")
    sensor.timeout = 0.0
    with pytest.raises(AirflowSensorTimeout, match="503"):
        run(sensor)


@in_each_mode
@pytest.mark.parametrize("case", [case for case in CASES if case.failed], ids=str)
def test_a_failure_state_fails_also_where_states_are_returned_when_time_runs_out(
    emnify: Sandbox, case: Case, mode: Mode
) -> None:
    answer(emnify, case, case.failed, status=case.failed_status)
    sensor = sensor_of(case, mode, on_timeout="return")
    sensor.timeout = 0.0
    with pytest.raises(AirflowFailException, match=case.reason):
        run(sensor)


@in_each_mode
@each_sensor
def test_a_passing_error_is_ridden_out(emnify: Sandbox, case: Case, mode: Mode) -> None:
    answer(emnify, case, "maintenance", status=503, times=1)
    answer(emnify, case, case.done)
    assert run(sensor_of(case, mode)) == case.seen


@each_sensor
def test_a_look_by_itself_tells_what_it_has_seen(emnify: Sandbox, case: Case) -> None:
    answer(emnify, case, case.done)
    sensor = sensor_of(case, "poke")
    looked = sensor.poke(context())
    sensor.hook.close()
    assert (looked.is_done, looked.xcom_value) == (True, case.seen)


@each_sensor
def test_templates_are_rendered_and_ids_can_be_mapped_over(case: Case) -> None:
    fixed = {name: value for name, value in case.arguments.items() if name != case.mapped}
    with DAG("d", schedule=None):
        templated = case.sensor(task_id="templated", **{**fixed, case.mapped: "{{ params.x }}"})
        partial = case.sensor.partial(task_id="mapped", **fixed)
        mapped = partial.expand(**{case.mapped: [case.arguments[case.mapped]]})
    templated.render_template_fields({"params": {"x": case.arguments[case.mapped]}})
    plain = case.sensor(task_id="plain", **case.arguments)
    assert templated.wait() == plain.wait()
    assert unmap(mapped, **case.arguments).wait() == plain.wait()


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (EmnifySimStatusSensor, {"sim_ids": 1, "target_status": "asleep"}, "target_status: 'asleep'"),
        (EmnifySmsDeliverySensor, {"sms_ids": "12"}, "not a valid pair of ids"),
        (EmnifySmsReplySensor, {"endpoint_ids": "all"}, "endpoint_ids: 'all'"),
        (EmnifySmsReplySensor, {"endpoint_ids": 1, "since": "lunch"}, "since: 'lunch'"),
        (
            EmnifySmsReplySensor,
            {"endpoint_ids": 1, "matches": "BATTERY (" + chr(92) + "d+"},
            "matches: 'BATTERY",
        ),
        (EmnifySmsReplySensor, {"endpoint_ids": 1, "matches": 7}, "matches: 7"),
        (EmnifyQuotaSensor, {"endpoint_ids": 1, "quota_type": "voice"}, "quota_type: 'voice'"),
        (EmnifyEuiccOperationSensor, {"operation_ids": "op"}, "not a valid pair of ids"),
        (EmnifySimOperationSensor, {"operation_ids": 1, "target_status": "fine"}, "target_status: 'fine'"),
        (EmnifyDataStreamSensor, {"data_stream_ids": 1, "target_status": 9}, "target_status: 9 is no"),
        (EmnifyCloudConnectSensor, {"attachment_ids": 1, "target_status": "on"}, "target_status: 'on'"),
        (EmnifyCloudConnectSensor, {"attachment_ids": "x y"}, "^attachment_ids: 'x y'"),
        (EmnifySimBatchSensor, {"bics": "a b"}, "^bics: 'a b'"),
        (
            EmnifyEventSensor,
            {"on_timeout": "ignore"},
            "on_timeout: 'ignore' is not valid; allowed: fail, return",
        ),
        (EmnifyEventSensor, {"severity": "awful"}, "severity: 'awful'"),
        (EmnifyEventSensor, {"source": 7}, "source: 7"),
        (EmnifyEventSensor, {"event_type": 1.5}, "event_type: 1.5"),
        (EmnifyEventSensor, {"tags": 3}, "tags: 3"),
        (EmnifyEventSensor, {"since": "lunch"}, "since: 'lunch'"),
        (EmnifyEventSensor, {"endpoint_ids": "all"}, "endpoint_ids: 'all'"),
        (EmnifyEndpointConnectivitySensor, {"endpoint_ids": 1, "not_online_for": 0}, "not_online_for: 0"),
        (EmnifyEndpointConnectivitySensor, {"endpoint_ids": 1, "not_online_for": 721}, "not_online_for: 721"),
        (EmnifyEndpointConnectivitySensor, {"endpoint_ids": 1, "not_online_for": "x"}, "not_online_for: 'x'"),
        (EmnifyEndpointConnectivitySensor, {"endpoint_ids": 1, "fail_on_blocked": "x"}, "fail_on_blocked"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(
    kind: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(task_id="t", **arguments)


@in_each_mode
def test_no_ids_of_events_are_nothing_to_wait_for(mode: Mode) -> None:
    sensor = EmnifyEventSensor(**options(mode), endpoint_ids=[])
    assert sensor.execute(context()) == {}
