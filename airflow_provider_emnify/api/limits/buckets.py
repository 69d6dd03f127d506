"""Buckets: so many calls in a window, counted by the clock that all who share the bucket look at."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, cast

from pyrate_limiter import AbstractBucket, Rate, RateItem

_LEAK_EVERY = 50  # calls after which a bucket forgets what is older than its window


class Place(NamedTuple):
    """What a bucket answers.

    :param wait: Milliseconds after which there may be a place; 0 when this call has taken one.
    :param moment: When that was, by the bucket's clock, in milliseconds.
    """

    wait: int
    moment: int


class Bucket(Protocol):
    """So many calls in a window."""

    def take(self) -> Place:
        """Take a place, if there is one."""

    def remember(self, ages: Iterable[int]) -> None:
        """Count calls that were made that many milliseconds ago without this bucket."""

    def used(self) -> int:
        """Return how many calls the window holds now."""


class LocalBucket:
    """A bucket of pyrate-limiter's, by the clock of this host.

    :param bucket: The bucket.
    :param rate: Its one rate.
    """

    def __init__(self, bucket: AbstractBucket, rate: Rate) -> None:
        self._bucket = bucket
        self._window = int(rate.interval)
        self._taken = 0

    def take(self) -> Place:
        """Take a place, if there is one."""
        now = local_now()
        item = RateItem("", now)
        if self._bucket.put(item):
            self._taken += 1
            if self._taken % _LEAK_EVERY == 0:
                self._bucket.leak(now)
            return Place(0, now)
        wait = self._bucket.waiting(item)
        if not isinstance(wait, int) or wait > self._window + 1:
            self._bucket.flush()  # entries from the future: the clock was set back
            return Place(1, now)
        return Place(max(wait, 1), now)

    def remember(self, ages: Iterable[int]) -> None:
        """Count calls that were made without this bucket."""
        now = local_now()
        for age in ages:
            self._bucket.put(RateItem("", now - age))

    def used(self) -> int:
        """Return how many calls the window holds now."""
        self._bucket.leak(local_now())
        return cast("int", self._bucket.count())


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


class SharedRedisBucket:
    """A sorted set in a Redis (5 or newer), by the clock of that Redis. It goes away when nobody calls.

    :param client: The connection to it.
    :param key: Its name there.
    :param rate: So many calls in so many milliseconds.
    """

    def __init__(self, client: Any, key: str, rate: Rate) -> None:
        self._client = client
        self._key = key
        self._rate = rate
        self._take, self._remember = client.register_script(_TAKE), client.register_script(_REMEMBER)

    def take(self) -> Place:
        """Take a place, if there is one."""
        wait, moment = self._take([self._key], [self._rate.limit, self._rate.interval, _unique()])
        return Place(max(int(wait), 0), int(moment))

    def remember(self, ages: Iterable[int]) -> None:
        """Count calls that were made without this bucket."""
        if ages := list(ages):
            self._remember([self._key], [self._rate.interval, _unique(), *ages])

    def used(self) -> int:
        """Return how many calls the window holds now."""
        seconds, microseconds = self._client.time()
        since = seconds * 1000 + microseconds // 1000 - self._rate.interval
        return int(self._client.zcount(self._key, since, "+inf"))


def local_now() -> int:
    """Return the time of this host in milliseconds."""
    return time.time_ns() // 1_000_000


def _unique() -> str:
    return secrets.token_hex(8)
