"""Multi-factor authentication: keys and trusted devices."""

from __future__ import annotations

import base64

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.sandbox.http.answers import ApiError
from airflow_provider_emnify.sandbox.http.fields import reference, text
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.render import mfa_key
from airflow_provider_emnify.sandbox.routes.users import STATUS, the_user
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.lookups import MFA_KEY_TYPES
from airflow_provider_emnify.sandbox.world.records.accounts import MfaKey, User


@serves("POST", "/api/v1/user/mfa")
def create_key(call: Call) -> Body:
    """Create an MFA key for the caller; its secret is shown once."""
    user = _caller(call)
    body = call.checked({"type": reference(required=True), "password": text(required=True)}, "MfaKey")
    if body["password"].lower() != user.password_sha1:
        raise ApiError("InputValidationFailed", "The password is wrong.", errors=[])
    kind = call.state.existing(dict(MFA_KEY_TYPES), body["type"]["id"], "Type")
    if any(key.active for key in user.mfa_keys.values()):
        raise ApiError("Duplicated", "There is an active MFA key already.")
    key = MfaKey(call.state.next_id("mfa key"), kind, call.now)
    user.mfa_keys[key.id] = key
    secret = base64.b32encode(call.state.random.randbytes(20)).decode()
    otpauth = f"otpauth://totp/emnify:{user.username}?secret={secret}"
    return {**mfa_key(key), "secret_key": secret, "otpauth": otpauth}


@serves("PATCH", "/api/v1/user/mfa/{key_id}")
def activate_key(call: Call) -> None:
    """Activate an MFA key of the caller with a code; the sandbox takes its one code."""
    user, body = _caller(call), call.checked({**STATUS, "code": text(required=True)}, "MfaKey")
    key = call.one(user.mfa_keys, "key_id", "MfaKey")
    if key.active:
        raise ApiError("Duplicated", "The MFA key is active already.")
    if body["code"] != call.state.settings.mfa_code:
        raise ApiError("InputValidationFailed", "The code is wrong.")
    key.active = True


@serves("DELETE", "/api/v1/user/{user_id}/mfa/{key_id}")
def delete_key(call: Call) -> None:
    """Delete an MFA key of a user."""
    user = the_user(call)
    number = call.known(user.mfa_keys, "key_id", "MfaKey")
    del user.mfa_keys[number]
    text = f"MFA key with Id '{number}' deleted for user '{user.username}'"
    call.state.emit(EventType.MULTI_FACTOR_AUTHENTICATION, text, user=user)


@serves("GET", "/api/v1/user/{user_id}/mfa/trusted_device")
def list_trusted_devices(call: Call) -> Body:
    """List the devices that need no second factor."""
    return [
        {
            "id": device.id,
            "operating_system": device.operating_system,
            "browser": device.browser,
            "activation_date": date(device.activated),
        }
        for device in the_user(call).trusted_devices.values()
    ]


@serves("DELETE", "/api/v1/user/{user_id}/mfa/trusted_device/{device_id}")
def delete_trusted_device(call: Call) -> None:
    """Trust a device no more."""
    devices = the_user(call).trusted_devices
    del devices[call.known(devices, "device_id", "TrustedDevice")]


def _caller(call: Call) -> User:
    user = call.user
    if user is None:
        raise ApiError("Forbidden", "An application token has no MFA keys.")
    return user
