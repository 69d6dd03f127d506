"""Endpoints: list, create, change, delete, one by one and in bulk, and their connectivity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_emnify.api.enums import Connectivity
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, fields_of, wrong
from airflow_provider_emnify.sandbox.http.fields import (
    Field,
    array,
    check_count,
    integer,
    record,
    validate_items,
)
from airflow_provider_emnify.sandbox.http.query import (
    Getter,
    Listing,
    attributes,
    dated,
    labelled,
    number_after,
)
from airflow_provider_emnify.sandbox.http.resources import serve_members, serve_records
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import OPERATORS
from airflow_provider_emnify.sandbox.routes.events import serve_events
from airflow_provider_emnify.sandbox.routes.sims import sim_card
from airflow_provider_emnify.sandbox.world import devices, provisioning
from airflow_provider_emnify.sandbox.world.clock import date, event_date
from airflow_provider_emnify.sandbox.world.lookups import GERMANY, described
from airflow_provider_emnify.sandbox.world.records.fleet import ICCID, Endpoint, Sim, Tag, with_luhn
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

_PATH, _MULTI = "/api/v1/endpoint", "/api/v2/endpoint/multi"
_ONE = _PATH + "/{endpoint_id}"
_BLACKLIST = _ONE + "/operator_blacklist"
_MOST = 2000
_CREATION_OF_MANY = {
    **provisioning.SHARED,
    "endpoints": array(record({**provisioning.OWN, "sim": provisioning.NEW_SIM}), required=True),
}
_UPDATE_OF_MANY = {
    **{key: record(field.fields or {}) for key, field in provisioning.SHARED.items()},
    **provisioning.OWN,
    "sim": provisioning.CHANGED_SIM,
    "id": integer(required=True),
}
_LOCATION = {
    "iccid": None,
    "imsi": None,
    "country": {key: GERMANY[key] for key in ("id", "name", "mcc", "iso_code")},
    "operator": {"id": 3, "name": "Vodafone", "mnc": [{"id": 3, "mnc": "02"}]},
}


def tag_row(tag: Tag) -> Json:
    """A tag."""
    return {**fields_of(tag, "id", "name"), "tag_color": {"id": tag.color_id}}


def endpoint_row(state: State, endpoint: Endpoint) -> Json:
    """An endpoint."""
    sim = state.sim_of(endpoint)
    row: Json = {
        **fields_of(endpoint, "id", "name", "tags"),
        "created": date(endpoint.created),
        "last_updated": date(endpoint.last_updated),
        "status": described(endpoint.status),
        "service_profile": _profile(state.service_profiles, endpoint.service_profile_id),
        "tariff_profile": _profile(state.tariff_profiles, endpoint.tariff_profile_id),
        "ip_address": endpoint.ip_address,
        "ip_address_space": {"id": endpoint.ip_address_space_id},
        "imei": endpoint.imei,
        "imei_with_luhn": None if endpoint.imei is None else with_luhn(endpoint.imei[:14]),
        "imei_lock": endpoint.imei_lock,
        "tag_assignments": [
            tag_row(state.tags[number]) for number in endpoint.tag_ids if number in state.tags
        ],
        "sim": None if sim is None else {**sim_card(sim), **fields_of(sim, "imsi", "msisdn")},
    }
    if endpoint.connectivity is not Connectivity.OFFLINE:
        row["runtime_data"] = {"msc": "491720000095", "sgsn": "491720000096", "sgsn_ip_address": "192.0.2.60"}
    return row


def _created(state: State, endpoint: Endpoint) -> Json:
    """An endpoint as its creation answers it."""
    row = endpoint_row(state, endpoint)
    row.pop("runtime_data", None)
    row["tariff_profile"] = {**row["tariff_profile"], "satellite_capable": False}
    if row["sim"] is not None:
        row["sim"]["sim_profile_type_id"] = 1
    return row


def _profile(profiles: dict[int, Any], number: int) -> Json:
    return {"id": number, "name": profiles[number]["name"]} if number in profiles else {"id": number}


def _of_sim(of: Getter[Sim]) -> Getter[Endpoint]:
    def get(state: State, endpoint: Endpoint) -> object:
        sim = state.sim_of(endpoint)
        return None if sim is None else of(state, sim)

    return get


def _of_profile(name: str) -> Getter[Endpoint]:
    def get(state: State, endpoint: Endpoint) -> object:
        number = getattr(endpoint, f"{name}_id")
        return number, getattr(state, f"{name}s")[number]["name"]

    return get


def _of_card(state: State, iccid: str) -> int | None:
    sim = state.sims.get(number_after(ICCID, iccid) or 0)
    return sim.endpoint_id if sim else None


LISTING = Listing[Endpoint](
    endpoint_row,
    {
        **attributes("id", "name", "ip_address", "imei"),
        **{name: _of_sim(get) for name, get in attributes("iccid", "iccid_with_luhn", "eid").items()},
        "status": labelled("status"),
        "sim_status": _of_sim(labelled("status")),
        **{name: _of_profile(name) for name in ("service_profile", "tariff_profile")},
        **dated(date, created="created", last_updated="last_updated"),
        "tags": lambda state, endpoint: (endpoint.tags, *(state.tags[one].name for one in endpoint.tag_ids)),
    },
    default=1000,
    maximum=1000,
    exact=frozenset({"id", "ip_address", "imei", "iccid", "iccid_with_luhn", "eid"}),
    known_by={
        "id": lambda state, wanted: number_after("", wanted),
        "iccid": _of_card,
        "iccid_with_luhn": lambda state, wanted: _of_card(state, wanted[:-1]),
    },
    texts=frozenset({"name", "ip_address", "imei", "eid"}),
)


def the_endpoint(call: Call) -> Endpoint:
    """Return the endpoint that the path means."""
    return call.state.endpoint(call.id("endpoint_id", "Endpoint"))


serve_records(_PATH, "endpoint_id", LISTING, lambda call: call.state.endpoints, the_endpoint)


# -- one by one -------------------------------------------------------------------------------------


@serves("POST", _PATH)
def create_endpoint(call: Call) -> Answer:
    """Create an endpoint."""
    state, body = call.state, call.checked(provisioning.CREATION, "Endpoint")
    provisioning.check_shared(state, body)
    provisioning.check_address(state, body)
    sim = provisioning.new_sim(state, body)
    endpoint = provisioning.create(state, body, sim, call.own)
    form = state.settings.create_answer
    if form == "location":
        return Answer(201, headers={"Location": f"{_PATH}/{endpoint.id}"})
    return Answer(200 if form == "ok" else 201, _created(state, endpoint))


@serves("PATCH", _ONE)
def update_endpoint(call: Call) -> None:
    """Change an endpoint."""
    if (number := call.id("endpoint_id", "Endpoint")) not in call.state.endpoints:  # 404, as recorded
        raise ApiError("InvalidReference", f"Endpoint with Id '{number}' not found.", status=404)
    state, endpoint = call.state, the_endpoint(call)
    body = call.checked(provisioning.UPDATE, "Endpoint", partial=True)
    provisioning.check_shared(state, body)
    provisioning.check_address(state, body, endpoint)
    sim = provisioning.changed_sim(state, endpoint, body)
    provisioning.update(state, endpoint, body, sim)


@serves("DELETE", _ONE)
def delete_endpoint(call: Call) -> None:
    """Delete an endpoint that has no SIM."""
    endpoint = the_endpoint(call)
    if endpoint.sim_id is not None:
        raise ApiError("EndpointHasSim", f"Endpoint {endpoint.id} has SIM {endpoint.sim_id} assigned.")
    devices.delete_endpoint(call.state, endpoint)


# -- in bulk: all or nothing, unless a fault says otherwise -----------------------------------------


def _check_unique(numbers: list[int], resource: str) -> None:
    if len(set(numbers)) < len(numbers):
        raise ApiError("Duplicated", f"A {resource} is named more than once.")


def _items(call: Call, fields: Mapping[str, Field]) -> list[Any]:
    items = call.array()
    check_count(items, _MOST)
    validate_items(items, fields, "Endpoint")
    _check_unique([item["id"] for item in items], "endpoint")
    return items


@serves("POST", _MULTI)
def create_endpoints(call: Call) -> Answer:
    """Create endpoints that share profiles and status."""
    state, body = call.state, call.checked(_CREATION_OF_MANY, "Endpoints")
    items = body["endpoints"]
    check_count(items, _MOST)
    provisioning.check_shared(state, body)
    sims = []
    for item in items:
        provisioning.check_address(state, item)
        sims.append(provisioning.new_sim(state, item))
    _check_unique([sim.id for sim, _ in filter(None, sims)], "SIM")
    shared = {key: value for key, value in body.items() if key != "endpoints"}
    created = [
        provisioning.create(state, {**shared, **item}, sim, call.own)
        for item, sim in call.applied(zip(items, sims, strict=True))
    ]
    return Answer(201, [_created(state, endpoint) for endpoint in created])


@serves("PATCH", _MULTI)
def update_endpoints(call: Call) -> None:
    """Change endpoints, each in its own way."""
    state, items = call.state, _items(call, _UPDATE_OF_MANY)
    changes = []
    for item in items:
        endpoint = state.endpoint(item["id"])
        if "ip_address" in item and "ip_address_space" not in item:
            raise wrong("Endpoint - ip_address_space is required with ip_address.", "Required")
        provisioning.check_shared(state, item)
        provisioning.check_address(state, item, endpoint)
        changes.append((endpoint, item, provisioning.changed_sim(state, endpoint, item, bulk=True)))
    _check_unique([sim.id for _, item, (sim, _) in changes if sim and "sim" in item], "SIM")
    for endpoint, item, sim in call.applied(changes):
        provisioning.update(state, endpoint, item, sim)


@serves("DELETE", _MULTI)
def delete_endpoints(call: Call) -> None:
    """Delete endpoints; their SIMs are released and suspended, or deleted if asked."""
    state, items = call.state, _items(call, {"id": integer(required=True)})
    doomed = [state.endpoint(item["id"]) for item in items]
    delete_sims = call.query.get("delete_sims", "false").lower() == "true"
    for endpoint in call.applied(doomed):
        devices.delete_endpoint(state, endpoint, delete_sim=delete_sims)


# -- connectivity -----------------------------------------------------------------------------------


@serves("GET", _ONE + "/connectivity")
def get_connectivity(call: Call) -> Body:
    """Give what the network says of an endpoint: no location when it is offline, no id in the status."""
    endpoint = the_endpoint(call)
    current, sim = devices.connectivity(endpoint), call.state.sim_of(endpoint)
    row: Json = {"status": {"description": current.value}}
    if sim is None or endpoint.connectivity is Connectivity.OFFLINE:
        return row
    row["location"] = {**_LOCATION, **fields_of(sim, "iccid", "imsi")}
    if current is Connectivity.ONLINE:
        address = endpoint.ip_address
        row["pdp_context"] = {"pdp_context_id": endpoint.id, "ue_ip_address": address, "apn": "em"}
    row["services"] = ["MT SMS", "MO SMS", "Data"]
    return row


@serves("PATCH", _ONE + "/connectivity")
def reset_connectivity(call: Call) -> None:
    """Reset the connections that the body names, each with ``null``."""
    endpoint, body = the_endpoint(call), call.object()
    devices.reset_connectivity(
        call.state, endpoint, location="location" in body, pdp_context="pdp_context" in body
    )


@serves("GET", _ONE + "/connectivity_info")
def get_connectivity_info(call: Call) -> Body:
    """Locate an endpoint; a failure is part of a good answer."""
    state, endpoint = call.state, the_endpoint(call)
    asked = {"request_timestamp": event_date(state.now), "reply_timestamp": event_date(state.now + 0.5)}
    failure = state.outcomes.take("connectivity_info", endpoint.id)
    if failure is not None and not failure.message:
        return asked
    if failure is not None or endpoint.connectivity is Connectivity.OFFLINE:
        error = failure.message if failure else "Absent subscriber"
        return {"subscriber_info": {"success": False, "error": error}, **asked}
    location = {
        "current_location_retrieved": True,
        "age_of_location": 0,
        "cell_global_id": {"mcc": "262", "mnc": "02", "lac": 921, "cid": 5174},
    }
    found = "camelBusy" if endpoint.connectivity is Connectivity.ONLINE else "assumedIdle"
    return {"subscriber_info": {"success": True, "state": found, "location": location}, **asked}


@serves("GET", _BLACKLIST)
def list_blacklist(call: Call) -> Body:
    """List the operators that an endpoint must not use."""
    blocked = call.state.blacklists.get(the_endpoint(call).id, ())
    fields = ("id", "name", "country", "tapcode", "mnc")
    return [{field: OPERATORS[number][field] for field in fields} for number in blocked]


serve_members(
    _BLACKLIST,
    "operator_id",
    "Operator",
    known=lambda call: OPERATORS,
    held=lambda call: call.state.blacklists.setdefault(the_endpoint(call).id, []),
)
serve_events("endpoint", lambda call: call.id("endpoint_id", "Endpoint"))
