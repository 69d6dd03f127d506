"""The caller's organisation: its tariff plan, inclusive volumes and IP address spaces."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import Any

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.sandbox.http.answers import MISSING, Answer, ApiError, not_found, present, wrong
from airflow_provider_emnify.sandbox.http.fields import boolean, integer, moment, one_of, text
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row, in_endpoints
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import CURRENCIES
from airflow_provider_emnify.sandbox.world.clock import DAY, date, event_date, parse_date
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

TARIFFS: dict[int, str] = {1: "Sandbox tariff", 2: "Second tariff"}
RATE_ZONES: dict[int, str] = {1: "Zone 1", 2: "Zone 2"}
_VOLUMES = "/api/v1/organisation/{org_id_or_my}/inclusive_volume"
_ASSIGNMENT = {"start_date": moment(), "end_date": moment(nullable=True), "pooled": boolean()}
_MEGABYTES = {1: 500.0, 2: 1000.0, 3: 5000.0}
"""The inclusive volumes that can be assigned."""
_SPACES = "/api/v1/ip_address_space"
_OFFERED: dict[int, Json] = {
    100 + number: {
        "id": 100 + number,
        "ip_address_space": f"172.{16 + number // 16}.{number % 16 * 16}.0/20",
        "ip_address_version": 4,
    }
    for number in range(256)
}
"""The spaces that an organisation can be offered."""


def the_organisation(call: Call, parameter: str, status: int = 404) -> int:
    """Return the organisation that the path means, ``my`` or one of the caller's, or answer 404 or so."""
    given, user = call.path.get(parameter, "my"), call.state.caller
    if given == "my":
        return call.own
    if given in map(str, (call.own, *(user.memberships if user else ()))):
        return int(given)
    raise ApiError("NotFound", f"Organisation with id {given} not found", status=status)


@serves("GET", "/api/v1/organisation/my")
def my_organisation(call: Call) -> Body:
    """Give the caller's organisation; most of its ids are strings, as recorded."""
    organisation = call.state.organisations[call.own]
    return {
        "id": organisation.id,
        "name": organisation.name,
        "organisation_type_id": "5",
        "country_id": "74",
        "organisation_status_id": "1",
        "ext_reference": "",
        "monthly_cost_limit": None,
        "currency_id": 1,
        "organisation_class_id": 1,
        "created": date(organisation.created),
        "verification_type_id": None,
        "verification": "",
        "brand_id": "1",
        "default_sms_routing_id": None,
    }


@serves("GET", "/api/v1/tariff_plan/active")
@serves("GET", "/api/v1/organisation/{org_id_or_my}/tariff_plan/active")
def active_tariff_plan(call: Call) -> Body:
    """Give the tariff plan of an organisation, the caller's unless the path says another."""
    return _plan(call, the_organisation(call, "org_id_or_my"))


@serves("GET", "/api/v1/organisation/{org_id}/tariff_plan")
def list_tariff_plans(call: Call) -> Body:
    """List the tariff plans that an organisation can have: the one; its references are strings."""
    plan = _plan(call, the_organisation(call, "org_id"))
    plan["organisation_id"], plan["currency_id"] = str(plan["organisation_id"]), "1"
    plan["tariff_plan"]["api_access_allowed"] = int(plan["tariff_plan"]["api_access_allowed"])
    return [plan]


@serves("PATCH", "/api/v1/organisation/{org_id}/tariff")
def change_tariff(call: Call) -> Body:
    """Give an organisation another tariff, and its tariff profiles with it; they lose their rate zones."""
    state = call.state
    the_organisation(call, "org_id")
    body = call.checked({"id": integer(required=True)}, "Tariff")
    number = state.existing(TARIFFS, body["id"], "Tariff")
    for profile in state.tariff_profiles.values():
        if profile["tariff"]["id"] != number:
            profile["tariff"], profile["ratezones"] = {"id": number}, []
    return {}


@serves("GET", _VOLUMES + "/active")
def active_inclusive_volumes(call: Call) -> Body:
    """List the inclusive volumes of an organisation."""
    the_organisation(call, "org_id_or_my")
    tariff = {
        "id": 1,
        "name": TARIFFS[1],
        "tariff_status_id": 1,
        "ratezone": {"id": 1, "name": RATE_ZONES[1], "ratezone_status_id": 1},
    }
    return [_assigned(volume) | {"tariff": tariff} for volume in call.state.inclusive_volumes.values()]


@serves("PUT", _VOLUMES + "/{inclusive_volume_id}")
def assign_inclusive_volume(call: Call) -> Answer:
    """Give an organisation an inclusive volume, from this month on unless a start is given."""
    the_organisation(call, "org_id_or_my")
    number = call.known(_MEGABYTES, "inclusive_volume_id", "InclusiveVolume")
    body = {} if call.body is MISSING else call.checked(_ASSIGNMENT, "InclusiveVolume", status=400)
    start, end = parse_date(body.get("start_date")), parse_date(body.get("end_date"))
    if end is not None and end < (start or call.state.now):
        raise wrong("InclusiveVolume - end_date must not be before start_date.", status=400)
    volume = {"id": number, "start": start or call.state.now, "end": end, "pooled": body.get("pooled", True)}
    call.state.inclusive_volumes[number] = volume
    left_out = ("volume", "rate", "currency")
    return Answer(201, {key: value for key, value in _assigned(volume).items() if key not in left_out})


