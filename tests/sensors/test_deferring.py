"""When a sensor defers, when it need not, and when the task's own timeout ends its wait."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferred,
)
from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.secrets.private_folder import PrivateFolder
from airflow_provider_emnify.api.transport import token_cache
from airflow_provider_emnify.api.transport.token_cache import TokenCache
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.hooks.connection import ConnectionSettings
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.base.waiting import EmnifyCancellingOperator
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)
from airflow_provider_emnify.sensors.event import EmnifyEventSensor
from airflow_provider_emnify.sensors.user import EmnifyUserStatusSensor
from airflow_provider_emnify.triggers import wait as trigger_module
from tests.fleets import enabled
from tests.operators.support import context

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox


pytestmark = pytest.mark.fleet(30, prepare=enabled)


def status_sensor(ids: Any, target: Any = "enabled", **more: Any) -> EmnifyEndpointStatusSensor:
    return EmnifyEndpointStatusSensor(
        task_id="t", endpoint_ids=ids, target_status=target, deferrable=True, **more
    )


def keys(sandbox: Sandbox) -> list[int]:
    return sorted(sandbox.state.endpoints)


class TestFirstLook:
    @pytest.mark.parametrize("ids", [1, 3, 30])
    def test_a_wait_that_is_over_does_not_defer(self, fleet: Sandbox, ids: int) -> None:
        seen = status_sensor(keys(fleet)[:ids]).execute(context())
        assert seen == {str(key): "Enabled" for key in keys(fleet)[:ids]}
        assert fleet.authentications == 1

    def test_nor_does_one_of_another_kind(self, fleet: Sandbox) -> None:
        user = fleet.state.add_user("ada@example.org", "Ada", [1], fleet.clock.time())
        sensor = EmnifyUserStatusSensor(
            task_id="t", user_ids=user.id, target_status="activation pending", deferrable=True
        )
        assert set(sensor.execute(context())) == {str(user.id)}

    def test_a_state_from_which_the_target_is_not_reached_fails_at_once(self, fleet: Sandbox) -> None:
        for endpoint in fleet.state.endpoints.values():
            endpoint.status = EndpointStatus.DELETED
        with pytest.raises(AirflowFailException, match=r"Deleted|does not exist"):
            status_sensor(keys(fleet)[:2]).execute(context())
        with pytest.raises(AirflowSkipException):
            status_sensor(keys(fleet)[:2], soft_fail=True).execute(context())

    def test_what_is_still_to_be_waited_for_defers(self, fleet: Sandbox) -> None:
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[:2], "disabled").execute(context())

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_an_error_that_passes_defers_after_one_try(self, fleet: Sandbox, status: int) -> None:
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=status, times=None)
        began = time.monotonic()
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == 2
        assert time.monotonic() - began < 5

    def test_an_error_that_is_permanent_fails_at_once(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = {**json.loads(fleet.airflow_connection), "password": "wrong-token-42"}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        with pytest.raises(AirflowFailException, match="rejected"):
            status_sensor(keys(fleet)[0]).execute(context())

    def test_ids_that_take_many_requests_are_left_to_the_triggerer(self, fleet: Sandbox) -> None:
        sensor = EmnifyEndpointConnectivitySensor(task_id="t", endpoint_ids=keys(fleet), deferrable=True)
        with pytest.raises(TaskDeferred):
            sensor.execute(context())
        assert fleet.requests == 0

    @pytest.mark.parametrize(
        ("limit", "used", "requests"),
        [
            ("address", ("GET", "/api/v1/service"), 0),
            ("authenticate", ("POST", "/api/v1/authenticate"), 0),
        ],
    )
    def test_where_a_limit_is_half_used_it_defers_without_a_request(
        self,
        fleet: Sandbox,
        monkeypatch: pytest.MonkeyPatch,
        limit: str,
        used: tuple[str, str],
        requests: int,
    ) -> None:
        few = tuple(replace(one, calls=8) if one.name == limit else one for one in LIMITS)

        def limits(_: str, **options: Any) -> Limits:
            made = Limits("memory", limits=few, **options)
            for _ in range(4):
                made.acquire(*used, host=fleet.url.partition("//")[2], organisation="other")
            return made

        monkeypatch.setattr("airflow_provider_emnify.api.Limits", limits)
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == requests

    def test_a_connection_that_only_the_triggerer_has_defers(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0], emnify_conn_id="only_there").execute(context())
        assert fleet.requests == 0

    def test_of_hundreds_with_a_rejected_token_one_authenticates(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = {**json.loads(fleet.airflow_connection), "password": "wrong-token-43"}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        for number in range(100):
            found_out = "rejected" if number == 0 else r"rejected.*found out \d+ s ago by another task"
            with pytest.raises(AirflowFailException, match=found_out):
                status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == fleet.authentications == 1

    def test_another_token_is_tried_after_a_rejected_one(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        right = fleet.airflow_connection
        wrong = json.dumps({**json.loads(right), "password": "wrong-token-44"})
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", wrong)
        with pytest.raises(AirflowFailException, match="rejected"):
            status_sensor(keys(fleet)[0]).execute(context())
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", right)
        assert status_sensor(keys(fleet)[0]).execute(context())

    @pytest.mark.parametrize("password", ["right", "wrong-token-45"])
    def test_of_those_that_begin_at_once_one_tries_a_credential_that_is_not_known(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, password: str
    ) -> None:
        connection = json.loads(fleet.airflow_connection)
        if password != "right":
            connection["password"] = password
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        monkeypatch.setattr(token_cache, "BRIEF_LOCK_WAIT", 0.0)
        settings = ConnectionSettings.from_airflow(EmnifyHook.get_connection("emnify_default"))
        cache = TokenCache(settings.credentials, settings.base_url, keeps_tokens=False)
        with cache.lock():
            with pytest.raises(TaskDeferred):
                status_sensor(keys(fleet)[0]).execute(context())
            assert fleet.requests == 0
            cache.store(token="x")
        assert status_sensor(keys(fleet)[0]).execute(context()) if password == "right" else True
        with cache.lock(), cache.lock():  # once it was accepted, nobody waits for anybody
            pass

    def test_no_token_is_left_where_none_is_to_be_shared(self, fleet: Sandbox) -> None:
        status_sensor(keys(fleet)[0]).execute(context())
        settings = ConnectionSettings.from_airflow(EmnifyHook.get_connection("emnify_default"))
        left = TokenCache(settings.credentials, settings.base_url, keeps_tokens=False).load()
        assert left is not None
        assert (left.token, left.rejection) == (None, None)
        assert TokenCache(settings.credentials, settings.base_url).load() is None

    def test_a_token_that_tasks_share_is_used(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = json.loads(fleet.airflow_connection)
        connection["extra"] = {"rate_limit_store": "memory", "token_cache": "host"}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        for _ in range(3):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.authentications == 1

    @pytest.mark.parametrize("shares", ["task", "host"])
    def test_where_hosts_share_the_limits_a_token_has_to_be_at_hand(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, shares: str
    ) -> None:
        connection = json.loads(fleet.airflow_connection)
        connection["extra"] = {"rate_limit_store": "redis://127.0.0.1:1/0", "token_cache": shares}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == 0

    def test_where_nothing_can_be_left_for_others_it_defers(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> Any:
            raise PermissionError("no folder")

        monkeypatch.setattr(PrivateFolder, "check", fail)
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == 0

    @pytest.mark.parametrize("used", [("GET", "/api/v1/service"), ("POST", "/api/v1/authenticate")])
    def test_limits_that_processes_share_are_not_waited_for(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, used: tuple[str, str]
    ) -> None:
        few = tuple(replace(one, calls=4) if one.seconds == 300 else one for one in LIMITS)
        host = fleet.url.partition("//")[2]
        # It may sleep for the time that a new store takes, and never for five minutes.
        with_place = Limits("host", limits=few, directory=tmp_path, sleep=lambda s: time.sleep(min(s, 0.6)))
        for _ in range(4):
            with_place.acquire(*used, host=host, organisation="other")
        monkeypatch.setattr(
            "airflow_provider_emnify.api.Limits",
            lambda _, **options: Limits("host", limits=few, directory=tmp_path, **options),
        )
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(TaskDeferred):
                status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == 0
        assert time.monotonic() - began < 20
        with_place.close()

    def test_a_store_of_the_limits_that_is_new_knows_nothing_of_others_calls(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(
            "airflow_provider_emnify.api.Limits",
            lambda _, **options: Limits("host", directory=tmp_path, **options),
        )
        monkeypatch.setattr("airflow_provider_emnify.api.limits.presence.enter", lambda: False)  # others call
        with pytest.raises(TaskDeferred):
            status_sensor(keys(fleet)[0]).execute(context())
        assert fleet.requests == 0


class Begin(EmnifyCancellingOperator):
    """Begins something, and waits for ever."""

    def __init__(self, *, endpoint_id: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_id = endpoint_id

    def execute(self, context: Any) -> Any:
        del context
        self.client.endpoints.update(self.endpoint_id, name="begun")
        self.began("endpoints.update", endpoint_id=self.endpoint_id, name="cancelled")
        return self.wait_until(Wait("endpoint_status", self.endpoint_id, "disabled"), 7)


def at(started: datetime | None) -> Any:
    """Return the context of a task that was started then."""
    return {**context(), "ti": SimpleNamespace(try_number=1, start_date=started)}


def trigger_of(task: Any, task_context: Any) -> tuple[Any, Any]:
    with pytest.raises(TaskDeferred) as caught:
        task.execute(task_context)
    path, kwargs = caught.value.trigger.serialize()  # type: ignore[attr-defined]
    assert path.endswith("EmnifyWaitTrigger")
    return trigger_module.EmnifyWaitTrigger(**json.loads(json.dumps(kwargs))), caught.value


def make_tasks(fleet: Sandbox, **options: Any) -> list[Any]:
    key = keys(fleet)[0]
    return [
        status_sensor(key, "disabled", **options),
        EmnifyEventSensor(task_id="t", endpoint_ids=key, deferrable=True, **options),
        Begin(task_id="t", endpoint_id=key, deferrable=True, **options),
    ]


class TestExecutionTimeout:
    @pytest.mark.parametrize("which", [0, 1, 2])
    @pytest.mark.parametrize(
        ("execution_timeout", "timeout", "ago", "left", "ends_execution"),
        [
            (60, 600, 0, 60, True),
            (60, 600, 45, 15, True),  # from the task's start, not from its deferral
            (60, 600, 90, -30, True),
            (600, 60, 0, 60, False),
            (600, 60, 570, 30, True),
            (None, 60, 0, 60, False),
        ],
    )
    def test_it_bounds_the_deadline_of_the_wait(
        self,
        fleet: Sandbox,
        which: int,
        execution_timeout: float | None,
        timeout: float,
        ago: float,
        left: float,
        ends_execution: bool,
    ) -> None:
        most = None if execution_timeout is None else timedelta(seconds=execution_timeout)
        task = make_tasks(fleet, timeout=timeout, execution_timeout=most)[which]
        trigger, deferred = trigger_of(task, at(datetime.now(UTC) - timedelta(seconds=ago)))
        assert trigger.deadline == pytest.approx(time.time() + left, abs=5)
        assert trigger.ends_execution is ends_execution
        assert deferred.timeout.total_seconds() > max(left, 0) + 60  # Airflow itself is second

    def test_a_task_whose_start_is_not_known_counts_from_now(self, fleet: Sandbox) -> None:
        task = make_tasks(fleet, execution_timeout=timedelta(seconds=60))[0]
        trigger, _ = trigger_of(task, context())
        assert trigger.deadline == pytest.approx(time.time() + 60, abs=5)

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_it_ends_the_wait_and_the_task(self, fleet: Sandbox, which: int) -> None:
        task = make_tasks(fleet, execution_timeout=timedelta(seconds=0.3))[which]
        trigger, deferred = trigger_of(task, at(datetime.now(UTC)))
        (event,) = asyncio.run(_events(trigger))
        assert (event["status"], event["execution_timeout"]) == ("timeout", True)
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout"):
            task.resume_execution(deferred.method_name, {"event": event}, context())

    def test_a_sensor_with_soft_fail_is_skipped(self, fleet: Sandbox) -> None:
        task = status_sensor(keys(fleet)[0], "disabled", soft_fail=True)
        event = {"status": "timeout", "message": "Time ran out", "execution_timeout": True}
        with pytest.raises(AirflowSkipException, match="execution_timeout"):
            task.execute_complete(context(), event)

    @pytest.mark.parametrize(
        ("execution_timeout", "timeout", "name"), [(0.2, 60, "cancelled"), (60, 0.2, "begun")]
    )
    def test_what_was_begun_is_cancelled_as_for_a_kill(
        self, fleet: Sandbox, execution_timeout: float, timeout: float, name: str
    ) -> None:
        key = keys(fleet)[0]
        task = Begin(
            task_id="t",
            endpoint_id=key,
            deferrable=True,
            timeout=timeout,
            execution_timeout=timedelta(seconds=execution_timeout),
        )
        trigger, _ = trigger_of(task, at(datetime.now(UTC)))
        (event,) = asyncio.run(_events(trigger))
        assert event["status"] == "timeout"
        assert fleet.state.endpoints[key].name == name

    @pytest.mark.parametrize("tells_a_kill", [True, False])
    @pytest.mark.parametrize(("left", "name"), [(0.5, "cancelled"), (60, "begun")])
    def test_airflow_2_ends_the_wait_itself_at_that_time(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, tells_a_kill: bool, left: float, name: str
    ) -> None:
        """Its task is to be run again then, and not failed: the state tells of no kill."""
        monkeypatch.setattr(trigger_module, "TELLS_A_KILL", tells_a_kill)
        key = keys(fleet)[0]
        task = Begin(task_id="t", endpoint_id=key, deferrable=True, execution_timeout=timedelta(seconds=left))
        trigger, _ = trigger_of(task, at(datetime.now(UTC)))

        async def cancelled() -> None:
            running = asyncio.ensure_future(_events(trigger))
            await asyncio.sleep(0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        asyncio.run(cancelled())
        assert fleet.state.endpoints[key].name == name


async def _events(trigger: Any) -> list[Any]:
    return [event.payload async for event in trigger.run()]
