"""A task's own code that uses the hook leaves a trace of its calls in the log: values, and no secrets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.resources.operation import Operation, shown
from airflow_provider_emnify.hooks.call_log import CallLog
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from tests.api.resources.recorder import Recorder
from tests.api.support import Column, Scalar

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(3)


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, "airflow_provider_emnify")
    return lambda: [record.getMessage() for record in caplog.records if record.name.endswith("call_log")]


def test_each_call_is_a_line_with_its_values_and_the_end_sums_up(fleet: Sandbox, lines: Any) -> None:
    with EmnifyHook() as hook:
        client = hook.get_conn()
        client.endpoints.update(1_000_001, name="Pump 7")
        assert len(list(client.endpoints.list(status="enabled"))) == 3
        client.request("GET", "/api/v1/sim/status")
        client.graphql("query Me { myUser { username } }")
    assert lines() == [
        "Calling endpoints.update(endpoint_id=1000001, name='Pump 7')",
        "Calling endpoints.list(status='enabled')",
        "Calling GET /api/v1/sim/status",
        "Calling graphql with no variables",
        "4 calls were made, with 5 requests, of which 0 were sent again",
    ]


def test_many_calls_are_a_line_in_ten_seconds(lines: Any) -> None:
    now = 0.0
    log = CallLog(clock=lambda: now)
    for number in range(1000):
        now += 0.02
        log(f"sims.get(sim_id={number})")
    said = lines()
    assert len(said) == 21
    assert said[-1].endswith(" (call 521)")


def test_a_long_list_is_cut(fleet: Sandbox, lines: Any) -> None:
    with EmnifyHook() as hook:
        hook.get_conn().endpoints.update_many([{"id": 1_000_001, "name": "x" * 90}] * 50)
    assert len(lines()[0]) < 400


@pytest.mark.parametrize("ids", [Scalar(1_000_001), Column([1_000_001])])
def test_a_call_with_an_array_or_a_column_is_a_line(fleet: Sandbox, lines: Any, ids: Any) -> None:
    with EmnifyHook() as hook:
        assert hook.get_conn().endpoints.delete_many(ids) == [1_000_001]
    assert lines()[0].startswith("Calling endpoints.delete_many(endpoint_ids=")


def test_who_says_itself_what_it_does_has_none(fleet: Sandbox, lines: Any) -> None:
    with EmnifyHook(log_calls=False) as hook:
        hook.get_conn().endpoints.get(1_000_001)
    assert lines() == []


def test_no_secret_is_in_a_line() -> None:
    said: list[str] = []
    recorder = Recorder([{"id": "a"}])
    recorder.on_call = said.append  # type: ignore[assignment]
    recorder.users.change_password(old_password="S3CRET-old", new_password="S3CRET-new")
    recorder.cloud_connect.create_vpn(
        name="x", public_ip="203.0.113.7", on_prem_cidr=["10.8.0.0/16"], psk="S3CRET"
    )
    recorder.euiccs.schedule_operation(3_000_001, action_id=1, activation_code="S3CRET")
    recorder.api_callbacks.create(url="https://a.example/S3CRET")
    assert len(said) >= 4
    assert "S3CRET" not in "".join(said)
    assert "psk='***'" in said[1]


def test_of_a_write_that_is_secret_as_a_whole_the_names_are_shown() -> None:
    operation = Operation("POST", "/api/v1/things", secret=True)
    assert shown("things.create", operation, {"some": "value-7", "other": 8}) == "things.create(some, other)"


def test_an_operator_says_itself_what_it_does(fleet: Sandbox, lines: Any) -> None:
    EmnifyOperator(task_id="t", call="endpoints.get", arguments={"endpoint_id": 1_000_001}).execute({})
    assert lines() == []
