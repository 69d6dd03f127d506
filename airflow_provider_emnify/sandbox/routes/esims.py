"""eSIMs: eUICCs with their profiles, the operations on them, and operations on many SIMs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, not_found, present
from airflow_provider_emnify.sandbox.http.fields import (
    array,
    boolean,
    number,
    record,
    reference,
    text,
    validate_items,
)
from airflow_provider_emnify.sandbox.http.query import Getter, Listing, attributes, dated
from airflow_provider_emnify.sandbox.http.resources import serve_records
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world import esims
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.lookups import entry
from airflow_provider_emnify.sandbox.world.records.esims import (
    AVAILABLE,
    DOWNLOAD,
    Euicc,
    EuiccOperation,
    EuiccProfile,
    SimOperation,
)
from airflow_provider_emnify.sandbox.world.records.fleet import Sim
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State

Json = dict[str, Any]

_OF_EUICC, _OF_SIMS = "/api/v1/euicc/{euicc_id}/operation", "/api/v1/sim/operation"
_ITEM = {
    "action": reference(required=True),
    "validity_period": number(least=1, most=30 * 86_400, kind="Number of seconds"),
    "iccid_with_luhn": text(),
    "activation_code": text(),
    "enable": boolean(),
    "rollback": boolean(),
}
_UNLINKED = {"target": array(record({"eid": text(required=True)}), required=True)}
_OPERATION = {
    "action": reference(required=True),
    "product": reference(),
    "target": array(record({"sim": reference(), "eid": text()}), required=True),
}
_PRODUCT = {"id": 1, "name": "emnify IoT eSIM"}


def _by_name(attribute: str, lookup: str) -> Getter[Any]:
    """A field by the name that is an attribute, or by its number in a lookup."""

    def get(state: State, record: Any) -> tuple[int, str]:
        name = getattr(record, attribute)
        return entry(getattr(state.lookups, lookup), name)["id"], name

    return get


def _named(lookup: Mapping[int, str], body: Json) -> str:
    """Return the name of the action that a body asks for, or answer 400."""
    number = int(body["action"]["id"])
    if number not in lookup:
        raise ApiError("BadRequest", f"There is no action with id {number}.")
    return lookup[number]


# -- eUICCs -----------------------------------------------------------------------------------------


@serves("POST", "/api/v1/euicc/unlinked_validation")
def validate_unlinked(call: Call) -> Body:
    """Give those of some eUICCs that have no profile linked."""
    body = call.checked(_UNLINKED, "Euicc", status=400)
    by_eid = {euicc.eid: euicc for euicc in call.state.euiccs.values()}
    found = []
    for item in body["target"]:
        euicc = by_eid.get(item["eid"])
        if euicc is None:
            raise ApiError("NotFound", f"eUICC with eID {item['eid']} not found")
        if not any(profile.sim_id and profile.status != AVAILABLE for profile in euicc.profiles):
            found.append({"eid": euicc.eid})
    return found


@serves("POST", _OF_EUICC)
def schedule_operations(call: Call) -> Answer:
    """Schedule operations on an eUICC: all, or none."""
    state, euicc, items = call.state, _the_iot_euicc(call), call.array()
    validate_items(items, _ITEM, "Operation", status=400)
    if not items:
        raise ApiError("BadRequest", "There is no operation to schedule.")
    actions = []
    for item in items:
        action = _named(state.lookups.euicc_actions, item)
        if action in esims.ON_A_PROFILE and euicc.profile(item.get("iccid_with_luhn", "")) is None:
            raise ApiError("BadRequest", f"{action} takes the iccid_with_luhn of a profile on this eUICC.")
        if action == DOWNLOAD and not item.get("activation_code"):
            raise ApiError("BadRequest", f"{action} takes an activation_code.")
        actions.append(action)
    user = _caller(call)
    scheduled = [
        esims.schedule(state, euicc, action, item, user) for action, item in zip(actions, items, strict=True)
    ]
    return Answer(201, [_euicc_operation(state, operation) for operation in scheduled])


@serves("DELETE", _OF_EUICC + "/{operation_id}")
def cancel_operation(call: Call) -> None:
    """Cancel an operation on an eUICC."""
    esims.cancel(call.state, _the_euicc_operation(call))


def _the_euicc(call: Call) -> Euicc:
    return call.one(call.state.euiccs, "euicc_id", "eUICC")


def _the_iot_euicc(call: Call) -> Euicc:
    euicc = _the_euicc(call)
    if not euicc.iot:
        raise not_found("IoT eUICC", euicc.id)
    return euicc


def _euicc_operations(call: Call) -> dict[str, EuiccOperation]:
    number, operations = _the_iot_euicc(call).id, call.state.euicc_operations
    return {name: operation for name, operation in operations.items() if operation.euicc_id == number}


def _the_euicc_operation(call: Call) -> EuiccOperation:
    return call.named(_euicc_operations(call), "operation_id", "Operation")


def _caller(call: Call) -> Json:
    user = call.state.caller
    if user is not None:
        return {"id": user.id, "name": user.name}
    number = call.caller.id if call.caller else 0
    return {"id": number, "name": call.state.application_tokens[number].description}


def _profile_type(euicc: Euicc) -> Json:
    return {"id": 1, "description": "IoT"} if euicc.iot else {"id": 2, "description": "Consumer"}


def _status(state: State) -> Json:
    return entry(state.lookups.euicc_statuses, "Active")


def _euicc(state: State, euicc: Euicc) -> Json:
    return {
        "id": euicc.id,
        "eid": euicc.eid,
        "created": event_date(euicc.created),
        "issuer_org": {"id": 2, "name": "emnify"},
        "customer_org": state.organisation_row(ORGANISATION_ID),
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
    endpoint = state.endpoint_of(sim) if sim else None
    return {
        "iccid_with_luhn": profile.iccid_with_luhn,
        "status": entry(state.lookups.profile_statuses, profile.status),
        "customer_org": state.organisation_row(ORGANISATION_ID) if sim else None,
        "name": profile.name,
        "operator": None if sim else {"id": 3, "name": "Vodafone"},
        "preloaded": profile.preloaded,
        "fallback_allowed": True,
        "fallback_attribute": False,
        "profile_type": {"id": 1, "description": "Operational"},
        "endpoint": {"id": endpoint.id, "name": endpoint.name} if endpoint else None,
    }


def _euicc_operation(state: State, operation: EuiccOperation) -> Json:
    row = {
        "id": operation.id,
        "action": entry(state.lookups.euicc_actions, operation.action),
        "status": entry(state.lookups.euicc_operation_statuses, operation.status),
        "creation_date": event_date(operation.created),
        "expiry_date": event_date(operation.expires),
        "last_updated_at": event_date(operation.updated),
        "user": operation.user,
        "finalization_date": event_date(operation.final),
        "error": operation.error,
        "iccid_with_luhn": operation.iccid_with_luhn,
    }
    return present(row)


# -- operations on many SIMs ------------------------------------------------------------------------


@serves("POST", _OF_SIMS)
def trigger_operation(call: Call) -> Answer:
    """Start an operation on eSIMs."""
    state, body = call.state, call.checked(_OPERATION, "Operation", status=400)
    action = _named(state.lookups.sim_actions, body)
    product = int(body.get("product", _PRODUCT)["id"])
    if product != _PRODUCT["id"]:
        raise ApiError("BadRequest", f"There is no product with id {product}.")
    targets = {sim.id: sim for sim in (_target(state, item) for item in body["target"])}
    if not targets:
        raise ApiError("BadRequest", "There is no SIM to operate on.")
    operation = esims.trigger(state, action, product, targets.values())
    return Answer(201, _sim_operation(state, operation))


@serves("GET", "/api/v1/sim/unlinked_product_stats")
def unlinked_product_stats(call: Call) -> Body:
    """Count the eSIMs that are not linked, by product."""
    profiles = [profile for euicc in call.state.euiccs.values() for profile in euicc.profiles]
    unlinked = sum(profile.sim_id is not None and profile.status == AVAILABLE for profile in profiles)
    return [{"product": _PRODUCT, "quantity": unlinked}]


def _target(state: State, item: Json) -> Sim:
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
        raise ApiError("BadRequest", f"SIM {sim.id} is not an eSIM: it has no eID.")
    return sim


def _sim_operation(state: State, operation: SimOperation) -> Json:
    total, failed = len(operation.sims), len(operation.errors)
    row = {
        "id": operation.id,
        "action": entry(state.lookups.sim_actions, operation.action),
        "status": entry(state.lookups.sim_operation_statuses, operation.status),
        "product": {"id": operation.product_id},
        "creation_date": event_date(operation.created),
        "last_updated_at": event_date(operation.updated),
        "finalization_date": event_date(operation.final),
        "target": [{"sim": {"id": sim.id}, "eid": sim.eid} for sim in operation.sims],
        "total_count": total,
        "failed_count": failed,
        "success_count": 0 if operation.final is None else total - failed,
    }
    return {**row, "error": operation.errors} if operation.errors else row


serve_records(
    "/api/v1/euicc",
    "euicc_id",
    Listing[Euicc](
        _euicc,
        {
            **attributes("id", "eid"),
            **dated(event_date, modified="modified"),
            "supported_profile_type": lambda state, euicc: (_profile_type(euicc)["description"],),
            "status": lambda state, euicc: (_status(state)["id"], _status(state)["description"]),
            "eim": lambda state, euicc: (1, "emnify eIM"),
        },
        exact=frozenset({"eid"}),
    ),
    rows=lambda call: call.state.euiccs.values(),
    one=_the_euicc,
)
serve_records(
    _OF_EUICC,
    "operation_id",
    Listing[EuiccOperation](
        _euicc_operation,
        {
            **attributes("id", "iccid_with_luhn"),
            "action": _by_name("action", "euicc_actions"),
            "status": _by_name("status", "euicc_operation_statuses"),
            **dated(event_date, creation_date="created", expiry_date="expires", finalization_date="final"),
        },
        exact=frozenset({"id", "iccid_with_luhn"}),
    ),
    rows=lambda call: _euicc_operations(call).values(),
    one=_the_euicc_operation,
)
serve_records(
    _OF_SIMS,
    "operation_id",
    Listing[SimOperation](
        _sim_operation,
        {
            **attributes("id"),
            "action": _by_name("action", "sim_actions"),
            "status": _by_name("status", "sim_operation_statuses"),
            **dated(event_date, creation_date="created", finalization_date="final"),
        },
        exact=frozenset({"id"}),
    ),
    rows=lambda call: call.state.sim_operations.values(),
    one=lambda call: call.named(call.state.sim_operations, "operation_id", "Operation"),
)
