"""From records to the JSON that emnify sends."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import Connectivity
from airflow_provider_emnify.sandbox.http.answers import present
from airflow_provider_emnify.sandbox.world import lookups
from airflow_provider_emnify.sandbox.world.clock import date, event_date
from airflow_provider_emnify.sandbox.world.devices import connectivity
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.records.accounts import MfaKey, User
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Event, Sim, with_luhn
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

SIM_MODEL = {
    "id": 1,
    "description": "Multi-formfactor card",
    "memory_size": 128,
    "formfactor": {"id": 1, "name": "2FF/3FF/4FF"},
    "manufacturer": {"id": 1, "name": "Sandbox"},
}
_LOCATION = {
    "iccid": None,
    "imsi": None,
    "country": {key: lookups.GERMANY[key] for key in ("id", "name", "mcc", "iso_code")},
    "operator": {"id": 3, "name": "Vodafone", "mnc": [{"id": 3, "mnc": "02"}]},
}
_SERVICES = ["MT SMS", "MO SMS", "Data"]


def endpoint_row(state: State, endpoint: Endpoint) -> Json:
    """An endpoint."""
    sim = state.sim_of(endpoint)
    row: Json = {
        "id": endpoint.id,
        "name": endpoint.name,
        "tags": endpoint.tags,
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
            {"id": number, "name": state.tags[number].name, "tag_color": {"id": state.tags[number].color_id}}
            for number in endpoint.tag_ids
            if number in state.tags
        ],
        "sim": None if sim is None else {**sim_card(sim), "imsi": sim.imsi, "msisdn": sim.msisdn},
    }
    if endpoint.connectivity is not Connectivity.OFFLINE:
        row["runtime_data"] = {"msc": "491720000095", "sgsn": "491720000096", "sgsn_ip_address": "192.0.2.60"}
    return row


def created_endpoint(state: State, endpoint: Endpoint) -> Json:
    """An endpoint as its creation answers it."""
    row = endpoint_row(state, endpoint)
    row.pop("runtime_data", None)
    row["tariff_profile"] = {**row["tariff_profile"], "satellite_capable": False}
    if row["sim"] is not None:
        row["sim"]["sim_profile_type_id"] = 1
    return row


def _profile(profiles: dict[int, Any], number: int) -> Json:
    return {"id": number, "name": profiles[number]["name"]} if number in profiles else {"id": number}


def sim_card(sim: Sim) -> Json:
    """What is always told of a SIM."""
    row = {
        "id": sim.id,
        "iccid": sim.iccid,
        "iccid_with_luhn": sim.iccid_with_luhn,
        "status": described(sim.status),
        "eid": sim.eid,
    }
    return present(row)


def sim_row(state: State, sim: Sim) -> Json:
    """A SIM."""
    organisation = {**organisation_in(state, sim.organisation_id), "country": lookups.GERMANY}
    row = {
        **sim_card(sim),
        "production_date": date(sim.production_date),
        "customer_org": organisation,
        "issuer_org": {"id": 2, "name": "emnify", "country": lookups.GERMANY},
        "reseller_org": organisation,
        "imsi": sim.imsi,
        "msisdn": sim.msisdn,
        "model": SIM_MODEL,
        "activation_date": date(sim.activation_date),
        "endpoint": None if sim.endpoint_id is None else {"id": sim.endpoint_id},
    }
    return present(row)


def organisation_in(state: State, organisation_id: int) -> Json:
    """An organisation as it stands in another object."""
    return {"id": organisation_id, "name": state.organisations[organisation_id].name}


def user_row(state: State, user: User) -> Json:
    """A user as it stands in the list."""
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "created": date(user.created),
        "status": described(user.status),
        "organisation": organisation_in(state, user.organisation_id),
    }


def user_details(state: State, user: User) -> Json:
    """A user with roles and MFA keys."""
    return {
        **user_row(state, user),
        "roles": roles(user.role_ids),
        "mfa": [mfa_key(key) for key in user.mfa_keys.values()],
    }


def roles(role_ids: list[int]) -> list[Json]:
    """Roles with their names."""
    return [{"id": number, "name": lookups.ROLES[number]} for number in role_ids]


def mfa_key(key: MfaKey) -> Json:
    """An MFA key without its secret."""
    return {
        "id": key.id,
        "status": {"id": int(key.active), "description": lookups.MFA_KEY_STATUSES[int(key.active)]},
        "type": {"id": key.type, "description": lookups.MFA_KEY_TYPES[key.type]},
        "creation_date": date(key.created),
    }


def plain_event(state: State, event: Event) -> Json:
    """An event, without what it is about."""
    return {
        "id": event.id,
        "timestamp": event_date(event.timestamp),
        "alert": event.alert,
        "description": event.description,
        "event_type": described(event.type),
        "event_source": described(event.source),
        "event_severity": described(event.severity),
        "organisation": organisation_in(state, event.organisation_id),
    }


def event_row(state: State, event: Event) -> Json:
    """An event. With ``quirks``, every second one comes in the other form that has been recorded."""
    row = plain_event(state, event)
    if state.settings.quirks and event.id % 2:
        row["timestamp"] = row["timestamp"][:19].replace("T", " ")
        row["alert"] = int(event.alert)
        row["event_source"] = {"id": int(event.source), "name": event.source.label}
        row["event_severity"] = {"id": int(event.severity), "description": event.severity.label.upper()}
    return row | present({key: getattr(event, key) for key in ("user", "endpoint", "sim", "imsi", "detail")})


def connectivity_row(state: State, endpoint: Endpoint) -> Json:
    """What the network says of an endpoint: no location when it is offline, no id in the status."""
    current = connectivity(endpoint)
    row: Json = {"status": {"description": current.value}}
    sim = state.sim_of(endpoint)
    if sim is None or endpoint.connectivity is Connectivity.OFFLINE:
        return row
    row["location"] = {**_LOCATION, "iccid": sim.iccid, "imsi": sim.imsi}
    if current is Connectivity.ONLINE:
        address = endpoint.ip_address
        row["pdp_context"] = {"pdp_context_id": endpoint.id, "ue_ip_address": address, "apn": "em"}
    row["services"] = _SERVICES
    return row


def connectivity_info(state: State, endpoint: Endpoint) -> Json:
    """The location that the network finds; a failure is part of a good answer."""
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
