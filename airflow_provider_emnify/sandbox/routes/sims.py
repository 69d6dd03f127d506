"""SIMs: list, change of status, deletion, the batches they are bought in, moves to another Workspace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_emnify.api.enums import EventType, SimStatus
from airflow_provider_emnify.sandbox.http.answers import (
    ERRORS,
    MISSING,
    Answer,
    ApiError,
    fields_of,
    not_found,
    present,
    wrong,
)
from airflow_provider_emnify.sandbox.http.fields import (
    array,
    boolean,
    check_count,
    integer,
    record,
    reference,
    text,
    validate,
    validate_items,
)
from airflow_provider_emnify.sandbox.http.query import (
    Listing,
    attributes,
    dated,
    in_organisation,
    labelled,
    number_after,
)
from airflow_provider_emnify.sandbox.http.resources import serve_records
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.events import serve_events
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.clock import DAY, date
from airflow_provider_emnify.sandbox.world.lookups import GERMANY, described
from airflow_provider_emnify.sandbox.world.records.fleet import ICCID, IMSI, MSISDN, Batch, Sim
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

_BATCH = "/api/v1/sim_batch/bic/{bic}"
_MOVABLE = (SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)
"""The statuses of a SIM that is registered, or moved."""
_CODE = re.compile(r"[0-9A-Za-z-]{4,40}")
_MOST_MOVED = 500
_WAYS = ("sims", "iccids", "iccid_range")
_MIGRATION = {
    "sims": array(reference()),
    "iccids": array(text()),
    "iccid_range": record({"start": text(required=True), "end": text(required=True)}),
    "allowed_sim_statuses": array(reference()),
    "dry_run": boolean(),
    "auto_detach_devices": boolean(),
    "target_workspace": reference(required=True),
}
_ALL = [{"id": status} for status in _MOVABLE]
_ADMINISTRATOR = 1
_UPDATE = {
    "status": reference(),
    **{key: record({"id": integer()}) for key in ("issuer_org", "reseller_org", "customer_org")},
}
_MODEL = {
    "id": 1,
    "description": "Multi-formfactor card",
    "memory_size": 128,
    "formfactor": {"id": 1, "name": "2FF/3FF/4FF"},
    "manufacturer": {"id": 1, "name": "Sandbox"},
}


def sim_card(sim: Sim) -> Json:
    """What every answer says of a SIM."""
    status = described(sim.status)
    return present({**fields_of(sim, "id", "iccid", "iccid_with_luhn"), "status": status, "eid": sim.eid})


def sim_row(state: State, sim: Sim) -> Json:
    """A SIM."""
    organisation = {**state.organisation_row(sim.organisation_id), "country": GERMANY}
    row = {
        **sim_card(sim),
        "production_date": date(sim.production_date),
        "customer_org": organisation,
        "issuer_org": {"id": 2, "name": "emnify", "country": GERMANY},
        "reseller_org": organisation,
        **fields_of(sim, "imsi", "msisdn"),
        "model": _MODEL,
        "activation_date": date(sim.activation_date),
        "endpoint": None if sim.endpoint_id is None else {"id": sim.endpoint_id},
    }
    return present(row)


def _sim_number(state: State, digits: str) -> int | None:
    """Return the id of the one SIM whose ICCID, IMSI or MSISDN these digits can be."""
    return next(filter(None, (number_after(prefix, digits) for prefix in (ICCID, IMSI, MSISDN))), None)


def _in_endpoint(state: State, wanted: str) -> int | None:
    endpoint = state.endpoints.get(number_after("", wanted) or 0)
    return endpoint.sim_id if endpoint else None


LISTING: Listing[Sim] = Listing(
    sim_row,
    {
        **attributes("id", "iccid", "iccid_with_luhn", "imsi", "msisdn", "eid"),
        "status": labelled("status"),
        "issuer_org": lambda state, sim: (2, "emnify"),
        "reseller_org": in_organisation,
        "customer_org": in_organisation,
        **dated(date, production_date="production_date"),
        "endpoint": lambda state, sim: sim.endpoint_id,  # of one that is free, null
        "model": lambda state, sim: 1,
        "satellite_capable": lambda state, sim: False,
    },
    default=2000,
    maximum=2500,
    exact=frozenset({"id", "iccid", "iccid_with_luhn", "imsi", "msisdn", "endpoint", "eid"}),
    known_by={
        "id": lambda state, wanted: number_after("", wanted),
        **dict.fromkeys(("iccid", "imsi", "msisdn"), _sim_number),
        "iccid_with_luhn": lambda state, wanted: _sim_number(state, wanted[:-1]),
        "endpoint": _in_endpoint,
    },
    texts=frozenset({"eid"}),
    home=lambda state, sim: sim.organisation_id,
)


def the_sim(call: Call) -> Sim:
    """Return the SIM that the path means."""
    return _visible(call, call.id("sim_id", "Sim"))


serve_records("/api/v1/sim", "sim_id", LISTING, lambda call: call.state.sims, the_sim)
serve_events("sim", lambda call: call.id("sim_id", "Sim"))


@serves("PATCH", "/api/v1/sim/{sim_id}")
def update_sim(call: Call) -> None:
    """Change a SIM's status, within the moves that there are."""
    sim, body = the_sim(call), call.checked(_UPDATE, "Sim", partial=True)
    if "status" in body:
        target = SimStatus(call.state.existing(set(SimStatus), body["status"]["id"], "SimStatus"))
        devices.check_sim_status(sim, target)
        devices.set_sim_status(call.state, sim, target)


