"""Rate limits that workers on several hosts share through a real Redis."""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.limits import stores as limit_stores
from airflow_provider_emnify.api.limits.limits import Limits
from tests.api.limits.test_limits import HOST, SMALL, call, most_in_a_window
from tests.api.support import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

redis = pytest.importorskip("redis", reason="needs the extra redis")
if shutil.which("redis-server") is None:
    pytest.skip("redis-server is not installed", allow_module_level=True)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        "redis-server",
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if "Ready to accept connections" in line:
            break
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=10)
        server.stdout.close()
        assert not answers(port)


def test_clients_that_share_a_redis_stay_within_the_limits_together(redis_url: str) -> None:
    places: list[dict[str, float]] = []

    def work() -> None:
        limits = Limits(redis_url, limits=SMALL)
        for _ in range(15):
            call(limits, places)
        limits.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(places) == 60
    # Each client stamps its calls before they are on their way to Redis: one of each may be that much late.
    assert [most_in_a_window(places, limit) <= limit.calls + 4 for limit in SMALL] == [True, True]


def test_serial_writes_that_share_a_redis_do_not_overlap(redis_url: str) -> None:
    under_way: list[int] = []
    overlaps: list[int] = []

    def write() -> None:
        limits = Limits(redis_url)
        for _ in range(5):
            with limits.serial("PATCH", "/api/v1/endpoint/5", host=HOST, organisation="acme"):
                under_way.append(1)
                overlaps.append(len(under_way))
                under_way.pop()
        limits.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 15


def test_a_redis_that_goes_away_costs_a_warning(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(redis_url, limits=SMALL)
    limits.acquire("GET", "/api/v1/endpoint", host=HOST, organisation="acme")
    client = redis.Redis.from_url(redis_url)
    client.shutdown(nosave=True)
    client.close()
    limits.acquire("GET", "/api/v1/endpoint", host=HOST, organisation="acme")
    limits.close()
    assert "counts alone" in caplog.text


def test_locks_that_share_a_redis_do_not_overlap(redis_url: str) -> None:
    under_way: list[int] = []
    overlaps: list[int] = []
    told: list[float] = []
    begun = time.monotonic()

    def work() -> None:
        limits = Limits(redis_url)
        for _ in range(5):
            with limits.locks.hold("SMS", 7, scope=f"{HOST} acme") as lock:
                told.append(lock.released)
                under_way.append(1)
                overlaps.append(len(under_way))
                under_way.pop()
        limits.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 15
    assert told[0] == -math.inf
    assert all(begun - 0.1 <= released < time.monotonic() for released in told[1:])


def test_a_lock_is_kept_for_as_long_as_it_takes(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit_stores, "LEASE", 0.2)
    client = redis.Redis.from_url(redis_url)
    limits = Limits(redis_url)
    with limits.locks.hold("SMS", 7, scope=f"{HOST} acme"):
        (name,) = client.keys(f"emnify-lock:{'?' * 16}")
        renewed = 0
        left = client.pttl(name)
        while renewed < 3:  # each renewal makes it longer
            before, left = left, client.pttl(name)
            assert left > 0
            renewed += left > before
    assert not client.exists(name)
    limits.close()
    client.close()


def test_a_lock_that_was_lost_costs_a_warning(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = redis.Redis.from_url(redis_url)
    limits = Limits(redis_url)
    with limits.locks.hold("SMS", 7, scope=f"{HOST} acme"):
        client.flushall()
    assert "The lock 'SMS' of 7 was lost" in caplog.text
    limits.close()
    client.close()


@pytest.mark.parametrize("waits", [True, False])
def test_of_a_lock_of_a_redis_whose_process_died_its_beginning_is_known(redis_url: str, waits: bool) -> None:
    client = redis.Redis.from_url(redis_url)
    limits = Limits(redis_url)
    with limits.locks.hold("calls", 7, scope=f"{HOST} acme"):
        name, note = sorted(client.keys("emnify-lock:*"), key=len)
    client.set(note, "", px=3_599_000)  # a second ago
    if waits:
        client.set(name, "whose process has died", px=200)
    asked = time.monotonic()
    with limits.locks.hold("calls", 7, scope=f"{HOST} acme") as lock:
        assert lock.released > asked if waits else lock.released < asked - 0.9
    limits.close()
    client.close()
