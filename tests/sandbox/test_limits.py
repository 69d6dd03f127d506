"""emnify's documented rate limits, on the sandbox's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.sandbox import DOCUMENTED, Limit
from airflow_provider_emnify.sandbox.http.limits import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api


def accepted(method: str, template: str, times: list[float], per: str = "organisation") -> int:
    limiter = Limiter(DOCUMENTED)
    return sum(limiter.take(per, "x", method, template, now) is None for now in times)


def test_2000_calls_an_ip_in_any_five_minutes() -> None:
    assert accepted("GET", "/api/v1/user", [0.0] * 2500, "ip") == 2000
    assert accepted("GET", "/api/v1/user", [n * 0.1 for n in range(3000)], "ip") == 2000
    assert accepted("GET", "/api/v1/user", [n * 0.151 for n in range(6000)], "ip") == 6000


def test_100_authentications_an_ip_in_any_five_minutes() -> None:
    assert accepted("POST", "/api/v1/authenticate", [0.0] * 150 + [300.0] * 150, "ip") == 200


@pytest.mark.parametrize(
    ("template", "burst", "rate"),
    [
        ("/api/v1/endpoint", 5, 10),
        ("/api/v1/sim", 5, 10),
        ("/api/v1/event", 5, 10),
        ("/api/v1/stats/daily", 5, 10),
        ("/api/v1/organisation/{org_id_or_my}/stats/daily", 5, 10),
        ("/api/v1/sim/{sim_id}/stats", 5, 10),
        ("/api/v1/endpoint/{endpoint_id}/connectivity_info", 5, 10),
        ("/api/v1/endpoint/{endpoint_id}", 25, 50),
        ("/api/v1/endpoint/{endpoint_id}/connectivity", 25, 50),
        ("/api/v1/sim/{sim_id}", 50, 100),
        ("/api/v1/service_profile", 50, 100),
        ("/api/v1/endpoint/{endpoint_id}/stats/daily", 50, 100),
    ],
)
def test_classes_of_operations_have_their_own_rate(template: str, burst: int, rate: int) -> None:
    assert accepted("GET", template, [0.0] * 200) == burst
    assert accepted("GET", template, [n / 1000 for n in range(10_000)]) == pytest.approx(
        burst + 10 * rate, abs=1
    )
    assert accepted("PATCH", template, [0.0] * 200) == 200


def drain(api: Api, path: str = "/api/v1/endpoint") -> requests.Response:
    for _ in range(50):
        answer = api.get(path)
        if answer.status_code == 429:
            return answer
    pytest.fail("no limit was met")


def test_past_a_limit_comes_a_429_until_the_clock_has_moved(sandbox: Sandbox, api: Api) -> None:
    refused = drain(api)
    assert refused.json()["error_code"] == 1105
    assert "Retry-After" not in refused.headers
    sandbox.clock.advance(0.101)
    assert [api.get("/api/v1/endpoint").status_code for _ in range(2)] == [200, 429]


def test_a_429_says_when_to_come_again_if_asked(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    limit = Limit("calls per IP", "ip", 3, 300)
    api = connect(make_sandbox(limits=[limit], retry_after=True))
    assert drain(api).headers["Retry-After"] == "300"


def test_the_limits_can_be_switched_off(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    api = connect(make_sandbox(limits=False))
    assert {api.get("/api/v1/endpoint").status_code for _ in range(30)} == {200}


def test_authentications_are_limited_by_ip(sandbox: Sandbox, api: Api) -> None:
    credential = {"application_token": sandbox.application_token}
    answers = [api.post("/api/v1/authenticate", credential).status_code for _ in range(101)]
    assert answers == [200] * 99 + [429] * 2
