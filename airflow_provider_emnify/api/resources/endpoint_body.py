"""Endpoints on the wire: flat arguments to emnify's objects, and answers held against what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.fields import UNSET, as_fields, as_json, given, ref
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import is_nothing, parse_bool

NEW = frozenset({"name", "sim_id", "activate_sim", "sim_status", "tags", "imei", "imei_lock", "ip_address"})
_CHANGED = (NEW - {"activate_sim"}) | {
    "status",
    "service_profile_id",
    "tariff_profile_id",
    "ip_address_space_id",
}
_OF_SIM = frozenset({"sim_id", "activate_sim", "sim_status"})


def new_endpoint(item: Mapping[str, Any]) -> Row:
    """Return the body of a new endpoint, without what a bulk call shares.

    ``sim.activate`` is always said: emnify's default has changed over time, and activation bills.

    :raises ValueError: for a field that is none.
    """
    _refuse_others(item, NEW)
    sim = ref(item.get("sim_id"), "sim_id")
    sim_status, activate = item.get("sim_status"), as_json(item.get("activate_sim"))
    # A missing value of a table is truthy, or neither true nor false.
    if not isinstance(activate, (int, float, Decimal)) or activate not in (0, 1):
        activate = not is_nothing(activate) and parse_bool(activate, "activate_sim")
    if sim is not None:
        sim["activate"] = bool(activate)
        if sim_status is not None:
            sim["status"] = {"id": int(SimStatus.parse(sim_status))}
    elif sim_status is not None or activate:
        raise ValueError("activate_sim and sim_status need a sim_id")
    return {**_beside_sim(item), **given(sim=sim)}


def changes(fields: Mapping[str, Any]) -> Row:
    """Return the body of a change to an endpoint: only what is given, ``sim_id`` None as "no SIM".

    :raises ValueError: for a field that is none.
    """
    _refuse_others(fields, _CHANGED)
    sim_id, sim_status = fields.get("sim_id", UNSET), fields.get("sim_status")
    sim = {} if sim_id is UNSET else {"id": None} if sim_id is None else ref(sim_id, "sim_id")
    if sim_status is not None:
        if sim_id is None:
            raise ValueError("sim_status: the SIM that is released with sim_id None cannot be given a status")
        sim["status"] = {"id": int(SimStatus.parse(sim_status))}
    return {**_beside_sim(fields), **({"sim": sim} if sim else {})}


def _beside_sim(fields: Mapping[str, Any]) -> Row:
    others = {name: value for name, value in fields.items() if name not in _OF_SIM}
    return as_fields(others, {"status": EndpointStatus.parse})


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
