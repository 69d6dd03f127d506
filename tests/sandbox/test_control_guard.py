"""No page in a browser controls a sandbox: neither from another site, nor under a name that leads here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_emnify.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = [
    ("GET", "/_sandbox/counts"),
    ("GET", "/_sandbox/log"),
    ("POST", "/_sandbox/endpoints"),
    ("POST", "/_sandbox/faults"),
    ("DELETE", "/_sandbox/faults"),
    ("POST", "/_sandbox/tokens/revoke"),
    ("GET", "/_sandbox/paths"),
    ("GET", "/_sandbox/overview"),
    ("GET", "/"),
]
FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "localhost.evil.example"},
    {"Host": "127.0.0.1.evil.example:80"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:1"},
    {"Origin": "null"},
    {"Origin": ""},
]


@pytest.fixture(scope="module", params=["127.0.0.1", "0.0.0.0"])
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    with Sandbox(host=request.param) as sandbox:
        yield f"http://127.0.0.1:{sandbox.url.rpartition(':')[2]}"


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_what_a_foreign_page_could_send_is_refused(
    served: str, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = requests.request(method, served + path, headers=headers, timeout=10)
    assert answer.status_code == 403
    assert "detail" in answer.json()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]", "192.0.2.7:8080"])
def test_the_sandbox_s_own_names_and_addresses_control_it(served: str, host: str) -> None:
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        assert requests.get(f"{served}/_sandbox/counts", headers=headers, timeout=10).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_name_that_is_allowed_controls_it_and_serves_the_api(address: str) -> None:
    with Sandbox(host=address, allow_hosts=["Emnify.internal"]) as sandbox:
        url = f"http://127.0.0.1:{sandbox.url.rpartition(':')[2]}"
        for host, status in (("emnify.internal:80", 200), ("EMNIFY.internal", 200), ("x.internal", 403)):
            answer = requests.get(f"{url}/_sandbox/counts", headers={"Host": host}, timeout=10)
            assert answer.status_code == status
        answer = requests.get(f"{url}/api/v1/user", headers={"Host": "emnify.internal"}, timeout=10)
        assert answer.status_code == 401


def test_the_command_takes_names() -> None:
    from airflow_provider_emnify.sandbox.__main__ import parse_options

    options = parse_options(["--host", "0.0.0.0", "--allow-host", "a", "--allow-host", "b"])
    assert (options.host, options.allow_hosts) == ("0.0.0.0", ["a", "b"])
    assert parse_options([]).allow_hosts == []


def test_the_name_that_it_listens_on_controls_it() -> None:
    from airflow_provider_emnify.sandbox.http.app import hosts_of

    assert "sandbox.internal" in hosts_of("Sandbox.internal")
