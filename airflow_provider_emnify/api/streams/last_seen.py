"""When endpoints were last seen: by the network's events of the 30 days for which emnify keeps them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.columns import to_timestamp
from airflow_provider_emnify.api.streams.readers import Interval, Reading, events, listed
from airflow_provider_emnify.api.waits.event_filter import endpoint_id_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.types import Row

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


def read_last_seen(client: EmnifyClient, most: int = MOST_SEEN) -> dict[int, float]:
    """Return when each endpoint was last seen, in seconds since 1970; one that was not is not there.

    The events are read once. What is held is a number a device, not its events.

    :param most: How many devices they may be.
    :raises ValueError: when they are more.
    """
    now = datetime.now(UTC)
    span = Interval(now - _KEPT + _MARGIN, now + _MARGIN)
    seen: dict[int, float] = {}
    number = 0
    for page in events(Reading(client, span, {"type": [int(kind) for kind in SEEN_BY]})):
        number += len(page)
        for row in page:
            _note(row, seen)
        if len(seen) > most:
            raise ValueError(
                f"last_seen: more than {most:,} endpoints had events in 30 days, which is more than can be "
                "held; sync the stream 'events', and take the latest of each in the database"
            )
    log.info("%d endpoints were seen in 30 days, by %d events", len(seen), number)
    return seen


def _note(row: Row, seen: dict[int, float]) -> None:
    key = endpoint_id_of(row)
    try:
        moment = to_timestamp(row.get("timestamp")).timestamp()
    except ValueError:
        return  # it says not when
    if key is not None and moment > seen.get(key, 0.0):
        seen[key] = moment


def endpoints(reading: Reading) -> Iterator[list[Row]]:
    """Read endpoints, each with ``last_seen_at``."""
    seen = read_last_seen(reading.client)
    for page in listed("endpoints.list")(reading):
        yield [{**row, "last_seen_at": _moment(seen.get(int(row["id"])))} for row in page]


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
