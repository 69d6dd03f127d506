"""Endpoints on the wire: flat arguments to emnify's objects, and answers held against what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.fields import UNSET, given, ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.api.types import Row, Rows

_NEW = frozenset({"name", "sim_id", "activate_sim", "sim_status", "tags", "imei", "imei_lock", "ip_address"})
_CHANGED = (_NEW - {"activate_sim"}) | {
    "status",
    "service_profile_id",
    "tariff_profile_id",
    "ip_address_space_id",
}


def new_endpoint(item: Mapping[str, Any]) -> Row:
    """Return the body of a new endpoint, without what a bulk call shares.

    ``sim.activate`` is always said: emnify's default has changed over time, and activation bills.

    :raises ValueError: for a field that is none.
    """
    _refuse_others(item, _NEW)
    sim = ref(item.get("sim_id"), "sim_id")
    sim_status, activate = item.get("sim_status"), item.get("activate_sim")
    if sim is not None:
        sim["activate"] = bool(activate)
        if sim_status is not None:
            sim["status"] = {"id": int(SimStatus.parse(sim_status))}
    elif sim_status is not None or activate:
        raise ValueError("activate_sim and sim_status need a sim_id")
    return given(
        name=item.get("name"),
        sim=sim,
        tags=item.get("tags"),
        imei=item.get("imei"),
        imei_lock=item.get("imei_lock"),
        ip_address=item.get("ip_address"),
    )


def changes(fields: Mapping[str, Any]) -> Row:
    """Return the body of a change to an endpoint: only what is given, ``sim_id`` None as "no SIM".

    :raises ValueError: for a field that is none.
    """
    _refuse_others(fields, _CHANGED)
    status, sim_status = fields.get("status"), fields.get("sim_status")
    sim_id = fields.get("sim_id", UNSET)
    sim = {} if sim_id is UNSET else {"id": None} if sim_id is None else ref(sim_id, "sim_id")
    if sim_status is not None:
        if sim_id is None:
            raise ValueError("sim_status: the SIM that is released with sim_id None cannot be given a status")
        sim["status"] = {"id": int(SimStatus.parse(sim_status))}
    return given(
        name=fields.get("name"),
        status=None if status is None else {"id": int(EndpointStatus.parse(status))},
        sim=sim or None,
        service_profile=ref(fields.get("service_profile_id"), "service_profile_id"),
        tariff_profile=ref(fields.get("tariff_profile_id"), "tariff_profile_id"),
        tags=fields.get("tags"),
        imei=fields.get("imei"),
        imei_lock=fields.get("imei_lock"),
        ip_address=fields.get("ip_address"),
        ip_address_space=ref(fields.get("ip_address_space_id"), "ip_address_space_id"),
    )


def differences(row: Row, wanted: Row) -> list[str]:
    """Return the names of what is not in an endpoint as a change asked for it."""
    return [name for name, value in wanted.items() if not _is_so(row.get(name), value)]


def is_deleted(row: Row) -> bool:
    """Tell whether an endpoint that is still listed is deleted all the same."""
    return status_of(row) == EndpointStatus.DELETED


def match_created(items: Sequence[Row], newer: Rows) -> tuple[Rows, Rows]:
    """Return the endpoints that were created for some items, and the items without one.

    :param items: What was to be created.
    :param newer: Endpoints that are newer than the call, the newest first.
    """
    left = newer[::-1]  # the oldest first, as they were created
    created: Rows = []
    missing: Rows = []
    for item in items:
        match = next((row for row in left if _is_made_from(row, item)), None)
        if match is None:
            missing.append(item)
        else:
            left.remove(match)
            created.append(match)
    return created, missing


def _is_made_from(row: Row, item: Row) -> bool:
    if item.get("sim_id") is not None:
        return _is_so(row.get("sim"), ref(item["sim_id"], "sim_id"))
    known_by = next((name for name in ("ip_address", "name") if item.get(name) is not None), None)
    return known_by is not None and _is_so(row.get(known_by), item[known_by])


def _is_so(is_: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        there = is_ if isinstance(is_, dict) else {}
        return all(_is_so(there.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, bool) or wanted is None:
        return is_ is wanted or (wanted is False and is_ in {None, 0}) or (wanted is True and is_ == 1)
    return str("" if is_ is None else is_) == str(wanted)


def _refuse_others(fields: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(set(fields) - known):
        fields_are = f"no such field; allowed: {', '.join(sorted(known))}"
        raise ValueError(f"{', '.join(map(repr, unknown))} in {dict(fields)!r}: {fields_are}")
