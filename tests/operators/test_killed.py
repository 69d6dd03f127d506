"""What a task has begun is cancelled when someone ends the task, and not when a triggerer shuts down."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.operators.base import waiting
from airflow_provider_emnify.triggers import wait as wait_trigger
from airflow_provider_emnify.triggers.shared import cancel as cancelling
from airflow_provider_emnify.triggers.shared import connection as access
from tests.operators.deferring import deferred, stored
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
from tests.operators.test_waiting import HAS_TASK_SDK, after, make, only

__all__ = ["only"]


pytestmark = pytest.mark.fleet(1, retries=False)


class TestKilled:
    def test_in_a_worker_it_is_cancelled(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator = make(fleet)

        def killed() -> None:
            operator.on_kill()
            raise KeyboardInterrupt

        after(1, killed, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(context())
        assert only.name == "cancelled"
        assert fleet.authentications == 1

    def test_after_its_end_too(self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Airflow tells an execution timeout only when ``execute`` has ended, and with it the client."""
        operator = make(fleet)

        def out_of_time() -> None:
            raise TimeoutError

        after(1, out_of_time, monkeypatch)
        with pytest.raises(TimeoutError):
            operator.execute(context())
        operator.on_kill()
        assert only.name == "cancelled"

    def test_what_is_done_is_not_cancelled(self, fleet: Sandbox, only: Any) -> None:
        only.status = EndpointStatus.DISABLED
        operator = make(fleet)
        operator.execute(context())
        operator.on_kill()
        assert only.name == "begun"

    def test_what_an_earlier_try_has_begun_is_not_cancelled_by_the_next(
        self, fleet: Sandbox, only: Any
    ) -> None:
        operator = make(fleet)
        operator.began("endpoints.update", endpoint_id=only.id, name="cancelled")
        operator.pre_execute(context())
        operator.on_kill()
        assert only.name != "cancelled"

    def test_nothing_is_cancelled_if_not_asked(self, fleet: Sandbox, only: Any) -> None:
        operator = make(fleet, cancel_on_kill=False, deferrable=True)
        trigger = stored(deferred(operator))
        operator.on_kill()
        asyncio.run(trigger.on_kill())
        assert only.name == "begun"

    def test_one_that_cannot_be_cancelled_keeps_no_other_from_it(
        self, fleet: Sandbox, only: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        operator = make(fleet)
        operator.began("endpoints.update", endpoint_id=7, name="cancelled")
        operator.began("endpoints.update", endpoint_id=only.id, name="cancelled")
        operator.on_kill()
        assert only.name == "cancelled"

    def test_a_lock_that_the_killed_code_holds_does_not_hold_the_kill(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "CANCEL_MAY_TAKE", 0.05)
        lock = threading.Lock()
        monkeypatch.setattr(waiting, "cancel", lambda *_: lock.acquire() and lock.release())
        operator = make(fleet)
        operator.began("endpoints.update", endpoint_id=7)
        with lock:
            operator.on_kill()

    @pytest.mark.parametrize(
        ("state", "name"),
        [
            ("failed", "cancelled"),
            ("success", "cancelled"),
            (None, "begun"),  # cleared: the next try goes on with it
            ("scheduled", "begun"),
            ("running", "begun"),
            ("deferred", "begun"),  # by the next try, or this one: the triggerer shuts down
            (RuntimeError("no database"), "begun"),
        ],
    )
    @pytest.mark.parametrize("tells", [True, False], ids=["from 3.3 on", "before"])
    def test_in_the_triggerer_the_task_s_state_tells(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch, tells: bool, state: Any, name: str
    ) -> None:
        async def read(_: Any) -> Any:
            if isinstance(state, Exception):
                raise state
            return state

        monkeypatch.setattr(wait_trigger, "TELLS_A_KILL", tells)
        monkeypatch.setattr(cancelling, "task_state", read)
        trigger = stored(deferred(make(fleet, deferrable=True)))

        async def run_and_cancel() -> None:
            task = asyncio.ensure_future(anext(trigger.run()))
            for _ in range(3):  # until it waits
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if tells:  # as Airflow does it
                assert only.name == "begun"
                await trigger.on_kill()

        asyncio.run(run_and_cancel())
        assert only.name == name

    def test_a_trigger_that_is_cancelled_again_ends_what_it_has_begun(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow does that every few seconds, and its answers may take as long."""
        trigger = stored(deferred(make(fleet, deferrable=True)))

        async def kill_twice() -> None:
            answer = asyncio.Event()

            async def read(_: Any) -> str:
                await answer.wait()
                return "failed"

            monkeypatch.setattr(cancelling, "task_state", read)
            killing = asyncio.ensure_future(trigger.on_kill())
            await asyncio.sleep(0)
            killing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await killing
            answer.set()
            (at_it,) = cancelling.under_way
            await at_it

        asyncio.run(kill_twice())
        assert only.name == "cancelled"
        assert not cancelling.under_way

    def test_a_connection_that_cannot_be_read_is_no_error(
        self, fleet: Sandbox, only: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def read(_: Any) -> str:
            return "failed"

        monkeypatch.setattr(cancelling, "task_state", read)
        trigger = stored(deferred(make(fleet, deferrable=True)))
        monkeypatch.delenv("AIRFLOW_CONN_EMNIFY_DEFAULT")
        monkeypatch.setattr(access, "get_async_connection", lambda _: 1 / 0)
        asyncio.run(trigger.on_kill())
        assert only.name == "begun"


class TestState:
    @pytest.mark.parametrize(("map_index", "key"), [(-1, "t"), (3, "t_3")])
    def test_airflow_3_asks_its_api(self, monkeypatch: pytest.MonkeyPatch, map_index: int, key: str) -> None:
        runner = pytest.importorskip("airflow.sdk.execution_time.task_runner")
        asked: dict[str, Any] = {}

        def states(**arguments: Any) -> Any:
            asked.update(arguments)
            return {"r": {key: "failed"}}

        monkeypatch.setattr(runner.RuntimeTaskInstance, "get_task_states", staticmethod(states))
        instance = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=map_index)
        assert asyncio.run(cancelling.task_state(instance)) == "failed"
        assert asked == {"dag_id": "d", "task_ids": ["t"], "run_ids": ["r"], "map_index": map_index}

    def test_airflow_2_asks_its_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        if HAS_TASK_SDK:
            pytest.skip("Airflow 3 has no access to the database in a triggerer")
        from airflow.models import TaskInstance

        asked: list[Any] = []

        def get(*arguments: Any) -> Any:
            asked.append(arguments)
            return SimpleNamespace(state="failed")

        monkeypatch.setattr(TaskInstance, "get_task_instance", get)
        instance = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
        assert asyncio.run(cancelling.task_state(instance)) == "failed"
        assert asked == [("d", "r", "t", -1)]
