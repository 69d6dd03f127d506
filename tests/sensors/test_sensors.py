from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_emnify.api import Connectivity, EndpointStatus
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)
from airflow_provider_emnify.sensors.user import EmnifyUserStatusSensor
from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger
from tests.fleets import ids_of
from tests.operators.support import context
from tests.sensors.modes import run
from tests.triggers.waiting import connect

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode

MODES = ["poke", "reschedule", "deferrable"]
in_each_mode = pytest.mark.parametrize("mode", MODES)
GET = "GET /api/v1/endpoint/{endpoint_id}"


pytestmark = pytest.mark.fleet(3, retries=False)


def status_sensor(mode: Mode, **arguments: Any) -> EmnifyEndpointStatusSensor:
    return EmnifyEndpointStatusSensor(**options(mode), **arguments)


def options(mode: Mode, **more: Any) -> dict[str, Any]:
    deferrable = {"deferrable": True} if mode == "deferrable" else {"deferrable": False, "mode": mode}
    return {"task_id": "t", "poke_interval": 0.01, "timeout": 30, **deferrable, **more}


@in_each_mode
class TestInEachMode:
    def test_what_is_there_already_is_enough(self, fleet: Sandbox, mode: Mode) -> None:
        seen = run(status_sensor(mode, endpoint_ids=ids_of(fleet)))
        assert seen == {str(key): "Enabled" for key in ids_of(fleet)}
        assert fleet.authentications == 1

    def test_it_waits_for_all(self, fleet: Sandbox, mode: Mode) -> None:
        first, second, third = ids_of(fleet)
        fleet.state.endpoints[second].status = EndpointStatus.DISABLED

        def change(look: int) -> None:
            if look == 3:
                fleet.state.endpoints[second].status = EndpointStatus.ENABLED

        seen = run(status_sensor(mode, endpoint_ids=f"{first},{second},{third}"), before_look=change)
        assert seen[str(second)] == "Enabled"
        assert fleet.counts[GET] > 3

    def test_it_waits_for_any(self, fleet: Sandbox, mode: Mode) -> None:
        first, second, _ = ids_of(fleet)
        fleet.state.endpoints[first].status = EndpointStatus.DISABLED
        seen = run(status_sensor(mode, endpoint_ids=[first, second], wait_for="any"))
        assert seen == {str(first): "Disabled", str(second): "Enabled"}

    def test_a_device_comes_online(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        fleet.power(key, on=False)

        def change(look: int) -> None:
            if look == 2:
                fleet.power(key)
            if look > 2:
                fleet.clock.advance(5)

        sensor = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=key, target_status="online")
        assert run(sensor, before_look=change) == {str(key): "ONLINE"}

    def test_a_blocked_device_fails_at_once(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        fleet.block(key)
        sensor = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=[key])
        with pytest.raises(AirflowFailException, match=f"endpoint {key} is BLOCKED"):
            run(sensor)

    def test_a_blocked_device_may_be_waited_for(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        fleet.block(key)

        def change(look: int) -> None:
            if look == 2:
                fleet.block(key, blocked=False)
            fleet.clock.advance(5)

        sensor = EmnifyEndpointConnectivitySensor(**options(mode), endpoint_ids=[key], fail_on_blocked=False)
        assert run(sensor, before_look=change)[str(key)] in {"ONLINE", "ATTACHED"}

    def test_blocked_can_be_the_target(self, fleet: Sandbox, mode: Mode) -> None:
        key = ids_of(fleet)[0]
        fleet.block(key)
        sensor = EmnifyEndpointConnectivitySensor(
            **options(mode), endpoint_ids=[key], target_status=Connectivity.BLOCKED
        )
        assert run(sensor) == {str(key): "BLOCKED"}

    def test_a_user_activates_the_account(self, fleet: Sandbox, mode: Mode) -> None:
        user = fleet.state.add_user("ada@example.org", "Ada", [1], fleet.clock.time())

        def change(look: int) -> None:
            if look == 2:
                fleet.activate_user("ada@example.org")

        sensor = EmnifyUserStatusSensor(**options(mode), user_ids=["ada@example.org", user.id])
        seen = run(sensor, before_look=change)
        assert seen == {"ada@example.org": "Active", str(user.id): "Active"}

    @pytest.mark.parametrize("soft_fail", [False, True])
    def test_what_does_not_exist_fails_without_retries_or_skips(
        self, fleet: Sandbox, mode: Mode, soft_fail: bool
    ) -> None:
        sensor = status_sensor(mode, endpoint_ids=[*ids_of(fleet), 7], soft_fail=soft_fail)
        with pytest.raises(AirflowSkipException if soft_fail else AirflowFailException) as caught:
            run(sensor)
        assert "endpoint 7 does not exist" in str(caught.value) or soft_fail

    @pytest.mark.parametrize("softly", ["", "soft_fail", "never_fail"])
    def test_a_connection_that_cannot_work_fails_for_good_or_skips(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, mode: Mode, softly: str
    ) -> None:
        connect(fleet, monkeypatch, host="ftp://x")
        sensor = status_sensor(mode, endpoint_ids=ids_of(fleet), **dict.fromkeys(softly.split(), True))
        with pytest.raises(AirflowSkipException if softly else AirflowFailException, match="host: its"):
            run(sensor)

    @pytest.mark.parametrize("soft_fail", [False, True])
    def test_time_runs_out(self, fleet: Sandbox, mode: Mode, soft_fail: bool) -> None:
        sensor = status_sensor(
            mode, endpoint_ids=ids_of(fleet), target_status="disabled", soft_fail=soft_fail
        )
        sensor.timeout = 0.0
        with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout) as caught:
            run(sensor)
        assert "0 of 3 endpoints Disabled" in str(caught.value) or soft_fail
        assert fleet.counts[GET] >= 1  # it was looked at before it was given up

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_passing_errors_are_ridden_out(self, fleet: Sandbox, mode: Mode, status: int) -> None:
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=status, times=2)
        assert len(run(status_sensor(mode, endpoint_ids=ids_of(fleet)[:1]))) == 1

    def test_a_lack_of_permission_fails_for_good(self, fleet: Sandbox, mode: Mode) -> None:
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=403, times=None)
        with pytest.raises(AirflowFailException, match="403"):
            run(status_sensor(mode, endpoint_ids=ids_of(fleet)))

    def test_a_rejected_token_fails_for_good_and_is_tried_once(
        self, fleet: Sandbox, mode: Mode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = {**json.loads(fleet.airflow_connection), "password": "wrong-token-42"}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        with pytest.raises(AirflowFailException, match="application token was rejected") as caught:
            run(status_sensor(mode, endpoint_ids=ids_of(fleet)))
        assert "wrong-token-42" not in str(caught.value)
        assert fleet.authentications == 1

    @pytest.mark.parametrize("nothing", [[], "", "[]", None])
    def test_nothing_to_wait_for_is_done(self, mode: Mode, nothing: Any) -> None:
        sensor = status_sensor(mode, endpoint_ids=nothing)
        assert sensor.execute(context()) == {}


class TestDeferring:
    def test_it_defers_at_once_without_request_or_connection(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_EMNIFY_DEFAULT")
        sensor = status_sensor("deferrable", endpoint_ids=ids_of(fleet), emnify_conn_id="only_there")
        before = time.time()
        with pytest.raises(TaskDeferred) as caught:
            sensor.execute(context())
        assert fleet.requests == 0
        trigger: Any = caught.value.trigger
        assert isinstance(trigger, EmnifyWaitTrigger)
        assert trigger.emnify_conn_id == "only_there"
        assert trigger.poll_interval == 0.01
        assert before + 30 <= trigger.deadline <= time.time() + 30
        assert caught.value.method_name == "execute_complete"
        timeout: Any = caught.value.timeout
        assert timeout.total_seconds() > 30

    def test_an_event_that_says_nothing_is_a_failure(self) -> None:
        sensor = status_sensor("deferrable", endpoint_ids=[1])
        with pytest.raises(AirflowFailException, match="no event"):
            sensor.execute_complete(context(), None)

    def test_the_default_is_airflow_s(self) -> None:
        sensor = EmnifyEndpointStatusSensor(task_id="t", endpoint_ids=[1])
        assert sensor.deferrable is False
        assert sensor.poke_interval == 60


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (EmnifyEndpointStatusSensor, {"endpoint_ids": "a"}, "endpoint_ids: 'a'"),
        (EmnifyEndpointStatusSensor, {"endpoint_ids": 1.5}, "endpoint_ids: 1.5"),
        (EmnifyEndpointStatusSensor, {"endpoint_ids": 1, "target_status": "asleep"}, "'asleep'"),
        (EmnifyEndpointStatusSensor, {"endpoint_ids": 1, "target_status": []}, "target"),
        (EmnifyEndpointStatusSensor, {"endpoint_ids": 1, "wait_for": "some"}, "wait_for: 'some'"),
        (EmnifyEndpointConnectivitySensor, {"endpoint_ids": 1, "target_status": "there"}, "'there'"),
        (EmnifyUserStatusSensor, {"user_ids": "ada"}, "user_ids: 'ada'"),
        (EmnifyUserStatusSensor, {"user_ids": 1, "target_status": 9}, "9 is not a valid user status"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(
    kind: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(task_id="t", **arguments)


@in_each_mode
def test_a_template_that_renders_to_nonsense_fails_for_good_even_softly(mode: Mode) -> None:
    sensor = status_sensor(mode, endpoint_ids="{{ params.ids }}", soft_fail=True)
    sensor.endpoint_ids = "all of them"
    with pytest.raises(AirflowFailException, match="endpoint_ids: 'all of them'"):
        sensor.execute(context())


@in_each_mode
def test_a_target_may_be_several(fleet: Sandbox, mode: Mode) -> None:
    key = ids_of(fleet)[0]
    sensor = status_sensor(mode, endpoint_ids=key, target_status=["disabled", EndpointStatus.ENABLED])
    assert run(sensor) == {str(key): "Enabled"}


def test_a_poking_sensor_authenticates_once_however_often_it_looks(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    fleet.state.endpoints[key].status = EndpointStatus.DISABLED

    def change(look: int) -> None:
        if look == 4:
            fleet.state.endpoints[key].status = EndpointStatus.ENABLED

    run(status_sensor("poke", endpoint_ids=[key]), before_look=change)
    assert fleet.counts[GET] >= 4
    assert fleet.authentications == 1


def test_an_id_that_was_seen_in_the_target_state_is_not_read_again(fleet: Sandbox) -> None:
    first, second, _ = ids_of(fleet)
    fleet.state.endpoints[second].status = EndpointStatus.DISABLED

    def change(look: int) -> None:
        if look == 3:
            fleet.state.endpoints[second].status = EndpointStatus.ENABLED

    run(status_sensor("poke", endpoint_ids=[first, second]), before_look=change)
    read = [
        entry.path.rpartition("/")[2]
        for entry in fleet.log
        if entry.template and "{endpoint_id}" in entry.template
    ]
    assert read.count(str(first)) == 1
    assert read.count(str(second)) >= 3


def test_it_logs_a_change_and_not_each_look(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ids_of(fleet)[0]
    fleet.state.endpoints[key].status = EndpointStatus.DISABLED
    sensor = status_sensor("poke", endpoint_ids=[key])
    lines: list[str] = []
    monkeypatch.setattr(sensor.log, "info", lambda text, *args: lines.append(text % args))

    def change(look: int) -> None:
        if look == 5:
            fleet.state.endpoints[key].status = EndpointStatus.ENABLED

    run(sensor, before_look=change)
    assert len([line for line in lines if "still waiting" in line]) == 1


def test_another_run_in_the_same_process_looks_again(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    sensor = EmnifyEndpointStatusSensor(**options("poke", timeout=0.05), endpoint_ids=key)
    assert sensor.execute(context()) == {str(key): "Enabled"}
    fleet.state.endpoints[key].status = EndpointStatus.DISABLED
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context())


def test_a_run_that_could_read_nothing_returns_no_states_of_another_one(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    given = options("poke", timeout=0.05, on_timeout="return")
    sensor = EmnifyEndpointStatusSensor(**given, endpoint_ids=key, target_status="disabled")
    assert sensor.execute(context()) == {str(key): "Enabled"}
    fleet.faults.add(status=503, times=None)
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context())


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(
    ("error", "option"),
    [
        (AirflowTaskTimeout("execution_timeout"), "soft_fail"),
        (AirflowTaskTimeout("execution_timeout"), "never_fail"),
        (RuntimeError("of a plugin"), "never_fail"),
    ],
)
def test_another_end_than_its_own_timeout_returns_no_states(
    fleet: Sandbox, mode: Mode, error: BaseException, option: str
) -> None:
    """Airflow skips for it, where that is asked for; a task that skips has not succeeded."""
    sensor = status_sensor(
        mode, endpoint_ids=ids_of(fleet), target_status="disabled", on_timeout="return", **{option: True}
    )

    def end(look: int) -> None:
        if look == 2:
            raise error

    with pytest.raises(AirflowSkipException):
        run(sensor, before_look=end)
