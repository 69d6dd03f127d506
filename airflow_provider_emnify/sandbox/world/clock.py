"""The sandbox's own time, and what is due to happen in it."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

DAY = 86_400.0
_END = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class Clock:
    """Real time plus an offset that tests move.

    It runs on the performance counter: a test that fakes ``time.time`` fakes the worker's clock, not
    emnify's.

    :param start: Time to start from, in seconds since 1970; the real time by default.
    """

    def __init__(self, start: float | None = None) -> None:
        self._start = time.time() if start is None else start
        self._origin = time.perf_counter()
        self._offset = 0.0

    def time(self) -> float:
        """Seconds since 1970."""
        return self._start + (time.perf_counter() - self._origin) + self._offset

    def advance(self, seconds: float) -> float:
        """Move time on by ``seconds`` and return the new time.

        :raises ValueError: if ``seconds`` is negative, since time never goes back, or too large.
        """
        if not 0 <= seconds <= _END - self.time():
            raise ValueError(f"the clock goes forward only, up to the year 9999, not by {seconds!r} seconds")
        self._offset += seconds
        return self.time()


class Living(Protocol):
    """What has turns, and counts them: what was due in an earlier one does not happen."""

    life: int


class Agenda:
    """What will happen at which time: devices that come online, users that activate their account.

    :param now: The moment at which things happen now.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self._due: list[tuple[float, int, Callable[[], object], Living | None, int]] = []
        self._sequence = itertools.count()

    def after(self, seconds: float, happening: Callable[[], object], of: Living | None = None) -> None:
        """Let ``happening`` be called some time from now, as :meth:`at` does."""
        self.at(self.now + seconds, happening, of)

    def at(self, when: float, happening: Callable[[], object], of: Living | None = None) -> None:
        """Let ``happening`` be called once the time has come, which is ``now`` then.

        :param of: Whose it is: nothing happens if its turn has passed by then.
        """
        life = 0 if of is None else of.life
        heapq.heappush(self._due, (when, next(self._sequence), happening, of, life))

    def run_until(self, now: float) -> None:
        """Let everything happen that is due, in order of time."""
        while self._due and self._due[0][0] <= now:
            self.now, _, happening, of, life = heapq.heappop(self._due)
            if of is None or of.life == life:
                happening()
        self.now = now


def date(when: float | None) -> Any:
    """A date as endpoints, SIMs and users have it: ``2021-11-18T08:25:53.000+0000``; None for none."""
    return _stamp(when, "+0000")


def event_date(when: float | None) -> Any:
    """A date as events have it: ``2021-11-18T08:25:53.298Z``; None for none."""
    return _stamp(when, "Z")


def parse_date(text: object) -> float | None:
    """Return the time that an ISO 8601 date means, UTC where it names no zone; None when it is no date."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        when = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return when if 0 <= when <= _LATEST else None


@lru_cache(maxsize=4096)
def _stamp(when: float | None, zone: str) -> str | None:
    if when is None:
        return None
    moment = datetime.fromtimestamp(when, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}{zone}"
