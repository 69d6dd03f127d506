"""Moving SIMs to another Workspace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_emnify.api.enums import EventType, SimStatus
from airflow_provider_emnify.sandbox.http.answers import ERRORS, Answer, ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import array, boolean, record, reference, text
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.sims import sim_card
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.records.fleet import Sim
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

MOST = 500
_WAYS = ("sims", "iccids", "iccid_range")
_FIELDS = {
    "sims": array(reference()),
    "iccids": array(text()),
    "iccid_range": record({"start": text(required=True), "end": text(required=True)}),
    "allowed_sim_statuses": array(reference()),
    "dry_run": boolean(),
    "auto_detach_devices": boolean(),
    "target_workspace": reference(required=True),
}
_MOVABLE = (SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)
_ALL = [{"id": status} for status in _MOVABLE]
_ADMINISTRATOR = 1


@serves("POST", "/api/v1/sim/migration/workspace")
def migrate_sims(call: Call) -> Answer:
    """Move SIMs to another Workspace, all or none; only ``dry_run: false`` does it."""
    state, body = call.state, call.checked(_FIELDS, "Migration", status=400)
    given = [way for way in _WAYS if way in body]
    if len(given) != 1:
        raise ApiError("BadRequest", f"Provide exactly one of {', '.join(_WAYS)}.")
    target = int(body["target_workspace"]["id"])
    if target not in state.organisations:
        raise not_found("Workspace", target)
    sims = list({sim.id: sim for sim in _named(state, body)}.values())
    if not sims:
        raise ApiError("BadRequest", "There is no SIM to migrate.")
    if len(sims) > MOST:
        raise ApiError("BadRequest", f"Only {MOST} SIMs can be migrated per request, not {len(sims)}.")
    _check_rights(call, {target, *(sim.organisation_id for sim in sims)})
    allowed = _allowed(body)
    detach = bool(body.get("auto_detach_devices", False))
    errors = [*_obstacles(sims, target, allowed, detach=detach)]
    if errors:
        return _refusal(state, errors)
    dry = body.get("dry_run", True)
    summary = {
        "sim_count": len(sims),
        "dry_run": dry,
        "allowed_sim_statuses": [described(status) for status in allowed],
        "target_workspace": state.told_organisation(target),
        "auto_detach_devices": detach,
        "sims": [_row(state, sim) for sim in sims],
    }
    if not dry:
        for sim in sims:
            _move(call, sim, target)
    return Answer(body=summary)


def _named(state: State, body: Json) -> Iterator[Sim]:
    if "sims" in body:
        for item in body["sims"]:
            yield state.sim(int(item["id"]))
    elif "iccids" in body:
        by_iccid = {name: sim for sim in state.sims.values() for name in (sim.iccid, sim.iccid_with_luhn)}
        for iccid in body["iccids"]:
            if iccid not in by_iccid:
                raise ApiError("NotFound", f"Sim with ICCID {iccid} not found")
            yield by_iccid[iccid]
    else:
        start, end = body["iccid_range"]["start"][:19], body["iccid_range"]["end"][:19]
        found = [sim for sim in state.sims.values() if start <= sim.iccid <= end]
        if not found:
            raise ApiError("NotFound", "There is no SIM in this range.")
        yield from found


def _check_rights(call: Call, workspaces: set[int]) -> None:
    if (user := call.state.caller) is None:
        raise ApiError("Forbidden", "Migrating SIMs takes user credentials, not an application token.")
    for number in workspaces:
        membership = user.memberships.get(number)
        if membership is None or _ADMINISTRATOR not in membership.role_ids:
            raise ApiError("Forbidden", f"You are no Administrator of Workspace {number}.")


def _allowed(body: Json) -> list[SimStatus]:
    numbers = [int(status["id"]) for status in body.get("allowed_sim_statuses", _ALL)]
    for number in numbers:
        if number not in _MOVABLE:
            raise ApiError("BadRequest", f"SIMs of status {number} cannot be migrated.")
    return list(map(SimStatus, numbers))


def _obstacles(
    sims: list[Sim], target: int, allowed: list[SimStatus], *, detach: bool
) -> Iterator[tuple[str, str, list[Sim]]]:
    here = [sim for sim in sims if sim.organisation_id == target]
    if here:
        yield "SimInWorkspace", "SIMs are in the target Workspace already.", here
    others = [sim for sim in sims if sim.status not in allowed]
    if others:
        yield "InvalidSimStatus", "SIMs have a status that is not allowed.", others
    attached = [sim for sim in sims if sim.endpoint_id is not None]
    if attached and not detach:
        yield "SimInUse", "SIMs are attached to devices.", attached


def _refusal(state: State, errors: list[tuple[str, str, list[Sim]]]) -> Answer:
    told = [
        {"error_code": ERRORS[token][1], "message": message, "sims": [_row(state, sim) for sim in sims]}
        for token, message, sims in errors
    ]
    message = "SIMs do not meet the requirements for migration."
    return Answer(409, {"status_code": 409, "message": message, "errors": told})


def _move(call: Call, sim: Sim, target: int) -> None:
    state = call.state
    if (endpoint := state.endpoint_of(sim)) is not None:
        devices.release_sim(state, endpoint)
    if sim.status is SimStatus.ACTIVATED:
        devices.set_sim_status(state, sim, SimStatus.SUSPENDED)
    sim.organisation_id = target
    name = state.organisations[target].name
    state.emit(EventType.SIM_MIGRATION, f"SIM migrated to Workspace '{name}'.", sim=sim)


def _row(state: State, sim: Sim) -> Json:
    row = {**sim_card(sim), "source_workspace": state.told_organisation(sim.organisation_id)}
    if (endpoint := state.endpoint_of(sim)) is not None:
        row["endpoint"] = {"id": endpoint.id, "name": endpoint.name}
    return row
