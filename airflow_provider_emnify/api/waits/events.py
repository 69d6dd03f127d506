"""The waits that look at events: whether something happened, and how long a device has been quiet.

Each look covers the whole time range again, or in a triggerer, where it is shared, the last hour. So an event
that shares its timestamp with another one, or arrives up to an hour late, is never missed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import Connectivity, EventPresence, Silence
from airflow_provider_emnify.api.errors import EmnifyNetworkStateError, EmnifyNotFoundError
from airflow_provider_emnify.api.resources.few import listing_if_cheaper
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.transport.paging import Listing
from airflow_provider_emnify.api.types import Id, Row
from airflow_provider_emnify.api.values import parse_ids, parse_moment
from airflow_provider_emnify.api.waits.event_filter import (
    EventFilter,
    endpoint_id_of,
    event_time,
    number_of,
    valid_events,
)
from airflow_provider_emnify.api.waits.kinds import Reading, WaitKind

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient


ANY = "any"
"""Instead of the id of an endpoint: an event of any endpoint, or of none."""

KEPT_HOURS = 30 * 24  # as long as emnify keeps events

_AHEAD = timedelta(days=1)  # an upper end that no clock reaches: emnify takes a range only with both ends
_ROWS = 1000  # a page, if emnify gives as many
_DATA_SESSION = (3, 4, 5)  # event types: PDP context created, updated, deleted
_NOT_YET = Reading(EventPresence.NO_EVENT_YET.value, EventPresence.NO_EVENT_YET.label)


def parse_endpoints(value: Any, field: str) -> list[Id]:
    """Return ids of endpoints, or :data:`ANY`.

    :raises ValueError: for anything else.
    """
    if type(value) in {str, list, tuple} and value in (ANY, [ANY], (ANY,)):
        return [ANY]
    return list(parse_ids(value, field))


def parse_event_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what events are waited for: ``since``, and the fields of :class:`EventFilter`.

    :raises ValueError: naming the field that makes no sense.
    """
    return {"since": parse_moment(filters.get("since"), "since"), **_filter(filters).to_dict()}


def parse_hours(value: Any, field: str) -> float:
    """Return for how many hours a device is to be quiet.

    :raises ValueError: for what is not a number of hours of which emnify still has the events.
    """
    hours = value / timedelta(hours=1) if isinstance(value, timedelta) else value
    if isinstance(hours, bool) or not isinstance(hours, (int, float)):
        raise ValueError(f"{field}: {value!r} is not a valid number of hours; give one above 0")  # noqa: TRY004 - as all bad arguments
    if not 0 < hours <= KEPT_HOURS:
        raise ValueError(
            f"{field}: {value!r} is not between 0 and {KEPT_HOURS}: emnify keeps events no longer"
        )
    return hours


def parse_days(value: Any, field: str) -> float:
    """Return for how many days a device is to be quiet, also from what a template renders to.

    :raises ValueError: for what is not a number of days of which emnify still has the events.
    """
    try:
        return parse_hours(value if isinstance(value, (bool, timedelta)) else float(value) * 24, field) / 24
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"{field}: {value!r} is not valid; give a number of days above 0 and at most "
            f"{KEPT_HOURS // 24}: emnify keeps events no longer, so nobody knows who was seen before"
        ) from None


def read_events(client: EmnifyClient, ids: Sequence[Id], filters: Mapping[str, Any]) -> dict[Id, Reading]:
    """Look for an event of each endpoint in the list of all, where that is cheaper than their own lists."""
    wanted = _filter(filters)

    def list_all() -> Listing:
        return client.events.list(**_query(filters, wanted))

    listing = list_all() if ANY in ids else listing_if_cheaper(ids, list_all)
    if listing is None:
        return {}
    with listing:
        return _seen(filter(wanted.matches, valid_events(listing)), ids)


