"""Service profiles: what they allow, their services, and the limits of these."""

from __future__ import annotations

from collections import Counter
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, not_found, wrong
from airflow_provider_emnify.sandbox.http.fields import (
    boolean,
    code,
    link,
    number,
    text,
)
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row, serve_members
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes import catalogue
from airflow_provider_emnify.sandbox.world import quotas
from airflow_provider_emnify.sandbox.world.cloud_connect import REGIONS
from airflow_provider_emnify.sandbox.world.records.plain import SERVICE_PROFILE, new_service_profile

_ONE = "/api/v1/service_profile/{profile_id}"
_LIMITS = _ONE + "/traffic_limit"
_SMS_LIMIT = _ONE + "/service/{service_id}/traffic_limit/{limit_id}"
_MONTHLY = 2
_DATA = 38
_LIMIT = {
    "service": code(_DATA, required=True),
    "satellite_only": boolean(),
    "period": code(_MONTHLY),
    "volume": number(required=True, least=1, kind="Number of bytes"),
    "warning_percent": number(least=0, most=100, kind="Number from 0 to 100"),
}
_FLAGS = tuple(name for name, value in SERVICE_PROFILE.items() if isinstance(value, bool))
_BRIEF = ("id", "name", "description", *(name for name in _FLAGS if name.startswith(("allowed", "apply"))))
_LINKS = ("api_callback", "api_secret", "moc_callback", "esme_interface_type", "breakout_region", "dns")


def _brief(call: Call) -> Render:
    used = Counter(endpoint.service_profile_id for endpoint in call.state.endpoints.values())
    rules = {"ip_firewall_profiles": [], "enforce": False}
    return lambda row: {
        **{name: row[name] for name in _BRIEF},
        "ip_firewall_rule_set": rules,
        "used_count": str(used[row["id"]]),
    }


def _full(call: Call) -> Render:
    brief = _brief(call)

    def render(row: Row) -> Row:
        links: Row = {name: row[name] for name in _LINKS if row.get(name) is not None}
        if "esme_interface_type" in links:
            kind = links["esme_interface_type"]["id"]
            links["esme_interface_type"] = {"id": kind, "description": catalogue.ESME_INTERFACE_TYPES[kind]}
        if "breakout_region" in links:
            region = links["breakout_region"]["id"]
            links["breakout_region"] = {"id": region, "name": REGIONS[region - 1]}
        told, services = brief(row), [_service(row, service) for service in row["services"]]
        flags = {name: row[name] for name in _FLAGS}
        return {**told, **flags, **links, "used_count": int(told["used_count"]), "service": services}

    return render


def _service(row: Row, service: int) -> Row:
    told: Row = {"id": service, "description": catalogue.SERVICES[service]["description"]}
    return {**told, "traffic_limit": {"id": row["limits"][service]}} if service in row["limits"] else told


_PROFILES = Resource(
    path="/api/v1/service_profile",
    parameter="profile_id",
    name="Profile",
    table="service_profiles",
    fields={
        "name": text(required=True, shortest=1),
        "description": text(),
        **{name: boolean() for name in _FLAGS},
        **{name: link() for name in _LINKS},
    },
    answers={"create": 201, "give": 200, "change": 201, "delete": 204},
    references={
        "api_callback": lambda state: state.api_callbacks,
        "api_secret": lambda state: state.api_secrets,
        "moc_callback": lambda state: state.api_callbacks,
        "esme_interface_type": lambda state: catalogue.ESME_INTERFACE_TYPES,
        "breakout_region": lambda state: range(1, len(REGIONS) + 1),
        "dns": lambda state: state.dns,
    },
    make=lambda call, body: new_service_profile(**body),
    in_use=lambda state, row: any(
        endpoint.service_profile_id == row["id"] for endpoint in state.endpoints.values()
    ),
    brief=_brief,
    full=_full,
)
_PROFILES.serve()
serve_members(
    _ONE + "/service",
    "service_id",
    "Service",
    catalogue.SERVICES,
    lambda call: _PROFILES.one(call)["services"],
    lambda call, service: service in _PROFILES.one(call)["limits"],
)


