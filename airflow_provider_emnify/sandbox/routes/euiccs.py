"""eUICCs: list, profiles, and the operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError, not_found
from airflow_provider_emnify.sandbox.http.fields import (
    array,
    boolean,
    number,
    record,
    reference,
    text,
    validate,
    validate_items,
)
from airflow_provider_emnify.sandbox.http.query import Listing
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.render import organisation_in
from airflow_provider_emnify.sandbox.world import esims
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.records.esims import (
    AVAILABLE,
    DOWNLOAD,
    Euicc,
    EuiccOperation,
    EuiccProfile,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

_OPERATIONS = "/api/v1/euicc/{euicc_id}/operation"
_ITEM = {
    "action": reference(required=True),
    "validity_period": number(least=1, most=30 * 86_400, kind="Number of seconds"),
    "iccid_with_luhn": text(),
    "activation_code": text(),
    "enable": boolean(),
    "rollback": boolean(),
}


def entries(lookup: Mapping[int, str]) -> list[Json]:
    """All entries of a lookup."""
    return [{"id": number, "description": name} for number, name in lookup.items()]


def entry(lookup: Mapping[int, str], name: str) -> Json:
    """The entry of a lookup that has this name."""
    return next(row for row in entries(lookup) if row["description"] == name)


def named(lookup: Mapping[int, str], body: Json) -> str:
    """Return the name of the action that a body asks for, or answer 400."""
    number = int(body["action"]["id"])
    if number not in lookup:
        raise ApiError("BadRequest", f"There is no action with id {number}.")
    return lookup[number]


@serves("GET", "/api/v1/euicc")
def list_euiccs(call: Call) -> Answer:
    """List eUICCs."""
    state = call.state
    listing = Listing[Euicc](
        lambda euicc: _row(state, euicc),
        {
            "id": lambda euicc: euicc.id,
            "eid": lambda euicc: euicc.eid,
            "modified": lambda euicc: euicc.modified,
            "supported_profile_type": lambda euicc: (_profile_type(euicc)["description"],),
            "status": lambda euicc: (_status(state)["id"], _status(state)["description"]),
            "eim": lambda euicc: (1, "emnify eIM"),
        },
        exact=frozenset({"eid"}),
    )
    return listing.answer(call, state.euiccs.values())


@serves("GET", "/api/v1/euicc/status")
def euicc_statuses(call: Call) -> Answer:
    """List the statuses of eUICCs."""
    return Answer(body=entries(call.state.lookups.euicc_statuses))


@serves("GET", "/api/v1/euicc/profile/status")
def profile_statuses(call: Call) -> Answer:
    """List the statuses of profiles."""
    return Answer(body=entries(call.state.lookups.profile_statuses))


@serves("GET", "/api/v1/euicc/operation/action")
def operation_actions(call: Call) -> Answer:
    """List the actions on eUICCs."""
    return Answer(body=entries(call.state.lookups.euicc_actions))


@serves("GET", "/api/v1/euicc/operation/status")
def operation_statuses(call: Call) -> Answer:
    """List the statuses of operations on eUICCs."""
    return Answer(body=entries(call.state.lookups.euicc_operation_statuses))


@serves("POST", "/api/v1/euicc/unlinked_validation")
def validate_unlinked(call: Call) -> Answer:
    """Give those of some eUICCs that have no profile linked."""
    body = call.object()
    fields = {"target": array(record({"eid": text(required=True)}), required=True)}
    validate(body, fields, "Euicc", status=400)
    by_eid = {euicc.eid: euicc for euicc in call.state.euiccs.values()}
    found = []
    for item in body["target"]:
        euicc = by_eid.get(item["eid"])
        if euicc is None:
            raise ApiError("NotFound", f"eUICC with eID {item['eid']} not found")
        if not any(profile.sim_id and profile.status != AVAILABLE for profile in euicc.profiles):
            found.append({"eid": euicc.eid})
    return Answer(body=found)


@serves("GET", "/api/v1/euicc/{euicc_id}")
def get_euicc(call: Call) -> Answer:
    """Give an eUICC with its profiles."""
    return Answer(body=_row(call.state, _the_euicc(call)))


@serves("GET", _OPERATIONS)
def list_operations(call: Call) -> Answer:
    """List the operations on an eUICC."""
    state, euicc = call.state, _the_iot_euicc(call)
    lookups = state.lookups
    listing = Listing[EuiccOperation](
        lambda operation: _operation(state, operation),
        {
            "id": lambda operation: operation.id,
            "action": lambda operation: (
                entry(lookups.euicc_actions, operation.action)["id"],
                operation.action,
            ),
            "status": lambda operation: (
                entry(lookups.euicc_operation_statuses, operation.status)["id"],
                operation.status,
            ),
            "iccid_with_luhn": lambda operation: operation.iccid_with_luhn,
            "creation_date": lambda operation: operation.created,
            "expiry_date": lambda operation: operation.expires,
            "finalization_date": lambda operation: operation.final,
        },
        exact=frozenset({"id", "iccid_with_luhn"}),
    )
    rows = [operation for operation in state.euicc_operations.values() if operation.euicc_id == euicc.id]
    return listing.answer(call, rows)


@serves("POST", _OPERATIONS)
def schedule_operations(call: Call) -> Answer:
    """Schedule operations on an eUICC: all, or none."""
    state, euicc, items = call.state, _the_iot_euicc(call), call.array()
    validate_items(items, _ITEM, "Operation", status=400)
    if not items:
        raise ApiError("BadRequest", "There is no operation to schedule.")
    actions = []
    for item in items:
        action = named(state.lookups.euicc_actions, item)
        if action in esims.ON_A_PROFILE and euicc.profile(item.get("iccid_with_luhn", "")) is None:
            raise ApiError("BadRequest", f"{action} takes the iccid_with_luhn of a profile on this eUICC.")
        if action == DOWNLOAD and not item.get("activation_code"):
            raise ApiError("BadRequest", f"{action} takes an activation_code.")
        actions.append(action)
    user = _caller(call)
    scheduled = [
        esims.schedule(state, euicc, action, item, call.now, user)
        for action, item in zip(actions, items, strict=True)
    ]
    return Answer(201, [_operation(state, operation) for operation in scheduled])


@serves("GET", _OPERATIONS + "/{operation_id}")
def get_operation(call: Call) -> Answer:
    """Give an operation on an eUICC."""
    return Answer(body=_operation(call.state, _the_operation(call)))


@serves("DELETE", _OPERATIONS + "/{operation_id}")
def cancel_operation(call: Call) -> Answer:
    """Cancel an operation on an eUICC."""
    esims.cancel(_the_operation(call), call.now)
    return Answer(204)


def _the_euicc(call: Call) -> Euicc:
    number = call.id("euicc_id", "eUICC")
    if number not in call.state.euiccs:
        raise not_found("eUICC", number)
    return call.state.euiccs[number]


def _the_iot_euicc(call: Call) -> Euicc:
    euicc = _the_euicc(call)
    if not euicc.iot:
        raise not_found("IoT eUICC", euicc.id)
    return euicc


def _the_operation(call: Call) -> EuiccOperation:
    euicc, name = _the_iot_euicc(call), call.path["operation_id"]
    operation = call.state.euicc_operations.get(name)
    if operation is None or operation.euicc_id != euicc.id:
        raise not_found("Operation", name)
    return operation


def _caller(call: Call) -> Json:
    user = call.accounts.user_of(call.caller)
    if user is not None:
        return {"id": user.id, "name": user.name}
    number = call.caller.id if call.caller else 0
    return {"id": number, "name": call.state.application_tokens[number].description}


def _profile_type(euicc: Euicc) -> Json:
    return {"id": 1, "description": "IoT"} if euicc.iot else {"id": 2, "description": "Consumer"}


def _status(state: State) -> Json:
    return entry(state.lookups.euicc_statuses, "Active")


def _row(state: State, euicc: Euicc) -> Json:
    return {
        "id": euicc.id,
        "eid": euicc.eid,
        "created": event_date(euicc.created),
        "issuer_org": {"id": 2, "name": "emnify"},
        "customer_org": organisation_in(state, state.home_id),
        "supported_profile_type": _profile_type(euicc),
        "status": _status(state),
        "last_audited": None,
        "last_polled": event_date(euicc.modified),
        "last_synced": event_date(euicc.modified),
        "eim": {"id": 1, "description": "emnify eIM"},
        "profile": [_profile(state, profile) for profile in euicc.profiles],
    }


def _profile(state: State, profile: EuiccProfile) -> Json:
    sim = state.sims.get(profile.sim_id) if profile.sim_id is not None else None
    endpoint = state.endpoints.get(sim.endpoint_id) if sim and sim.endpoint_id is not None else None
    return {
        "iccid_with_luhn": profile.iccid_with_luhn,
        "status": entry(state.lookups.profile_statuses, profile.status),
        "customer_org": organisation_in(state, state.home_id) if sim else None,
        "name": profile.name,
        "operator": None if sim else {"id": 3, "name": "Vodafone"},
        "preloaded": profile.preloaded,
        "fallback_allowed": True,
        "fallback_attribute": False,
        "profile_type": {"id": 1, "description": "Operational"},
        "endpoint": {"id": endpoint.id, "name": endpoint.name} if endpoint else None,
    }


def _operation(state: State, operation: EuiccOperation) -> Json:
    row: Json = {
        "id": operation.id,
        "action": entry(state.lookups.euicc_actions, operation.action),
        "status": entry(state.lookups.euicc_operation_statuses, operation.status),
        "creation_date": event_date(operation.created),
        "expiry_date": event_date(operation.expires),
        "last_updated_at": event_date(operation.updated),
        "user": operation.user,
    }
    if operation.final is not None:
        row["finalization_date"] = event_date(operation.final)
    if operation.error is not None:
        row["error"] = operation.error
    if operation.iccid_with_luhn is not None:
        row["iccid_with_luhn"] = operation.iccid_with_luhn
    return row
