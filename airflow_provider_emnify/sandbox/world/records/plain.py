"""Rows of the resources that have no life of their own, as they are from the start."""

from __future__ import annotations

from typing import Any

Rows = dict[Any, dict[str, Any]]

SERVICE_PROFILE: dict[str, Any] = {
    "description": "",
    "allowed_3g": True,
    "allowed_4g": True,
    "allowed_nb_iot": True,
    "allowed_nb_iot_geo": False,
    "apply_sms_quota": False,
    "apply_data_quota": False,
    "retail": False,
    "sms_p2p_int": True,
    "sms_p2p_ext": True,
    "prepaid": False,
    "nipdp": False,
    "esme_interface_type": {"id": 3},
    "breakout_region": {"id": 1},
}
"""What a service profile is that is created by its name alone."""


def new_service_profile(services: tuple[int, ...] = (), **told: Any) -> dict[str, Any]:
    """Return a service profile, with its services, their SMS limits and its data limits."""
    return {**SERVICE_PROFILE, **told, "services": list(services), "limits": [], "data_limits": {}}


def new_tariff_profile(**told: Any) -> dict[str, Any]:
    """Return a tariff profile, with the operators that it blocks and, by operator, blocked technologies."""
    return {"inclusive_volume_id": None, "ratezones": [], "blocked": [], "blocked_kinds": {}, **told}


def service_profiles() -> Rows:
    """The service profiles from the start, with SMS and data."""
    names = {1: "Default service profile", 2: "Second service profile"}
    return {
        number: {"id": number, **new_service_profile((21, 22, 38), **_named(name))}
        for number, name in names.items()
    }


def tariff_profiles() -> Rows:
    """The tariff profiles from the start, with the inclusive volume."""
    names = {1: "Default tariff profile", 2: "Second tariff profile"}
    more: dict[str, Any] = {"tariff": {"id": 1}, "inclusive_volume_id": 1}
    return {
        number: {"id": number, **new_tariff_profile(**_named(name), **more, ratezones=[1])}
        for number, name in names.items()
    }


def _named(name: str) -> dict[str, str]:
    return {"name": name, "description": f"{name} of the sandbox"}
