"""Where calls are counted against the rate limits: what every store does, and the one in memory."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from airflow_provider_emnify.api.limits.documented import Limit
from airflow_provider_emnify.api.locks import IN_MEMORY


class Place(NamedTuple):
    """What a store answers to who wants a place in a limit.

    :param wait: Milliseconds after which there may be a place; 0 when this call has taken one.
    :param moment: When that was, by the store's clock, in milliseconds.
    """

    wait: int
    moment: int


class RecentCalls(dict[str, tuple[Limit, deque[int]]]):
    """The moments of the last calls under each key, in milliseconds: as many as its limit allows."""

    def note(self, key: str, limit: Limit, moment: int) -> None:
        """Add a call."""
        self.setdefault(key, (limit, deque(maxlen=limit.calls)))[1].append(moment)

    def ages(self) -> list[tuple[str, Limit, list[int]]]:
        """Return keys, limits, and how many milliseconds ago each call was that still counts."""
        now = local_now()
        return [
            (key, limit, [now - moment for moment in moments if 0 <= now - moment <= limit.window])
            for key, (limit, moments) in self.items()
        ]


class Store:
    """Counts calls.

    ``name``: how messages name it. ``key``: what tells it from others; it may hold secrets.
    """

    name = key = "memory"

    def guard(self, *, again: bool = False) -> contextlib.AbstractContextManager[Any]:
        """Hold the store against other processes while places are taken.

        :param again: Whether the store has failed before: then it is not waited for.
        """
        del again
        return contextlib.nullcontext()

    def begin(self, seconds: float) -> bool:
        """Get ready; tell whether calls of the last seconds may be missing in it."""
        del seconds
        return False

    def mend(self, error: Exception) -> bool:
        """Tell, after an error, whether another try is right: what was wrong is put right then."""
        del error
        return False

    def take(self, key: str, limit: Limit) -> Place:
        """Take a place in a limit, if there is one.

        :param key: Who share it.
        """
        raise NotImplementedError

    def remember(self, key: str, limit: Limit, ages: Iterable[int]) -> None:
        """Count calls that were made that many milliseconds ago without this store."""

    def used(self, key: str, limit: Limit) -> int:
        """Return how many calls the window of a limit holds now."""
        raise NotImplementedError

    def lock(self, key: str, timeout: float) -> contextlib.AbstractContextManager[float]:
        """Hold the lock of that key; see :class:`~airflow_provider_emnify.api.locks.LockStore`."""
        return IN_MEMORY.lock(key, timeout)

    def close(self) -> None:
        """Let go of files and connections."""


class MemoryStore(Store):
    """For one client alone; a process has one for each task, and a triggerer one for each connection."""

    def __init__(self) -> None:
        self.calls = RecentCalls()

    def take(self, key: str, limit: Limit) -> Place:
        """Take a place, if there is one."""
        used, now = self.used(key, limit), local_now()
        if used >= limit.calls:
            return Place(self.calls[key][1][0] + limit.window - now + 1, now)
        self.calls.note(key, limit, now)
        return Place(0, now)

    def used(self, key: str, limit: Limit) -> int:
        """Forget what is older than the window; return how many calls are left."""
        moments, now = self.calls[key][1] if key in self.calls else deque[int](), local_now()
        while moments and not now - limit.window <= moments[0] <= now:  # the latter: the clock was set back
            moments.popleft()
        return len(moments)


def local_now() -> int:
    """Return the time of this host in milliseconds."""
    return time.time_ns() // 1_000_000


def name_of(key: str) -> str:
    """Return a name for a key that tells nothing."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]
