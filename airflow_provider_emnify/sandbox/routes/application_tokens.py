"""Application tokens: created, listed without their secret, revoked."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import ApplicationTokenStatus
from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import ApiError, not_found, wrong
from airflow_provider_emnify.sandbox.http.fields import moment, reference, text, validate
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.world.clock import date, parse_date
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.state import USER_ID

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.records.accounts import ApplicationToken

_PATH = "/api/v1/application_token"


@serves("GET", _PATH)
def list_tokens(call: Call) -> Answer:
    """List application tokens, not in pages."""
    own = call.caller.organisation_id if call.caller else 0
    tokens = call.state.application_tokens.values()
    return Answer(body=[_row(token) for token in tokens if token.organisation_id == own])


@serves("POST", _PATH)
def create_token(call: Call) -> Answer:
    """Create an application token, which is shown this once."""
    body = call.object()
    validate(body, {"description": text(), "expiry_date": moment(), "ip": text()}, "ApplicationToken")
    expires = parse_date(body.get("expiry_date"))
    if expires is not None and expires <= call.now:
        raise wrong("ApplicationToken - expiry_date must be in the future.")
    if "ip" in body:
        try:
            ipaddress.ip_network(body["ip"], strict=False)
        except ValueError:
            raise wrong("ApplicationToken - ip has invalid format: expecting CIDR notation.") from None
    own = call.caller.organisation_id if call.caller else 0
    token = call.accounts.add_application_token(body.get("description", ""), own)
    token.expires, token.ip = expires, body.get("ip")
    call.accounts.issued.append(token.token)
    return Answer(body={"application_token": token.token})


@serves("PATCH", _PATH + "/{app_token_id}")
def update_token(call: Call) -> Answer:
    """Change the description of an application token, or revoke it."""
    number, body = call.id("app_token_id", "ApplicationToken"), call.object()
    validate(body, {"description": text(), "status": reference()}, "ApplicationToken", partial=True)
    token = call.state.application_tokens.get(number)
    if token is None:
        raise not_found("ApplicationToken", number)
    if "status" in body:
        status = int(body["status"]["id"])
        if status not in set(ApplicationTokenStatus):
            raise ApiError("InvalidReference", f"Invalid reference to Status with id {status}")
        token.status = ApplicationTokenStatus(status)
    token.description = body.get("description", token.description)
    return Answer(204)


def _row(token: ApplicationToken) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": token.id,
        "description": token.description,
        "created": date(token.created),
        "status": described(token.status),
        "creator": {"id": USER_ID},
    }
    if token.expires is not None:
        row["expiry_date"] = date(token.expires)
    if token.ip is not None:
        row["ip"] = token.ip
    return row