@serves("PUT", _SMS_LIMIT)
def add_sms_limit(call: Call) -> Body:
    """Put a limit on a service of a profile."""
    limits, service = _PROFILES.one(call)["limits"], _the_service(call)
    limit = call.one(catalogue.TRAFFIC_LIMITS, "limit_id", "TrafficLimit")
    if limit["service_id"] != service:
        raise wrong(f"TrafficLimit {limit['id']} is not for service {service}.", "NotAllowed")
    limits[service] = limit["id"]
    return {}


@serves("DELETE", _SMS_LIMIT)
def remove_sms_limit(call: Call) -> Body:
    """Take the limit from a service of a profile."""
    limits, service, number = _PROFILES.one(call)["limits"], _the_service(call), call.id("limit_id", "Limit")
    if limits.get(service) != number:
        raise wrong(f"TrafficLimit {number} is not assigned to service {service}.", "NotAllowed")
    del limits[service]
    return {}


def _the_service(call: Call) -> int:
    service = call.id("service_id", "Service")
    if service not in _PROFILES.one(call)["services"]:
        raise wrong(f"Service {service} is not assigned to the profile.", "NotAllowed")
    return service


@serves("GET", _LIMITS)
def list_data_limits(call: Call) -> Body:
    """List the data limits of a profile."""
    return _data_limits(call)


@serves("POST", _LIMITS)
def add_data_limit(call: Call) -> Answer:
    """Add a data limit to a profile: one for satellites only, one for all."""
    limits, body = _data_limits(call), call.checked(_LIMIT, "DataLimit", status=400)
    satellite_only = body.get("satellite_only", False)
    if any(limit["satellite_only"] == satellite_only for limit in limits):
        raise ApiError("Duplicated", "There is a data limit of this kind already.")
    limit = {
        "id": call.state.next_id("data limit"),
        "service": {"id": _DATA, "description": catalogue.SERVICES[_DATA]["description"]},
        "satellite_only": satellite_only,
        "period": catalogue.PERIODS[_MONTHLY],
        "volume": int(body["volume"]),
    }
    limits.append(limit)
    if "warning_percent" in body:
        limit["warning_percent"] = int(body["warning_percent"])
    return Answer(201, headers={"Location": call.template.format_map(call.path) + f"/{limit['id']}"})


@serves("DELETE", _LIMITS)
def remove_data_limits(call: Call) -> None:
    """Remove all data limits of a profile."""
    _data_limits(call).clear()


@serves("DELETE", _LIMITS + "/{limit_id}")
def remove_data_limit(call: Call) -> None:
    """Remove a data limit of a profile."""
    limits, number = _data_limits(call), call.id("limit_id", "DataLimit")
    found = [limit for limit in limits if limit["id"] == number]
    if not found:
        raise not_found("DataLimit", number)
    limits.remove(found[0])


def _data_limits(call: Call) -> list[Any]:
    try:
        limits: list[Any] = _PROFILES.one(call)["data_limits"]
    except ApiError as error:
        raise ApiError("Forbidden", error.message) from None
    return limits


@serves("DELETE", _ONE + "/quota/{quota_type}")
def delete_quotas(call: Call) -> None:
    """Remove the quotas of one kind from all endpoints that have the profile."""
    state, profile, given = call.state, _PROFILES.one(call), call.path["quota_type"]
    if given not in ("data", "sms"):
        raise ApiError("BadRequest", f"quota_type is data or sms, not {given}.")
    kind: quotas.Kind = "data" if given == "data" else "sms"
    for endpoint_id, held in list(state.quotas):
        endpoint = state.endpoints.get(endpoint_id)
        if held == kind and endpoint is not None and endpoint.service_profile_id == profile["id"]:
            quotas.remove(state, endpoint, kind, call.now, call.user)
