"""What operators that wait have in common, shown with one that waits for an endpoint's status."""

from __future__ import annotations

import importlib.util
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException
from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.operators.base import waiting
from airflow_provider_emnify.operators.base.waiting import EmnifyCancellingOperator
from airflow_provider_emnify.operators.cloud_connect import EmnifyCreateCloudConnectOperator
from airflow_provider_emnify.operators.data_stream import (
    EmnifyCreateDataStreamOperator,
    EmnifyRestartDataStreamOperator,
)
from airflow_provider_emnify.triggers import wait as wait_trigger
from tests.operators.deferring import deferred, resume, stored
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox


HAS_TASK_SDK = importlib.util.find_spec("airflow.sdk") is not None


class DisableOperator(EmnifyCancellingOperator):
    """Begins something and waits until an endpoint is disabled."""

    def __init__(self, *, endpoint_id: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_id = endpoint_id

    def execute(self, context: Any) -> Any:
        self.client.endpoints.update(self.endpoint_id, name="begun")
        self.began("endpoints.update", endpoint_id=self.endpoint_id, name="cancelled")
        return self.wait_until(
            Wait("endpoint_status", self.endpoint_id, "disabled"), {"id": self.endpoint_id}
        )

    def finish(self, result: Any, seen: Any) -> Any:
        return {**result, "seen": seen}


pytestmark = pytest.mark.fleet(1, retries=False)


@pytest.fixture
def only(fleet: Sandbox) -> Any:
    (endpoint,) = fleet.state.endpoints.values()
    return endpoint


def make(fleet: Sandbox, **arguments: Any) -> DisableOperator:
    (endpoint_id,) = fleet.state.endpoints
    return DisableOperator(task_id="t", endpoint_id=endpoint_id, **{"poll_interval": 0.01, **arguments})


def after(looks: int, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have a change come in instead of a sleep; return the sleeps that were asked for."""
    slept: list[float] = []

    def sleep(length: float) -> None:
        slept.append(length)
        if len(slept) == looks:
            change()

    clock = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=sleep)
    monkeypatch.setattr(waiting, "time", clock)
    return slept


class TestInTheWorker:
    def test_it_looks_until_it_is_done(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept = after(3, lambda: setattr(only, "status", EndpointStatus.DISABLED), monkeypatch)
        found = make(fleet, poll_interval=timedelta(seconds=7)).execute(context())
        assert found == {"id": only.id, "seen": {str(only.id): "Disabled"}}
        assert slept == [7.0, 7.0, 7.0]

    def test_what_is_done_at_once_is_not_waited_for(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        only.status = EndpointStatus.DISABLED
        slept = after(1, lambda: None, monkeypatch)
        make(fleet).execute(context())
        assert slept == []

    def test_an_error_that_passes_is_ridden_out(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fault = fleet.faults.add(method="GET", path="/api/v1/endpoint/{endpoint_id}", status=503, times=2)
        after(3, lambda: setattr(only, "status", EndpointStatus.DISABLED), monkeypatch)
        make(fleet).execute(context())
        assert fault.hits == 2

    def test_an_error_that_lasts_fails_the_task(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept = after(1, lambda: None, monkeypatch)
        fleet.faults.add(method="GET", path="/api/v1/endpoint/{endpoint_id}", status=403)
        with pytest.raises(AirflowFailException, match="403"):
            make(fleet).execute(context())
        assert slept == []

    def test_a_failure_state_fails_the_task(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        after(1, lambda: setattr(only, "status", EndpointStatus.DELETED), monkeypatch)
        with pytest.raises(AirflowFailException, match="Deleted"):
            make(fleet).execute(context())

    @pytest.mark.parametrize("step", [0, -6 * 3600, 6 * 3600])
    def test_time_runs_out_however_the_clock_of_the_worker_is_set(
        self, fleet: Sandbox, step: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now, wall = [1000.0], [1000.0]

        def sleep(length: float) -> None:
            now[0] += length
            wall[0] += length + step

        clock = SimpleNamespace(time=lambda: wall[0], monotonic=lambda: now[0], sleep=sleep)
        monkeypatch.setattr(waiting, "time", clock)
        with pytest.raises(AirflowFailException, match="Time ran out: 0 of 1 endpoints Disabled"):
            make(fleet, poll_interval=40, timeout=60).execute(context())
        assert now == [1060.0]
        assert fleet.counts["GET /api/v1/endpoint/{endpoint_id}"] == 3


class TestDeferred:
    def test_it_defers_after_the_work_was_begun(self, fleet: Sandbox, only: Any) -> None:
        before = time.time()
        deferral = deferred(make(fleet, deferrable=True, timeout=600))
        assert only.name == "begun"
        trigger = stored(deferral)
        assert before + 600 <= trigger.deadline <= time.time() + 600
        assert deferral.timeout is not None
        assert deferral.timeout > timedelta(seconds=600)

    @pytest.mark.parametrize("timeout", [1e13, timedelta.max])
    def test_a_wait_without_an_end_is_one_that_airflow_can_store(
        self, fleet: Sandbox, timeout: float | timedelta
    ) -> None:
        deferral = deferred(make(fleet, deferrable=True, timeout=timeout))
        assert deferral.timeout is not None
        assert datetime.now(UTC) + deferral.timeout > datetime(2100, 1, 1, tzinfo=UTC)
        assert stored(deferral).deadline > time.time() + 1e12

    def test_another_process_goes_on_with_the_result(self, fleet: Sandbox, only: Any) -> None:
        deferral = deferred(make(fleet, deferrable=True))
        only.status = EndpointStatus.DISABLED
        found = resume(make(fleet, deferrable=True), deferral)
        assert found == {"id": only.id, "seen": {str(only.id): "Disabled"}}

    def test_a_failure_state_fails_the_task(self, fleet: Sandbox, only: Any) -> None:
        deferral = deferred(make(fleet, deferrable=True))
        only.status = EndpointStatus.DELETED
        with pytest.raises(AirflowFailException, match="Deleted"):
            resume(make(fleet, deferrable=True), deferral)

    def test_time_runs_out(self, fleet: Sandbox) -> None:
        operator = make(fleet, deferrable=True, timeout=0.05)
        with pytest.raises(AirflowFailException, match="Time ran out"):
            resume(operator, deferred(operator))

    def test_no_event_is_a_failure(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no event"):
            make(fleet).execute_complete(context(), None)


@pytest.mark.parametrize("deferrable", [False, True])
class TestOnTimeout:
    def wait(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> Any:
        after(1, lambda: None, monkeypatch)
        operator = make(fleet, timeout=0, **arguments)
        return resume(operator, deferred(operator)) if operator.deferrable else operator.execute(context())

    def test_the_states_can_be_the_result(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        seen = self.wait(fleet, monkeypatch, deferrable=deferrable, on_timeout="return")
        assert seen == {str(only.id): "Enabled"}

    def test_where_nothing_could_be_read_it_fails_all_the_same(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        fleet.faults.add(method="GET", path="/api/v1/endpoint/{endpoint_id}", status=503, times=None)
        with pytest.raises(AirflowFailException, match=r"Time ran out: .*503"):
            self.wait(fleet, monkeypatch, deferrable=deferrable, on_timeout="return")

    def test_a_failure_state_fails_all_the_same(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch, deferrable: bool
    ) -> None:
        only.status = EndpointStatus.DELETED
        with pytest.raises(AirflowFailException, match="Deleted"):
            self.wait(fleet, monkeypatch, deferrable=deferrable, on_timeout="return")


@pytest.mark.parametrize("calls", [[{"call": "sms.cancel"}], ["sms.cancel"], [{"arguments": {}}]])
def test_what_is_no_call_is_refused_in_the_task(calls: Any) -> None:
    wait = Wait("endpoint_status", 7, "disabled").to_dict()
    with pytest.raises(ValueError, match="cancel"):
        wait_trigger.EmnifyWaitTrigger("c", wait, 1, 1, cancel=calls)


@pytest.mark.parametrize(
    "make",
    [
        lambda **more: EmnifyCreateDataStreamOperator(
            task_id="t", name="usage", destination={"connection_type": "S3"}, **more
        ),
        lambda **more: EmnifyRestartDataStreamOperator(task_id="t", data_stream_id=7, **more),
        lambda **more: EmnifyCreateCloudConnectOperator(
            task_id="t", name="a", type="vpn", public_ip="203.0.113.7", on_prem_cidr="10.8.0.0/16", **more
        ),
    ],
)
def test_what_leaves_something_that_is_wanted_takes_no_cancel_on_kill(make: Any) -> None:
    make()
    with pytest.raises((TypeError, AirflowException), match="cancel_on_kill"):
        make(cancel_on_kill=True)
