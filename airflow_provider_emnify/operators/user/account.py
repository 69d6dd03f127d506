"""Users as tasks: create, invite, update, delete, give roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    UserStatus,
)
from airflow_provider_emnify.api.transport.answers import number, part
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import (
    check_early,
    parse_choice,
    parse_optional_id,
    parse_text,
    require_confirmation,
)
from airflow_provider_emnify.links import EmnifyUsersLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.idempotency.attempt import Attempt
from airflow_provider_emnify.operators.user.roles import (
    EmnifyAssignUserRolesOperator,
    get_user,
    give_roles,
    one_user,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row

__all__ = [
    "EmnifyAssignUserRolesOperator",
    "EmnifyCreateUserOperator",
    "EmnifyDeleteUserOperator",
    "EmnifyInviteUserOperator",
    "EmnifyUpdateUserOperator",
]

_IF_EXISTS = ("fail", "skip", "update")


class EmnifyCreateUserOperator(EmnifyBaseOperator):
    """Create a user, who gets an email with an activation link.

    A user is known by the username, so it is looked for first and a task that runs again does not fail on
    its own work. With ``if_exists="fail"`` that means: on a retry, a user of the same username and name that
    was created since the DAG run started is taken as this task's own; any other one is an error. A
    task that is cleared after its run has ended finds a user that is older than the run's new start:
    choose ``"skip"`` or ``"update"`` where that may happen.

    .. code-block:: python

        EmnifyCreateUserOperator(task_id="add_ada", username="ada@example.org", name="Ada Lovelace")

    :param username: The user's email address (templated).
    :param name: The user's name (templated).
    :param organisation_id: The organisation, own or a direct child; by default the caller's (templated).
    :param role_ids: Roles, one id or many; by default emnify's default role (templated).
    :param if_exists: What to do when the username is taken: ``"fail"``, ``"skip"`` (default: leave it as
        it is), or ``"update"`` (give it this name and, if ``role_ids`` is set, exactly these roles).
    :param emnify_conn_id: The connection to emnify.
    :returns: The user's id.
    :raises AirflowFailException: when the username is taken, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/user-management/user-per-page-sort-by-q-and-page-post
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "username", "name", "organisation_id", "role_ids")
    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        username: str,
        name: str,
        organisation_id: int | str | None = None,
        role_ids: Any = None,
        if_exists: Literal["skip", "fail", "update"] = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_text, username, "username")
        check_early(parse_text, name, "name")
        check_early(parse_optional_id, organisation_id, "organisation_id")
        check_early(parse_ids, role_ids, "role_ids")
        parse_choice(if_exists, _IF_EXISTS, "if_exists")
        self.username = username
        self.name = name
        self.organisation_id = organisation_id
        self.role_ids = role_ids
        self.if_exists = if_exists

    def execute(self, context: Context) -> int:
        """Look for the user, then create it or do what ``if_exists`` says."""
        attempt = Attempt(self, context)
        username, name = parse_text(self.username, "username"), parse_text(self.name, "name")
        organisation_id = parse_optional_id(self.organisation_id, "organisation_id")
        role_ids = parse_ids(self.role_ids, "role_ids")
        users = self.client.users
        try:
            user = users.get(username)
        except EmnifyNotFoundError:
            self.log.info("Creating user %s", username)
            try:
                created = users.create(
                    username=username, name=name, organisation_id=organisation_id, role_ids=role_ids or None
                )
            except EmnifyConflictError as conflict:
                user = _found(users, username, conflict)  # someone else was quicker
            else:
                self.log.info("Created user %s as %s", username, created["id"])
                return int(created["id"])
        user_id = int(user["id"])
        if self.if_exists == "update":
            self._same_organisation(user, organisation_id)
            if user.get("name") != name:
                self.log.info("User %s exists as %s: renaming it", username, user_id)
                users.update(user_id, name=name)
            if role_ids:
                give_roles(self, user, role_ids, replace=True)
        elif self.if_exists == "skip" or (user.get("name") == name and attempt.created(user)):
            self.log.info("User %s exists as %s: nothing to do", username, user_id)
        else:
            raise ValueError(
                f"username: {username} is taken by user {user_id}, created {user.get('created')}; "
                "set if_exists to 'skip' or 'update' to go on with that user"
            )
        return user_id

    @staticmethod
    def _same_organisation(user: Row, organisation_id: int | None) -> None:
        there = number(part(user, "organisation"), "id")
        if organisation_id is not None and there is not None and there != organisation_id:
            raise ValueError(
                f"organisation_id: user {user['id']} is in organisation {there} and cannot be moved to "
                f"{organisation_id}"
            )


