"""Endpoints and SIMs: what may become what, and the life of a device on the network."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import (
    Connectivity,
    EndpointStatus,
    EventSeverity,
    EventSource,
    EventType,
    SimStatus,
)
from airflow_provider_emnify.sandbox.http.answers import ApiError, no_reference
from airflow_provider_emnify.sandbox.world import messaging
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Sim
from airflow_provider_emnify.sandbox.world.state import State

_SIM_EVENTS = {
    SimStatus.ACTIVATED: EventType.SIM_ACTIVATION,
    SimStatus.SUSPENDED: EventType.SIM_SUSPENSION,
    SimStatus.DELETED: EventType.SIM_DELETION,
    SimStatus.FACTORY_TEST: EventType.SIM_FACTORY_TEST,
}
_USABLE = frozenset({SimStatus.ACTIVATED, SimStatus.FACTORY_TEST})


def check_sim_status(sim: Sim, target: SimStatus) -> None:
    """Answer 409 unless the SIM may take this status."""
    if target is SimStatus.DELETED or not sim.status.may_become(target):
        raise ApiError(
            "InvalidSimStatus",
            f"Status of SIM {sim.id} cannot change from '{sim.status.label}' to '{target.label}'.",
        )


def set_sim_status(state: State, sim: Sim, target: SimStatus) -> None:
    """Give a SIM a status and let its device live or die by it."""
    if sim.status is target:
        return
    before, sim.status = sim.status, target
    if target is SimStatus.ACTIVATED and sim.activation_date is None:
        sim.activation_date = state.now
    endpoint = state.endpoint_of(sim)
    text = f"Status of SIM changed from '{before.label}' to '{target.label}'"
    state.emit(_SIM_EVENTS[target], text, endpoint=endpoint, sim=sim)
    if endpoint is not None:
        review(state, endpoint)


def set_endpoint_status(state: State, endpoint: Endpoint, target: EndpointStatus) -> None:
    """Give an endpoint a status. A SIM in factory test becomes activated by it."""
    if endpoint.status is target:
        return
    endpoint.status = target
    enabled = target is EndpointStatus.ENABLED
    kind = EventType.ENDPOINT_ENABLED if enabled else EventType.ENDPOINT_DISABLED
    state.emit(kind, f"Endpoint {'enabled' if enabled else 'disabled'}.", endpoint=endpoint)
    end_factory_test(state, endpoint)
    review(state, endpoint)


def end_factory_test(state: State, endpoint: Endpoint) -> None:
    """Activate the endpoint's SIM if it is in factory test."""
    sim = state.sim_of(endpoint)
    if sim is not None and sim.status is SimStatus.FACTORY_TEST:
        set_sim_status(state, sim, SimStatus.ACTIVATED)


def assign_sim(state: State, endpoint: Endpoint, sim: Sim) -> None:
    """Put a free SIM into an endpoint; the one that was in it is released."""
    if endpoint.sim_id == sim.id:
        return
    check_free(sim, endpoint)
    release_sim(state, endpoint)
    endpoint.sim_id, sim.endpoint_id = sim.id, endpoint.id
    state.emit(EventType.SIM_ASSIGNED, "SIM assigned to endpoint.", endpoint=endpoint)
    review(state, endpoint)


def check_free(sim: Sim, endpoint: Endpoint | None = None) -> None:
    """Answer 409 unless the SIM can be put into the endpoint."""
    if sim.status is SimStatus.DELETED:
        raise no_reference("Sim", sim.id)
    if sim.endpoint_id is not None and (endpoint is None or sim.endpoint_id != endpoint.id):
        raise ApiError("SimInUse", f"SIM {sim.id} is assigned to endpoint {sim.endpoint_id}.")


def release_sim(state: State, endpoint: Endpoint) -> Sim | None:
    """Take the SIM out of an endpoint and return it."""
    sim = state.sim_of(endpoint)
    if sim is None:
        return None
    state.emit(EventType.SIM_RELEASED, "SIM released from endpoint.", endpoint=endpoint)
    endpoint.sim_id, sim.endpoint_id = None, None
    review(state, endpoint)
    return sim


