from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers import wait as module
from airflow_provider_emnify.triggers.shared.garbage import Waits
from airflow_provider_emnify.triggers.shared.members import Outcome
from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

WAIT = Wait("endpoint_status", [7, 8], "enabled").to_dict()


def make(**arguments: Any) -> EmnifyWaitTrigger:
    return EmnifyWaitTrigger(
        **{
            "emnify_conn_id": "emnify_default",
            "wait": WAIT,
            "poll_interval": 60,
            "deadline": time.time() + 60,
            **arguments,
        }
    )


def test_it_is_made_again_of_plain_values() -> None:
    trigger = make()
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_emnify.triggers.wait.EmnifyWaitTrigger"
    assert json.loads(json.dumps(kwargs)) == kwargs
    again = EmnifyWaitTrigger(**json.loads(json.dumps(kwargs)))
    assert again.serialize() == trigger.serialize()


def test_what_it_keeps_is_no_secret(sandbox_connection: Sandbox) -> None:
    text = json.dumps(make().serialize()) + repr(make())
    for secret in sandbox_connection.secrets:
        assert secret not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wait": {"kind": "weather", "ids": [1], "target": 0}}, "weather"),
        ({"wait": {"ids": [1]}}, "not a wait"),
        ({"wait": {**WAIT, "target": [9]}}, "target"),
        ({"wait": {**WAIT, "ids": ["x"]}}, "endpoint_ids"),
        ({"poll_interval": "often"}, "poll_interval"),
        ({"poll_interval": -1}, "poll_interval"),
        ({"poll_interval": float("nan")}, "poll_interval"),
        ({"poll_interval": float("inf")}, "poll_interval"),
        ({"deadline": "soon"}, "deadline"),
        ({"deadline": None}, "deadline"),
    ],
)
def test_a_trigger_that_cannot_work_is_refused_in_the_task(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_it_yields_one_event(make_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = make_sandbox(2)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    ids = sorted(sandbox.state.endpoints)

    async def events() -> list[Any]:
        trigger = make(wait={**WAIT, "ids": ids}, poll_interval=0.01)
        return [event.payload async for event in trigger.run()]

    assert asyncio.run(events()) == [
        {
            "status": "success",
            "seen": {str(key): "Enabled" for key in ids},
            "message": "2 of 2 endpoints Enabled",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "took", "setting", "held"),
    [
        ({"poll_interval": 60}, 0.0, None, [10.0]),
        ({"poll_interval": 60}, 0.5, None, [9.5]),
        ({"poll_interval": 60}, 90.0, None, [0.0]),
        ({"poll_interval": 10}, 0.0, None, [5.0]),
        ({"poll_interval": 1}, 0.0, None, [2.0]),
        ({"poll_interval": 60}, 0.0, "25", [25.0]),
        ({"poll_interval": 60}, 0.0, "500", [30.0]),
        ({"poll_interval": 60}, 0.0, "0", [0.0]),
        ({"poll_interval": 60, "deadline": 1005.0, "ends_execution": True}, 0.0, None, [5.0]),
        ({"poll_interval": 60, "deadline": 1005.0}, 0.0, None, [10.0]),
    ],
)
def test_an_event_is_held_back_until_the_scheduler_knows_that_the_task_has_deferred(
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, Any],
    took: float,
    setting: str | None,
    held: list[float],
) -> None:
    if setting is not None:
        monkeypatch.setenv("AIRFLOW__EMNIFY__EVENT_HOLD", setting)
    assert _held(monkeypatch, arguments, took, trigger_id=7) == held


def test_dag_test_has_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _held(monkeypatch, {}, 0.0, trigger_id=None) == []


def _held(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], took: float, trigger_id: int | None
) -> list[float]:
    now, slept = 1000.0, []

    class Stub:
        async def join(self, *_: Any) -> Outcome:
            nonlocal now
            now += took
            return Outcome("failed", "endpoint 7 does not exist")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("airflow_provider_emnify.triggers.shared.poller.poller_for", lambda *_: Stub())
    monkeypatch.setattr(module, "WAITS", Waits(frozen_again_at=2))
    monkeypatch.setattr(module, "monotonic", lambda: now)
    monkeypatch.setattr(module, "time", lambda: now)
    monkeypatch.setattr(module, "sleep", sleep)

    async def events() -> list[Any]:
        trigger = make(**arguments)
        trigger.trigger_id = trigger_id  # type: ignore[assignment] # as the triggerer does
        return [event.payload["status"] async for event in trigger.run()]

    assert asyncio.run(events()) == ["failed"]
    return slept
