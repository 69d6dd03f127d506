"""Credentials in, tokens out; and application tokens: created, listed without their secret, revoked."""

from __future__ import annotations

import ipaddress
from functools import partial

from airflow_provider_emnify.api.enums import ApplicationTokenStatus
from airflow_provider_emnify.sandbox.http.answers import present, wrong
from airflow_provider_emnify.sandbox.http.fields import integer, moment, parses, record, reference, text
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.clock import date, parse_date
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.state import USER_ID

_PATH = "/api/v1/application_token"


@serves("POST", "/api/v1/authenticate", public=True)
def authenticate(call: Call) -> Body:
    """Trade an application token, a password, a refresh token or an MFA token for auth tokens."""
    return call.accounts.authenticate(call.object(), call.address)


@serves("POST", "/api/v1/authenticate/workspace")
def authenticate_workspace(call: Call) -> Body:
    """Give a user an auth token for another Workspace."""
    target = record({"id": integer(required=True)}, required=True)
    body = call.checked({"target_organisation": target}, "Authentication")
    return {"auth_token": call.accounts.switch(call.caller, int(body["target_organisation"]["id"]))}


@serves("GET", _PATH)
def list_tokens(call: Call) -> Body:
    """List application tokens, not in pages."""
    return [
        present(
            {
                "id": token.id,
                "description": token.description,
                "created": date(token.created),
                "status": described(token.status),
                "creator": {"id": USER_ID},
                "expiry_date": date(token.expires),
                "ip": token.ip,
            }
        )
        for token in call.state.application_tokens.values()
        if token.organisation_id == call.own
    ]


@serves("POST", _PATH)
def create_token(call: Call) -> Body:
    """Create an application token, which is shown this once."""
    body = call.checked({"description": text(), "expiry_date": moment(), "ip": text()}, "ApplicationToken")
    expires = parse_date(body.get("expiry_date"))
    if expires is not None and expires <= call.state.now:
        raise wrong("ApplicationToken - expiry_date must be in the future.")
    if "ip" in body and not parses(partial(ipaddress.ip_network, strict=False), body["ip"]):
        raise wrong("ApplicationToken - ip has invalid format: expecting CIDR notation.")
    token = call.accounts.add_application_token(body.get("description", ""), call.own)
    token.expires, token.ip = expires, body.get("ip")
    call.accounts.issued.append(token.token)
    return {"application_token": token.token}


@serves("PATCH", _PATH + "/{app_token_id}")
def update_token(call: Call) -> None:
    """Change the description of an application token, or revoke it."""
    fields = {"description": text(), "status": reference()}
    body = call.checked(fields, "ApplicationToken", partial=True)
    token = call.one(call.state.application_tokens, "app_token_id", "ApplicationToken")
    if "status" in body:
        status = call.state.existing(set(ApplicationTokenStatus), body["status"]["id"], "Status")
        token.status = ApplicationTokenStatus(status)
    token.description = body.get("description", token.description)
