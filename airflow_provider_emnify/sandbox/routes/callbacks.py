"""Callback URLs and API secrets, which service profiles use."""

from __future__ import annotations

import secrets

from airflow_provider_emnify.sandbox.http.answers import present, wrong
from airflow_provider_emnify.sandbox.http.fields import text
from airflow_provider_emnify.sandbox.http.resources import Resource, Row, in_service_profiles
from airflow_provider_emnify.sandbox.http.wire import Call


def _check_url(call: Call, body: Row, row: Row | None) -> None:
    if not body["url"].startswith(("https://", "http://")):
        raise wrong("ApiCallback - url has invalid format: expecting a URL.")
    call.state.outbox.watch()


def _new_secret(call: Call, body: Row) -> Row:
    """Return an API secret, at random unless it is told."""
    secret = body.get("secret") or secrets.token_urlsafe(48)
    call.accounts.issued.append(secret)
    return {"organisation_id": str(call.state.home_id), "purpose": body.get("purpose"), "secret": secret}


Resource(
    path="/api/v1/api_callback",
    parameter="api_callback_id",
    name="ApiCallback",
    rows=lambda call: call.state.api_callbacks,
    fields={"url": text(required=True, longest=2000), "purpose": text()},
    answers={"create": 201, "give": 200, "delete": 200},
    check=_check_url,
    in_use=in_service_profiles("api_callback"),
).serve()
Resource(
    path="/api/v1/api_secret",
    parameter="api_secret_id",
    name="ApiSecret",
    rows=lambda call: call.state.api_secrets,
    fields={"secret": text(shortest=1), "purpose": text(), "organisation_id": text()},
    answers={"create": 201, "give": 200, "delete": 200},
    make=_new_secret,
    in_use=in_service_profiles("api_secret"),
    brief=lambda call: lambda row: present({**row, "secret": None}),
    full=lambda call: lambda row: row,
).serve()
