"""What a request that waits for its place in the limits says."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.limits.limits import Limits
from tests.api.limits.test_limits import HOST, LIST


@pytest.mark.parametrize(
    ("path", "calls", "setting", "seconds"),
    [("/api/v1/authenticate", 100, "token_cache", 306), ("/api/v1/user", 2000, "rate_limit_store", 306)],
)
def test_a_long_wait_says_what_for_how_long_and_what_helps_once_a_minute(
    path: str,
    calls: int,
    setting: str,
    seconds: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1_700_000_000.0]
    monkeypatch.setattr("time.time_ns", lambda: int(now[0] * 1e9))
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def sleep(wait: float) -> None:
        now[0] += max(wait, 0.5)

    host = f"{path}.example"
    limits = Limits("memory", sleep=sleep)
    with caplog.at_level(logging.DEBUG):
        for _ in range(calls):
            limits.acquire("POST", path, host=host, organisation="acme")
        assert not caplog.records
        limits.acquire("POST", path, host=host, organisation="acme")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    assert f"POST {path} waits" in lines[0]
    assert f"about {seconds} s" in lines[0]
    assert all(setting in line for line in lines)


def test_a_short_wait_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits("memory", limits=LIMITS[2:])
    with caplog.at_level(logging.DEBUG):
        for _ in range(6):
            limits.acquire("GET", LIST, host=HOST, organisation="short")
    assert not caplog.records
