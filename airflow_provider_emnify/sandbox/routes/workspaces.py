"""Users across Workspaces: invitations, memberships, roles, support tokens."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import EventSeverity, EventType, UserStatus
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, fields_of
from airflow_provider_emnify.sandbox.http.resources import serve_members
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.users import (
    INVITATION,
    STATUS,
    invite,
    role_ids,
    roles,
    the_user,
)
from airflow_provider_emnify.sandbox.world.lookups import ROLES
from airflow_provider_emnify.sandbox.world.provisioning import number_of
from airflow_provider_emnify.sandbox.world.records.accounts import Membership


@serves("POST", "/api/v2/user/invitation")
def invite_user(call: Call) -> Answer:
    """Invite a user: create the account, or add the one that exists to the Workspace."""
    body = call.checked(INVITATION, "User")
    user = call.state.user_by_name(body["username"])
    organisation_id = number_of(body, "organisation") or call.own
    call.state.existing(call.state.organisations, organisation_id, "Organisation")
    if user is None:
        user = invite(call, body)
    elif organisation_id in user.memberships:
        raise ApiError("Duplicated", f"User {user.username} is a member of the Workspace already.")
    else:
        user.memberships[organisation_id] = Membership(role_ids(call, body), UserStatus.ACTIVE)
    row = {
        **fields_of(user, "id", "username", "name"),
        "organisation": {"id": organisation_id},
        "roles": roles(user.memberships[organisation_id].role_ids),
    }
    return Answer(201, row)


@serves("GET", "/api/v2/user/{user_id}/workspace")
def list_workspaces(call: Call) -> Body:
    """List the Workspaces of a user."""
    user = the_user(call)
    return [
        {
            "id": number,
            "name": call.state.organisations[number].name,
            "status": {"status": {"id": int(membership.status)}},
            "roles": roles(membership.role_ids),
            "owner": number == user.organisation_id,
            "default_workspace": number == user.organisation_id,
        }
        for number, membership in sorted(user.memberships.items())
    ]


@serves("PUT", "/api/v2/user/{user_id}/default_organisation/{workspace_id}")
def set_default_workspace(call: Call) -> Body:
    """Make a Workspace the user's default."""
    workspace_id, _ = _membership(call)
    the_user(call).organisation_id = workspace_id
    return {}


@serves("DELETE", "/api/v2/user/{user_id}/workspace/{workspace_id}")
def unassign_workspace(call: Call) -> None:
    """Take a user out of a Workspace; out of the last one, nobody is taken."""
    workspace_id, _ = _membership(call)
    user = the_user(call)
    if len(user.memberships) == 1:
        raise ApiError("Forbidden", "The last Workspace of a user cannot be unassigned.")
    del user.memberships[workspace_id]
    if user.organisation_id == workspace_id:
        user.organisation_id = min(user.memberships)


@serves("PATCH", "/api/v2/user/{user_id}/workspace/{workspace_id}")
def set_workspace_status(call: Call) -> None:
    """Suspend a user in a Workspace, or make the user active there."""
    _, membership = _membership(call)
    status = int(call.checked(STATUS, "Workspace")["status"]["id"])
    if status not in {UserStatus.ACTIVE, UserStatus.SUSPENDED}:
        raise ApiError("Forbidden", f"Status {status} cannot be set.")
    membership.status = UserStatus(status)


def _check_new(call: Call, held: list[int], role: int) -> None:
    if role in held:
        raise ApiError("BadRequest", "The role is assigned already.")


def _check_last(call: Call, held: list[int], role: int) -> None:
    if len(held) == 1:
        raise ApiError("BadRequest", "The last role of a user cannot be removed.")


serve_members(
    "/api/v2/user/{user_id}/workspace/{workspace_id}/role",
    "role_id",
    "Role",
    known=lambda call: ROLES,
    held=lambda call: _membership(call)[1].role_ids,
    check_add=_check_new,
    check_remove=_check_last,
)


@serves("POST", "/api/v2/user/{user_id}/support_token")
def create_support_token(call: Call) -> Answer:
    """Give a token that acts as the user."""
    user = the_user(call)
    role = call.object().get("role", "1")
    if role not in ("1", "3"):
        raise ApiError("BadRequest", "role is '1' or '3'.")
    token = call.accounts.support_token(user, int(role))
    text = f"Support token generated for user {user.username}"
    call.state.emit(EventType.SUPPORT_ACCESS, text, severity=EventSeverity.WARN, user=user)
    return Answer(201, {"support_token": token})


def _membership(call: Call) -> tuple[int, Membership]:
    memberships = the_user(call).memberships
    workspace_id = call.known(memberships, "workspace_id", "Workspace")
    return workspace_id, memberships[workspace_id]
