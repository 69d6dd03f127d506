"""SIM batches, known by the code on the box."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_emnify.api.enums import EventType, SimStatus
from airflow_provider_emnify.sandbox.http.answers import MISSING, ApiError, wrong
from airflow_provider_emnify.sandbox.http.fields import reference, validate
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.render import SIM_MODEL, sim_row
from airflow_provider_emnify.sandbox.world.records.fleet import Batch, Sim

_PATH = "/api/v1/sim_batch/bic/{bic}"
_CODE = re.compile(r"[0-9A-Za-z-]{4,40}")
_FIRST_STATUSES = (SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.SUSPENDED, SimStatus.FACTORY_TEST)


@serves("GET", _PATH)
def validate_batch(call: Call) -> Body:
    """Give a batch that can be registered: 400 if it is already, 422 if it cannot be."""
    batch = _the_batch(call)
    if batch.organisation_id is not None:
        raise ApiError("BadRequest", f"SIM batch {batch.bic} is registered already.")
    return _row(batch, call.own)


@serves("PATCH", _PATH)
def register_batch(call: Call) -> Body:
    """Register a batch: its SIMs belong to the caller's organisation from now on."""
    state, body = call.state, {} if call.body is MISSING else call.object()
    batch = _the_batch(call)
    validate(body, {"sim_status": reference()}, "SimBatch")
    if batch.organisation_id is not None:
        raise ApiError("NotAllowed", f"SIM batch {batch.bic} is registered already.")
    status = _first_status(call, body)
    batch.organisation_id = call.own
    sims = []
    for _ in range(batch.quantity):
        sim = Sim(state.next_id("sim"), batch.organisation_id, call.now - 30 * 86_400, status)
        if status is SimStatus.ACTIVATED:
            sim.activation_date = call.now
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


def _first_status(call: Call, body: dict[str, Any]) -> SimStatus:
    number = int(body["sim_status"]["id"]) if "sim_status" in body else int(SimStatus.ISSUED)
    call.state.existing(_FIRST_STATUSES, number, "SimStatus")
    if number == SimStatus.FACTORY_TEST and not call.state.settings.factory_test_mode:
        raise ApiError("NotAllowed", "Factory test mode is not allowed by the tariff plan.")
    return SimStatus(number)


def _row(batch: Batch, organisation_id: int) -> dict[str, Any]:
    return {
        "id": batch.id,
        "bic": batch.bic,
        "bsn": f"{batch.id:06d}",
        "quantity": str(batch.quantity),
        "sim_batch_status_id": "1",
        "sim_model_id": "1",
        "issuer_org_id": "2",
        "customer_org_id": organisation_id,
        "reseller_org_id": organisation_id,
        "logistic_center_id": "1",
        "article_id": "1",
        "status": {"id": 1, "description": "Ready for shipping"},
        "model": SIM_MODEL,
    }
