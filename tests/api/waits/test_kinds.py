"""Waits: what they take, how they are read, and what the readings mean."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import Connectivity, Credentials, EndpointStatus, UserStatus
from airflow_provider_emnify.api.waits.wait import WAITS, Reading, Wait, read
from tests.api.support import AUTHENTICATE, URL, make_client, make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests_mock as rm

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox

ENABLED, DISABLED, DELETED = (Reading(status.value, status.label) for status in EndpointStatus)
GONE = Reading(None, "gone", gone=True)


@pytest.fixture
def client_of() -> Iterator[Callable[[Sandbox], EmnifyClient]]:
    """Make clients of sandboxes, and close them."""
    with contextlib.ExitStack() as clients:
        yield lambda sandbox: clients.enter_context(
            make_client(Credentials(application_token=sandbox.application_token), base_url=sandbox.url)
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "endpoint_mood"}, "kind: 'endpoint_mood' cannot be waited for"),
        ({"wait_for": "most"}, "wait_for: 'most'"),
        (
            {"target": "enabeld"},
            "target: 'enabeld' is not a valid endpoint status; allowed: enabled, disabled",
        ),
        ({"target": []}, "target: no EndpointStatus given"),
        ({"ids": "one"}, "endpoint_ids: 'one'"),
        ({"failures": "broken"}, "failures: 'broken'"),
        ({"failures": "enabled"}, "failures: Enabled is the target too"),
    ],
)
def test_a_wait_that_makes_no_sense_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Wait(**{"kind": "endpoint_status", "ids": [1], "target": "enabled", **arguments})


@pytest.mark.parametrize(
    "wait",
    [
        Wait("endpoint_status", "1,2", "disabled", "deleted", "any"),
        Wait("endpoint_connectivity", [5], ["online", "attached"]),
        Wait("user_status", "ann@example.org", UserStatus.ACTIVE),
        Wait("sms_delivery", [[12, 345]], "delivered"),
        Wait("sim_operation", "0b0f8a4e-5c0e-4a0e-9c53-3b9f0a0c2d11", "succeeded"),
    ],
)
def test_a_wait_survives_as_plain_values(wait: Wait) -> None:
    values = json.loads(json.dumps(wait.to_dict()))
    assert Wait.from_dict(values) == wait
    assert Wait.from_dict(values).to_dict() == wait.to_dict()


@pytest.mark.parametrize("values", [{}, {"kind": "endpoint_status"}, {"what": 1}])
def test_values_that_are_no_wait_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a wait"):
        Wait.from_dict(values)


@pytest.mark.parametrize(
    ("wait_for", "readings", "done", "failed", "pending"),
    [
        ("all", {}, False, False, [1, 2]),
        ("all", {1: ENABLED}, False, False, [2]),
        ("all", {1: ENABLED, 2: DISABLED}, False, False, [2]),
        ("all", {1: ENABLED, 2: ENABLED}, True, False, []),
        ("all", {1: ENABLED, 2: DELETED}, False, True, []),
        ("all", {1: DISABLED, 2: GONE}, False, True, [1]),
        ("any", {1: DISABLED, 2: DISABLED}, False, False, [1, 2]),
        ("any", {1: ENABLED}, True, False, [2]),
        ("any", {1: DELETED, 2: DISABLED}, False, False, [2]),
        ("any", {1: DELETED, 2: GONE}, False, True, []),
        ("any", {1: DELETED, 2: ENABLED}, True, False, []),
    ],
)
def test_a_wait_is_over_when_its_target_is_reached_or_out_of_reach(
    wait_for: Any, readings: dict[int, Reading], done: bool, failed: bool, pending: list[int]
) -> None:
    verdict = Wait("endpoint_status", [1, 2], "enabled", wait_for=wait_for).judge(readings)
    assert (verdict.done, verdict.failed, verdict.pending) == (done, failed, tuple(pending))
    assert verdict.over == (done or failed)
    assert verdict.seen == {str(key): reading.label for key, reading in readings.items()}


def test_the_message_says_what_is_there_what_is_not_and_why() -> None:
    wait = Wait("endpoint_status", range(20), "enabled", "disabled")
    verdict = wait.judge({0: ENABLED, 1: DISABLED, 2: GONE, 3: DELETED})
    assert verdict.message.startswith(
        "1 of 20 endpoints Enabled; endpoint 1 is Disabled, endpoint 2 does not exist"
    )
    assert "3 (Deleted)" in verdict.message
    assert verdict.message.endswith("and 7 more")


def test_a_state_that_is_the_target_is_no_failure() -> None:
    assert Wait("endpoint_status", [1], "deleted").judge({1: DELETED}).done
    assert Wait("user_status", [1], "suspended").failures == ()


def test_no_ids_are_reached_at_once() -> None:
    assert Wait("endpoint_status", "[]", "enabled").judge({}).done
    assert Wait("endpoint_status", [], "enabled", wait_for="any").judge({}).done


def test_a_state_that_nobody_knows_is_shown_and_waited_on() -> None:
    reading = WAITS["endpoint_status"].reading({"id": 1, "status": {"id": 77}})
    assert reading == Reading(None, "77")
    assert not Wait("endpoint_status", [1], "enabled").judge({1: reading}).over


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ({"finalization_date": None}, "PENDING"),
        ({"finalization_date": 5}, "PENDING"),
        ({"finalization_date": True}, "PENDING"),
        ({"finalization_date": {}}, "PENDING"),
        ({"finalization_date": " "}, "PENDING"),
        (
            {"finalization_date": "x", "total_count": 2, "error": [{"eid": "1", "message": "m"}]},
            "PARTLY_FAILED: 1: m",
        ),
        ({"finalization_date": "x", "total_count": 1, "failed_count": "x", "error": "no"}, "FAILED: no"),
        ({"finalization_date": "2026-01-01"}, "SUCCEEDED"),
        (
            {"finalization_date": "x", "error": {"reason": 5, "message": "no card"}},
            "FAILED: no card (reason 5)",
        ),
        ({"finalization_date": "x", "total_count": 2, "failed_count": 0}, "SUCCEEDED"),
        (
            {
                "finalization_date": "x",
                "total_count": 2,
                "failed_count": 1,
                "error": [{"eid": "89", "message": "m"}],
            },
            "PARTLY_FAILED: 89: m",
        ),
        ({"finalization_date": "x", "total_count": 1, "failed_count": 1}, "FAILED"),
    ],
)
@pytest.mark.parametrize("kind", ["euicc_operation", "sim_operation"])
def test_an_operation_is_what_its_dates_counts_and_errors_say(
    kind: str, row: dict[str, Any], label: str
) -> None:
    assert WAITS[kind].reading(row).label == label


@pytest.mark.parametrize("value", ["12", "12/", "a/b", "1/2/3", [12, 345]])
def test_a_pair_of_ids_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid pair of ids"):
        Wait("sms_delivery", value, "delivered")


def test_a_few_ids_are_read_one_by_one(
    make_sandbox: Callable[..., Sandbox], client_of: Callable[[Sandbox], EmnifyClient]
) -> None:
    sandbox = make_sandbox(endpoints=10)
    client = client_of(sandbox)
    ids = sorted(sandbox.state.endpoints)[:3]
    readings = read(client, "endpoint_status", ids)
    assert set(readings) == set(ids)
    assert sandbox.counts["GET /api/v1/endpoint/{endpoint_id}"] == 3
    assert sandbox.counts["GET /api/v1/endpoint"] == 0


def test_many_ids_are_read_from_the_list(
    make_sandbox: Callable[..., Sandbox], client_of: Callable[[Sandbox], EmnifyClient]
) -> None:
    sandbox = make_sandbox(endpoints=2500)
    client = client_of(sandbox)
    ids = sorted(sandbox.state.endpoints)[::10]
    readings = read(client, "endpoint_status", ids)
    assert set(readings) == set(ids)
    assert sandbox.counts["GET /api/v1/endpoint"] == 3
    assert sandbox.counts["GET /api/v1/endpoint/{endpoint_id}"] == 0


def test_ids_that_are_fewer_than_the_pages_are_read_one_by_one(
    make_sandbox: Callable[..., Sandbox], client_of: Callable[[Sandbox], EmnifyClient]
) -> None:
    sandbox = make_sandbox(endpoints=8000)
    ids = sorted(sandbox.state.endpoints)[:7]
    read(client_of(sandbox), "endpoint_status", ids)
    assert sandbox.counts["GET /api/v1/endpoint"] == 1
    assert sandbox.counts["GET /api/v1/endpoint/{endpoint_id}"] == 7


def test_what_the_list_does_not_hold_is_asked_for_by_itself(
    make_sandbox: Callable[..., Sandbox], client_of: Callable[[Sandbox], EmnifyClient]
) -> None:
    sandbox = make_sandbox(endpoints=10)
    ids = [*sorted(sandbox.state.endpoints)[:7], 999_999_999]
    readings = read(client_of(sandbox), "endpoint_status", ids)
    assert [key for key, reading in readings.items() if reading.gone] == [999_999_999]


def test_a_user_is_found_by_username_in_the_list_too(sandbox: Sandbox, client: EmnifyClient) -> None:
    names = [f"user{n}@example.org" for n in range(7)]
    for name in names:
        client.users.create(username=name, name=name)
    readings = read(client, "user_status", names)
    assert {name: readings[name].label for name in names} == dict.fromkeys(names, "Activation pending")


def test_connectivity_is_read_as_it_is(
    make_sandbox: Callable[..., Sandbox], client_of: Callable[[Sandbox], EmnifyClient]
) -> None:
    sandbox = make_sandbox(endpoints=1)
    readings = read(client_of(sandbox), "endpoint_connectivity", list(sandbox.state.endpoints))
    assert {reading.value for reading in readings.values()} <= set(Connectivity)


@pytest.mark.parametrize("kind", ["endpoint_status", "sim_status"])
@pytest.mark.parametrize("count", [1, 7])
def test_what_is_gone_satisfies_a_wait_for_deleted(requests_mock: rm.Mocker, kind: str, count: int) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    path = "endpoint" if kind == "endpoint_status" else "sim"
    none = {"X-Total-Count": "0", "X-Total-Pages": "1", "X-Current-Page": "1"}
    requests_mock.get(f"{URL}/api/v1/{path}", json=[], headers=none)
    requests_mock.get(re.compile(rf"/api/v1/{path}/\d+"), status_code=404, json={"error_code": 1401})
    ids = list(range(1, count + 1))
    wait = Wait(kind, ids, "deleted")
    readings = read(make_client(max_retries=0), kind, ids)
    assert wait.judge(readings).done
    assert Wait(kind, ids, 1).judge(readings).failed


def test_a_state_of_the_network_is_waited_on(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    path = f"{URL}/api/v1/endpoint"
    requests_mock.get(f"{path}/1/connectivity", status_code=404, json={"message": "Unknown Location"})
    requests_mock.get(f"{path}/2/connectivity", json={"status": {"description": "ONLINE"}})
    wait = Wait("endpoint_connectivity", [1, 2], "online")
    verdict = wait.judge(read(make_client(), wait.kind, wait.ids))
    assert not verdict.over
    assert verdict.pending == (1,)
    assert "Unknown Location" in verdict.message
    requests_mock.get(f"{path}/1/connectivity", status_code=404, json={"error_code": 1201})
    assert wait.judge(read(make_client(), wait.kind, wait.ids)).failed
