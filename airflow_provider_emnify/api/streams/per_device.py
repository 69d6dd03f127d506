"""Streams that need a call a device: several under way at a time, and their cost known beforehand."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from airflow_provider_emnify.api.errors import EmnifyNetworkStateError, EmnifyNotFoundError
from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.readers import Reader, Reading, call_of, filled, of_days, path_of
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.types import Row

log = one_line_log(__name__)


_REASONS = 5  # as many as a log line names

DATA_STREAMER = "https://docs.emnify.com/multicloud-data-streamer"


class TooManyCallsError(ValueError):
    """A stream would need more calls than its reader allows."""


@dataclass(frozen=True)
class Estimate:
    """What the reading of a stream costs.

    :param devices: Endpoints or SIMs that are asked for, one by one.
    :param calls: Requests.
    :param seconds: How long emnify's limits let it take, at least.
    """

    devices: int
    calls: int
    seconds: float

    def __str__(self) -> str:
        minutes = self.seconds / 60
        least = "less than a minute" if minutes < 1 else f"{minutes:,.0f} minutes or more"
        return f"{self.devices:,} devices, {self.calls:,} calls, {least}"


Ask = Callable[[Reading, int], Iterable[Row]]


def each(devices: str, call: str, ask: Ask) -> Reader:
    """Read something of each device, several at a time.

    A device that is gone meanwhile, that has nothing to tell, or of which the network knows nothing now, has
    no rows; how many are left out so, and why, is logged.

    :param devices: The call that lists them, ``endpoints.list``; the filters are its.
    :param call: The call that is made for each, for the estimate.
    :param ask: Asks for one device, by its id.
    """

    def read(reading: Reading) -> Iterator[list[Row]]:
        with call_of(reading.client, devices)(**reading.filters) as listing:
            total = listing.total or 0
            cost = Estimate(total, total + listing.pages, seconds_for(total, path_of(call)))
            reading.pages = cost.devices
            if reading.estimated is not None:
                reading.estimated(cost)
            if cost.calls > reading.max_calls:
                raise TooManyCallsError(
                    f"max_calls: this would take {cost}, and {reading.max_calls:,} calls are allowed. "
                    "Filter the devices, allow more calls, or let emnify's Data Streamer send what you "
                    f"need: {DATA_STREAMER}"
                )
            yield from _ask_all(reading, (int(row["id"]) for row in listing), ask)

    return read


def _ask_all(reading: Reading, ids: Iterable[int], ask: Ask) -> Iterator[list[Row]]:
    left_out: Counter[str] = Counter()

    def answers(device_id: int) -> list[Row]:
        try:
            return list(ask(reading, device_id))
        except (EmnifyNotFoundError, EmnifyNetworkStateError) as error:
            left_out[error.message] += 1
            return []

    pool = ThreadPoolExecutor(reading.threads, "emnify-stream")
    under_way: deque[Future[list[Row]]] = deque()
    try:
        for device_id in ids:
            under_way.append(pool.submit(answers, device_id))
            if len(under_way) > 2 * reading.threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if left_out:
            reasons = ", ".join(f"{message} ({count})" for message, count in left_out.most_common(_REASONS))
            log.warning("%d devices have no row: %s", sum(left_out.values()), reasons)


def seconds_for(calls: int, path: str) -> float:
    """Return how long emnify's limits let so many calls of an operation take, at least."""
    return max(
        math.floor(max(calls - 1, 0) / limit.calls) * limit.seconds
        for limit in LIMITS
        if limit.covers("GET", path)
    )


def about(call: str) -> Ask:
    """Ask for what a call tells of an endpoint, one thing or a list; where there is none, there is no row."""

    def ask(reading: Reading, endpoint_id: int) -> Iterator[Row]:
        found = call_of(reading.client, call)(endpoint_id)
        for row in found if isinstance(found, Listing) else [filled(found, call)]:
            yield {**row, "endpoint_id": endpoint_id}

    return ask


def daily(devices: str) -> Ask:
    """Ask for the usage of a device by day. Both dates are sent: one alone means another span.

    :param devices: ``endpoint`` or ``sim``.
    """

    def ask(reading: Reading, device_id: int) -> Iterable[Row]:
        days, call = reading.span.days(), call_of(reading.client, f"{devices}s.daily_stats")
        if not days:
            return ()
        found = call(device_id, start_date=days[0], end_date=days[-1])
        return of_days(found, days, **{f"{devices}_id": device_id})

    return ask
