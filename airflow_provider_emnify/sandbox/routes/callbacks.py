"""Callback URLs, API secrets, and the service profiles that use them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, wrong
from airflow_provider_emnify.sandbox.http.fields import reference, text
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.records.integrations import ApiCallback, ApiSecret

if TYPE_CHECKING:
    from collections.abc import Mapping

_CALLBACK, _SECRET = "/api/v1/api_callback", "/api/v1/api_secret"


@serves("GET", _CALLBACK)
def list_callbacks(call: Call) -> Body:
    """List callback URLs, not in pages."""
    return [_callback(one) for one in call.state.api_callbacks.values()]


@serves("POST", _CALLBACK)
def create_callback(call: Call) -> Answer:
    """Create a callback URL; only the header says its id."""
    body = call.checked({"url": text(required=True, longest=2000), "purpose": text()}, "ApiCallback")
    if not body["url"].startswith(("https://", "http://")):
        raise wrong("ApiCallback - url has invalid format: expecting a URL.")
    state = call.state
    made = ApiCallback(state.next_id("api callback"), body["url"], body.get("purpose"))
    state.api_callbacks[made.id] = made
    state.outbox.watch()
    return Answer(201, headers={"Location": f"{_CALLBACK}/{made.id}"})


@serves("GET", _CALLBACK + "/{api_callback_id}")
def get_callback(call: Call) -> Body:
    """Give a callback URL."""
    return _callback(call.one(call.state.api_callbacks, "api_callback_id", "ApiCallback"))


@serves("DELETE", _CALLBACK + "/{api_callback_id}")
def delete_callback(call: Call) -> Answer:
    """Delete a callback URL, unless a service profile has it."""
    return _delete(call, call.state.api_callbacks, "api_callback_id")


@serves("GET", _SECRET)
def list_secrets(call: Call) -> Body:
    """List API secrets without what is secret, not in pages."""
    return [_secret(call, one) for one in call.state.api_secrets.values()]


@serves("POST", _SECRET)
def create_secret(call: Call) -> Answer:
    """Create an API secret, at random unless it is told; only the header says its id."""
    fields = {"secret": text(shortest=1), "purpose": text(), "organisation_id": text()}
    body, state = call.checked(fields, "ApiSecret"), call.state
    value = body.get("secret") or secrets.token_urlsafe(48)
    made = ApiSecret(state.next_id("api secret"), value, body.get("purpose"))
    state.api_secrets[made.id] = made
    call.accounts.issued.append(value)
    return Answer(201, headers={"Location": f"{_SECRET}/{made.id}"})


@serves("GET", _SECRET + "/{api_secret_id}")
def get_secret(call: Call) -> Body:
    """Give an API secret, with what is secret."""
    found = call.one(call.state.api_secrets, "api_secret_id", "ApiSecret")
    return {**_secret(call, found), "secret": found.secret}


@serves("DELETE", _SECRET + "/{api_secret_id}")
def delete_secret(call: Call) -> Answer:
    """Delete an API secret, unless a service profile has it."""
    return _delete(call, call.state.api_secrets, "api_secret_id")


@serves("PATCH", "/api/v1/service_profile/{profile_id}")
def update_service_profile(call: Call) -> Answer:
    """Set callback URL and API secret of a service profile; None takes it away."""
    fields = {"name": text(shortest=1), "api_callback": reference(), "api_secret": reference()}
    profile = call.one(call.state.service_profiles, "profile_id", "Profile")
    told: dict[str, Any] = call.object()
    nothing = (None, {"id": None})
    gone = {name for name in ("api_callback", "api_secret") if name in told and told[name] in nothing}
    call.body = {name: value for name, value in told.items() if name not in gone}
    body = call.checked(fields, "ServiceProfile", partial=True)
    tables: Mapping[str, Mapping[int, Any]] = {
        "api_callback": call.state.api_callbacks,
        "api_secret": call.state.api_secrets,
    }
    for name, table in tables.items():
        if name in body:
            setattr(profile, f"{name}_id", call.state.existing(table, body[name]["id"], name))
        elif name in gone:
            setattr(profile, f"{name}_id", None)
    profile.name = body.get("name", profile.name)
    return Answer(201, {})


def _delete(call: Call, table: dict[int, Any], name: str) -> Answer:
    one = call.one(table, name, name)
    if any(getattr(profile, name) == one.id for profile in call.state.service_profiles.values()):
        raise ApiError("NotAllowed", f"{name} {one.id} is used by a service profile.", status=409)
    del table[one.id]
    return Answer(200, {})


def _callback(one: ApiCallback) -> dict[str, Any]:
    return {"id": one.id, "url": one.url, "purpose": one.purpose}


def _secret(call: Call, one: ApiSecret) -> dict[str, Any]:
    return {"id": one.id, "organisation_id": str(call.state.home_id), "purpose": one.purpose}
