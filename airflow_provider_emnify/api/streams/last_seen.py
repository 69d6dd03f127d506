"""When endpoints were last seen: by the network's events of the 30 days for which emnify keeps them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.few import FEW
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.readers import Interval, Reading, events, listed
from airflow_provider_emnify.api.transport.answers import moment_in
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.waits.event_filter import endpoint_id_of, event_time

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient

log = one_line_log(__name__)

SEEN_BY = (
    EventType.UPDATE_LOCATION,
    EventType.UPDATE_GPRS_LOCATION,
    EventType.CREATE_PDP_CONTEXT,
    EventType.UPDATE_PDP_CONTEXT,
    EventType.DELETE_PDP_CONTEXT,
)
"""The events that a device on the network causes: it registers, or begins, changes or ends a data session."""

MOST_SEEN = 1_000_000
"""Devices of which the time is held: some 150 MB."""

_KEPT = timedelta(days=30)
_MARGIN = timedelta(minutes=5)  # of a clock that is not emnify's


def read_last_seen(
    client: EmnifyClient, most: int = MOST_SEEN, since: datetime | None = None
) -> dict[int, float]:
    """Return when each endpoint was last seen, in seconds since 1970; one that was not is not there.

    The events are read once. What is held is a number a device, not its events.

    :param most: How many devices they may be.
    :param since: From when on; by default as far back as emnify keeps events.
    :raises ValueError: when they are more.
    """
    now = datetime.now(UTC)
    oldest = now - _KEPT + _MARGIN
    span = Interval(oldest if since is None else max(since, oldest), now + _MARGIN)
    seen: dict[int, float] = {}
    number = 0
    for page in events(Reading(client, span, {"type": [int(kind) for kind in SEEN_BY]})):
        number += len(page)
        for row in page:
            key, moment = endpoint_id_of(row), event_time(row)
            if key is not None and moment > seen.get(key, 0.0):
                seen[key] = moment
        if len(seen) > most:
            raise ValueError(
                f"last_seen: more than {most:,} endpoints had events in 30 days, which is more than can be "
                "held; sync the stream 'events', and take the latest of each in the database"
            )
    log.info("%d endpoints were seen since %s, by %d events", len(seen), span.start, number)
    return seen


def not_seen(client: EmnifyClient, rows: Iterable[Row], days: float) -> Iterator[Row]:
    """Yield the endpoints that are older than some days, and caused none of these events in them.

    Of a few the events are read one by one, of more those of all endpoints, once.

    :param rows: Endpoints, as emnify lists them.
    """
    since = datetime.now(UTC) - timedelta(days=days)
    rows = (row for row in rows if _is_older(row, since))
    first = [*islice(rows, FEW + 1)]
    seen: Container[int]
    if len(first) > FEW:
        seen = read_last_seen(client, since=since)
    else:
        seen = {key for row in first if _has_event(client, key := int(row["id"]), since)}
    yield from (row for row in chain(first, rows) if int(row["id"]) not in seen)


def _is_older(row: Row, since: datetime) -> bool:
    """Tell whether an endpoint was there before; one that does not say so could be new."""
    created = moment_in(row, "created")
    return created is not None and created < since


def _has_event(client: EmnifyClient, endpoint_id: int, since: datetime) -> bool:
    until = datetime.now(UTC) + _MARGIN
    try:
        with client.endpoints.events(
            endpoint_id, from_=since, until=until, type=SEEN_BY, per_page=1
        ) as listing:
            return any(True for _ in listing)
    except EmnifyNotFoundError:  # it is gone, or nothing is known of it
        return False


def endpoints(reading: Reading) -> Iterator[list[Row]]:
    """Read endpoints, each with ``last_seen_at``."""
    seen = read_last_seen(reading.client)
    for page in listed("endpoints.list")(reading):
        yield [{**row, "last_seen_at": _moment(seen.get(int(row["id"])))} for row in page]


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
