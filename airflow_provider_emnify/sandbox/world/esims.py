"""eUICCs and eSIMs: the profiles on them, and the operations that change them and finish later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from airflow_provider_emnify.sandbox.http.answers import ApiError
from airflow_provider_emnify.sandbox.world.clock import DAY
from airflow_provider_emnify.sandbox.world.records import esims as records
from airflow_provider_emnify.sandbox.world.records.fleet import Sim, with_luhn
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State

ON_A_PROFILE = frozenset({records.ENABLE, records.DISABLE, records.DELETE})
VALIDITY = int(DAY)
Operation = TypeVar("Operation", records.EuiccOperation, records.SimOperation)


def add_euicc(state: State, *, iot: bool = True) -> records.Euicc:
    """Add an eUICC with two profiles: emnify's, which is an eSIM, and one of another operator."""
    number = state.next_id("euicc")
    eid = f"8904903200000888{number:016d}"
    produced = state.started - 90 * DAY
    sim = Sim(state.next_id("sim"), ORGANISATION_ID, produced, eid=eid)
    state.sims[sim.id] = sim
    profiles = [
        records.EuiccProfile(sim.iccid_with_luhn, records.ENABLED, "emnify", sim.id),
        records.EuiccProfile(with_luhn(f"8949020{number:012d}"), records.DISABLED, "Vodafone"),
    ]
    euicc = records.Euicc(number, eid, produced, produced, iot, profiles)
    state.euiccs[number] = euicc
    return euicc


def schedule(
    state: State, euicc: records.Euicc, action: str, item: Mapping[str, Any], user: dict[str, Any]
) -> records.EuiccOperation:
    """Schedule an operation on an eUICC from an item that has been checked."""
    operation = records.EuiccOperation(
        state.new_uuid(),
        euicc.id,
        action,
        state.now,
        state.now + int(item.get("validity_period", VALIDITY)),
        state.now,
        user,
        item.get("iccid_with_luhn"),
        bool(item.get("enable", False)),
    )
    state.euicc_operations[operation.id] = operation
    _run(state, operation, _finish_euicc_operation)
    state.agenda.at(operation.expires, lambda: _end(state, operation, records.EXPIRED, "Operation expired"))
    return operation


def cancel(state: State, operation: records.EuiccOperation) -> None:
    """Cancel an operation, or answer 409 if it is over."""
    if operation.status in records.FINAL:
        raise ApiError("NotAllowed", f"Operation {operation.id} is {operation.status.lower()}.", status=409)
    _end(state, operation, records.CANCELED, "Operation canceled")


def trigger(state: State, action: str, product_id: int, sims: Iterable[Sim]) -> records.SimOperation:
    """Start an operation on eSIMs."""
    operation = records.SimOperation(state.new_uuid(), action, product_id, state.now, state.now, list(sims))
    state.sim_operations[operation.id] = operation
    _run(state, operation, _finish_sim_operation)
    return operation


def _run(state: State, operation: Operation, finish: Callable[[State, Operation], None]) -> None:
    def begin() -> None:
        if operation.status == records.PENDING:
            operation.status, operation.updated = records.IN_PROGRESS, state.now

    state.agenda.after(state.settings.operations_after / 2, begin)
    state.agenda.after(state.settings.operations_after, lambda: finish(state, operation))


def _finish_euicc_operation(state: State, operation: records.EuiccOperation) -> None:
    if operation.status in records.FINAL:
        return
    euicc = state.euiccs[operation.euicc_id]
    failure = state.outcomes.take("euicc_operation", euicc.id, euicc.eid)
    if failure is not None:
        _end(state, operation, records.FAILED, failure.message, failure.reason)
        return
    obstacle = _apply(euicc, operation)
    if obstacle is None:
        euicc.modified = state.now
    _end(state, operation, records.COMPLETED if obstacle is None else records.FAILED, obstacle)


def _apply(euicc: records.Euicc, operation: records.EuiccOperation) -> str | None:
    """Do what an operation is for; return what keeps it from being done."""
    if operation.action == records.DOWNLOAD:
        number = with_luhn(f"8949021{len(euicc.profiles):04d}{euicc.id:08d}")
        euicc.profiles.append(records.EuiccProfile(number, records.DISABLED, "Downloaded", preloaded=False))
        operation.iccid_with_luhn = number
        if operation.enable:
            _enable(euicc, euicc.profiles[-1])
        return None
    if operation.action == records.AUDIT:
        return None
    profile = euicc.profile(operation.iccid_with_luhn or "")
    if profile is None:
        return "Profile not found"
    if operation.action == records.ENABLE:
        _enable(euicc, profile)
    elif operation.action == records.DISABLE:
        profile.status = records.DISABLED
    elif profile.status == records.ENABLED:
        return "Profile is enabled"
    else:
        euicc.profiles.remove(profile)
    return None


def _enable(euicc: records.Euicc, chosen: records.EuiccProfile) -> None:
    for profile in euicc.profiles:
        if profile.status == records.ENABLED:
            profile.status = records.DISABLED
    chosen.status = records.ENABLED


def _end(
    state: State,
    operation: records.EuiccOperation,
    status: str,
    message: str | None = None,
    reason: int = 0,
) -> None:
    if operation.status in records.FINAL:
        return
    operation.status, operation.final, operation.updated = status, state.now, state.now
    if message is not None:
        operation.error = {"reason": reason, "message": message}


def _finish_sim_operation(state: State, operation: records.SimOperation) -> None:
    for sim in operation.sims:
        failure = state.outcomes.take("sim_operation", sim.eid, sim.id)
        if failure is not None:
            operation.errors.append({"eid": sim.eid or "", "message": failure.message or ""})
            continue
        for profile in (profile for euicc in state.euiccs.values() for profile in euicc.profiles):
            if profile.sim_id == sim.id:
                profile.status = records.AVAILABLE if operation.action == records.UNLINK else records.DISABLED
    operation.final = operation.updated = state.now
    operation.status = records.PARTIALLY_FAILED if operation.errors else records.COMPLETED
    if len(operation.errors) == len(operation.sims):
        operation.status = records.FAILED
