"""SIM operations: what is done to many eSIMs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import array, record, reference, text, validate
from airflow_provider_emnify.sandbox.http.query import Listing
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.euiccs import entries, entry, named
from airflow_provider_emnify.sandbox.world import esims
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.records.esims import AVAILABLE, SimOperation

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.records.fleet import Sim
    from airflow_provider_emnify.sandbox.world.state import State

_PATH = "/api/v1/sim/operation"
_FIELDS = {
    "action": reference(required=True),
    "product": reference(),
    "target": array(record({"sim": reference(), "eid": text()}), required=True),
}
_PRODUCT_ID = 1
_PRODUCT = {"id": _PRODUCT_ID, "name": "emnify IoT eSIM"}


@serves("GET", _PATH)
def list_operations(call: Call) -> Answer:
    """List SIM operations."""
    state = call.state
    lookups = state.lookups
    listing = Listing[SimOperation](
        lambda operation: _row(state, operation),
        {
            "id": lambda operation: operation.id,
            "action": lambda operation: (
                entry(lookups.sim_actions, operation.action)["id"],
                operation.action,
            ),
            "status": lambda operation: (
                entry(lookups.sim_operation_statuses, operation.status)["id"],
                operation.status,
            ),
            "creation_date": lambda operation: operation.created,
            "finalization_date": lambda operation: operation.final,
        },
        exact=frozenset({"id"}),
    )
    return listing.answer(call, state.sim_operations.values())


@serves("POST", _PATH)
def trigger_operation(call: Call) -> Answer:
    """Start an operation on eSIMs."""
    state, body = call.state, call.object()
    validate(body, _FIELDS, "Operation", status=400)
    action = named(state.lookups.sim_actions, body)
    product = int(body["product"]["id"]) if "product" in body else _PRODUCT_ID
    if product != _PRODUCT_ID:
        raise ApiError("BadRequest", f"There is no product with id {product}.")
    targets = {sim.id: sim for sim in (_target(state, item) for item in body["target"])}
    if not targets:
        raise ApiError("BadRequest", "There is no SIM to operate on.")
    operation = esims.trigger(state, action, product, targets.values(), call.now)
    return Answer(201, _row(state, operation))


@serves("GET", _PATH + "/action")
def operation_actions(call: Call) -> Answer:
    """List the actions on eSIMs."""
    return Answer(body=entries(call.state.lookups.sim_actions))


@serves("GET", _PATH + "/status")
def operation_statuses(call: Call) -> Answer:
    """List the statuses of SIM operations."""
    return Answer(body=entries(call.state.lookups.sim_operation_statuses))


@serves("GET", _PATH + "/{operation_id}")
def get_operation(call: Call) -> Answer:
    """Give a SIM operation."""
    operation = call.state.sim_operations.get(call.path["operation_id"])
    if operation is None:
        raise not_found("Operation", call.path["operation_id"])
    return Answer(body=_row(call.state, operation))


@serves("GET", "/api/v1/sim/unlinked_product_stats")
def unlinked_product_stats(call: Call) -> Answer:
    """Count the eSIMs that are not linked, by product."""
    profiles = [profile for euicc in call.state.euiccs.values() for profile in euicc.profiles]
    unlinked = sum(profile.sim_id is not None and profile.status == AVAILABLE for profile in profiles)
    return Answer(body=[{"product": _PRODUCT, "quantity": unlinked}])


def _target(state: State, item: dict[str, Any]) -> Sim:
    if "sim" in item:
        sim = state.sim(int(item["sim"]["id"]))
    elif "eid" in item:
        found = next((sim for sim in state.sims.values() if sim.eid == item["eid"]), None)
        if found is None:
            raise ApiError("NotFound", f"Sim with eID {item['eid']} not found")
        sim = found
    else:
        raise ApiError("BadRequest", "A target is a sim or an eid.")
    if sim.eid is None:
        raise ApiError("BadRequest", f"SIM {sim.id} is no eSIM: it has no eID.")
    return sim


def _row(state: State, operation: SimOperation) -> dict[str, Any]:
    over = operation.final is not None
    failed = len(operation.errors)
    row: dict[str, Any] = {
        "id": operation.id,
        "action": entry(state.lookups.sim_actions, operation.action),
        "status": entry(state.lookups.sim_operation_statuses, operation.status),
        "product": {"id": operation.product_id},
        "creation_date": event_date(operation.created),
        "last_updated_at": event_date(operation.updated),
        "finalization_date": event_date(operation.final) if operation.final is not None else None,
        "target": [{"sim": {"id": sim.id}, "eid": sim.eid} for sim in operation.sims],
        "total_count": len(operation.sims),
        "failed_count": failed,
        "success_count": len(operation.sims) - failed if over else 0,
    }
    if operation.errors:
        row["error"] = operation.errors
    return row
