"""Endpoints one by one: list, create, change, delete, and their connectivity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_emnify.api.enums import EndpointStatus
from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError
from airflow_provider_emnify.sandbox.http.fields import validate
from airflow_provider_emnify.sandbox.http.query import Getter, Listing
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.events import list_events
from airflow_provider_emnify.sandbox.routes.render import (
    connectivity_info,
    connectivity_row,
    created_endpoint,
    endpoint_row,
)
from airflow_provider_emnify.sandbox.world import devices, provisioning
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.lookups import lookup
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Sim

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.state import State

_EXACT = frozenset({"id", "ip_address", "imei", "iccid", "iccid_with_luhn", "eid"})


def _fields(state: State) -> dict[str, Getter[Endpoint]]:
    def of_sim(name: str) -> Getter[Endpoint]:
        def get(endpoint: Endpoint) -> object:
            sim: Sim | None = state.sim_of(endpoint)
            return None if sim is None else getattr(sim, name)

        return get

    def sim_status(endpoint: Endpoint) -> object:
        sim = state.sim_of(endpoint)
        return None if sim is None else (int(sim.status), sim.status.label)

    return {
        "id": lambda endpoint: endpoint.id,
        "name": lambda endpoint: endpoint.name,
        "status": lambda endpoint: (int(endpoint.status), endpoint.status.label),
        "service_profile": lambda endpoint: (
            endpoint.service_profile_id,
            state.service_profiles[endpoint.service_profile_id].name,
        ),
        "tariff_profile": lambda endpoint: (
            endpoint.tariff_profile_id,
            state.tariff_profiles[endpoint.tariff_profile_id].name,
        ),
        "created": lambda endpoint: date(endpoint.created),
        "last_updated": lambda endpoint: date(endpoint.last_updated),
        "tags": lambda endpoint: (endpoint.tags, *(state.tags[number].name for number in endpoint.tag_ids)),
        "ip_address": lambda endpoint: endpoint.ip_address,
        "imei": lambda endpoint: endpoint.imei,
        "iccid": of_sim("iccid"),
        "iccid_with_luhn": of_sim("iccid_with_luhn"),
        "eid": of_sim("eid"),
        "sim_status": sim_status,
    }


@serves("GET", "/api/v1/endpoint")
def list_endpoints(call: Call) -> Answer:
    """List endpoints, by ascending id unless asked otherwise."""
    state = call.state
    listing = Listing[Endpoint](
        lambda endpoint: endpoint_row(state, endpoint),
        _fields(state),
        default=1000,
        maximum=1000,
        exact=_EXACT,
    )
    return listing.answer(call, state.endpoints.values())


@serves("POST", "/api/v1/endpoint")
def create_endpoint(call: Call) -> Answer:
    """Create an endpoint."""
    state, body = call.state, call.object()
    validate(body, provisioning.CREATION, "Endpoint")
    provisioning.check_shared(state, body)
    provisioning.check_address(state, body)
    sim = provisioning.new_sim(state, body)
    organisation_id = call.caller.organisation_id if call.caller else 0
    endpoint = provisioning.create(
        state, body, sim, call.now, organisation_id, call.accounts.user_of(call.caller)
    )
    form = state.settings.create_answer
    if form == "location":
        return Answer(201, headers={"Location": f"/api/v1/endpoint/{endpoint.id}"})
    return Answer(200 if form == "ok" else 201, created_endpoint(state, endpoint))


@serves("GET", "/api/v1/endpoint/status")
def endpoint_statuses(call: Call) -> Answer:
    """List endpoint statuses."""
    return Answer(body=lookup(EndpointStatus))


@serves("GET", "/api/v1/endpoint/{endpoint_id}")
def get_endpoint(call: Call) -> Answer:
    """Give an endpoint."""
    return Answer(body=endpoint_row(call.state, the_endpoint(call)))


@serves("PATCH", "/api/v1/endpoint/{endpoint_id}")
def update_endpoint(call: Call) -> Answer:
    """Change an endpoint."""
    state, endpoint, body = call.state, the_endpoint(call), call.object()
    validate(body, provisioning.UPDATE, "Endpoint", partial=True)
    provisioning.check_shared(state, body)
    provisioning.check_address(state, body, endpoint)
    sim = provisioning.changed_sim(state, endpoint, body)
    provisioning.update(state, endpoint, body, sim, call.now, call.accounts.user_of(call.caller))
    return Answer(204)


@serves("DELETE", "/api/v1/endpoint/{endpoint_id}")
def delete_endpoint(call: Call) -> Answer:
    """Delete an endpoint that has no SIM."""
    endpoint = the_endpoint(call)
    if endpoint.sim_id is not None:
        raise ApiError("EndpointHasSim", f"Endpoint {endpoint.id} has SIM {endpoint.sim_id} assigned.")
    devices.delete_endpoint(call.state, endpoint, call.now)
    return Answer(204)


@serves("GET", "/api/v1/endpoint/{endpoint_id}/connectivity")
def get_connectivity(call: Call) -> Answer:
    """Give what the network says of an endpoint."""
    return Answer(body=connectivity_row(call.state, the_endpoint(call)))


@serves("PATCH", "/api/v1/endpoint/{endpoint_id}/connectivity")
def reset_connectivity(call: Call) -> Answer:
    """Reset the connections that the body names, each with ``null``."""
    endpoint, body = the_endpoint(call), call.object()
    devices.reset_connectivity(
        call.state,
        endpoint,
        call.now,
        location="location" in body,
        pdp_context="pdp_context" in body,
        user=call.accounts.user_of(call.caller),
    )
    return Answer(204)


@serves("GET", "/api/v1/endpoint/{endpoint_id}/connectivity_info")
def get_connectivity_info(call: Call) -> Answer:
    """Locate an endpoint."""
    return Answer(body=connectivity_info(call.state, the_endpoint(call), call.now))


@serves("GET", "/api/v1/endpoint/{endpoint_id}/event")
def endpoint_events(call: Call) -> Answer:
    """List an endpoint's events; of an unknown id, nothing."""
    number = call.id("endpoint_id", "Endpoint")
    return list_events(call, lambda event: event.endpoint is not None and event.endpoint["id"] == number)


def the_endpoint(call: Call) -> Endpoint:
    """Return the endpoint that the path means."""
    return call.state.endpoint(call.id("endpoint_id", "Endpoint"))
