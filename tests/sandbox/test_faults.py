"""Faults: what is ordered happens, as often as ordered, and to nothing else."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

ONE = "/api/v1/endpoint/{endpoint_id}"
DEVICE = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}


def test_a_status_is_answered_so_many_times_and_nothing_is_done(sandbox: Sandbox, api: Api) -> None:
    fault = sandbox.faults.add(method="POST", path="/api/v1/endpoint", status=503, body="<html>", times=2)
    answers = [api.post("/api/v1/endpoint", DEVICE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 201]
    assert (answers[0].text, answers[0].headers["Content-Type"]) == ("<html>", "text/html")
    assert (fault.hits, len(sandbox.state.endpoints)) == (2, 1)


def test_a_template_means_that_operation_only_and_a_pattern_any_path(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint()
    sandbox.faults.add(path="/api/v1/endpoint", status=500, times=None)
    assert api.get(f"/api/v1/endpoint/{number}").status_code == 200
    assert api.get("/api/v1/endpoint").status_code == 500
    sandbox.faults.clear()
    sandbox.faults.add(path=r"endpoint/\d+$", status=502)
    sandbox.faults.add(path=r"page=2", status=504)
    assert api.get(f"/api/v1/endpoint/{number}").status_code == 502
    assert api.get("/api/v1/endpoint", page=1).status_code == 200
    assert api.get("/api/v1/endpoint", page=2).status_code == 504


def test_a_status_can_come_after_the_request_was_acted_on(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(method="POST", status=502, acted=True)
    assert api.post("/api/v1/endpoint", DEVICE).status_code == 502
    assert len(sandbox.state.endpoints) == 1


def test_a_redirect_leads_elsewhere(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(status=302, headers={"Location": "http://other.example/"})
    answer = api.get("/api/v1/user")
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://other.example/")


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("body", ["text", {"a": 1}, []])
def test_what_has_no_content_leaves_the_connection_whole(
    sandbox: Sandbox, api: Api, status: int, body: Any
) -> None:
    sandbox.faults.add(status=status, body=body)
    answer = api.get("/api/v1/user")
    assert (answer.status_code, answer.content, "Content-Type" in answer.headers) == (status, b"", False)
    assert api.get("/api/v1/user").status_code == 200


def test_headers_alone_are_added_to_the_real_answer(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(headers={"X-Total-Pages": "99"})
    answer = api.get("/api/v1/user")
    assert (answer.status_code, answer.headers["X-Total-Pages"]) == (200, "99")


@pytest.mark.parametrize(("drop", "made"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_gives_no_answer(sandbox: Sandbox, api: Api, drop: str, made: int) -> None:
    sandbox.faults.add(method="POST", path="/api/v1/endpoint", drop=drop)
    with pytest.raises(requests.ConnectionError):
        api.post("/api/v1/endpoint", DEVICE)
    assert len(sandbox.state.endpoints) == made
    assert (sandbox.log[-1].status, sandbox.counts["POST /api/v1/endpoint"]) == (None, 1)
    assert api.get("/api/v1/user").status_code == 200


def test_a_truncated_answer_breaks_off(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(path="/api/v1/user", truncate=10)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        api.get("/api/v1/user")
    assert api.get("/api/v1/user").status_code == 200


@pytest.fixture
def hang(sandbox: Sandbox, api: Api) -> Iterator[Callable[[str], None]]:
    """Let a request of somebody else's be under way until the test is over."""
    threads = []

    def ask(path: str) -> None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            requests.get(sandbox.url + path, headers={"Authorization": f"Bearer {api.token}"}, timeout=60)

    def hang(path: str) -> None:
        before = sandbox.counts[f"GET {path}"]
        sandbox.faults.add(path=path, delay=60)
        threads.append(threading.Thread(target=ask, args=(path,)))
        threads[-1].start()
        while sandbox.counts[f"GET {path}"] == before:
            assert threads[-1].is_alive()

    yield hang
    sandbox.stop()
    for thread in threads:
        thread.join()


def test_a_delay_holds_up_one_request_and_no_other(
    sandbox: Sandbox, api: Api, hang: Callable[[str], None]
) -> None:
    sandbox.faults.add(path="/api/v1/user", delay=0.1)
    assert api.get("/api/v1/user").elapsed.total_seconds() >= 0.1
    hang("/api/v1/user")
    assert api.get("/api/v1/user").status_code == api.get("/api/v1/user/role").status_code == 200
    assert [entry.status for entry in sandbox.log[-3:]] == [None, 200, 200]


def test_requests_that_overlap_are_seen(sandbox: Sandbox, hang: Callable[[str], None]) -> None:
    for _ in range(3):
        hang("/api/v1/user/role")
    assert sandbox.peaks["GET /api/v1/user/role"] == 3


def test_a_change_can_come_in_between(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(4)
    api = connect(sandbox)
    sandbox.faults.add(path=r"[?&]page=2", do=lambda: sandbox.delete_endpoints([1_000_001]))
    sandbox.faults.add(path=r"[?&]page=3", do=sandbox.add_endpoints)
    pages = [api.get("/api/v1/endpoint", page=page, per_page=2).json() for page in (1, 2, 3)]
    assert [[row["id"] % 100 for row in page] for page in pages] == [[1, 2], [4], [4, 5]]


def test_a_fault_can_let_requests_pass_first(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(status=500, skip=2)
    assert [api.get("/api/v1/user").status_code for _ in range(4)] == [200, 200, 500, 200]


def test_chance_goes_by_the_seed(make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]) -> None:
    def statuses(seed: int) -> list[int]:
        sandbox = make_sandbox(seed=seed)
        api = connect(sandbox)
        sandbox.faults.add(status=500, probability=0.5, times=None)
        return [api.get("/api/v1/user").status_code for _ in range(30)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert 5 < statuses(1).count(500) < 25


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"status": 500, "drop": "during"},
        {"delay": -1},
        {"status": 500, "path": "("},
        {"status": 500, "probability": 2},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox: Sandbox, fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        sandbox.faults.add(**fault)


def test_a_fault_hits_requests_without_a_valid_token_too(sandbox: Sandbox) -> None:
    sandbox.faults.add(path="/api/v1/authenticate", status=500)
    answer = requests.post(f"{sandbox.url}/api/v1/authenticate", json={}, timeout=10)
    assert answer.status_code == 500
