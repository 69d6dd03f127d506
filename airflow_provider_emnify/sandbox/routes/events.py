"""Events: the list with its filters, and the types."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError
from airflow_provider_emnify.sandbox.http.query import Getter, Listing, page, parse_criteria
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.render import event_row
from airflow_provider_emnify.sandbox.world.clock import DAY
from airflow_provider_emnify.sandbox.world.lookups import EVENT_TYPES
from airflow_provider_emnify.sandbox.world.records.fleet import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_emnify.sandbox.world.state import State

KEPT_SECONDS = 30 * DAY
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_MANY = frozenset({"iccid", "iccid_with_luhn", "endpoint", "type", "network", "rat", "country"})
_MOST_VALUES = 6


def _part(name: str, key: str) -> Getter[Event]:
    def get(event: Event) -> Any:
        part = getattr(event, name)
        return None if part is None else part.get(key)

    return get


def _fields(state: State) -> dict[str, Getter[Event]]:
    def iccid_with_luhn(event: Event) -> str | None:
        sim = state.sims.get(event.sim["id"]) if event.sim else None
        return sim.iccid_with_luhn if sim else None

    return {
        "id": lambda event: event.id,
        "timestamp": lambda event: event.timestamp,
        "type": lambda event: (int(event.type), event.type.label),
        "source": lambda event: (int(event.source), event.source.label),
        "severity": lambda event: (int(event.severity), event.severity.label),
        "alert": lambda event: event.alert,
        "description": lambda event: event.description,
        "organisation": lambda event: state.organisations[event.organisation_id].name,
        "user": _part("user", "username"),
        "endpoint": _part("endpoint", "name"),
        "tags": _part("endpoint", "tags"),
        "ip_address": _part("endpoint", "ip_address"),
        "imei": _part("endpoint", "imei"),
        "iccid": _part("sim", "iccid"),
        "iccid_with_luhn": iccid_with_luhn,
        "imsi": _part("imsi", "imsi"),
        "network": lambda event: "Vodafone" if event.endpoint else None,
        "rat": lambda event: "6" if event.endpoint else None,
        "country": lambda event: "Germany" if event.endpoint else None,
    }


def list_events(call: Call, about: Callable[[Event], bool] | None = None) -> Answer:
    """List the events of the last 30 days, by ascending id unless asked otherwise.

    :param about: Which events there are to choose from; all by default.
    """
    state = call.state
    listing = Listing[Event](
        lambda event: event_row(state, event),
        _fields(state),
        exact=frozenset({"ip_address", "iccid", "imsi", "imei"}),
    )
    oldest = call.now - KEPT_SECONDS
    rows: Iterable[Event] = (
        event
        for event in state.events.values()
        if event.timestamp >= oldest and (about is None or about(event))
    )
    start, end, criteria = _range(parse_criteria(call.query.get("q", "")))
    if start is not None and end is not None:
        rows = (event for event in rows if start <= event.timestamp <= end)
    kept = list(rows)
    for name, wanted in criteria:
        values = wanted.split("|") if name in _MANY else [wanted]
        if len(values) > _MOST_VALUES:
            raise ApiError(
                "InvalidQueryCriteria", f"Search criteria {name} takes at most {_MOST_VALUES} values"
            )
        found = {event.id for value in values for event in listing.filter(kept, [(name, value)])}
        kept = [event for event in kept if event.id in found]
    if call.query.get("sort"):
        kept = listing.sort(kept, call.query["sort"])
    return page(call, kept, listing.render, listing.default, listing.maximum)


def _range(
    criteria: list[tuple[str, str]],
) -> tuple[float | None, float | None, list[tuple[str, str]]]:
    bounds: dict[str, float] = {}
    others = []
    for name, wanted in criteria:
        if name in {"from", "until"}:
            bounds[name] = _time(name, wanted)
        elif name == "timestamp":
            bounds["from"] = _time(name, wanted)
            bounds["until"] = bounds["from"] + DAY
        else:
            others.append((name, wanted))
    if len(bounds) == 1:
        raise ApiError("InvalidQueryCriteria", "Search criteria from and until are valid together only")
    return bounds.get("from"), bounds.get("until"), others


def _time(name: str, wanted: str) -> float:
    if not _DATE.fullmatch(wanted):
        raise ApiError(
            "InvalidQueryCriteria", f"Search criteria {name} is invalid: expecting YYYY-MM-DDTHH:mm:ssZ"
        )
    try:
        return datetime.strptime(wanted, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ApiError("InvalidQueryCriteria", f"Search criteria {name} is invalid: no such date") from None


@serves("GET", "/api/v1/event")
def all_events(call: Call) -> Answer:
    """List events."""
    return list_events(call)


@serves("GET", "/api/v1/event/type")
def event_types(call: Call) -> Answer:
    """List event types."""
    return Answer(body=list(EVENT_TYPES.values()))
