"""What a sandbox has from the start: a user, SIMs, endpoints, events, a SIM batch, eUICCs."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import Connectivity, EventSource, EventType, SimStatus, UserStatus
from airflow_provider_emnify.sandbox.world import esims
from airflow_provider_emnify.sandbox.world.clock import DAY
from airflow_provider_emnify.sandbox.world.records.accounts import Membership, MfaKey
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Sim
from airflow_provider_emnify.sandbox.world.state import (
    FIRST_BATCH,
    FIRST_ENDPOINT_ID,
    FIRST_SIM_ID,
    ORGANISATION_ID,
    SECOND_ORGANISATION_ID,
    State,
    ip_address,
    sha1,
)


def populate(state: State) -> None:
    """Add what the settings ask for to an empty state."""
    _add_admin(state)
    _add_fleet(state)
    _add_past_events(state)
    state.add_batch(FIRST_BATCH, 10)
    for _ in range(state.settings.euiccs):
        esims.add_euicc(state)


def _add_admin(state: State) -> None:
    settings, born = state.settings, state.organisations[ORGANISATION_ID].created
    admin = state.add_user(settings.username, "Sandbox Admin", [1], born, status=UserStatus.ACTIVE)
    admin.password_sha1 = sha1(settings.password)
    admin.memberships[SECOND_ORGANISATION_ID] = Membership([1], UserStatus.ACTIVE)
    if settings.mfa:
        key = MfaKey(state.next_id("mfa key"), 1, born, active=True)
        admin.mfa_keys[key.id] = key


def _add_fleet(state: State) -> None:
    settings = state.settings
    produced, activated = state.started - 90 * DAY, state.started - 30 * DAY
    for number in range(FIRST_SIM_ID, FIRST_SIM_ID + settings.spare_sims + settings.endpoints):
        state.sims[number] = Sim(number, ORGANISATION_ID, produced)
    first_sim = FIRST_SIM_ID + settings.spare_sims
    for offset in range(settings.endpoints):
        number = FIRST_ENDPOINT_ID + offset
        sim = state.sims[first_sim + offset]
        sim.status, sim.endpoint_id, sim.activation_date = SimStatus.ACTIVATED, number, activated
        state.endpoints[number] = Endpoint(
            number,
            f"Device {offset + 1}",
            ORGANISATION_ID,
            service_profile_id=1,
            tariff_profile_id=1,
            created=activated,
            last_updated=activated,
            sim_id=sim.id,
            ip_address=ip_address(number),
            connectivity=Connectivity.ONLINE,
        )
    state.endpoints.settle()


def _add_past_events(state: State) -> None:
    fleet, number = list(state.endpoints.values()), state.settings.events
    step = 29 * DAY / max(number, 1)
    kinds = (EventType.UPDATE_LOCATION, EventType.CREATE_PDP_CONTEXT, EventType.DELETE_PDP_CONTEXT)
    for offset in range(number):
        kind = kinds[offset % len(kinds)]
        endpoint = state.random.choice(fleet) if fleet else None
        when = state.started - 29 * DAY + offset * step
        state.emit(kind, f"{kind.label}.", when, source=EventSource.NETWORK, endpoint=endpoint)
