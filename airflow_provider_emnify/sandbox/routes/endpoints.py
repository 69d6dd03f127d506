"""Endpoints one by one: list, create, change, delete, and their connectivity."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError
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
from airflow_provider_emnify.sandbox.routes.render import (
    connectivity_info,
    connectivity_row,
    created_endpoint,
    endpoint_row,
)
from airflow_provider_emnify.sandbox.world import devices, provisioning
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.records.fleet import ICCID, Endpoint
from airflow_provider_emnify.sandbox.world.state import State


def _of_sim(name: str) -> Getter[Endpoint]:
    def get(state: State, endpoint: Endpoint) -> object:
        sim = state.sim_of(endpoint)
        return None if sim is None else getattr(sim, name)

    return get


def _sim_status(state: State, endpoint: Endpoint) -> object:
    sim = state.sim_of(endpoint)
    return None if sim is None else (int(sim.status), sim.status.label)


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
        **{name: _of_sim(name) for name in ("iccid", "iccid_with_luhn", "eid")},
        "status": labelled("status"),
        "sim_status": _sim_status,
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
    parts=("sims", "endpoint_id"),
)


def the_endpoint(call: Call) -> Endpoint:
    """Return the endpoint that the path means."""
    return call.state.endpoint(call.id("endpoint_id", "Endpoint"))


serve_records("/api/v1/endpoint", "endpoint_id", LISTING, lambda call: call.state.endpoints, the_endpoint)


@serves("POST", "/api/v1/endpoint")
def create_endpoint(call: Call) -> Answer:
    """Create an endpoint."""
    state, body = call.state, call.checked(provisioning.CREATION, "Endpoint")
    provisioning.check_shared(state, body)
    provisioning.check_address(state, body)
    sim = provisioning.new_sim(state, body)
    endpoint = provisioning.create(state, body, sim, call.own)
    form = state.settings.create_answer
    if form == "location":
        return Answer(201, headers={"Location": f"/api/v1/endpoint/{endpoint.id}"})
    return Answer(200 if form == "ok" else 201, created_endpoint(state, endpoint))


@serves("PATCH", "/api/v1/endpoint/{endpoint_id}")
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


@serves("DELETE", "/api/v1/endpoint/{endpoint_id}")
def delete_endpoint(call: Call) -> None:
    """Delete an endpoint that has no SIM."""
    endpoint = the_endpoint(call)
    if endpoint.sim_id is not None:
        raise ApiError("EndpointHasSim", f"Endpoint {endpoint.id} has SIM {endpoint.sim_id} assigned.")
    devices.delete_endpoint(call.state, endpoint)


@serves("GET", "/api/v1/endpoint/{endpoint_id}/connectivity")
def get_connectivity(call: Call) -> Body:
    """Give what the network says of an endpoint."""
    return connectivity_row(call.state, the_endpoint(call))


@serves("PATCH", "/api/v1/endpoint/{endpoint_id}/connectivity")
def reset_connectivity(call: Call) -> None:
    """Reset the connections that the body names, each with ``null``."""
    endpoint, body = the_endpoint(call), call.object()
    devices.reset_connectivity(
        call.state, endpoint, location="location" in body, pdp_context="pdp_context" in body
    )


@serves("GET", "/api/v1/endpoint/{endpoint_id}/connectivity_info")
def get_connectivity_info(call: Call) -> Body:
    """Locate an endpoint."""
    return connectivity_info(call.state, the_endpoint(call))


serve_events("endpoint", lambda call: call.id("endpoint_id", "Endpoint"))
_BLACKLIST = "/api/v1/endpoint/{endpoint_id}/operator_blacklist"


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
