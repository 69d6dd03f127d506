"""What is at which path, what is recorded, and how a sandbox starts and ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_emnify.sandbox import Sandbox
from airflow_provider_emnify.sandbox.http.wire import GRAPHQL, ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.openapi import OpenApi
    from tests.sandbox.support import Api


def test_each_of_the_214_operations_is_served(openapi: OpenApi) -> None:
    assert len(openapi.operations) == 214
    assert set(ROUTES) == {*openapi.operations, GRAPHQL}


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/endpoint/", 200),
        ("PUT", "/api/v1/endpoint", 405),
        ("GET", "/api/v1/user/..%2F..%2Fendpoint", 404),
        ("GET", "/api/v1/user/1001%2Fevent", 404),
        ("GET", "/api/v1/user/1001%0A", 404),
        ("GET", "/api/v1/user/%31001", 200),
    ],
)
def test_paths_are_taken_as_they_are_encoded(api: Api, method: str, path: str, status: int) -> None:
    request = requests.Request(method, api.sandbox.url, headers=dict(api.session.headers)).prepare()
    request.url = api.sandbox.url + path
    answer = api.session.send(request, timeout=10)
    assert answer.status_code == status
    if status >= 400:
        assert answer.json()["error_code"] == 1201


def test_a_literal_path_goes_before_a_parameter(api: Api) -> None:
    assert api.get("/api/v1/endpoint/status").json()[0] == {"id": 0, "description": "Enabled"}
    assert api.get("/api/v1/sim/status").json()[4] == {"id": 4, "description": "Factory test"}
    assert api.sandbox.counts["GET /api/v1/endpoint/status"] == 1


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("levels", [60, 400, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_body_of_too_many_levels_is_refused(api: Api, levels: int, opening: str, closing: str) -> None:
    url, body = f"{api.sandbox.url}/api/v1/endpoint", opening * levels + "1" + closing * levels
    answer = api.session.post(url, data=body, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 1000)
    assert body.startswith(api.sandbox.log[-1].body)
    assert requests.get(f"{api.sandbox.url}/_sandbox/log", timeout=10).status_code == 200


def test_another_host_is_not_here(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/api/v1/user", headers={"Host": "cdn.emnify.net"}, timeout=10)
    assert answer.status_code == 404


def test_requests_are_recorded_and_counted_without_secrets(sandbox: Sandbox, api: Api) -> None:
    api.new_user()
    api.get("/api/v1/user", q="status:0")
    entry = sandbox.log[-1]
    assert (entry.method, entry.template, entry.query, entry.status) == (
        "GET",
        "/api/v1/user",
        {"q": "status:0"},
        200,
    )
    assert sandbox.log[-2].body == {"username": "new@example.com", "name": "New"}
    assert (sandbox.requests, sandbox.authentications) == (3, 1)
    assert sandbox.counts == {"POST /api/v1/authenticate": 1, "POST /api/v1/user": 1, "GET /api/v1/user": 1}
    assert not any(secret in repr(sandbox.log) for secret in sandbox.secrets)
    assert sandbox.log[0].body == {"application_token": "***"}


def test_a_sandbox_leaves_no_thread_and_no_port(api: Api) -> None:
    with Sandbox() as other:
        assert requests.get(other.url, timeout=10).status_code == 200
        port = int(other.url.rpartition(":")[2])
    assert not [thread for thread in threading.enumerate() if thread.name == f"emnify-sandbox-{port}"]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_sandbox_ends_at_once_though_a_request_hangs(sandbox: Sandbox, api: Api) -> None:
    sandbox.faults.add(path="/api/v1/user", delay=60)
    failures: list[Exception] = []

    def ask() -> None:
        try:
            api.get("/api/v1/user")
        except requests.ConnectionError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not sandbox.counts["GET /api/v1/user"]:
        assert thread.is_alive()
    sandbox.stop()
    thread.join()
    assert failures  # and not the timeout of a client that still waits


def test_a_port_in_use_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match=r"in use"):
        Sandbox(port=int(sandbox.url.rpartition(":")[2])).start()


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoints": -1},
        {"endpoints": 5_000_001},
        {"events": 10**8},
        {"token_life": 0},
        {"online_after": float("nan")},
        {"create_answer": "mail"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Sandbox(**settings)  # type: ignore[arg-type]


def test_the_clock_goes_forward_only(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="forward"):
        sandbox.clock.advance(-1)


def test_the_connection_is_what_airflow_takes() -> None:
    with Sandbox() as sandbox:
        assert json.loads(sandbox.airflow_connection) == {
            "conn_type": "emnify",
            "password": sandbox.application_token,
            "host": sandbox.url,
        }


def test_importing_a_sandbox_imports_neither_its_server_nor_airflow() -> None:
    code = (
        "import sys, airflow_provider_emnify.sandbox, airflow_provider_emnify.sandbox.__main__;"
        "print([name for name in ('graphql', 'uvicorn', 'airflow') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_100000_endpoints_start_soon_and_a_page_comes_fast(
    make_sandbox: Callable[..., Sandbox],
    connect: Callable[..., Api],
    record_property: Callable[[str, object], None],
) -> None:
    """The promise is 3 s and 30 ms on a quiet machine; this is CPU time, whatever else the machine does."""
    began = time.process_time()
    api = connect(make_sandbox(100_000, limits=False))
    start = time.process_time() - began
    pages = []
    for _ in range(9):
        began = time.process_time()
        answer = api.get("/api/v1/endpoint", page=57, per_page=1000)
        pages.append(time.process_time() - began)
        assert [row["id"] for row in answer.json()] == list(range(1_056_001, 1_057_001))
    page = sorted(pages)[len(pages) // 2]
    record_property("start_seconds", start)
    record_property("page_seconds", page)
    sys.stdout.write(f"100,000 endpoints: start {start:.2f} s, page of 1,000 {page * 1000:.1f} ms\n")
    assert start < 6
    assert page < 0.1


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("path", ["/api/v1/user", "/_sandbox/clock"])
@pytest.mark.parametrize("body", ["{", "[" * 100_000])
def test_a_body_that_cannot_be_read_is_a_bad_request(api: Api, path: str, body: str) -> None:
    answer = api.session.post(api.sandbox.url + path, data=body, timeout=10)
    assert answer.status_code == 400
