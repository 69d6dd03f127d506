"""A Redis that answers and refuses writes, and workers whose clocks differ from its own."""

from __future__ import annotations

import logging
import multiprocessing
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.limits import fallback as limit_fallback
from airflow_provider_emnify.api.limits.documented import Limit
from airflow_provider_emnify.api.limits.limits import Limits
from tests.api.limits.test_limits import HOST, LIST
from tests.api.limits.test_redis import redis, redis_url
from tests.api.support import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["redis_url"]

LIMITS_OF_50 = (Limit("fifty", 50, 0.5, "organisation", "GET", re.compile(LIST)),)


def use(url: str) -> None:
    limits = Limits(url)
    with limits.locks.hold("SMS", 7, scope=f"{HOST} acme"):
        limits.acquire("GET", LIST, host=HOST, organisation="acme")
    with limits.serial("PATCH", "/api/v1/endpoint/5", host=HOST, organisation="acme"):
        limits.acquire("PATCH", "/api/v1/endpoint/5", host=HOST, organisation="acme")
    limits.close()


def out_of_memory(client: Any) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")


def read_only(client: Any) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", free_port())


def without_rights(client: Any) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-@write", "-@scripting")


def wrong_type(client: Any) -> None:
    limits = Limits(url_of(client))
    limits.acquire("GET", LIST, host=HOST, organisation="acme")
    limits.close()
    for key in client.keys("emnify-limits:*"):
        client.set(key, "a string")


def url_of(client: Any) -> str:
    settings = client.connection_pool.connection_kwargs
    return f"redis://{settings['host']}:{settings['port']}/0"


@pytest.mark.parametrize("refuse", [out_of_memory, read_only, without_rights, wrong_type])
def test_a_redis_that_refuses_costs_one_warning_however_many_clients(
    redis_url: str,
    refuse: Callable[[Any], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limit_fallback, "FALLBACKS", {})
    client = redis.Redis.from_url(redis_url)
    refuse(client)
    for _ in range(4):
        use(redis_url)
    assert len(caplog.records) == 1
    assert "counts alone" in caplog.text
    client.close()


def test_a_redis_that_is_well_again_is_used_again(
    redis_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limit_fallback, "FALLBACKS", {})
    client = redis.Redis.from_url(redis_url)
    out_of_memory(client)
    use(redis_url)
    client.config_set("maxmemory", "0")
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 120)  # the cooldown is over
    with caplog.at_level(logging.INFO):
        use(redis_url)
    assert "works again" in caplog.text
    keys = client.keys("emnify-limits:*")
    assert sum(client.zcard(key) for key in keys) >= 4
    client.close()


def test_every_key_ends_by_itself(redis_url: str) -> None:
    use(redis_url)
    client = redis.Redis.from_url(redis_url)
    keys = client.keys("*")
    assert keys
    assert all(client.pttl(key) > 0 for key in keys)
    client.close()


def call_with_another_clock(url: str, shift: float, queue: multiprocessing.Queue[list[int]]) -> None:
    real = time.time_ns
    time.time_ns = lambda: real() + int(shift * 1e9)
    limits = Limits(url, limits=LIMITS_OF_50)
    moments = []
    for _ in range(60):
        limits.acquire("GET", LIST, host=HOST, organisation="acme")
        ((_, own),) = limits.calls.values()
        moments.append(own[-1])
    limits.close()
    queue.put(moments)


@pytest.mark.parametrize("shifts", [(0.0, 0.02), (0.0, 0.004, 0.008, 0.012), (-3600.0, 0.0, 3600.0)])
def test_workers_whose_clocks_differ_keep_to_the_limit_together(
    redis_url: str,
    shifts: tuple[float, ...],
) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[list[int]] = context.Queue()
    workers = [
        context.Process(target=call_with_another_clock, args=(redis_url, shift, queue)) for shift in shifts
    ]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert sum(map(len, answers)) == 60 * len(shifts)
    client = redis.Redis.from_url(redis_url)
    assert all(client.zcard(key) <= 50 for key in client.keys("emnify-limits:*"))
    client.close()
    # By the one clock that all of them look at: no load of this machine shifts it.
    moments = sorted(moment for answer in answers for moment in answer)
    assert abs(moments[-1] - time.time() * 1000) < 60_000
    assert max(sum(first <= moment < first + 500 for moment in moments) for first in moments) <= 50
