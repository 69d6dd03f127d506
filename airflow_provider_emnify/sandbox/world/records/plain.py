"""Rows of the resources that have no life of their own, as they are from the start."""

from __future__ import annotations

from collections.abc import Callable
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


def new_service_profile(services: tuple[int, ...] = (), **given: Any) -> dict[str, Any]:
    """Return a service profile, with its services, their SMS limits and its data limits."""
    return {**SERVICE_PROFILE, **given, "services": list(services), "limits": [], "data_limits": {}}


def new_tariff_profile(rate_zones: tuple[int, ...] = (), **given: Any) -> dict[str, Any]:
    """Return a tariff profile, with the operators that it blocks and, by operator, blocked technologies."""
    kept: dict[str, Any] = {"ratezones": list(rate_zones), "blocked": [], "blocked_kinds": {}}
    return {"inclusive_volume_id": None, **kept, **given}


def first_profiles(kind: str, make: Callable[..., dict[str, Any]], **given: Any) -> Rows:
    """Return the two profiles of a kind that there are from the start."""
    names = {1: f"Default {kind}", 2: f"Second {kind}"}
    return {
        number: {"id": number, **make(name=name, description=f"{name} of the sandbox", **given)}
        for number, name in names.items()
    }
