"""Credentials in, tokens out."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.fields import integer, record
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves


@serves("POST", "/api/v1/authenticate", public=True)
def authenticate(call: Call) -> Body:
    """Trade an application token, a password, a refresh token or an MFA token for auth tokens."""
    return call.accounts.authenticate(call.object(), call.address)


@serves("POST", "/api/v1/authenticate/workspace")
def authenticate_workspace(call: Call) -> Body:
    """Give a user an auth token for another Workspace."""
    body = call.checked(
        {"target_organisation": record({"id": integer(required=True)}, required=True)}, "Authentication"
    )
    token = call.accounts.switch(call.caller, int(body["target_organisation"]["id"]))
    return {"auth_token": token}
