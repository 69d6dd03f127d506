"""Creating and changing endpoints: checked as a whole first, then done."""

from __future__ import annotations

import ipaddress
from collections.abc import Container, Mapping
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.sandbox.http.answers import ApiError, wrong
from airflow_provider_emnify.sandbox.http.fields import (
    Field,
    boolean,
    integer,
    pattern,
    record,
    reference,
    text,
)
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Sim
from airflow_provider_emnify.sandbox.world.state import State, ip_address

Json = Mapping[str, Any]

FACTORY_TEST_IN_BULK = 5
"""The number that bulk updates use for the SIM status Factory test, which is 4 elsewhere."""

OWN: dict[str, Field] = {
    "name": text(),
    "tags": text(nullable=True),
    "imei": pattern("a numeric String of 14 to 16 digits", r"\d{14,16}", nullable=True),
    "imei_lock": boolean(),
    "ip_address": text(),
}
_STATUSES = (EndpointStatus.ENABLED, EndpointStatus.DISABLED)
NEW_SIM = reference(activate=boolean(), status=reference())
SHARED: dict[str, Field] = {
    "service_profile": reference(required=True),
    "tariff_profile": reference(required=True),
    "status": reference(required=True),
    "organisation": reference(),
    "ip_address_space": reference(),
}
CREATION: dict[str, Field] = {**SHARED, **OWN, "sim": NEW_SIM}
CHANGED_SIM = record({"id": integer(nullable=True), "status": reference()}, nullable=True)
UPDATE: dict[str, Field] = {**SHARED, **OWN, "sim": CHANGED_SIM}


def number_of(body: Json, key: str) -> int | None:
    """Return the id in a reference."""
    value = body.get(key)
    return int(value["id"]) if isinstance(value, Mapping) and value.get("id") is not None else None


def check_shared(state: State, body: Json) -> None:
    """Answer 422 unless profiles, status and the like exist."""
    references: tuple[tuple[str, Container[int], str], ...] = (
        ("service_profile", state.service_profiles, "ServiceProfile"),
        ("tariff_profile", state.tariff_profiles, "TariffProfile"),
        ("organisation", state.organisations, "Organisation"),
        ("ip_address_space", state.ip_address_spaces, "IpAddressSpace"),
        ("status", _STATUSES, "Status"),
    )
    for key, table, resource in references:
        number = number_of(body, key)
        if number is not None:
            state.existing(table, number, resource)


def check_address(state: State, body: Json, own: Endpoint | None = None) -> None:
    """Answer 422 or 409 unless the IP address is one and free."""
    address = body.get("ip_address")
    if address is None:
        return
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise wrong("Endpoint - ip_address has invalid format: expecting an IP address.") from None
    if any(other.ip_address == address and other is not own for other in state.endpoints.values()):
        raise ApiError("Duplicated", f"IP address {address} is in use.")


def new_sim(state: State, body: Json) -> tuple[Sim, SimStatus] | None:
    """Return the SIM of a creation and the status it is to have, once both are found good."""
    number = number_of(body, "sim")
    if number is None:
        return None
    sim = state.sims[state.existing(state.sims, number, "Sim")]
    devices.check_free(sim)
    target = sim.status
    if body["sim"].get("activate"):
        testing = state.settings.factory_test_mode and sim.status is SimStatus.ISSUED
        target = SimStatus.FACTORY_TEST if testing else SimStatus.ACTIVATED
    target = _sim_status(state, body["sim"], target)
    devices.check_sim_status(sim, target)
    return sim, target


def changed_sim(
    state: State, endpoint: Endpoint, body: Json, *, bulk: bool = False
) -> tuple[Sim | None, SimStatus | None]:
    """Return the SIM that an endpoint has after an update, and its status, once both are found good."""
    current = state.sim_of(endpoint)
    if "sim" not in body:
        return current, None
    change = body["sim"] or {"id": None}
    if "id" not in change:
        sim = current
    elif change["id"] is None:
        return None, None
    else:
        sim = state.sims[state.existing(state.sims, change["id"], "Sim")]
        devices.check_free(sim, endpoint)
    wanted = number_of(change, "status")
    if wanted is None or sim is None:
        return sim, None
    if bulk:
        state.existing({SimStatus.ACTIVATED, FACTORY_TEST_IN_BULK}, wanted, "SimStatus")
    target = _sim_status(state, change, sim.status)
    devices.check_sim_status(sim, target)
    return sim, target


def _sim_status(state: State, sim: Json, default: SimStatus) -> SimStatus:
    number = number_of(sim, "status")
    if number is None:
        return default
    if number == FACTORY_TEST_IN_BULK:
        return SimStatus.FACTORY_TEST
    return SimStatus(state.existing(set(SimStatus), number, "SimStatus"))


def create(state: State, body: Json, sim: tuple[Sim, SimStatus] | None, organisation_id: int) -> Endpoint:
    """Create an endpoint from a body that has been checked."""
    number = state.next_id("endpoint")
    endpoint = Endpoint(
        number,
        body.get("name") or f"Endpoint {number}",
        number_of(body, "organisation") or organisation_id,
        number_of(body, "service_profile") or 0,
        number_of(body, "tariff_profile") or 0,
        state.now,
        state.now,
        EndpointStatus(number_of(body, "status") or 0),
        tags=body.get("tags"),
        imei=body.get("imei"),
        imei_lock=bool(body.get("imei_lock")),
        ip_address=body.get("ip_address") or ip_address(number),
        ip_address_space_id=number_of(body, "ip_address_space") or 1,
    )
    state.endpoints[number] = endpoint
    if sim is not None:
        card, status = sim
        devices.assign_sim(state, endpoint, card)
        devices.set_sim_status(state, card, status)
    return endpoint


def update(state: State, endpoint: Endpoint, body: Json, sim: tuple[Sim | None, SimStatus | None]) -> None:
    """Change an endpoint by a body that has been checked."""
    for key in ("name", "tags", "imei", "imei_lock", "ip_address"):
        if key in body:
            setattr(endpoint, key, body[key])
    for key in ("service_profile", "tariff_profile", "ip_address_space"):
        number = number_of(body, key)
        if number is not None:
            setattr(endpoint, f"{key}_id", number)
    if "sim" in body:
        card, status = sim
        if card is None:
            devices.release_sim(state, endpoint)
        else:
            devices.assign_sim(state, endpoint, card)
            if status is not None:
                devices.set_sim_status(state, card, status)
    status_id = number_of(body, "status")
    if status_id is not None:
        devices.set_endpoint_status(state, endpoint, EndpointStatus(status_id))
    endpoint.last_updated = state.now
