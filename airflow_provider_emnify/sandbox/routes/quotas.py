"""Quotas and traffic limit extensions of endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, fields_of, not_found, present, wrong
from airflow_provider_emnify.sandbox.http.fields import Field, code, integer, moment, number
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import TRAFFIC_LIMITS
from airflow_provider_emnify.sandbox.routes.endpoints import the_endpoint
from airflow_provider_emnify.sandbox.world import devices, quotas
from airflow_provider_emnify.sandbox.world.clock import date, event_date, parse_date
from airflow_provider_emnify.sandbox.world.quotas import Kind
from airflow_provider_emnify.sandbox.world.records.fleet import Extension, Quota

_DATA = "/api/v1/endpoint/{endpoint_id}/quota/data"
_SMS = "/api/v1/endpoint/{endpoint_id}/quota/sms"
_EXTENSIONS = "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension"
_EXTENSION = {"volume": number(required=True, least=1), "traffic_limit_id": integer()}
_SWITCH = Field("0 or 1", lambda value: value in (0, 1))
_SHARED = {
    "status": code(1, 2, 3, required=True),
    "volume": number(required=True, least=0, kind="Number that is not negative"),
    "expiry_date": moment(required=True),
    "auto_refill": _SWITCH,
    "last_volume_added": number(least=0),
    "threshold_volume": number(least=0),
}
_FIELDS: dict[str, dict[str, Field]] = {
    kind: {
        **_SHARED,
        "action_on_exhaustion": code(*actions, required=kind == "data"),
        "threshold_percentage": number(
            required=kind == "sms", least=0, most=100, kind="Number from 0 to 100"
        ),
    }
    for kind, actions in (("data", (1,)), ("sms", (1, 2)))
}


@serves("GET", _DATA)
@serves("GET", _SMS)
def get_quota(call: Call) -> Body:
    """Give what is left of a quota."""
    quota = quotas.of_endpoint(call.state, the_endpoint(call), _kind(call))
    return _row(quota, quirks=call.state.settings.quirks)


@serves("POST", _DATA)
@serves("POST", _SMS)
def set_quota(call: Call) -> Answer:
    """Set a quota."""
    endpoint, body = the_endpoint(call), call.checked(_FIELDS[_kind(call)], "Quota")
    if (parse_date(body["expiry_date"]) or 0) <= call.state.now:
        raise wrong("Quota - expiry_date must be in the future.")
    quotas.assign(call.state, endpoint, _kind(call), body)
    return Answer(201)


@serves("DELETE", _DATA)
@serves("DELETE", _SMS)
def delete_quota(call: Call) -> None:
    """Remove a quota."""
    quotas.remove(call.state, the_endpoint(call), _kind(call))


def _kind(call: Call) -> Kind:
    return "data" if call.template == _DATA else "sms"


def _row(quota: Quota, *, quirks: bool) -> dict[str, Any]:
    """A quota; the ids are strings, and with ``quirks`` the volumes too."""
    counter = str if quirks else float
    row = {
        "status": {"id": str(int(quota.status)), "description": quota.status.name},
        "volume": counter(quota.volume),
        "last_volume_added": counter(quota.last_volume_added),
        "last_status_change_date": date(quota.changed),
        "expiry_date": date(quota.expires),
        "auto_refill": int(quota.auto_refill),
        "action_on_exhaustion": {"id": "1", "description": "Block"},
    }
    return row | present(fields_of(quota, "threshold_percentage", "threshold_volume"))


@serves("GET", _EXTENSIONS)
def list_extensions(call: Call) -> Body:
    """List the traffic limit extensions that are in force."""
    return [_extension(extension) for extension in _extensions(call) if extension.expires > call.state.now]


@serves("POST", _EXTENSIONS)
def add_extension(call: Call) -> Answer:
    """Extend a traffic limit until the end of the month, which lifts the endpoint's block."""
    state, endpoint = call.state, the_endpoint(call)
    body = call.checked(_EXTENSION, "TrafficLimitExtension", status=400)
    limit_id = int(body.get("traffic_limit_id", next(iter(TRAFFIC_LIMITS))))
    if limit_id not in TRAFFIC_LIMITS:
        raise not_found("TrafficLimit", limit_id)
    extension = Extension(
        state.next_id("extension"),
        endpoint.id,
        limit_id,
        body["volume"],
        call.state.now,
        _end_of_month(call.state.now),
    )
    state.extensions[extension.id] = extension
    if endpoint.blocked:
        devices.block(state, endpoint, blocked=False)
    return Answer(201, _extension(extension))


@serves("DELETE", _EXTENSIONS)
def delete_extensions(call: Call) -> None:
    """Remove all traffic limit extensions of an endpoint."""
    for extension in _extensions(call):
        del call.state.extensions[extension.id]


def _extensions(call: Call) -> list[Extension]:
    number = the_endpoint(call).id
    return [extension for extension in call.state.extensions.values() if extension.endpoint_id == number]


def _extension(extension: Extension) -> dict[str, Any]:
    return {
        **fields_of(extension, "id", "endpoint_id", "traffic_limit_id", "volume"),
        "expiration_date": event_date(extension.expires),
        "created_at": event_date(extension.created),
    }


def _end_of_month(now: float) -> float:
    today = datetime.fromtimestamp(now, UTC)
    year, month = divmod(today.year * 12 + today.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
