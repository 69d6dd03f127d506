"""SIM operations: what is done to many eSIMs at once."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError
from airflow_provider_emnify.sandbox.http.fields import array, record, reference, text
from airflow_provider_emnify.sandbox.http.query import Listing, attributes, dated
from airflow_provider_emnify.sandbox.http.resources import serve_records
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.euiccs import by_name, named
from airflow_provider_emnify.sandbox.world import esims
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.lookups import entry
from airflow_provider_emnify.sandbox.world.records.esims import AVAILABLE, SimOperation
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


@serves("POST", _PATH)
def trigger_operation(call: Call) -> Answer:
    """Start an operation on eSIMs."""
    state, body = call.state, call.checked(_FIELDS, "Operation", status=400)
    action = named(state.lookups.sim_actions, body)
    product = int(body["product"]["id"]) if "product" in body else _PRODUCT_ID
    if product != _PRODUCT_ID:
        raise ApiError("BadRequest", f"There is no product with id {product}.")
    targets = {sim.id: sim for sim in (_target(state, item) for item in body["target"])}
    if not targets:
        raise ApiError("BadRequest", "There is no SIM to operate on.")
    operation = esims.trigger(state, action, product, targets.values())
    return Answer(201, _row(state, operation))


@serves("GET", "/api/v1/sim/unlinked_product_stats")
def unlinked_product_stats(call: Call) -> Body:
    """Count the eSIMs that are not linked, by product."""
    profiles = [profile for euicc in call.state.euiccs.values() for profile in euicc.profiles]
    unlinked = sum(profile.sim_id is not None and profile.status == AVAILABLE for profile in profiles)
    return [{"product": _PRODUCT, "quantity": unlinked}]


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
    row = {
        "id": operation.id,
        "action": entry(state.lookups.sim_actions, operation.action),
        "status": entry(state.lookups.sim_operation_statuses, operation.status),
        "product": {"id": operation.product_id},
        "creation_date": event_date(operation.created),
        "last_updated_at": event_date(operation.updated),
        "finalization_date": event_date(operation.final),
        "target": [{"sim": {"id": sim.id}, "eid": sim.eid} for sim in operation.sims],
        "total_count": len(operation.sims),
        "failed_count": failed,
        "success_count": len(operation.sims) - failed if over else 0,
    }
    return {**row, "error": operation.errors} if operation.errors else row


_LISTING = Listing[SimOperation](
    _row,
    {
        **attributes("id"),
        "action": by_name("action", "sim_actions"),
        "status": by_name("status", "sim_operation_statuses"),
        **dated(event_date, creation_date="created", finalization_date="final"),
    },
    exact=frozenset({"id"}),
)
serve_records(
    _PATH,
    "operation_id",
    _LISTING,
    rows=lambda call: call.state.sim_operations.values(),
    one=lambda call: call.named(call.state.sim_operations, "operation_id", "Operation"),
)