def read_event(client: EmnifyClient, key: Id, filters: Mapping[str, Any]) -> Reading:
    """Look for an event of one endpoint in its own list."""
    wanted = _filter(filters)
    try:
        with client.endpoints.events(int(key), **_query(filters, wanted)) as listing:
            row = next(filter(wanted.matches, valid_events(listing)), None)
    except EmnifyNotFoundError:
        row = None  # as the documented answer for an id that does not exist: no events
    return _NOT_YET if row is None else _reading(row)


def _query(filters: Mapping[str, Any], wanted: EventFilter) -> Row:
    return {"from_": filters["since"], "until": _ahead(), **wanted.query()}


def event_query(filters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what emnify can filter by itself for a wait for events."""
    return _filter(filters).query()


def list_events(client: EmnifyClient, since: float, query: Mapping[str, Any]) -> list[Row]:
    """Return every event since a moment, the oldest first. Runs in a thread.

    :param since: In seconds since 1970.
    :param query: What emnify is to filter by.
    :returns: The events. No secret of the client's is in them, whatever their descriptions repeat.
    """
    start = datetime.fromtimestamp(since, UTC)
    with client.events.list(from_=start, until=_ahead(), per_page=_ROWS, **query) as listing:
        rows = sorted(valid_events(listing), key=lambda row: (event_time(row), number_of(row) or 0))
    redacted: list[Row] = client.transport.redact_value(rows)
    return redacted


def find_events(rows: Iterable[Row], ids: Sequence[Id], filters: Mapping[str, Any]) -> dict[Id, Reading]:
    """Look for an event of each endpoint among events that were listed already.

    :param filters: Those of the wait; what happened before its ``since`` does not count.
    """
    wanted, since = _filter(filters), event_time({"timestamp": filters["since"]})
    return _seen((row for row in rows if event_time(row) >= since and wanted.matches(row)), ids)


def _filter(filters: Mapping[str, Any]) -> EventFilter:
    return EventFilter.make(**{name: value for name, value in filters.items() if name != "since"})


def _seen(rows: Iterable[Row], ids: Sequence[Id]) -> dict[Id, Reading]:
    found, left = dict.fromkeys(ids, _NOT_YET), set(ids)
    for row in rows:
        for key in left & {ANY, endpoint_id_of(row)}:
            found[key] = _reading(row)
            left.discard(key)
        if not left:
            break
    return found


def _reading(row: Row) -> Reading:
    what = row.get("description") or "event"
    return Reading(EventPresence.EVENT_SEEN.value, f"{what} (event {row.get('id')}, {row.get('timestamp')})")


def read_silence(client: EmnifyClient, key: Id, filters: Mapping[str, Any]) -> Reading:
    """Look whether an endpoint is online, and if not, whether it had a data session lately."""
    endpoint_id, hours = int(key), filters["hours"]
    try:
        status = part(client.endpoints.connectivity(endpoint_id), "status").get("description")
    except EmnifyNetworkStateError as unknown:
        status = unknown.message
    if status == Connectivity.ONLINE:
        return Reading(Silence.ONLINE.value, Silence.ONLINE.label)
    since = datetime.fromtimestamp(time.time(), UTC) - timedelta(hours=hours)
    sessions = client.endpoints.events(
        endpoint_id, from_=since, until=_ahead(), type=_DATA_SESSION, per_page=1
    )
    with sessions:
        last = next(sessions, None)
    if last is not None:
        return Reading(Silence.ONLINE_LATELY.value, f"{status}, last data session {last.get('timestamp')}")
    return Reading(Silence.NOT_ONLINE.value, f"{status}, not online for {hours:g} h")


def _ahead() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC) + _AHEAD


EVENT_WAITS: dict[str, WaitKind] = {
    "event": WaitKind(
        noun="endpoint",
        states=EventPresence,
        read_one=read_event,
        read_many=read_events,
        parse=parse_endpoints,
        parse_filters=parse_event_filters,
    ),
    "endpoint_silence": WaitKind(
        noun="endpoint",
        states=Silence,
        read_one=read_silence,
        parse_filters=lambda filters: {"hours": parse_hours(filters.get("hours"), "not_online_for")},
    ),
}
