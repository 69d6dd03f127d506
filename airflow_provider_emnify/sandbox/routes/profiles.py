"""Service and tariff profiles, the tariff plan and inclusive volumes, to be read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.sandbox.http.answers import not_found
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import CURRENCIES
from airflow_provider_emnify.sandbox.routes.organisations import the_organisation
from airflow_provider_emnify.sandbox.world.clock import date, event_date

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.records.fleet import Profile

Json = dict[str, Any]

_SERVICE, _TARIFF = "/api/v1/service_profile", "/api/v1/tariff_profile"


@serves("GET", _SERVICE)
def list_service_profiles(call: Call) -> Body:
    """List service profiles, not in pages; ``used_count`` is a string."""
    used = Counter(endpoint.service_profile_id for endpoint in call.state.endpoints.values())
    profiles = call.state.service_profiles.values()
    return [{**_service(profile), "used_count": str(used[profile.id])} for profile in profiles]


@serves("GET", _SERVICE + "/{profile_id}")
def get_service_profile(call: Call) -> Body:
    """Give a service profile."""
    profile = _one(call, "profile_id", call.state.service_profiles)
    endpoints = call.state.endpoints.values()
    further = {
        "retail": False,
        "sms_p2p_int": False,
        "sms_p2p_ext": False,
        "prepaid": False,
        "nipdp": False,
        "used_count": sum(endpoint.service_profile_id == profile.id for endpoint in endpoints),
        "esme_interface_type": {"id": 3, "description": "Web UI"},
        "breakout_region": {"id": 1, "name": "eu-west-1"},
        "service": [
            {"id": 21, "description": "MT SMS"},
            {"id": 22, "description": "MO SMS"},
            {"id": 38, "description": "Data"},
        ],
    }
    return {**_service(profile), **further}


@serves("GET", _TARIFF)
def list_tariff_profiles(call: Call) -> Body:
    """List tariff profiles, not in pages."""
    used = Counter(endpoint.tariff_profile_id for endpoint in call.state.endpoints.values())
    return [_tariff(call, profile, used[profile.id]) for profile in call.state.tariff_profiles.values()]


@serves("GET", _TARIFF + "/{tariff_profile_id}")
def get_tariff_profile(call: Call) -> Body:
    """Give a tariff profile."""
    profile = _one(call, "tariff_profile_id", call.state.tariff_profiles)
    used = sum(endpoint.tariff_profile_id == profile.id for endpoint in call.state.endpoints.values())
    return _tariff(call, profile, used)


@serves("GET", "/api/v1/tariff_plan/active")
def my_tariff_plan(call: Call) -> Body:
    """Give the tariff plan of the caller's organisation."""
    return _plan(call, call.own)


@serves("GET", "/api/v1/organisation/{org_id_or_my}/tariff_plan/active")
def organisation_tariff_plan(call: Call) -> Body:
    """Give the tariff plan of an organisation."""
    return _plan(call, the_organisation(call, "org_id_or_my"))


@serves("GET", "/api/v1/organisation/{org_id_or_my}/inclusive_volume/active")
def active_inclusive_volumes(call: Call) -> Body:
    """List the inclusive volumes of an organisation."""
    the_organisation(call, "org_id_or_my")
    volume = {
        **_volume(call),
        "start_date": event_date(call.state.started - 400 * 86_400),
        "tariff": {
            "id": 1,
            "name": "Sandbox tariff",
            "tariff_status_id": 1,
            "ratezone": {"id": 1, "name": "Zone 1", "ratezone_status_id": 1},
        },
    }
    volume.pop("ratezone")
    return [volume]


def _one(call: Call, parameter: str, profiles: dict[int, Profile]) -> Profile:
    number = call.id(parameter, "Profile")
    if number not in profiles:
        raise not_found("Profile", number)
    return profiles[number]


def _service(profile: Profile) -> Json:
    return {
        "id": profile.id,
        "name": profile.name,
        "description": f"{profile.name} of the sandbox",
        "allowed_3g": True,
        "allowed_4g": True,
        "allowed_nb_iot": True,
        "allowed_nb_iot_geo": False,
        "apply_sms_quota": False,
        "apply_data_quota": False,
        "ip_firewall_rule_set": {"ip_firewall_profiles": [], "enforce": False},
        **({"api_callback": {"id": profile.api_callback_id}} if profile.api_callback_id else {}),
        **({"api_secret": {"id": profile.api_secret_id}} if profile.api_secret_id else {}),
    }


def _volume(call: Call) -> Json:
    return {
        "id": 1,
        "volume": 500.0,
        "rate": 25.0,
        "pooled": True,
        "start_date": date(call.state.started - 400 * 86_400),
        "ratezone": {"id": 1, "name": "Zone 1"},
        "currency": CURRENCIES[1],
    }


def _tariff(call: Call, profile: Profile, used: int) -> Json:
    """A tariff profile; most counts and references in it are strings."""
    return {
        "id": profile.id,
        "name": profile.name,
        "description": f"{profile.name} of the sandbox",
        "used_count": str(used),
        "organisation_id": str(call.state.home_id),
        "tariff": {
            "id": 1,
            "organisation_id": str(call.state.home_id),
            "name": "Sandbox tariff",
            "description": "",
            "created": date(call.state.started - 400 * 86_400),
            "tariff_status_id": "1",
            "currency_id": "1",
            "default_sms_mt_rate": 0.05,
            "default_sms_mo_rate": 0.05,
            "sim_activated_rate": 1.0,
            "data_blocksize_id": "1",
            "used_count": str(len(call.state.tariff_profiles)),
            "assigned_count": "1",
            "currency": CURRENCIES[1],
        },
        "inclusive_volume": _volume(call),
    }


def _plan(call: Call, organisation_id: int) -> Json:
    born = date(call.state.started - 400 * 86_400)
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