def delete_endpoint(state: State, endpoint: Endpoint, *, delete_sim: bool = False) -> None:
    """Delete an endpoint; its SIM is released, and suspended or deleted."""
    sim = release_sim(state, endpoint)
    if sim is not None:
        if delete_sim:
            set_sim_status(state, sim, SimStatus.DELETED)
        elif sim.status in _USABLE:
            set_sim_status(state, sim, SimStatus.SUSPENDED)
    endpoint.life += 1
    endpoint.status = EndpointStatus.DELETED
    del state.endpoints[endpoint.id]


def connectivity(endpoint: Endpoint) -> Connectivity:
    """Return what the network says of an endpoint."""
    return Connectivity.BLOCKED if endpoint.blocked else endpoint.connectivity


def block(state: State, endpoint: Endpoint, *, blocked: bool = True) -> None:
    """Block an endpoint, as a traffic limit does, or lift the block."""
    endpoint.blocked = blocked
    if blocked:
        state.emit(
            EventType.ENDPOINT_BLOCKED,
            "Endpoint blocked, because a traffic limit has been exceeded.",
            source=EventSource.POLICY_CONTROL,
            severity=EventSeverity.WARN,
            alert=True,
            endpoint=endpoint,
        )
    review(state, endpoint)


def review(state: State, endpoint: Endpoint) -> None:
    """Let a device connect if it now can, and drop its connection if it now cannot."""
    sim = state.sim_of(endpoint)
    can = (
        endpoint.powered
        and not endpoint.blocked
        and endpoint.status is EndpointStatus.ENABLED
        and sim is not None
        and sim.status in _USABLE
    )
    if can and endpoint.connectivity is Connectivity.OFFLINE and not endpoint.connecting:
        _connect(state, endpoint)
    elif not can and (endpoint.connecting or endpoint.connectivity is not Connectivity.OFFLINE):
        _disconnect(state, endpoint)


def reset_connectivity(state: State, endpoint: Endpoint, *, location: bool, pdp_context: bool) -> None:
    """Cancel the location or the data connection; the device connects again by itself."""
    state.emit(EventType.RESET_CONNECTIVITY, "Reset connectivity triggered.", endpoint=endpoint)
    end_factory_test(state, endpoint)
    if location and endpoint.connectivity is not Connectivity.OFFLINE:
        _disconnect(state, endpoint)
    elif pdp_context and endpoint.connectivity is Connectivity.ONLINE:
        endpoint.life += 1
        endpoint.connectivity = Connectivity.ATTACHED
        _network(state, endpoint, EventType.DELETE_PDP_CONTEXT, "PDP Context deleted.")
        _go_online(state, endpoint)
    review(state, endpoint)


def _connect(state: State, endpoint: Endpoint) -> None:
    endpoint.life += 1

    def attach() -> None:
        endpoint.connectivity = Connectivity.ATTACHED
        _network(state, endpoint, EventType.UPDATE_LOCATION, "New location received from VLR.")
        _network(state, endpoint, EventType.UPDATE_GPRS_LOCATION, "New location received from SGSN.")
        messaging.deliver_buffered(state, endpoint)

    state.agenda.after(state.settings.online_after / 3, attach, endpoint)
    _go_online(state, endpoint)


def _go_online(state: State, endpoint: Endpoint) -> None:
    endpoint.connecting = True

    def go_online() -> None:
        endpoint.connecting = False
        endpoint.connectivity = Connectivity.ONLINE
        text = "New PDP Context successfully activated."
        _network(state, endpoint, EventType.CREATE_PDP_CONTEXT, text)

    state.agenda.after(state.settings.online_after, go_online, endpoint)


def _disconnect(state: State, endpoint: Endpoint) -> None:
    before = endpoint.connectivity
    endpoint.life += 1
    endpoint.connecting = False
    endpoint.connectivity = Connectivity.OFFLINE
    if before is Connectivity.ONLINE:
        _network(state, endpoint, EventType.DELETE_PDP_CONTEXT, "PDP Context deleted.")
    if before is not Connectivity.OFFLINE:
        _network(state, endpoint, EventType.PURGE_LOCATION, "VLR location information has been purged.")


def _network(state: State, endpoint: Endpoint, kind: EventType, text: str) -> None:
    state.emit(kind, text, source=EventSource.NETWORK, endpoint=endpoint)
