"""emnify's documented rate limits, on the sandbox's clock."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_V = r"/api/v\d"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit.

    :param name: What is limited.
    :param per: Who is counted: a client's IP address or an organisation.
    :param amount: Requests in ``seconds``.
    :param seconds: Length of the window.
    :param burst: Size of the token bucket. Without it, a sliding window is counted.
    :param methods: HTTP methods that count, all by default.
    :param paths: Regular expression that the whole path template must match.
    """

    name: str
    per: Literal["ip", "organisation"]
    amount: int
    seconds: float
    burst: int | None = None
    methods: tuple[str, ...] = ()
    paths: str = r".*"

    def covers(self, method: str, template: str) -> bool:
        """Tell whether requests of this operation count."""
        return (not self.methods or method in self.methods) and re.fullmatch(self.paths, template) is not None


_GET = ("GET",)
_LISTS = (
    r"/(endpoint|sim|event|stats(/.*)?|organisation/\{\w+\}/stats(/.*)?|sim/\{\w+\}/stats(/.*)?"
    r"|endpoint/\{\w+\}/connectivity_info)"
)
_ENDPOINTS = r"/endpoint/\{\w+\}(/connectivity)?"
_OTHERS = r"/(sim/\{\w+\}|service_profile|tariff_profile|endpoint/\{\w+\}/stats/.*)"
DOCUMENTED: tuple[Limit, ...] = (
    Limit("calls per IP", "ip", 2000, 300),
    Limit("authentications per IP", "ip", 100, 300, methods=("POST",), paths=_V + "/authenticate"),
    Limit("lists and statistics", "organisation", 10, 1, 5, _GET, _V + _LISTS),
    Limit("single endpoints", "organisation", 50, 1, 25, _GET, _V + _ENDPOINTS),
    Limit("single SIMs, profiles and endpoint statistics", "organisation", 100, 1, 50, _GET, _V + _OTHERS),
    Limit("calls a month", "organisation", 10_000_000, 30 * 86_400, burst=10_000_000),
)
"""The limits that emnify documents."""


class _Window:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._taken: deque[float] = deque()

    def wait(self, now: float) -> float:
        while self._taken and self._taken[0] <= now - self._limit.seconds:
            self._taken.popleft()
        if len(self._taken) < self._limit.amount:
            return 0.0
        return self._taken[0] + self._limit.seconds - now

    def take(self, now: float) -> None:
        self._taken.append(now)

    def used(self, now: float) -> int:
        self.wait(now)
        return len(self._taken)


class _Bucket:
    def __init__(self, limit: Limit, size: int) -> None:
        self._rate = limit.amount / limit.seconds
        self._size = size
        self._tokens = float(size)
        self._at = 0.0

    def wait(self, now: float) -> float:
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        self._tokens -= 1

    def used(self, now: float) -> int:
        self.wait(now)
        return math.ceil(self._size - self._tokens)


class Limiter:
    """Counts requests against limits.

    :param limits: The limits; an empty sequence switches them off.
    """

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.limits = tuple(limits)
        self._counters: dict[tuple[str, str], _Window | _Bucket] = {}
        self._covering: dict[tuple[str, str, str], list[Limit]] = {}

    def take(self, per: str, who: str, method: str, template: str, now: float) -> tuple[Limit, float] | None:
        """Count one request, or return the limit that it breaks and the seconds until a place is free.

        A refused request takes no place.
        """
        key = (per, method, template)
        if key not in self._covering:
            self._covering[key] = [
                limit for limit in self.limits if limit.per == per and limit.covers(method, template)
            ]
        counters = []
        for limit in self._covering[key]:
            counters.append(self._counter(limit, who))
            if (wait := counters[-1].wait(now)) > 0:
                return limit, wait
        for counter in counters:
            counter.take(now)
        return None

    def usage(self, now: float) -> list[dict[str, object]]:
        """Tell how much of each limit is used at the moment, by whoever has used the most of it."""
        used: dict[str, int] = {}
        for (name, _), counter in self._counters.items():
            used[name] = max(used.get(name, 0), counter.used(now))
        rows = []
        for limit in self.limits:
            row = {"name": limit.name, "used": used.get(limit.name, 0), "amount": limit.burst or limit.amount}
            rows.append({**row, "seconds": limit.seconds})
        return rows

    def _counter(self, limit: Limit, who: str) -> _Window | _Bucket:
        key = (limit.name, who)
        if key not in self._counters:
            self._counters[key] = _Bucket(limit, limit.burst) if limit.burst else _Window(limit)
        return self._counters[key]
