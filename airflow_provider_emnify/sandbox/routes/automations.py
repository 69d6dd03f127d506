"""Automations, and the events that can start them: kept as they are given, and never run."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.sandbox.http.answers import no_reference, present, wrong
from airflow_provider_emnify.sandbox.http.fields import Field, array, record, reference, text
from airflow_provider_emnify.sandbox.http.resources import Render, Resource, Row
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID

_AUTOMATION, _EVENT = "/api/v1/automation", "/api/v1/event"
_HOME = {"id": ORGANISATION_ID}
_TARGETS, _ACTIONS = ["endpoint", "tag", "service_profile"], ["1", "2", "3"]
_PROPERTIES = array(
    record({"property": text(required=True), "value": text(nullable=True), "value_array": array(text())})
)
_REFERENCE = record({"id": text(required=True)}, nullable=True)


def _named(key: str, name: str, description: str) -> Row:
    """The name and description of what is offered, with the keys of their translations."""
    keys = {"translationKeyName": f"{key}.name", "translationKeyDescription": f"{key}.description"}
    return {"name": name, "description": description, **keys}


def _action(number: int, kind: str, name: str, *properties: str) -> Row:
    return {
        "id": str(number),
        "status": "active",
        "type": kind,
        "configurationProperties": list(properties),
        "requiredEventOutputParameters": ["endpoint_id"],
        **_named(f"action.{kind}", name, f"{name} when the event occurs"),
    }


def _system_event(kind: EventType) -> Row:
    output = {"parameter": "endpoint_id", "type": "number", "description": "Id of the endpoint"}
    return {
        "id": str(int(kind)),
        "parentOrg": _HOME,
        "eventType": {"id": int(kind)},
        "supportedTargetingParameters": _TARGETS,
        "eventOutputParameters": [output],
        "supportedActions": _ACTIONS,
        **_named(f"event.{kind.name.lower()}", kind.label, f"Occurs with each event '{kind.label}'"),
    }


def _template(number: int, key: str, name: str, unit: str) -> Row:
    wanted = {"property": "threshold", "type": "number", "default": "100", "required": True}
    target = {"parameter": "tag", "type": "string", "description": "Tag of the endpoints", "validators": []}
    least = {"validator_type": "minimum", "validator_value": "0"}
    return {
        "id": str(number),
        "parent_organisation": _HOME,
        "status": "active",
        "configuration_properties": [
            {**wanted, "description": f"Threshold in {unit}", "validators": [least]}
        ],
        "supported_targeting_parameters": [target],
        **_named(f"template.{key}", name, f"Occurs when {name.lower()} passes a threshold"),
    }


def _by_id(*rows: Row) -> dict[str, Row]:
    return {row["id"]: row for row in rows}


ACTIONS = _by_id(
    _action(1, "email", "Send an email", "subject", "recipients"),
    _action(2, "webhook", "Call a URL", "url"),
    _action(3, "disable_endpoint", "Disable the endpoint"),
)
SYSTEM_EVENTS = _by_id(
    *map(_system_event, (EventType.ENDPOINT_BLOCKED, EventType.DEVICE_OFFLINE, EventType.QUOTA_USED_UP))
)
TEMPLATES = _by_id(
    _template(1, "data_usage", "Data usage of a day", "MB"), _template(2, "sms_usage", "SMS of a day", "SMS")
)


def _serve_offered(path: str, parameter: str, name: str, rows: Mapping[str, Row]) -> None:
    serves("GET", path)(lambda call: list(rows.values()))
    serves("GET", f"{path}/{{{parameter}}}")(lambda call: call.named(rows, parameter, name))


_serve_offered(_AUTOMATION + "/action", "id", "Action", ACTIONS)
_serve_offered(_EVENT + "/system/configuration", "system_event_id", "SystemEvent", SYSTEM_EVENTS)
_serve_offered(_EVENT + "/custom/template", "template_id", "Template", TEMPLATES)


def _properties(given: list[Row] | None) -> list[Row]:
    """Properties with all their fields."""
    empty: Row = {"value": "", "value_array": []}
    return [{**empty, **present(one)} for one in given or ()]


Resource(
    path=_EVENT + "/custom/configuration",
    parameter="custom_event_id",
    name="CustomEvent",
    rows=lambda call: call.state.custom_events,
    fields={
        "name": text(required=True, shortest=1),
        "organisation": reference(),
        "template": reference(required=True),
        "configuration_properties": _PROPERTIES,
    },
    answers={"create": 201, "give": 200, "delete": 200},
    shown=("create",),
    references={"organisation": lambda state: state.organisations},
    make=lambda call, body: {
        "organisation": {"id": call.own},
        **body,
        "configuration_properties": _properties(body.get("configuration_properties")),
        "supportedTargetingParameters": _TARGETS,
        "supportedActions": _ACTIONS,
    },
    check=lambda call, body, row: call.state.existing(
        set(map(int, TEMPLATES)), body["template"]["id"], "Template"
    ),
    in_use=lambda state, row: any(
        automation["actionable_event"].get("custom_event") == row["id"]
        for automation in state.automations.values()
    ),
    numbered=False,
).serve()
_ACTION: dict[str, Field] = {
    "action": record({"id": text(required=True), "type": text()}, required=True),
    "properties": _PROPERTIES,
}
_FIELDS: dict[str, Field] = {
    "name": text(required=True, shortest=1),
    "description": text(required=True),
    "status": text(required=True, shortest=1),
    "actionable_event": record({"custom_event": _REFERENCE, "system_event": _REFERENCE}, required=True),
    "configured_actions": array(record(_ACTION), required=True),
    "targeting_properties": _PROPERTIES,
}


def _check_automation(call: Call, body: Row, row: Row | None) -> None:
    """Answer 422 unless the event and the actions exist."""
    events = {"custom_event": call.state.custom_events, "system_event": SYSTEM_EVENTS}
    if "actionable_event" in body:
        given = {kind: (body["actionable_event"].get(kind) or {}).get("id") for kind in events}
        body["actionable_event"] = {kind: number for kind, number in given.items() if number}
        if not body["actionable_event"]:
            raise wrong("Automation - actionable_event needs a custom_event or a system_event.", "Required")
        for kind, number in body["actionable_event"].items():
            if number not in events[kind]:
                raise no_reference(kind, number)
    for one in body.get("configured_actions", ()):
        if one["action"]["id"] not in ACTIONS:
            raise no_reference("Action", one["action"]["id"])
    if row is not None:
        row["modified_at"] = event_date(call.state.now)


def _automation(call: Call) -> Render:
    events = {"custom_event": call.state.custom_events, "system_event": SYSTEM_EVENTS}
    return lambda row: {
        **row,
        "actionable_event": {kind: events[kind][number] for kind, number in row["actionable_event"].items()},
        "configured_actions": [
            {
                "action": {"id": one["action"]["id"]},
                "properties": _properties(one.get("properties")),
                "recipients": {"email": []},
            }
            for one in row["configured_actions"]
        ],
        "targeting_properties": _properties(row.get("targeting_properties")),
    }


Resource(
    path=_AUTOMATION,
    parameter="id",
    name="Automation",
    rows=lambda call: call.state.automations,
    fields=_FIELDS,
    answers={"create": 201, "give": 200, "change": 200, "delete": 204},
    shown=("create", "change"),
    make=lambda call, body: {
        **body,
        "organisation": {"id": call.own},
        "number_of_executions": 0,
        "last_execution": "",
        "created_at": event_date(call.state.now),
        "modified_at": event_date(call.state.now),
    },
    check=_check_automation,
    brief=_automation,
    numbered=False,
).serve()


@serves("GET", _AUTOMATION + "/log")
def list_executions(call: Call) -> Body:
    """List what automations have done: nothing, as none is run."""
    return []


@serves("POST", _AUTOMATION + "/recipient/email/verification")
def verify_recipient(call: Call) -> Body:
    """Verify the address of a recipient by the token of the email; any is good."""
    call.checked({"token": text(required=True, shortest=1)}, "Verification")
    return {}
