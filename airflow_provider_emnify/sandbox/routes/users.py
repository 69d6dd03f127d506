"""Users: accounts, roles, activation, passwords, multi-factor authentication, their events."""

from __future__ import annotations

import base64
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity, EventType, UserStatus
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, fields_of
from airflow_provider_emnify.sandbox.http.fields import array, pattern, reference, text
from airflow_provider_emnify.sandbox.http.query import Listing, attributes, dated, in_organisation, labelled
from airflow_provider_emnify.sandbox.http.resources import serve_members, serve_records
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.events import serve_events
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.lookups import (
    MFA_KEY_STATUSES,
    MFA_KEY_TYPES,
    PERMISSIONS,
    ROLES,
    described,
)
from airflow_provider_emnify.sandbox.world.provisioning import number_of
from airflow_provider_emnify.sandbox.world.records.accounts import MfaKey, User
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

_ACTIVATION = "/api/v1/user/activation"
USERNAME = r"[^@\s]+@[^@\s]+\.[^@\s.]+"
_NAMES = {
    "username": pattern("an email address", USERNAME, required=True),
    "name": text(required=True, shortest=1),
}
_CREATION = {**_NAMES, "organisation": reference(), "roles": array(reference())}
INVITATION = {**_CREATION, "name": text()}
STATUS = {"status": reference(required=True)}
_UPDATE = {**_NAMES, "organisation": reference(), "status": reference()}
_STATUS_MOVES = {
    UserStatus.ACTIVATION_PENDING: {UserStatus.SUSPENDED},
    UserStatus.ACTIVE: {UserStatus.SUSPENDED},
    UserStatus.SUSPENDED: {UserStatus.ACTIVE},
}


def _user_row(state: State, user: User) -> Json:
    """A user as it stands in the list."""
    return {
        **fields_of(user, "id", "username", "name"),
        "created": date(user.created),
        "status": described(user.status),
        "organisation": state.organisation_row(user.organisation_id),
    }


def user_details(state: State, user: User) -> Json:
    """A user with roles and MFA keys."""
    keys = [_mfa_key(key) for key in user.mfa_keys.values()]
    return {**_user_row(state, user), "roles": roles(user.role_ids), "mfa": keys}


def roles(role_ids: list[int]) -> list[Json]:
    """Roles with their names."""
    return [{"id": number, "name": ROLES[number]} for number in role_ids]


def _mfa_key(key: MfaKey) -> Json:
    """An MFA key without its secret."""
    return {
        "id": key.id,
        "status": {"id": int(key.active), "description": MFA_KEY_STATUSES[int(key.active)]},
        "type": {"id": key.type, "description": MFA_KEY_TYPES[key.type]},
        "creation_date": date(key.created),
    }


_LISTING = Listing[User](
    _user_row,
    {
        **attributes("id", "name", "username"),
        **dated(date, created="created"),
        "status": labelled("status"),
        "organisation": in_organisation,
    },
)


def the_user(call: Call) -> User:
    """Return the user that the path means: by id, username or ``my``."""
    return call.state.user(call.path["user_id"], call.state.caller)


def _number(call: Call) -> int:
    caller = call.state.caller
    return caller.id if call.path["user_id"] == "my" and caller else call.id("user_id", "User")


serve_records(
    "/api/v1/user", "user_id", _LISTING, lambda call: call.state.users.values(), the_user, user_details
)
serve_events("user", _number)


@serves("POST", "/api/v1/user")
def create_user(call: Call) -> Answer:
    """Create a user, whose activation is pending; only the header says its id."""
    user = invite(call, call.checked(_CREATION, "User"))
    return Answer(201, headers={"Location": f"/api/v1/user/{user.id}"})


def invite(call: Call, body: dict[str, object]) -> User:
    """Add the user that a body describes."""
    state = call.state
    username, name = str(body["username"]), str(body.get("name") or body["username"])
    given = number_of(body, "organisation")
    organisation_id = call.own if given is None else given
    state.existing(state.organisations, organisation_id, "Organisation")
    if state.user_by_name(username) is not None:
        raise ApiError("Duplicated", f"User with username {username} already exists.")
    user = state.add_user(
        username, name, role_ids(call, body), call.state.now, organisation_id=organisation_id
    )
    if state.settings.activate_users_after is not None:
        key = user.activation_key
        state.agenda.after(
            state.settings.activate_users_after,
            lambda: activate(state, user) if user.activation_key == key else None,
        )
    return user


def role_ids(call: Call, body: dict[str, object]) -> list[int]:
    """Return the roles of a body, Administrator by default."""
    given = body.get("roles")
    if not isinstance(given, list) or not given:
        return [1]
    return [call.state.existing(dict(ROLES), role["id"], "Role") for role in given]


def activate(state: State, user: User, password_sha1: str | None = None) -> None:
    """Make a pending account active, as the link in the email does."""
    if user.id not in state.users or user.status is not UserStatus.ACTIVATION_PENDING:
        return
    user.status = UserStatus.ACTIVE
    user.activation_key = None
    user.password_sha1 = password_sha1 or user.password_sha1
    state.emit(EventType.USER_VERIFIED, f"User '{user.username}' verified successfully", user=user)


