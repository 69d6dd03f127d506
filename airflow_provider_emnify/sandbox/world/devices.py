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
from airflow_provider_emnify.sandbox.world.records.accounts import User
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


def set_sim_status(state: State, sim: Sim, target: SimStatus, now: float, user: User | None = None) -> None:
    """Give a SIM a status and let its device live or die by it."""
    if sim.status is target:
        return
    before, sim.status = sim.status, target
    if target is SimStatus.ACTIVATED and sim.activation_date is None:
        sim.activation_date = now
    endpoint = state.endpoints.get(sim.endpoint_id) if sim.endpoint_id is not None else None
    state.emit(
        _SIM_EVENTS[target],
        f"Status of SIM changed from '{before.label}' to '{target.label}'",
        now,
        endpoint=endpoint,
        sim=sim,
        user=user,
    )
    if endpoint is not None:
        review(state, endpoint, now)


def set_endpoint_status(
    state: State, endpoint: Endpoint, target: EndpointStatus, now: float, user: User | None = None
) -> None:
    """Give an endpoint a status. A SIM in factory test becomes activated by it."""
    if endpoint.status is target:
        return
    endpoint.status = target
    enabled = target is EndpointStatus.ENABLED
    state.emit(
        EventType.ENDPOINT_ENABLED if enabled else EventType.ENDPOINT_DISABLED,
        f"Endpoint {'enabled' if enabled else 'disabled'}.",
        now,
        endpoint=endpoint,
        user=user,
    )
    end_factory_test(state, endpoint, now, user)
    review(state, endpoint, now)


def end_factory_test(state: State, endpoint: Endpoint, now: float, user: User | None = None) -> None:
    """Activate the endpoint's SIM if it is in factory test."""
    sim = state.sim_of(endpoint)
    if sim is not None and sim.status is SimStatus.FACTORY_TEST:
        set_sim_status(state, sim, SimStatus.ACTIVATED, now, user)


def assign_sim(state: State, endpoint: Endpoint, sim: Sim, now: float, user: User | None = None) -> None:
    """Put a free SIM into an endpoint; the one that was in it is released."""
    if endpoint.sim_id == sim.id:
        return
    check_free(sim, endpoint)
    release_sim(state, endpoint, now, user)
    endpoint.sim_id, sim.endpoint_id = sim.id, endpoint.id
    state.emit(EventType.SIM_ASSIGNED, "SIM assigned to endpoint.", now, endpoint=endpoint, user=user)
    review(state, endpoint, now)


def check_free(sim: Sim, endpoint: Endpoint | None = None) -> None:
    """Answer 409 unless the SIM can be put into the endpoint."""
    if sim.status is SimStatus.DELETED:
        raise no_reference("Sim", sim.id)
    if sim.endpoint_id is not None and (endpoint is None or sim.endpoint_id != endpoint.id):
        raise ApiError("SimInUse", f"SIM {sim.id} is assigned to endpoint {sim.endpoint_id}.")


def release_sim(state: State, endpoint: Endpoint, now: float, user: User | None = None) -> Sim | None:
    """Take the SIM out of an endpoint and return it."""
    sim = state.sim_of(endpoint)
    if sim is None:
        return None
    state.emit(EventType.SIM_RELEASED, "SIM released from endpoint.", now, endpoint=endpoint, user=user)
    endpoint.sim_id, sim.endpoint_id = None, None
    review(state, endpoint, now)
    return sim


def delete_endpoint(
    state: State, endpoint: Endpoint, now: float, *, delete_sim: bool = False, user: User | None = None
) -> None:
    """Delete an endpoint; its SIM is released, and suspended or deleted."""
    sim = release_sim(state, endpoint, now, user)
    if sim is not None:
        if delete_sim:
            set_sim_status(state, sim, SimStatus.DELETED, now, user)
        elif sim.status in _USABLE:
            set_sim_status(state, sim, SimStatus.SUSPENDED, now, user)
    endpoint.life += 1
    endpoint.status = EndpointStatus.DELETED
    del state.endpoints[endpoint.id]


def connectivity(endpoint: Endpoint) -> Connectivity:
    """Return what the network says of an endpoint."""
    return Connectivity.BLOCKED if endpoint.blocked else endpoint.connectivity


def block(state: State, endpoint: Endpoint, now: float, *, blocked: bool = True) -> None:
    """Block an endpoint, as a traffic limit does, or lift the block."""
    endpoint.blocked = blocked
    if blocked:
        state.emit(
            EventType.ENDPOINT_BLOCKED,
            "Endpoint blocked, because a traffic limit has been exceeded.",
            now,
            source=EventSource.POLICY_CONTROL,
            severity=EventSeverity.WARN,
            alert=True,
            endpoint=endpoint,
        )
    review(state, endpoint, now)


def review(state: State, endpoint: Endpoint, now: float) -> None:
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
        _connect(state, endpoint, now)
    elif not can and (endpoint.connecting or endpoint.connectivity is not Connectivity.OFFLINE):
        _disconnect(state, endpoint, now)


def reset_connectivity(
    state: State,
    endpoint: Endpoint,
    now: float,
    *,
    location: bool,
    pdp_context: bool,
    user: User | None = None,
) -> None:
    """Cancel the location or the data connection; the device connects again by itself."""
    state.emit(
        EventType.RESET_CONNECTIVITY, "Reset connectivity triggered.", now, endpoint=endpoint, user=user
    )
    end_factory_test(state, endpoint, now, user)
    if location and endpoint.connectivity is not Connectivity.OFFLINE:
        _disconnect(state, endpoint, now)
    elif pdp_context and endpoint.connectivity is Connectivity.ONLINE:
        endpoint.life += 1
        endpoint.connectivity = Connectivity.ATTACHED
        _network(state, endpoint, EventType.DELETE_PDP_CONTEXT, "PDP Context deleted.", now)
        _go_online(state, endpoint, now)
    review(state, endpoint, now)


def _connect(state: State, endpoint: Endpoint, now: float) -> None:
    endpoint.life += 1

    def attach(when: float) -> None:
        endpoint.connectivity = Connectivity.ATTACHED
        _network(state, endpoint, EventType.UPDATE_LOCATION, "New location received from VLR.", when)
        _network(state, endpoint, EventType.UPDATE_GPRS_LOCATION, "New location received from SGSN.", when)
        messaging.deliver_buffered(state, endpoint, when)

    state.agenda.at(now + state.settings.online_after / 3, attach, endpoint)
    _go_online(state, endpoint, now)


def _go_online(state: State, endpoint: Endpoint, now: float) -> None:
    endpoint.connecting = True

    def go_online(when: float) -> None:
        endpoint.connecting = False
        endpoint.connectivity = Connectivity.ONLINE
        text = "New PDP Context successfully activated."
        _network(state, endpoint, EventType.CREATE_PDP_CONTEXT, text, when)

    state.agenda.at(now + state.settings.online_after, go_online, endpoint)


def _disconnect(state: State, endpoint: Endpoint, now: float) -> None:
    before = endpoint.connectivity
    endpoint.life += 1
    endpoint.connecting = False
    endpoint.connectivity = Connectivity.OFFLINE
    if before is Connectivity.ONLINE:
        _network(state, endpoint, EventType.DELETE_PDP_CONTEXT, "PDP Context deleted.", now)
    if before is not Connectivity.OFFLINE:
        _network(state, endpoint, EventType.PURGE_LOCATION, "VLR location information has been purged.", now)


def _network(state: State, endpoint: Endpoint, kind: EventType, text: str, when: float) -> None:
    state.emit(kind, text, when, source=EventSource.NETWORK, endpoint=endpoint)