def the_volume(call: Call) -> Json:
    """Return the inclusive volume that the path means."""
    return call.one(call.state.inclusive_volumes, "inclusive_volume_id", "InclusiveVolume")


def volume_row(volume: Json) -> Json:
    """An inclusive volume as it stands in a tariff profile."""
    row = {**_assigned(volume), "ratezone": {"id": 1, "name": RATE_ZONES[1]}}
    return {**row, **{key: date(volume[key[:-5]]) for key in ("start_date", "end_date") if key in row}}


def _assigned(volume: Json) -> Json:
    row = {
        "id": volume["id"],
        "volume": _MEGABYTES[volume["id"]],
        "rate": 25.0,
        "pooled": volume["pooled"],
        "start_date": event_date(volume["start"]),
        "currency": CURRENCIES[1],
        "end_date": event_date(volume["end"]),
    }
    return present(row)


def _plan(call: Call, organisation_id: int) -> Json:
    born = date(call.state.started - 400 * DAY)
    activated = sum(sim.status is SimStatus.ACTIVATED for sim in call.state.sims.values())
    return {
        "id": 1,
        "organisation_id": organisation_id,
        "start_date": born,
        "sim_activated_rate": 1.0,
        "sim_suspended_rate": 0.0,
        "sim_activated_amount": activated,
        "tariff_plan": {
            "id": 1,
            "name": "Sandbox plan",
            "description": "A plan that costs nothing",
            "creation_date": born,
            "activation_date": born,
            "rate": 0.0,
            "api_access_allowed": True,
            "evaluation": False,
            "used_count": 1,
            "currency": CURRENCIES[1],
            "workspaces_enabled": True,
        },
        "active": True,
        "applied_rate": 0.0,
        "service_level": {"id": 1, "name": "Basic"},
        "workspaces_enabled": True,
    }


# -- IP address spaces ------------------------------------------------------------------------------


def _space_row(call: Call) -> Render:
    used = Counter(endpoint.ip_address_space_id for endpoint in call.state.endpoints.values())

    def render(row: Row) -> Row:
        size = ipaddress.ip_network(row["ip_address_space"]).num_addresses
        return {**row, "used_count": used[row["id"]], "available_count": size - used[row["id"]]}

    return render


def _check_space(call: Call, body: Row, row: Row | None) -> None:
    try:
        space = ipaddress.ip_network(body["ip_address_space"])
    except ValueError:
        raise wrong(
            "IpAddressSpace - ip_address_space has invalid format: expecting CIDR notation."
        ) from None
    if space.version != body["ip_address_version"] or not space.is_private or space.is_loopback:
        raise wrong(f"IpAddressSpace - {space} is not allowed.", "NotAllowed")
    if not _is_free(call.state, str(space)):
        raise ApiError("Duplicated", f"IP address space {space} overlaps with one that is allocated.")


def _is_free(state: State, space: str) -> bool:
    wanted = ipaddress.ip_network(space)
    taken = (ipaddress.ip_network(row["ip_address_space"]) for row in state.ip_address_spaces.values())
    return not any(one.version == wanted.version and one.overlaps(wanted) for one in taken)


Resource(
    path=_SPACES,
    parameter="address_space_id",
    name="IpAddressSpace",
    rows=lambda call: call.state.ip_address_spaces,
    fields={"ip_address_space": text(required=True), "ip_address_version": one_of(4, 6, required=True)},
    answers={"create": 201, "delete": 204},
    shown=("create",),
    check=_check_space,
    in_use=in_endpoints("ip_address_space_id"),
    brief=_space_row,
).serve()


@serves("GET", _SPACES + "/available")
def list_available_spaces(call: Call) -> Body:
    """Offer ten address spaces that nobody has, others each time."""
    free = [row for row in _OFFERED.values() if _is_free(call.state, row["ip_address_space"])]
    return call.state.random.sample(free, min(10, len(free)))


@serves("PUT", _SPACES + "/{address_space_id}")
def take_space(call: Call) -> None:
    """Give the organisation an address space that was offered."""
    number, spaces = call.id("address_space_id", "IpAddressSpace"), call.state.ip_address_spaces
    if number not in spaces and number not in _OFFERED:
        raise not_found("IpAddressSpace", number)
    if number in spaces or not _is_free(call.state, _OFFERED[number]["ip_address_space"]):
        raise ApiError("Duplicated", f"IP address space {number} is allocated already.")
    spaces[number] = dict(_OFFERED[number])
