"""Service profiles: what they allow, their services with limits, and the callbacks and servers they use."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable

from airflow_provider_emnify.sandbox.http.answers import ApiError, present, wrong
from airflow_provider_emnify.sandbox.http.fields import (
    address,
    boolean,
    code,
    link,
    number,
    one_of,
    text,
)
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row, in_endpoints, serve_members
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes import catalogue
from airflow_provider_emnify.sandbox.world import quotas
from airflow_provider_emnify.sandbox.world.records.plain import SERVICE_PROFILE, new_service_profile
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State

_ONE = "/api/v1/service_profile/{profile_id}"
_LIMITS = _ONE + "/traffic_limit"
_MONTHLY = 2
_DATA = 38
_FLAGS = tuple(name for name, value in SERVICE_PROFILE.items() if isinstance(value, bool))
_BRIEF = ("id", "name", "description", *(name for name in _FLAGS if name.startswith(("allowed", "apply"))))
_LINKS = ("api_callback", "api_secret", "moc_callback", "esme_interface_type", "breakout_region", "dns")
_NAMED = (
    ("esme_interface_type", "description", catalogue.ESME_INTERFACE_TYPES),
    ("breakout_region", "name", catalogue.BREAKOUT_REGIONS),
)


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
        shown = {
            **brief(row),
            **{name: row[name] for name in (*_FLAGS, *_LINKS) if row.get(name) is not None},
        }
        for name, key, names in _NAMED:
            if name in shown:
                shown[name] = {**shown[name], key: names[shown[name]["id"]]}
        services = [_service(row, service) for service in row["services"]]
        return {**shown, "used_count": int(shown["used_count"]), "service": services}

    return render


def _service(row: Row, service: int) -> Row:
    plain: Row = {"id": service, "description": catalogue.SERVICES[service]["description"]}
    limits = [{"id": limit} for limit in row["limits"] if _is_of(service, limit)]
    return {**plain, "traffic_limit": limits} if limits else plain


_PROFILES = Resource(
    path="/api/v1/service_profile",
    parameter="profile_id",
    name="ServiceProfile",
    rows=lambda call: call.state.service_profiles,
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
        "breakout_region": lambda state: catalogue.BREAKOUT_REGIONS,
        "dns": lambda state: state.dns,
    },
    make=lambda call, body: new_service_profile(**body),
    in_use=in_endpoints("service_profile_id"),
    brief=_brief,
    full=_full,
)


def _check_unlimited(call: Call, services: list[int], service: int) -> None:
    if any(_is_of(service, limit) for limit in _PROFILES.one(call)["limits"]):
        raise ApiError("NotAllowed", f"Service {service} is in use.", status=409)


_PROFILES.serve()
serve_members(
    _ONE + "/service",
    "service_id",
    "Service",
    known=lambda call: catalogue.SERVICES,
    held=lambda call: _PROFILES.one(call)["services"],
    check_remove=_check_unlimited,
)
serve_members(
    _ONE + "/service/{service_id}/traffic_limit",
    "limit_id",
    "TrafficLimit",
    known=lambda call: {limit for limit in catalogue.TRAFFIC_LIMITS if _is_of(_the_service(call), limit)},
    held=lambda call: _PROFILES.one(call)["limits"],
    answer={},
)


def _is_of(service: int, limit: int) -> bool:
    return bool(catalogue.TRAFFIC_LIMITS[limit]["service"]["id"] == service)


def _the_service(call: Call) -> int:
    service = call.id("service_id", "Service")
    if service not in _PROFILES.one(call)["services"]:
        raise wrong(f"Service {service} is not assigned to the profile.", "NotAllowed")
    return service


def _data_limits(call: Call) -> dict[int, Row]:
    try:
        limits: dict[int, Row] = _PROFILES.one(call)["data_limits"]
    except ApiError as error:
        raise ApiError("Forbidden", error.message) from None
    return limits


def _check_limit(call: Call, body: Row, row: Row | None) -> None:
    """Answer 409 if there is a limit for satellites, or one for all, already."""
    kinds = {limit["satellite_only"] for limit in _data_limits(call).values()}
    if body.get("satellite_only", False) in kinds:
        raise ApiError("Duplicated", "There is a data limit of this kind already.")


Resource(
    path=_LIMITS,
    parameter="limit_id",
    name="DataLimit",
    rows=_data_limits,
    fields={
        "service": code(_DATA, required=True),
        "satellite_only": boolean(),
        "period": code(_MONTHLY),
        "volume": number(required=True, least=1, kind="Number of bytes"),
        "warning_percent": number(least=0, most=100, kind="Number from 0 to 100"),
    },
    answers={"create": 201, "delete": 204},
    make=lambda call, body: {
        "satellite_only": False,
        **body,
        "service": {"id": _DATA, "description": catalogue.SERVICES[_DATA]["description"]},
        "period": catalogue.PERIODS[_MONTHLY],
    },
    check=_check_limit,
    invalid=400,
).serve()


@serves("DELETE", _LIMITS)
def remove_data_limits(call: Call) -> None:
    """Remove all data limits of a profile."""
    _data_limits(call).clear()


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
            quotas.remove(state, endpoint, kind)


# -- what service profiles refer to -----------------------------------------------------------------


def _in_profiles(field: str) -> Callable[[State, Row], bool]:
    return lambda state, row: any(
        one.get(field) == {"id": row["id"]} for one in state.service_profiles.values()
    )


def _check_url(call: Call, body: Row, row: Row | None) -> None:
    if not body["url"].startswith(("https://", "http://")):
        raise wrong("ApiCallback - url has invalid format: expecting a URL.")
    call.state.outbox.watch()


def _new_secret(call: Call, body: Row) -> Row:
    """Return an API secret, at random unless one is given."""
    secret = body.get("secret") or secrets.token_urlsafe(48)
    call.accounts.issued.append(secret)
    return {"organisation_id": str(ORGANISATION_ID), "purpose": body.get("purpose"), "secret": secret}


Resource(
    path="/api/v1/api_callback",
    parameter="api_callback_id",
    name="ApiCallback",
    rows=lambda call: call.state.api_callbacks,
    fields={"url": text(required=True, longest=2000), "purpose": text()},
    answers={"create": 201, "give": 200, "delete": 200},
    check=_check_url,
    in_use=_in_profiles("api_callback"),
).serve()
Resource(
    path="/api/v1/api_secret",
    parameter="api_secret_id",
    name="ApiSecret",
    rows=lambda call: call.state.api_secrets,
    fields={"secret": text(shortest=1), "purpose": text(), "organisation_id": text()},
    answers={"create": 201, "give": 200, "delete": 200},
    make=_new_secret,
    in_use=_in_profiles("api_secret"),
    brief=lambda call: lambda row: present({**row, "secret": None}),
    full=lambda call: lambda row: row,
).serve()
Resource(
    path="/api/v1/dns",
    parameter="dns_id",
    name="Dns",
    rows=lambda call: call.state.dns,
    fields={
        "primary": address(required=True),
        "secondary": address(required=True),
        "ip_address_version": one_of(4, 6, required=True),
    },
    answers={"create": 201, "delete": 204},
    in_use=_in_profiles("dns"),
).serve()
