"""SIMs: list, change of status, deletion."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import integer, record, reference, validate, validate_items
from airflow_provider_emnify.sandbox.http.query import Listing
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.bulk import applied, check_size, finished
from airflow_provider_emnify.sandbox.routes.events import list_events
from airflow_provider_emnify.sandbox.routes.render import sim_row
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.lookups import lookup
from airflow_provider_emnify.sandbox.world.records.fleet import Sim

_UPDATE = {
    "status": reference(),
    **{key: record({"id": integer()}) for key in ("issuer_org", "reseller_org", "customer_org")},
}
_EXACT = frozenset({"id", "iccid", "iccid_with_luhn", "imsi", "msisdn", "endpoint", "eid"})


@serves("GET", "/api/v1/sim")
def list_sims(call: Call) -> Answer:
    """List SIMs; ``endpoint:null`` are those that are free."""
    state = call.state

    def organisation(sim: Sim) -> tuple[int, str]:
        return sim.organisation_id, state.organisations[sim.organisation_id].name

    listing = Listing[Sim](
        lambda sim: sim_row(state, sim),
        {
            "id": lambda sim: sim.id,
            "issuer_org": lambda sim: (2, "emnify"),
            "reseller_org": organisation,
            "customer_org": organisation,
            "iccid": lambda sim: sim.iccid,
            "iccid_with_luhn": lambda sim: sim.iccid_with_luhn,
            "status": lambda sim: (int(sim.status), sim.status.label),
            "production_date": lambda sim: date(sim.production_date),
            "imsi": lambda sim: sim.imsi,
            "msisdn": lambda sim: sim.msisdn,
            "endpoint": lambda sim: sim.endpoint_id,
            "model": lambda sim: 1,
            "eid": lambda sim: sim.eid,
            "satellite_capable": lambda sim: False,
        },
        default=2000,
        maximum=2500,
        exact=_EXACT,
    )
    own = _own(call)
    return listing.answer(call, [sim for sim in state.sims.values() if sim.organisation_id == own])


@serves("GET", "/api/v1/sim/status")
def sim_statuses(call: Call) -> Answer:
    """List SIM statuses."""
    return Answer(body=lookup(SimStatus))


@serves("GET", "/api/v1/sim/{sim_id}")
def get_sim(call: Call) -> Answer:
    """Give a SIM."""
    return Answer(body=sim_row(call.state, the_sim(call)))


@serves("PATCH", "/api/v1/sim/{sim_id}")
def update_sim(call: Call) -> Answer:
    """Change a SIM's status, within the moves that there are."""
    sim, body = the_sim(call), call.object()
    validate(body, _UPDATE, "Sim", partial=True)
    if "status" in body:
        number = int(body["status"]["id"])
        if number not in set(SimStatus):
            raise ApiError("InvalidReference", f"Invalid reference to SimStatus with id {number}")
        devices.check_sim_status(sim, SimStatus(number))
        user = call.accounts.user_of(call.caller)
        devices.set_sim_status(call.state, sim, SimStatus(number), call.now, user)
    return Answer(204)


@serves("DELETE", "/api/v1/sim/multi")
def delete_sims(call: Call) -> Answer:
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
    return Answer(204)


@serves("DELETE", "/api/v1/sim/{sim_id}")
def delete_sim(call: Call) -> Answer:
    """Delete a SIM for good."""
    sim = the_sim(call)
    _check_deletable(sim)
    _delete(call, sim)
    return Answer(204)


@serves("GET", "/api/v1/sim/{sim_id}/event")
def sim_events(call: Call) -> Answer:
    """List a SIM's events; of an unknown id, nothing."""
    number = call.id("sim_id", "Sim")
    return list_events(call, lambda event: event.sim is not None and event.sim["id"] == number)


def the_sim(call: Call) -> Sim:
    """Return the SIM that the path means."""
    return _visible(call, call.id("sim_id", "Sim"))


def _visible(call: Call, number: int) -> Sim:
    """Return a SIM of the caller's Workspace, or answer 404."""
    sim = call.state.sim(number)
    if sim.organisation_id != _own(call):
        raise not_found("Sim", number)
    return sim


def _own(call: Call) -> int:
    return call.caller.organisation_id if call.caller else 0


def _check_deletable(sim: Sim) -> None:
    if sim.endpoint_id is not None:
        raise ApiError("Forbidden", f"SIM {sim.id} is assigned to endpoint {sim.endpoint_id}.")


def _delete(call: Call, sim: Sim) -> None:
    devices.set_sim_status(call.state, sim, SimStatus.DELETED, call.now, call.accounts.user_of(call.caller))