@serves("DELETE", "/api/v1/sim/multi")
def delete_sims(call: Call) -> None:
    """Delete SIMs for good: all, or none."""
    items = call.array()
    check_count(items)
    validate_items(items, {"id": integer(required=True)}, "Sim")
    doomed = [_visible(call, int(item["id"])) for item in items]
    _check_free(doomed)
    for sim in call.applied(doomed):
        devices.set_sim_status(call.state, sim, SimStatus.DELETED)


@serves("DELETE", "/api/v1/sim/{sim_id}")
def delete_sim(call: Call) -> None:
    """Delete a SIM for good."""
    sim = the_sim(call)
    _check_free([sim])
    devices.set_sim_status(call.state, sim, SimStatus.DELETED)


def _visible(call: Call, number: int) -> Sim:
    """Return a SIM of the caller's Workspace, or answer 404."""
    sim = call.state.sim(number)
    if sim.organisation_id != call.own:
        raise not_found("Sim", number)
    return sim


def _check_free(sims: list[Sim]) -> None:
    for sim in sims:
        if sim.endpoint_id is not None:
            raise ApiError("Forbidden", f"SIM {sim.id} is assigned to endpoint {sim.endpoint_id}.")


# -- batches, known by the code on the box ----------------------------------------------------------


@serves("GET", _BATCH)
def validate_batch(call: Call) -> Body:
    """Give a batch that can be registered: 400 if it is already, 422 if it cannot be."""
    batch = _the_batch(call)
    if batch.organisation_id is not None:
        raise ApiError("BadRequest", f"SIM batch {batch.bic} is registered already.")
    return {
        "id": batch.id,
        "bic": batch.bic,
        "bsn": f"{batch.id:06d}",
        "quantity": str(batch.quantity),
        "sim_batch_status_id": "1",
        "sim_model_id": "1",
        "issuer_org_id": "2",
        "customer_org_id": call.own,
        "reseller_org_id": call.own,
        "logistic_center_id": "1",
        "article_id": "1",
        "status": {"id": 1, "description": "Ready for shipping"},
        "model": _MODEL,
    }


@serves("PATCH", _BATCH)
def register_batch(call: Call) -> Body:
    """Register a batch: its SIMs belong to the caller's organisation from now on."""
    state, body = call.state, {} if call.body is MISSING else call.object()
    batch = _the_batch(call)
    validate(body, {"sim_status": reference()}, "SimBatch")
    if batch.organisation_id is not None:
        raise ApiError("NotAllowed", f"SIM batch {batch.bic} is registered already.")
    status = _first_status(state, body)
    batch.organisation_id = call.own
    sims = []
    for _ in range(batch.quantity):
        sim = Sim(state.next_id("sim"), batch.organisation_id, call.state.now - 30 * DAY, status)
        if status is SimStatus.ACTIVATED:
            sim.activation_date = call.state.now
        state.sims[sim.id] = sim
        sims.append(sim)
        state.emit(EventType.SIM_REGISTRATION, f"SIM registered with status '{status.label}'.", sim=sim)
    return {"sim": [sim_row(state, sim) for sim in sims]}


