"""SIMs: list, change of status, deletion."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.sandbox.http.answers import ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import integer, record, reference, validate_items
from airflow_provider_emnify.sandbox.http.query import (
    Listing,
    attributes,
    dated,
    in_organisation,
    labelled,
    number_after,
)
from airflow_provider_emnify.sandbox.http.resources import serve_records
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.bulk import applied, check_size, finished
from airflow_provider_emnify.sandbox.routes.events import serve_events
from airflow_provider_emnify.sandbox.routes.render import sim_row
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.records.fleet import ICCID, IMSI, MSISDN, Sim
from airflow_provider_emnify.sandbox.world.state import State

_UPDATE = {
    "status": reference(),
    **{key: record({"id": integer()}) for key in ("issuer_org", "reseller_org", "customer_org")},
}


def sim_number(digits: str) -> int | None:
    """Return the id of the one SIM whose ICCID, IMSI or MSISDN these digits can be."""
    return next(filter(None, (number_after(prefix, digits) for prefix in (ICCID, IMSI, MSISDN))), None)


def _in_endpoint(state: State, wanted: str) -> int | None:
    endpoint = state.endpoints.get(number_after("", wanted) or 0)
    return endpoint.sim_id if endpoint else None


LISTING = Listing[
    Sim
](
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
        **{name: lambda state, wanted: sim_number(wanted) for name in ("iccid", "imsi", "msisdn")},
        "iccid_with_luhn": lambda state, wanted: sim_number(wanted[:-1]),
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
    """Delete SIMs for good."""
    items = call.array()
    check_size(items, None)
    validate_items(items, {"id": integer(required=True)}, "Sim")
    doomed = [_visible(call, int(item["id"])) for item in items]
    for sim in doomed:
        _check_deletable(sim)
    for sim in applied(call, doomed):
        _delete(call, sim)
    finished(call)


@serves("DELETE", "/api/v1/sim/{sim_id}")
def delete_sim(call: Call) -> None:
    """Delete a SIM for good."""
    sim = the_sim(call)
    _check_deletable(sim)
    _delete(call, sim)


def _visible(call: Call, number: int) -> Sim:
    """Return a SIM of the caller's Workspace, or answer 404."""
    sim = call.state.sim(number)
    if sim.organisation_id != call.own:
        raise not_found("Sim", number)
    return sim


def _check_deletable(sim: Sim) -> None:
    if sim.endpoint_id is not None:
        raise ApiError("Forbidden", f"SIM {sim.id} is assigned to endpoint {sim.endpoint_id}.")


def _delete(call: Call, sim: Sim) -> None:
    devices.set_sim_status(call.state, sim, SimStatus.DELETED)
