"""The store that workers on several hosts share: a Redis (5 or newer), by its own clock."""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emnify.api.limits.stores import Place, Store, name_of
from airflow_provider_emnify.api.locks import REMEMBERED
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError

if TYPE_CHECKING:
    from airflow_provider_emnify.api.limits.documented import Limit

LEASE = 60.0
"""Seconds after which a lock in Redis ends whose process has ended."""

# The clock is Redis's own: those of the workers differ, and by 20 ms twice the calls would go out.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local calls, window = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window - 1)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 1, '+inf')
if redis.call('ZCARD', KEYS[1]) >= calls then
    local blocking = redis.call('ZRANGE', KEYS[1], -calls, -calls, 'WITHSCORES')
    return {blocking[2] + window - now + 1, now}
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window * 2)
return {0, now}
"""
_REMEMBER = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #ARGV do
    redis.call('ZADD', KEYS[1], now - ARGV[i], ARGV[2] .. i)
end
redis.call('PEXPIRE', KEYS[1], ARGV[1] * 2)
"""


class RedisStore(Store):
    """A Redis that workers behind one address share: a sorted set a key, which goes away when nobody calls.

    :param url: ``redis://`` or ``rediss://``.
    """

    def __init__(self, url: str) -> None:
        self._url = self.key = url
        self.name = url_without_secrets(url)
        self._client: Any = None

    def begin(self, seconds: float) -> bool:
        """Connect."""
        if self._client is None:
            try:
                from redis import Redis
                from redis.backoff import NoBackoff
                from redis.retry import Retry
            except ImportError:
                raise ImportError("redis is missing: pip install 'airflow-provider-emnify[redis]'") from None
            # Once more, for a connection that was closed while nobody called.
            self._client = Redis.from_url(
                self._url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 1)
            )
            self._take = self._client.register_script(_TAKE)
            self._remember = self._client.register_script(_REMEMBER)
        return False

    def take(self, key: str, limit: Limit) -> Place:
        """Take a place, if there is one."""
        wait, moment = self._take([_set_of(key)], [limit.calls, limit.window, secrets.token_hex(8)])
        return Place(max(int(wait), 0), int(moment))

    def remember(self, key: str, limit: Limit, ages: Iterable[int]) -> None:
        """Count calls that were made without this store."""
        if ages := list(ages):
            self._remember([_set_of(key)], [limit.window, secrets.token_hex(8), *ages])

    def used(self, key: str, limit: Limit) -> int:
        """Return how many calls the window holds now."""
        seconds, microseconds = self._client.time()
        since = seconds * 1000 + microseconds // 1000 - limit.window
        return int(self._client.zcount(_set_of(key), since, "+inf"))

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        """Hold a lock in Redis. It ends at most a minute after the process that holds it."""
        self.begin(0)
        client, name = self._client, f"emnify-lock:{name_of(key)}"
        released, remembered = f"{name}:released", round(REMEMBERED * 1000)
        lock = client.lock(name, timeout=LEASE, blocking_timeout=timeout, thread_local=False)
        waited = not lock.acquire(blocking=False)
        if waited and not lock.acquire():
            raise LockTimeoutError(f"another one has it for {timeout:.0f} s")
        over = threading.Event()

        def keep() -> None:
            while not over.wait(LEASE / 4):
                with contextlib.suppress(Exception):  # whether it was lost shows at its end
                    lock.reacquire()

        keeper = threading.Thread(target=keep, name="emnify-lock", daemon=True)
        keeper.start()
        try:
            left = remembered if waited else client.pttl(released)  # by the clock of Redis
            client.set(released, "", px=remembered)
            try:
                yield -math.inf if left < 0 else time.monotonic() - (remembered - left) / 1000
            finally:
                with contextlib.suppress(Exception):
                    client.set(released, "", px=remembered)
        finally:
            over.set()
            keeper.join()
            lock.release()

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _set_of(key: str) -> str:
    return f"emnify-limits:{name_of(key)}"


def url_without_secrets(url: str) -> str:
    """Return a URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme else url
