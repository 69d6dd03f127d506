"""What a process does while a store of the rate limits fails: it counts alone, in memory, and says so once.

All clients of the process count together then. After a cooldown one of them tries the store again, and adds
the calls that were made meanwhile to its counts.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.errors import first_line
from airflow_provider_emnify.api.limits.buckets import Bucket, Place, local_now
from airflow_provider_emnify.api.limits.stores import MemoryStore, Store
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log

if TYPE_CHECKING:
    from pyrate_limiter import Rate

log = one_line_log(__name__)

_COOLDOWN = 60.0  # seconds after which a store that failed is tried again
_QUIET = 3600.0  # seconds after a warning in which the same store is not warned of again
_SHARE = 4  # a process that counts alone keeps to this part of each limit


class Fallback:
    """The one count of this process for a store that fails.

    :param name: The store, as messages name it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._store = MemoryStore(share=_SHARE)
        self._buckets: dict[str, tuple[Bucket, Rate, deque[int]]] = {}
        self._warned = -math.inf
        self._again_at = -math.inf
        self._pauses_until = -math.inf
        self.failing = False

    def try_store(self) -> bool:
        """Tell whether to use the store: it works, or its cooldown is over and no other thread tries it."""
        with self._lock:
            if not self.failing:
                return True
            now = time.monotonic()
            if now < self._again_at:
                return False
            self._again_at = now + _COOLDOWN
            return True

    def fail(self, error: Exception, pause: float) -> None:
        """Count in memory from now on, for the time of the cooldown.

        :param pause: Seconds to wait first: what others have called just before is not known any more.
        """
        with self._lock:
            now = time.monotonic()
            self._again_at = now + _COOLDOWN
            if self.failing:
                return
            self.failing, self._pauses_until = True, now + pause
            warn = now - self._warned > _QUIET
            if warn:
                self._warned = now
        log.log(
            logging.WARNING if warn else logging.INFO,
            "The rate limit store %s fails (%s). This process counts alone, keeps to a quarter of each limit "
            "and tries the store again every %.0f s. See rate_limit_store in the connection's extras.",
            self._name,
            first_line(error),
            _COOLDOWN,
        )

    def take(self, key: str, rate: Rate) -> Place | float:
        """Take a place in memory, or return the seconds for which nothing may be sent."""
        with self._lock:
            if (pause := self._pauses_until - time.monotonic()) > 0:
                return pause
            if key not in self._buckets:
                quarter = self._store.rate(rate)
                self._buckets[key] = self._store.bucket(key, quarter), rate, deque(maxlen=int(quarter.limit))
            bucket, _, moments = self._buckets[key]
            place = bucket.take()
            if not place.wait:
                moments.append(place.moment)
            return place

    def unreported(self) -> Iterator[tuple[str, Rate, list[int]]]:
        """Yield the calls that the store has not counted: keys, rates, and their ages in milliseconds."""
        with self._lock:
            now = local_now()
            calls = [
                (key, rate, [now - moment for moment in moments if 0 <= now - moment <= rate.interval])
                for key, (_, rate, moments) in self._buckets.items()
            ]
        yield from calls

    def after_fork(self) -> None:
        """Replace, in a child process, the lock that a thread of the parent may hold."""
        self._lock = threading.Lock()

    def recover(self) -> None:
        """Use the store again, now that it has counted all calls."""
        with self._lock:
            self.failing = False
            self._buckets.clear()
        log.info("The rate limit store %s works again", self._name)


FALLBACKS: dict[str, Fallback] = {}
"""The fallbacks of this process, by the keys of their stores."""


def fallback_of(store: Store) -> Fallback:
    """Return this process's fallback for a store."""
    return FALLBACKS.setdefault(store.key, Fallback(store.name))


def _after_fork() -> None:
    """In a child process: no thread of the parent's releases its locks there."""
    for fallback in FALLBACKS.values():
        fallback.after_fork()


os.register_at_fork(after_in_child=_after_fork)
