"""Events: the list with its filters, and the types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, fields_of, present
from airflow_provider_emnify.sandbox.http.query import Getter, Listing, attributes, labelled, parse_criteria
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.world.clock import DAY, event_date
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.records.fleet import Event, with_luhn
from airflow_provider_emnify.sandbox.world.state import State

KEPT_SECONDS = 30 * DAY
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_MANY = frozenset({"iccid", "iccid_with_luhn", "endpoint", "type", "network", "rat", "country"})
_MOST_VALUES = 6
PARTS = ("user", "endpoint", "sim", "imsi", "detail")
"""What an event can be about."""


def plain_event(state: State, event: Event) -> dict[str, Any]:
    """An event, without what it is about."""
    return {
        "id": event.id,
        "timestamp": event_date(event.timestamp),
        "alert": event.alert,
        "description": event.description,
        "event_type": described(event.type),
        "event_source": described(event.source),
        "event_severity": described(event.severity),
        "organisation": state.organisation_row(event.organisation_id),
    }


def _row(state: State, event: Event) -> dict[str, Any]:
    """An event. With ``quirks``, every second one comes in the other form that has been recorded."""
    row = plain_event(state, event)
    if state.settings.quirks and event.id % 2:
        row["timestamp"] = row["timestamp"][:19].replace("T", " ")
        row["alert"] = int(event.alert)
        row["event_source"] = {"id": int(event.source), "name": event.source.label}
        row["event_severity"] = {"id": int(event.severity), "description": event.severity.label.upper()}
    return row | present(fields_of(event, *PARTS))


def _part(name: str, key: str) -> Getter[Event]:
    def get(state: State, event: Event) -> Any:
        part = getattr(event, name)
        return None if part is None else part.get(key)

    return get


_LISTING = Listing[Event](
    _row,
    {
        **attributes("id", "timestamp", "alert", "description"),
        **{name: labelled(name) for name in ("type", "source", "severity")},
        "organisation": lambda state, event: state.organisations[event.organisation_id].name,
        "user": _part("user", "username"),
        "endpoint": _part("endpoint", "name"),
        **{name: _part("endpoint", name) for name in ("tags", "ip_address", "imei")},
        "iccid": _part("sim", "iccid"),
        "iccid_with_luhn": lambda state, event: with_luhn(event.sim["iccid"]) if event.sim else None,
        "imsi": _part("imsi", "imsi"),
        "network": lambda state, event: "Vodafone" if event.endpoint else None,
        "rat": lambda state, event: "6" if event.endpoint else None,
        "country": lambda state, event: "Germany" if event.endpoint else None,
    },
    exact=frozenset({"ip_address", "iccid", "imsi", "imei"}),
)


@serves("GET", "/api/v1/event")
def list_events(call: Call, about: Callable[[Event], bool] | None = None) -> Answer:
    """List the events of the last 30 days, by ascending id unless asked otherwise.

    :param about: Which events there are to choose from; all by default.
    """
    start, end, criteria = _range(parse_criteria(call.query.get("q", "")))
    oldest = max(call.state.now - KEPT_SECONDS, start)
    kept = [
        event
        for event in call.state.events.values()
        if oldest <= event.timestamp <= end and (about is None or about(event))
    ]
    for name, wanted in criteria:
        values = wanted.split("|") if name in _MANY else [wanted]
        if len(values) > _MOST_VALUES:
            raise ApiError(
                "InvalidQueryCriteria", f"Search criteria {name} takes at most {_MOST_VALUES} values"
            )
        found = {event.id for value in values for event in _LISTING.filter(call.state, kept, [(name, value)])}
        kept = [event for event in kept if event.id in found]
    return _LISTING.page(call, kept)


def serve_events(of: str, number: Callable[[Call], int]) -> None:
    """Serve the events of an endpoint, a SIM or a user; of an unknown id, nothing.

    :param number: From a call to the id that its path means.
    """

    def give(call: Call) -> Answer:
        wanted = number(call)
        return list_events(call, lambda event: (getattr(event, of) or {}).get("id") == wanted)

    serves("GET", f"/api/v1/{of}/{{{of}_id}}/event")(give)


def _range(criteria: list[tuple[str, str]]) -> tuple[float, float, list[tuple[str, str]]]:
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
    return bounds.get("from", -math.inf), bounds.get("until", math.inf), others


def _time(name: str, wanted: str) -> float:
    if not _DATE.fullmatch(wanted):
        raise ApiError(
            "InvalidQueryCriteria", f"Search criteria {name} is invalid: expecting YYYY-MM-DDTHH:mm:ssZ"
        )
    try:
        return datetime.strptime(wanted, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ApiError("InvalidQueryCriteria", f"Search criteria {name} is invalid: no such date") from None
