"""The documented rate limits, as buckets that processes share: a request takes its place before it is sent.

Three stores: ``host`` (the default) is a SQLite file in the temporary directory, shared by all processes of
this user on this host, since emnify counts by IP; ``redis://...`` is for workers on several hosts behind one
address; ``memory`` is this client alone. A store that fails costs a warning and then the process counts in
memory until the store works again: the limits are there to keep tasks going, not to stop them.

See https://docs.emnify.com/developers/api-limits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pyrate_limiter import Rate

from airflow_provider_emnify.api.errors import EmnifyLockTimeoutError, first_line
from airflow_provider_emnify.api.limits.buckets import Bucket, Place, local_now
from airflow_provider_emnify.api.limits.documented import LIMITS, Limit, is_serial
from airflow_provider_emnify.api.limits.fallback import fallback_of
from airflow_provider_emnify.api.limits.stores import make_store
from airflow_provider_emnify.api.locks import LONG_WAIT, Locks, is_to_be_said
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log

log = one_line_log(__name__)

# Advice in the log of a long wait, by limit.
_ADVICE = {
    "authenticate": "token_cache 'host' in the connection's extras lets tasks share an auth token.",
}
_OTHER_ADVICE = "rate_limit_store in the connection's extras says who shares the limits."

_SHORT = 10_000  # milliseconds; limits over no more than that are kept also when their store fails


class Limits:
    """The limits that one client keeps, together with every other client that uses the same store.

    :param store: ``"host"``, ``"memory"``, or a ``redis://`` or ``rediss://`` URL (extra ``redis``).
    :param limits: The limits; the documented ones unless a test scales them down.
    :param directory: Where the ``host`` store lies; by default a directory of this user's in the
        temporary one.
    :param leave: Share of the limits by address (0 to 1) that is reserved for others: all clients with
        such a reserve share the rest.
    :param sleep: How to wait, in seconds.
    :raises ValueError: for a store that is none of these.
    """

    def __init__(
        self,
        store: str = "host",
        *,
        limits: tuple[Limit, ...] = LIMITS,
        directory: Path | None = None,
        leave: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = make_store(store, directory)
        self._fallback = fallback_of(self._store)
        self._limits = (*_less(limits, leave), *limits) if leave else limits
        short = [limit.window for limit in limits if limit.window <= _SHORT]
        self._pause = max(short, default=0) / 1000
        self._narrowest = min((limit.window for limit in limits), default=0) / 1000
        self._sleep = sleep
        self.locks = Locks(
            self._store, lambda: self._fallback.failing, lambda error: self._fallback.fail(error, self._pause)
        )
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        #: This client's own calls, to be added to a store that was recreated.
        self.calls: dict[str, tuple[Limit, deque[int]]] = {}

    def acquire(self, method: str, path: str, *, host: str, organisation: str) -> float:
        """Take a place in every limit that a call falls under, waiting for it where need be.

        :param host: The API's host; another host has limits of its own.
        :param organisation: What stands for the organisation: calls with the same name count together.
        :returns: The seconds that were waited.
        """
        covering = (limit for limit in self._limits if limit.covers(method, path))
        wanted = deque((limit, _key(limit, host, organisation)) for limit in covering)
        waited = 0.0
        while (wait := self._take(wanted)) > 0:
            if waited + wait > LONG_WAIT:
                self._say(*wanted[0], wait, f"{method} {path}")
            # In short sleeps, so that this client's calls are soon added to a store that was recreated.
            wait = min(wait, self._narrowest)
            self._sleep(wait)
            waited += wait
        return waited

    def used(self, *, host: str, organisation: str) -> list[tuple[Limit, int]]:
        """Return each limit, and how many calls its window holds: those of all who share the store.

        :raises Exception: whatever a store raises that cannot be read.
        """
        with self._lock, self._store.guard():
            if self._store.begin():
                self._buckets.clear()
            return [
                (limit, self._bucket(_key(limit, host, organisation), _rate(limit)).used())
                for limit in self._limits
            ]

    @property
    def store(self) -> str:
        """The store, as messages name it."""
        return self._store.name

    def _say(self, limit: Limit, key: str, wait: float, call: str) -> None:
        if not is_to_be_said(f"limit {key}"):
            return
        log.info(
            "%s waits for its place in the rate limit '%s' (%d calls in %.0f s, store %s): about %.0f s. %s",
            call,
            limit.name,
            limit.calls,
            limit.seconds,
            self._store.name,
            wait,
            _ADVICE.get(limit.name, _OTHER_ADVICE),
        )

    @contextlib.contextmanager
    def serial(self, method: str, path: str, *, host: str, organisation: str) -> Iterator[None]:
        """Hold the place of the one write that may be under way, where a call needs that."""
        with contextlib.ExitStack() as stack:
            if is_serial(method, path):
                try:
                    scope = f"{host} {organisation}"
                    stack.enter_context(self.locks.queue("writes on endpoints", "", scope=scope))
                except EmnifyLockTimeoutError as error:
                    log.warning("%s Sending %s %s nevertheless.", error, method, path)
            yield

    def close(self) -> None:
        """Close files and connections."""
        with self._lock:
            self._close_store()

    def after_fork(self) -> None:
        """Replace, in a child process, the parent's lock and buckets. Calls made so far still count."""
        self._lock = threading.Lock()
        self._buckets.clear()

    def _take(self, wanted: deque[tuple[Limit, str]]) -> float:
        """Take places one after another; return 0, or the seconds after which to go on with what is left."""
        with self._lock:
            if self._fallback.try_store():
                for again in (True, False):
                    try:
                        return self._take_from_store(wanted)
                    except Exception as error:  # whatever the store raises, the task goes on
                        self._close_store()
                        if not again or not self._store.was_deleted():
                            self._fallback.fail(error, self._pause)
                            break
            return self._take_places(wanted, lambda limit, key: self._fallback.take(key, _rate(limit)))

    def _take_from_store(self, wanted: deque[tuple[Limit, str]]) -> float:
        failed_before = self._fallback.failing
        with self._store.guard(again=failed_before):
            try:
                wait = self._take_under_lock(wanted, failed_before)
            except Exception as error:
                if not self._store.is_damaged(error):
                    raise
                log.warning(
                    "The rate limit store %s was damaged (%s) and is recreated",
                    self._store.name,
                    first_line(error),
                )
                self._store.recreate()
                wait = self._take_under_lock(wanted, failed_before)
        if failed_before:
            self._fallback.recover()
        return wait

    def _take_under_lock(self, wanted: deque[tuple[Limit, str]], failed_before: bool) -> float:
        begun = self._store.begin()
        if begun:
            self._buckets.clear()
        if failed_before:
            for key, rate, ages in self._fallback.unreported():
                self._bucket(key, rate).remember(ages)
        if begun and self._store.lost_history(self._narrowest):
            return self._regroup()
        return self._take_places(wanted, lambda limit, key: self._bucket(key, _rate(limit)).take())

    def _regroup(self) -> float:
        """Add this client's calls to a recreated store; then wait while other clients add theirs."""
        now = local_now()
        for key, (limit, own) in self.calls.items():
            ages = [now - moment for moment in own if 0 <= now - moment <= limit.window]
            self._bucket(key, _rate(limit)).remember(ages)
        return self._narrowest

    def _bucket(self, key: str, rate: Rate) -> Bucket:
        if key not in self._buckets:
            self._buckets[key] = self._store.bucket(key, self._store.rate(rate))
        return self._buckets[key]

    def _take_places(
        self, wanted: deque[tuple[Limit, str]], take: Callable[[Limit, str], Place | float]
    ) -> float:
        while wanted:
            limit, key = wanted[0]
            place = take(limit, key)
            if not isinstance(place, Place):
                return place
            if place.wait:
                return place.wait / 1000
            self.calls.setdefault(key, (limit, deque(maxlen=limit.calls)))[1].append(place.moment)
            wanted.popleft()
        return 0.0

    def _close_store(self) -> None:
        self._buckets.clear()
        with contextlib.suppress(Exception):
            self._store.close()


def _less(limits: tuple[Limit, ...], leave: float) -> Iterator[Limit]:
    """Return the limits by address, less a share: of all calls, and of authentications. They come first."""
    for limit in limits:
        if limit.scope == "address":
            calls = max(int(limit.calls * (1 - leave)), 1)
            yield replace(limit, name=f"{limit.name}, in the background", calls=calls)


def _key(limit: Limit, host: str, organisation: str) -> str:
    return f"{host} {limit.name}" + (f" {organisation}" if limit.scope == "organisation" else "")


def _rate(limit: Limit) -> Rate:
    return Rate(limit.calls, limit.window)