class EmnifyInviteUserOperator(EmnifyBaseOperator):
    """Invite a user to a Workspace; a user who does not exist yet is created. emnify sends no email.

    A user who is in the Workspace already is no error, so that the task can run again.

    .. code-block:: python

        EmnifyInviteUserOperator(task_id="invite", username="ada@example.org", name="Ada", role_ids=[3])

    :param username: The user's email address (templated).
    :param name: The user's name (templated).
    :param organisation_id: The Workspace; by default the caller's own (templated).
    :param role_ids: Roles there, one id or many; by default administrator (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The user's id.
    :raises AirflowFailException: for a permanent error, for example where the tariff plan has no
        Workspaces.

    Vendor page: https://docs.emnify.com/developers/api/password-management-and-activation/user-v-2-invitation
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "username", "name", "organisation_id", "role_ids")
    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        username: str,
        name: str,
        organisation_id: int | str | None = None,
        role_ids: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_text, username, "username")
        check_early(parse_text, name, "name")
        check_early(parse_optional_id, organisation_id, "organisation_id")
        check_early(parse_ids, role_ids, "role_ids")
        self.username = username
        self.name = name
        self.organisation_id = organisation_id
        self.role_ids = role_ids

    def execute(self, context: Context) -> int:
        """Send the invitation, or find the user whom an earlier one brought in."""
        del context
        username = parse_text(self.username, "username")
        users = self.client.users
        self.log.info("Inviting %s", username)
        try:
            invited = users.invite(
                username=username,
                name=parse_text(self.name, "name"),
                organisation_id=parse_optional_id(self.organisation_id, "organisation_id"),
                role_ids=parse_ids(self.role_ids, "role_ids") or None,
            )
        except EmnifyConflictError as conflict:
            self.log.info("%s is in the Workspace already (%s)", username, conflict.message)
            return int(_found(users, username, conflict)["id"])
        if "id" not in invited:
            invited = users.get(username)
        return int(invited["id"])


class EmnifyUpdateUserOperator(EmnifyBaseOperator):
    """Change a user's name, username or status. What is not given stays; what is so already is not sent.

    .. code-block:: python

        EmnifyUpdateUserOperator(task_id="suspend", user_id="ada@example.org", status="suspended")

    :param user_id: The user's id or username (templated).
    :param name: New name (templated).
    :param username: New email address; the account must then be activated again (templated).
    :param status: ``"active"`` or ``"suspended"`` (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The user's id.
    :raises AirflowFailException: when there is no such user, and for any other permanent error.

    Vendor page: https://docs.emnify.com/developers/api/user-management/user-by-id-patch
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "user_id", "name", "username", "status")
    operator_extra_links = (EmnifyUsersLink(),)

    def __init__(
        self,
        *,
        user_id: int | str,
        name: str | None = None,
        username: str | None = None,
        status: UserStatus | int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(one_user, user_id)
        for value, field in ((name, "name"), (username, "username")):
            if value is not None:
                check_early(parse_text, value, field)
        check_early(_user_status, status)
        if name is None and username is None and status is None:
            raise ValueError("name, username, status: give at least one of them to change")
        self.user_id = user_id
        self.name = name
        self.username = username
        self.status = status

    def execute(self, context: Context) -> int:
        """Read the user, and send what differs."""
        del context
        users = self.client.users
        user = get_user(users, self.user_id, also=self.username)
        status = _user_status(self.status)
        wanted: dict[str, Any] = {}
        if self.name is not None and parse_text(self.name, "name") != user.get("name"):
            wanted["name"] = parse_text(self.name, "name")
        if self.username is not None and parse_text(self.username, "username") != user.get("username"):
            wanted["username"] = parse_text(self.username, "username")
        if status is not None and status != _status_of(user):
            wanted["status"] = status
        if wanted:
            self.log.info("User %s: changing %s", user["id"], ", ".join(wanted))
            users.update(int(user["id"]), **wanted)
        else:
            self.log.info("User %s is as asked: nothing to do", user["id"])
        return int(user["id"])


class EmnifyDeleteUserOperator(EmnifyBaseOperator):
    """Delete a user. A user who does not exist (any more) is done.

    .. code-block:: python

        EmnifyDeleteUserOperator(task_id="remove", user_id="ada@example.org", confirm=True)

    :param user_id: The user's id or username (templated).
    :param confirm: Must be True: a deleted user cannot be brought back.
    :param emnify_conn_id: The connection to emnify.
    :returns: The id of the user who is gone, in a list; an empty one for a username that nobody has.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/user-management/user-by-id-delete
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "user_id")
    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(self, *, user_id: int | str, confirm: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(one_user, user_id)
        require_confirmation(confirm, "deleting a user")
        self.user_id = user_id
        self.confirm = confirm

    def execute(self, context: Context) -> list[int]:
        """Look for the user, and delete it."""
        del context
        users = self.client.users
        wanted = one_user(self.user_id)
        gone = [wanted] if isinstance(wanted, int) else []
        try:
            user = users.get(wanted)
            gone = [int(user["id"])]
            self.log.info("Deleting user %s (%s)", user["id"], user.get("username"))
            users.delete(gone[0])
        except EmnifyNotFoundError:
            self.log.info("There is no user %s: nothing to delete", wanted)
        return gone


def _found(users: Any, username: str, conflict: EmnifyConflictError) -> Row:
    """Return the user who is there, as a conflict says; where there is none, the conflict is the error."""
    try:
        user: Row = users.get(username)
    except EmnifyNotFoundError:
        raise conflict from None
    return user


def _user_status(value: Any) -> UserStatus | None:
    if value is None or value == "":
        return None
    try:
        status = UserStatus.parse(value)
    except ValueError as error:
        raise ValueError(f"status: {error}") from None
    if status is UserStatus.ACTIVATION_PENDING:
        raise ValueError("status: a user cannot be set back to activation pending; give active or suspended")
    return status


def _status_of(user: Mapping[str, Any]) -> UserStatus | None:
    try:
        return UserStatus.parse(part(user, "status").get("id"))
    except ValueError:
        return None
