"""Waits on real triggerers: killed, doubled, acted on by users; a token that changes, emnify away."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import EndpointStatus
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger
from tests.fleets import disabled
from tests.system.triggerer import CONNECTION, Waits, save_connection, triggerer, until
from tests.triggers.waiting import revoke

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox


def in_the_database(sandbox: Sandbox) -> None:
    """Put a connection to it into Airflow's database."""
    disabled(sandbox)
    save_connection(sandbox.url, sandbox.application_token)


pytestmark = [
    pytest.mark.fleet(3, prepare=in_the_database),
    pytest.mark.airflow,
    pytest.mark.system,
    pytest.mark.filterwarnings("default"),
    pytest.mark.timeout(400),
    pytest.mark.usefixtures("metadata_database"),
]

GET = "GET /api/v1/endpoint/{endpoint_id}"
CANCEL = "DELETE /api/v1/endpoint/{endpoint_id}/sms/{sms_id}"


@pytest.fixture
def waits(tmp_path: Path) -> Iterator[Waits]:
    """A run of a DAG whose tasks wait; it is not left behind."""
    folder = tmp_path / "dags"
    folder.mkdir()
    waits = Waits(folder)
    yield waits
    waits.forget()


def wait(sandbox: Sandbox, number: int = 0, *, deadline: float = 300, **arguments: Any) -> EmnifyWaitTrigger:
    key = sorted(sandbox.state.endpoints)[number]
    return EmnifyWaitTrigger(
        emnify_conn_id=CONNECTION,
        wait=Wait("endpoint_status", key, "enabled").to_dict(),
        poll_interval=0.5,
        deadline=time.time() + deadline,
        **arguments,
    )


def enable(sandbox: Sandbox) -> None:
    for endpoint in sandbox.state.endpoints.values():
        endpoint.status = EndpointStatus.ENABLED


def looked(sandbox: Sandbox, more: int = 2) -> Callable[[], bool]:
    now = sandbox.counts[GET]
    return lambda: sandbox.counts[GET] >= now + more


def looks_at(sandbox: Sandbox, key: int) -> bool:
    """Tell whether an endpoint was among the last that were looked at."""
    paths = [entry.path for entry in sandbox.log if entry.template == "/api/v1/endpoint/{endpoint_id}"]
    return f"/api/v1/endpoint/{key}" in paths[-12:]


def test_a_triggerer_that_is_killed_and_started_again_goes_on_and_the_deadline_stays(
    fleet: Sandbox, waits: Waits, tmp_path: Path
) -> None:
    deadline = time.time() + 30
    waits.defer(0, wait(fleet))
    waits.defer(1, wait(fleet, 1, deadline=30))
    with triggerer(tmp_path, "first") as first:
        until(looked(fleet), "a look", first)
        first.kill(signal.SIGKILL)
    enable_first = sorted(fleet.state.endpoints)[0]
    fleet.state.endpoints[enable_first].status = EndpointStatus.ENABLED
    assert waits.state(0) == "deferred"
    with triggerer(tmp_path, "second") as second:
        until(lambda: waits.is_over(0), "the wait that was reached", second)
        left = max(0.0, deadline - time.time())
        until(lambda: waits.is_over(1), "the deadline", second, seconds=left + 20)  # not 30 seconds anew
    assert waits.event(0)["status"] == "success"
    assert waits.event(1)["status"] == "timeout"


def test_of_two_triggerers_one_goes_on_with_the_waits_of_the_other(
    fleet: Sandbox, waits: Waits, tmp_path: Path
) -> None:
    for number in range(2):
        waits.defer(number, wait(fleet, number))
    with triggerer(tmp_path, "first", "--capacity", "1") as first:
        until(lambda: fleet.authentications == 1, "a look of the first", first)
        with triggerer(tmp_path, "second") as second:
            until(lambda: fleet.authentications > 1, "a look of the second", first, second)
            first.kill(signal.SIGKILL)
            assert not waits.is_over(0)
            assert not waits.is_over(1)
            enable(fleet)
            until(lambda: waits.is_over(0, 1), "both waits", second)
    assert [waits.event(number)["status"] for number in range(2)] == ["success", "success"]


def test_marking_failed_cancels_the_remote_work_and_clearing_and_a_shutdown_do_not(
    fleet: Sandbox, waits: Waits, tmp_path: Path
) -> None:
    keys = sorted(fleet.state.endpoints)
    calls = [{"call": "sms.cancel", "arguments": {"endpoint_id": key, "sms_id": 1}} for key in keys]
    for number in range(3):
        waits.defer(number, wait(fleet, number, cancel=[calls[number]]))
    with triggerer(tmp_path) as process:
        until(lambda: all(looks_at(fleet, key) for key in keys), "a look at each", process)
        waits.mark(0, None)  # its next try goes on with what was begun
        until(lambda: not looks_at(fleet, keys[0]), "the end of the cleared one", process)
        waits.mark(1, "failed")
        until(lambda: fleet.counts[CANCEL], "a cancel", process)
        until(lambda: not looks_at(fleet, keys[1]), "the end of the failed one", process)
        process.kill(signal.SIGTERM)
    cancelled = [entry.path for entry in fleet.log if entry.method == "DELETE"]
    assert cancelled == [f"/api/v1/endpoint/{keys[1]}/sms/1"]
    assert waits.state(2) == "deferred"


def test_a_token_that_is_rotated_is_picked_up_and_one_that_is_revoked_fails_with_the_reason(
    fleet: Sandbox, waits: Waits, tmp_path: Path
) -> None:
    waits.defer(0, wait(fleet))
    waits.defer(1, wait(fleet, 1))
    with triggerer(tmp_path) as process:
        until(looked(fleet), "looks", process)
        new = fleet.accounts.add_application_token("new")
        save_connection(fleet.url, new.token)
        revoke(fleet)
        until(looked(fleet, 6), "looks with the new token", process)
        fleet.state.endpoints[sorted(fleet.state.endpoints)[0]].status = EndpointStatus.ENABLED
        until(lambda: waits.is_over(0), "the first wait", process)
        new.status = type(new.status).REVOKED
        fleet.revoke_tokens()
        until(lambda: waits.is_over(1), "the second wait", process)
    assert waits.event(0)["status"] == "success"
    assert waits.event(1)["status"] == "failed"
    assert "application token was rejected" in waits.event(1)["message"]
    text = process.log
    assert not [secret for secret in fleet.secrets if secret in text]


def test_an_emnify_that_is_away_for_two_minutes_is_waited_for(
    fleet: Sandbox, waits: Waits, tmp_path: Path
) -> None:
    waits.defer(0, wait(fleet))
    waits.defer(1, wait(fleet, 1, deadline=60))
    with triggerer(tmp_path) as process:
        until(looked(fleet), "looks", process)
        fleet.stop()
        back = time.monotonic() + 120
        until(lambda: waits.is_over(1), "the deadline of the second wait", process)
        until(lambda: time.monotonic() >= back, "the end of two minutes", process, seconds=130)
        assert waits.state(0) == "deferred"
        fleet.start()
        enable(fleet)
        until(lambda: waits.is_over(0), "the first wait", process)
    assert waits.event(0)["status"] == "success"
    assert waits.event(1)["status"] == "timeout"
    assert "polling failed last" in waits.event(1)["message"]
    assert 1 <= process.log.count("Polling failed") <= 3  # a line a minute