@serves("PATCH", "/api/v1/user/{user_id}")
def update_user(call: Call) -> None:
    """Change a user. A new username makes the account pending again."""
    user, body = the_user(call), call.checked(_UPDATE, "User", partial=True)
    organisation_id = number_of(body, "organisation")
    if organisation_id not in {None, user.organisation_id}:
        raise ApiError("NotAllowed", "Updating the organisation of a user is not allowed.")
    status = _next_status(call.state, user, number_of(body, "status"))
    username = body.get("username", user.username)
    renamed = username.lower() != user.username.lower()
    if renamed and call.state.user_by_name(username) is not None:
        raise ApiError("Duplicated", f"User with username {username} already exists.")
    user.status, user.username, user.name = status, username, body.get("name", user.name)
    if renamed:
        user.status = UserStatus.ACTIVATION_PENDING
        user.activation_key = f"activation-{user.id}-{call.state.random.getrandbits(64):016x}"


def _next_status(state: State, user: User, number: int | None) -> UserStatus:
    if number is None:
        return user.status
    target = UserStatus(state.existing(set(UserStatus), number, "Status"))
    if target is not user.status and target not in _STATUS_MOVES[user.status]:
        raise ApiError(
            "NotAllowed", f"Status of a user cannot change from '{user.status.label}' to '{target.label}'."
        )
    return target


@serves("DELETE", "/api/v1/user/{user_id}")
def delete_user(call: Call) -> None:
    """Delete a user."""
    user = the_user(call)
    del call.state.users[user.id]
    detail = {"user": {"id": user.id, "username": user.username}}
    text = f"User '{user.username}' deleted"
    call.state.emit(EventType.USER_DELETED, text, severity=EventSeverity.WARN, detail=detail)


@serves("GET", "/api/v1/user/{user_id}/role/permission")
def role_permissions(call: Call) -> Body:
    """Give what a user's roles permit."""
    granted = the_user(call).role_ids
    return {ROLES[number]: list(PERMISSIONS[number]) for number in granted}


def _check_last(call: Call, roles: list[int], role: int) -> None:
    if len(roles) == 1:
        raise ApiError("NotAllowed", "The last role of a user cannot be removed.", status=409)


serve_members(
    "/api/v1/user/{user_id}/role",
    "role_id",
    "Role",
    known=lambda call: ROLES,
    held=lambda call: the_user(call).role_ids,
    check_remove=_check_last,
)


@serves("POST", _ACTIVATION, public=True)
@serves("POST", "/api/v2/user/activation")
def activate_user(call: Call) -> None:
    """Activate an account with the key from the email and set its password, or accept an invitation."""
    is_new = call.template == _ACTIVATION
    if is_new and not call.object().get("password"):
        raise ApiError("BadRequest", "The password is missing.")
    body = call.checked({"activationKey": text(required=True), "password": text(), "name": text()}, "User")
    key = body["activationKey"]
    user = next((user for user in call.state.users.values() if user.activation_key == key), None)
    if user is None:
        raise ApiError("BadRequest" if is_new else "Forbidden", "The activation key is invalid.")
    user.name = body.get("name") or user.name
    activate(call.state, user, body.get("password"))


@serves("POST", "/api/v1/user/activation_resend", public=True)
def resend_activation(call: Call) -> None:
    """Send the activation email again; the answer does not say whether there is such a user."""
    call.checked({"username": text(required=True), "g-recaptcha-response": text(required=True)}, "User")


@serves("PATCH", "/api/v1/user/password")
def change_password(call: Call) -> None:
    """Change the caller's password; both come as SHA-1 digests."""
    body = call.checked({"old_password": text(required=True), "new_password": text(required=True)}, "User")
    user = _caller(call, "password")
    if body["old_password"].lower() != user.password_sha1:
        raise ApiError("InputValidationFailed", "The old password is wrong.", errors=[])
    user.password_sha1 = body["new_password"].lower()


# -- multi-factor authentication --------------------------------------------------------------------


@serves("POST", "/api/v1/user/mfa")
def create_key(call: Call) -> Body:
    """Create an MFA key for the caller; its secret is shown once."""
    user = _caller(call, "MFA keys")
    body = call.checked({"type": reference(required=True), "password": text(required=True)}, "MfaKey")
    if body["password"].lower() != user.password_sha1:
        raise ApiError("InputValidationFailed", "The password is wrong.", errors=[])
    kind = call.state.existing(dict(MFA_KEY_TYPES), body["type"]["id"], "Type")
    if any(key.active for key in user.mfa_keys.values()):
        raise ApiError("Duplicated", "There is an active MFA key already.")
    key = MfaKey(call.state.next_id("mfa key"), kind, call.state.now)
    user.mfa_keys[key.id] = key
    secret = base64.b32encode(call.state.random.randbytes(20)).decode()
    otpauth = f"otpauth://totp/emnify:{user.username}?secret={secret}"
    return {**_mfa_key(key), "secret_key": secret, "otpauth": otpauth}


@serves("PATCH", "/api/v1/user/mfa/{key_id}")
def activate_key(call: Call) -> None:
    """Activate an MFA key of the caller with a code; the sandbox takes its one code."""
    user, body = _caller(call, "MFA keys"), call.checked({**STATUS, "code": text(required=True)}, "MfaKey")
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
            **fields_of(device, "id", "operating_system", "browser"),
            "activation_date": date(device.activated),
        }
        for device in the_user(call).trusted_devices.values()
    ]


@serves("DELETE", "/api/v1/user/{user_id}/mfa/trusted_device/{device_id}")
def delete_trusted_device(call: Call) -> None:
    """Trust a device no more."""
    devices = the_user(call).trusted_devices
    del devices[call.known(devices, "device_id", "TrustedDevice")]


def _caller(call: Call, wanted: str) -> User:
    user = call.state.caller
    if user is None:
        raise ApiError("Forbidden", f"An application token has no {wanted}.")
    return user