def _the_batch(call: Call) -> Batch:
    bic = call.path["bic"]
    if not _CODE.fullmatch(bic):
        raise wrong("SimBatch - bic has invalid format: expecting letters, digits and hyphens.")
    batch = call.state.batches.get(bic)
    if batch is None:
        raise ApiError("NotFound", f"SIM batch with BIC {bic} not found")
    if not batch.registrable:
        raise ApiError("NotAllowed", f"SIM batch {bic} cannot be registered.")
    return batch


def _first_status(state: State, body: Json) -> SimStatus:
    number = int(body.get("sim_status", {"id": SimStatus.ISSUED})["id"])
    status = SimStatus(state.existing(_MOVABLE, number, "SimStatus"))
    if status is SimStatus.FACTORY_TEST and not state.settings.factory_test_mode:
        raise ApiError("NotAllowed", "Factory test mode is not allowed by the tariff plan.")
    return status


# -- to another Workspace ---------------------------------------------------------------------------


@serves("POST", "/api/v1/sim/migration/workspace")
def migrate_sims(call: Call) -> Answer:
    """Move SIMs to another Workspace, all or none; only ``dry_run: false`` does it."""
    state, body = call.state, call.checked(_MIGRATION, "Migration", status=400)
    given = [way for way in _WAYS if way in body]
    if len(given) != 1:
        raise ApiError("BadRequest", f"Provide exactly one of {', '.join(_WAYS)}.")
    target = int(body["target_workspace"]["id"])
    if target not in state.organisations:
        raise not_found("Workspace", target)
    sims = list({sim.id: sim for sim in _meant(state, body)}.values())
    if not sims:
        raise ApiError("BadRequest", "There is no SIM to migrate.")
    if len(sims) > _MOST_MOVED:
        raise ApiError("BadRequest", f"Only {_MOST_MOVED} SIMs can be migrated per request, not {len(sims)}.")
    _check_rights(call, {target, *(sim.organisation_id for sim in sims)})
    allowed = _allowed_statuses(body)
    detach = bool(body.get("auto_detach_devices", False))
    errors = [*_obstacles(sims, target, allowed, detach=detach)]
    if errors:
        return _refusal(state, errors)
    dry = body.get("dry_run", True)
    summary = {
        "sim_count": len(sims),
        "dry_run": dry,
        "allowed_sim_statuses": [described(status) for status in allowed],
        "target_workspace": state.organisation_row(target),
        "auto_detach_devices": detach,
        "sims": [_moved(state, sim) for sim in sims],
    }
    if not dry:
        for sim in sims:
            _move(call, sim, target)
    return Answer(body=summary)


def _meant(state: State, body: Json) -> Iterator[Sim]:
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


def _allowed_statuses(body: Json) -> list[SimStatus]:
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
    refused = [
        {"error_code": ERRORS[token][1], "message": message, "sims": [_moved(state, sim) for sim in sims]}
        for token, message, sims in errors
    ]
    message = "SIMs do not meet the requirements for migration."
    return Answer(409, {"status_code": 409, "message": message, "errors": refused})


def _move(call: Call, sim: Sim, target: int) -> None:
    state = call.state
    if (endpoint := state.endpoint_of(sim)) is not None:
        devices.release_sim(state, endpoint)
    if sim.status is SimStatus.ACTIVATED:
        devices.set_sim_status(state, sim, SimStatus.SUSPENDED)
    sim.organisation_id = target
    name = state.organisations[target].name
    state.emit(EventType.SIM_MIGRATION, f"SIM migrated to Workspace '{name}'.", sim=sim)


def _moved(state: State, sim: Sim) -> Json:
    row = {**sim_card(sim), "source_workspace": state.organisation_row(sim.organisation_id)}
    if (endpoint := state.endpoint_of(sim)) is not None:
        row["endpoint"] = {"id": endpoint.id, "name": endpoint.name}
    return row
