"""How much devices use: made up from the seed, the same whenever it is asked for.

An endpoint uses its weight times the level of the day, so that the usage of a whole fleet is its weight
times that level, and the numbers of the endpoints add up to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from operator import add
from zlib import crc32

from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint
from airflow_provider_emnify.sandbox.world.state import State

_DAY = 86_400
_EPOCH = date(1970, 1, 1).toordinal()
_WEIGHTS = 16


@dataclass(frozen=True, slots=True)
class Usage:
    """Traffic: bytes of data, and SMS."""

    data_rx: int = 0
    data_tx: int = 0
    sms_rx: int = 0
    sms_tx: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(add, astuple(self), astuple(other)))

    def share(self, part: int, whole: int) -> Usage:
        """Return a part of it."""
        return Usage(*(number * part // whole for number in astuple(self)))

    def __bool__(self) -> bool:
        return any(astuple(self))


Days = Iterator[tuple[date, Usage]]


def day_of(when: float) -> date:
    """Return the day, in UTC."""
    return datetime.fromtimestamp(when, UTC).date()


def of_endpoint(state: State, endpoint: Endpoint, first: date, last: date) -> Days:
    """Return the usage of an endpoint on each day from ``first`` to ``last``, both included."""
    return _by_day(state, [endpoint], first, last)


def of_organisation(state: State, organisation_id: int, first: date, last: date) -> Days:
    """Return the usage of all endpoints of an organisation on each day, as :func:`of_endpoint` does."""
    endpoints = (one for one in state.endpoints.values() if one.organisation_id == organisation_id)
    return _by_day(state, endpoints, first, last)


def _by_day(state: State, endpoints: Iterable[Endpoint], first: date, last: date) -> Days:
    born: Counter[int] = Counter()
    for endpoint in endpoints:
        born[_EPOCH + int(endpoint.created // _DAY)] += 1 + endpoint.id % _WEIGHTS
    if not born:
        return
    start = max(first.toordinal(), min(born))
    end = min(last.toordinal(), day_of(state.now).toordinal())
    weight = sum(part for day, part in born.items() if day < start)
    for ordinal in range(start, end + 1):
        weight += born[ordinal]
        yield date.fromordinal(ordinal), _on_day(state, weight, ordinal)


def _on_day(state: State, weight: int, ordinal: int) -> Usage:
    rx, tx, sms = _level(state.settings.seed or 0, ordinal)
    usage = Usage(weight * rx, weight * tx, weight * sms, weight * (sms // 2))
    if ordinal == day_of(state.now).toordinal():
        return usage.share(int(state.now % _DAY), _DAY)  # the day is not over yet
    return usage


@lru_cache(maxsize=4096)
def _level(seed: int, ordinal: int) -> tuple[int, int, int]:
    chance = crc32(f"{seed} {ordinal}".encode())
    return 100_000 + chance % 900_000, 20_000 + (chance >> 8) % 180_000, chance >> 20 & 0b11
