"""The documented rate limits, as buckets that processes share: a request takes its place before it is sent.

Three stores: ``host`` (the default) is a SQLite file in the temporary directory, shared by all processes of
this user on this host, since emnify counts by IP; ``redis://...`` is for workers on several hosts behind one
address; ``memory`` is this process alone. A store that fails costs a warning and then counts in memory: the
limits are there to keep tasks going, not to stop them. The buckets are pyrate-limiter's.

See https://docs.emnify.com/developers/api-limits.
"""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pyrate_limiter import AbstractBucket, Rate, RateItem

from airflow_provider_emnify.api.limit_stores import MemoryStore, make_store
from airflow_provider_emnify.api.one_line_log import one_line_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = one_line_log(__name__)

_MARGIN = 1.02
_LEAK_EVERY = 50  # calls after which a bucket forgets what is older than its window


@dataclass(frozen=True)
class Limit:
    """One documented limit.

    :param name: Its class, as the reference table shows it.
    :param calls: So many calls ...
    :param seconds: ... in any window of so many seconds.
    :param scope: What is counted together: all of this address, or all of one organisation.
    :param method: The HTTP method that it is for; None for each.
    :param path: What its paths look like.
    """

    name: str
    calls: int
    seconds: float
    scope: Literal["address", "organisation"]
    method: str | None = None
    path: re.Pattern[str] = re.compile("")

    @property
    def window(self) -> int:
        """Its window in milliseconds, a little longer than documented: no clock and no way is exact."""
        return round(self.seconds * 1000 * _MARGIN)

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a call falls under this limit."""
        return (self.method is None or self.method == method) and self.path.fullmatch(path) is not None


def _paths(*patterns: str) -> re.Pattern[str]:
    return re.compile("/api/v1/(?:" + "|".join(p.replace("{}", "[^/]+") for p in patterns) + ")")


# "10/s, burst 5" is a bucket of 5 that refills at 10 a second: never more than 5 in half a second.
# Wide limits come first: what waits for them is not yet counted in the narrow ones.
LIMITS: tuple[Limit, ...] = (
    Limit("address", 2000, 300.0, "address", path=re.compile(".*")),
    Limit("authenticate", 100, 300.0, "address", "POST", _paths("authenticate")),
    Limit(
        "10/s",
        5,
        0.5,
        "organisation",
        "GET",
        _paths(
            "endpoint",
            "sim",
            "event",
            "stats",
            "stats/daily",
            "organisation/{}/stats",
            "sim/{}/stats",
            "endpoint/{}/connectivity_info",
        ),
    ),
    Limit("50/s", 25, 0.5, "organisation", "GET", _paths("endpoint/{}", "endpoint/{}/connectivity")),
    Limit(
        "100/s",
        50,
        0.5,
        "organisation",
        "GET",
        _paths("sim/{}", "service_profile", "tariff_profile", "endpoint/{}/stats/{}"),
    ),
)

# One after another, says the API: single writes on endpoints, and bulk calls.
_SERIAL_PATH = re.compile(
    r"/api/v1/endpoint(/[^/]+)?|/api/v2/endpoint/multi|/api/v2/bulk-operations/.*|/api/v1/sim/multi"
)
_SHORT = 10_000  # milliseconds; limits over no more than that are kept also when their store fails
_TURN_WAIT = 600.0  # seconds after which a writer goes on all the same, with a warning
_SLOTS = 64  # turns of one kind: things share them, so that a large fleet does not leave a file for each

_held = threading.local()  # whether this thread has a turn


def limit_class(method: str, path: str) -> str:
    """Return the name of the narrowest limit that a call falls under.

    :param method: HTTP method.
    :param path: Path or path template.
    """
    return next((limit.name for limit in reversed(LIMITS) if limit.covers(method, path)), "address")


def is_serial(method: str, path: str) -> bool:
    """Tell whether a call has to wait for the one before it to end."""
    return method != "GET" and _SERIAL_PATH.fullmatch(path) is not None


class Limits:
    """The limits that one client keeps, together with every other client that uses the same store.

    :param store: ``"host"``, ``"memory"``, or a ``redis://`` or ``rediss://`` URL (extra ``redis``).
    :param limits: The limits; the documented ones unless a test scales them down.
    :param directory: Where the ``host`` store lies; by default a directory of this user's in the
        temporary one.
    :param leave: Share of the limits by address (0 to 1) that is left to others: all clients that leave one
        keep together to the rest.
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
        self._limits = (*_less(limits, leave), *limits) if leave else limits
        short = [limit.window for limit in limits if limit.window <= _SHORT]
        self._blind = max(short, default=0) / 1000
        self._blind_until = -math.inf
        self._narrowest = min((limit.window for limit in limits), default=0) / 1000
        self._sleep = sleep
        self._lock = threading.RLock()
        self._buckets: dict[str, AbstractBucket] = {}
        self._own: dict[str, tuple[Limit, deque[int]]] = {}  # this process's calls, to tell a new store of

    def acquire(self, method: str, path: str, *, host: str, organisation: str) -> float:
        """Take a place in every limit that a call falls under, waiting for it where need be.

        :param host: The API's host; another host has limits of its own.
        :param organisation: What stands for the organisation: calls with the same name count together.
        :returns: The seconds that were waited.
        """
        waited = 0.0
        for limit in self._limits:
            if limit.covers(method, path):
                key = f"{host} {limit.name}" + (f" {organisation}" if limit.scope == "organisation" else "")
                while (wait := self._try(limit, key)) > 0:
                    # Not in one piece: a store that was begun anew is to hear of this process's calls soon.
                    wait = min(wait, self._narrowest)
                    self._sleep(wait)
                    waited += wait
        return waited

    @contextlib.contextmanager
    def serial(self, method: str, path: str, *, host: str, organisation: str) -> Iterator[None]:
        """Hold the place of the one write that may be under way, where a call needs that."""
        if not is_serial(method, path):
            yield
            return
        with self._turn(f"{host} {organisation}", "writes on endpoints"):
            yield

    @contextlib.contextmanager
    def one_at_a_time(self, kind: str, which: object, *, host: str, organisation: str) -> Iterator[float]:
        """Hold the turn of what takes several calls, and goes wrong when another does the same in between.

        :param kind: What is being done.
        :param which: What it is done to; each has a turn of its own (or now and then one with another).
        :returns: When another one ended its turn for the same, by ``time.monotonic()``; minus infinity when
            there was none in an hour.
        :raises RuntimeError: when this thread has a turn already: it could wait for itself.
        """
        if getattr(_held, "turn", None) is not None:
            raise RuntimeError(f"{kind}: this thread has the turn of {_held.turn} already; end that first")
        slot = zlib.crc32(str(which).encode()) % _SLOTS
        _held.turn = kind
        try:
            with self._turn(f"{host} {organisation} {kind} {slot}", kind, which=str(which)) as ended:
                yield ended
        finally:
            _held.turn = None

    @contextlib.contextmanager
    def _turn(self, key: str, what: str, which: str = "") -> Iterator[float]:
        """Hold a turn of the store, as far as the store goes: whatever it raises, the task goes on."""
        turn, ended = contextlib.ExitStack(), -math.inf
        try:
            ended = turn.enter_context(self._store.turn(key, which, _TURN_WAIT))
        except Exception as error:
            log.warning("Could not wait for other %s (%s); going on", what, _first_line(error))
        try:
            yield ended
        finally:
            try:
                turn.close()
            except Exception as error:
                log.warning("Others may have come in between with %s (%s)", what, _first_line(error))

    def close(self) -> None:
        """Let go of files and connections."""
        with self._lock:
            self._buckets.clear()
            self._store.close()

    def after_fork(self) -> None:
        """Let go, in a child process, of what is the parent's. Its calls count on."""
        self._lock = threading.RLock()
        self._buckets.clear()

    def _try(self, limit: Limit, key: str) -> float:
        """Take a place at once and return 0, or return the seconds after which to try again."""
        with self._lock:
            if (blind := self._blind_until - time.monotonic()) > 0:
                return blind
            try:
                return self._put(limit, key)
            except Exception as error:  # whatever the store raises, the task goes on
                return self._put_all_the_same(limit, key, error)

    def _put(self, limit: Limit, key: str) -> float:
        with self._store.lock():
            if self._store.begin() and (self._buckets or self._store.age() < self._narrowest):
                return self._regroup()
            if key not in self._buckets:
                self._open(limit, key)
            return self._place(limit, key)

    def _regroup(self) -> float:
        """Tell a new store of this process's calls; then wait, so that the others can tell it of theirs."""
        self._buckets.clear()
        for key, (limit, _) in self._own.items():
            self._open(limit, key)
        return self._narrowest

    def _open(self, limit: Limit, key: str) -> None:
        rate = Rate(max(limit.calls // self._store.share, 1), limit.window)
        bucket = self._buckets[key] = self._store.bucket(key, rate)
        _, own = self._own.setdefault(key, (limit, deque(maxlen=limit.calls)))
        for moment in own:
            bucket.put(RateItem(key, moment))

    def _place(self, limit: Limit, key: str) -> float:
        bucket, own = self._buckets[key], self._own[key][1]
        now = time.time_ns() // 1_000_000
        item = RateItem(key, now)
        if bucket.put(item):
            while own and own[0] < now - limit.window:
                own.popleft()
            own.append(now)
            if len(own) % _LEAK_EVERY == 0:
                bucket.leak(now)
            return 0.0
        wait = bucket.waiting(item)
        if not isinstance(wait, int) or wait > limit.window + 1:
            bucket.flush()  # entries from the future: the clock was set back
            own.clear()
            return 0.001
        return max(wait, 1) / 1000

    def _put_all_the_same(self, limit: Limit, key: str, error: Exception) -> float:
        """Do without the store's past, or else without the store."""
        try:
            self._store.begin_anew()
            wait = self._put(limit, key)
        except Exception as again:  # whatever the store raises, the task goes on
            log.warning(
                "The rate limit store %s fails (%s). From now on this process counts alone and keeps to a "
                "quarter of each limit; see rate_limit_store in the connection's extras.",
                self._store.name,
                _first_line(again),
            )
            self._store.close()
            self._store = MemoryStore(share=4)
            self._buckets.clear()
            # What others have called just before is not known any more.
            self._blind_until = time.monotonic() + self._blind
            return self._blind
        why = _first_line(error)
        log.warning("The rate limit store %s was damaged (%s) and begun anew", self._store.name, why)
        return wait


def _less(limits: tuple[Limit, ...], leave: float) -> Iterator[Limit]:
    """Return the limits by address, less a share: of all calls, and of authentications. They come first."""
    for limit in limits:
        if limit.scope == "address":
            calls = max(int(limit.calls * (1 - leave)), 1)
            yield replace(limit, name=f"{limit.name}, in the background", calls=calls)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
