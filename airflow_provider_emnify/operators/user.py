"""Users as tasks: create, invite, update, delete, give roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    EmnifyServerError,
    UserStatus,
)
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.secrets.names import show
from airflow_provider_emnify.api.transport.answers import number, part, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import USERNAME, is_nothing, parse_bool, parse_ids, parse_user_ids
from airflow_provider_emnify.arguments import (
    Argument,
    Ids,
    OneId,
    matching,
    optional,
    parse_choice,
    parse_optional_id,
    parse_text,
    require_confirmation,
    shorten,
    status_in,
)
from airflow_provider_emnify.links import EmnifyUsersLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.idempotency.attempt import Attempt

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.users import Users


_parse_username = matching(USERNAME, "username; give an email address")


def _one_user(value: Any, field: str) -> int | str:
    """Return the one id or username that ``value`` means.

    :raises ValueError: when it is none, or several.
    """
    users = parse_user_ids(value, field)
    if len(users) != 1:
        raise ValueError(f"{field}: {value!r} is not one user; give an id or a username")
    return users[0]


class _NewUserOperator(EmnifyBaseOperator):
    """Base of the two that bring in a user."""

    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    username = Argument(_parse_username)
    name = Argument(parse_text)
    organisation_id = Argument(parse_optional_id)
    role_ids = Argument(parse_ids)

    def __init__(
        self,
        *,
        username: str,
        name: str,
        organisation_id: OneId | None = None,
        role_ids: Ids | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def _about(self) -> Row:
        """Return what is sent of the user."""
        about = {name: getattr(self, name) for name in ("username", "name", "organisation_id")}
        return {**about, "role_ids": self.role_ids or None}


class EmnifyCreateUserOperator(_NewUserOperator):
    """Create a user, who gets an email with an activation link.

    A user is known by the username, so it is looked for first and a task that runs again does not fail on
    its own work. With ``if_exists="fail"`` that means: on a later attempt (a retry, or after clearing), a
    user of the same username and name that was created since an earlier attempt may have acted is taken as
    this task's own; any other one is an error.

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

    if_exists = Argument(parse_choice("fail", "skip", "update"), templated=False)

    def __init__(
        self,
        *,
        username: str,
        name: str,
        organisation_id: OneId | None = None,
        role_ids: Ids | None = None,
        if_exists: Literal["skip", "fail", "update"] = "skip",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> int:
        """Look for the user, then create it or do what ``if_exists`` says."""
        attempt, username = Attempt(self, context), self.username
        users = self.client.users
        try:
            user = users.get(username)
        except EmnifyNotFoundError:
            self.log.info("Creating user %s", username)
            try:
                created = users.create(**self._about())
            except EmnifyConflictError as conflict:
                user = _found(users, username, conflict)  # someone else was quicker
            else:
                self.log.info("Created user %s as %s", username, created["id"])
                return int(created["id"])
        user_id = int(user["id"])
        if self.if_exists == "update":
            self._check_organisation(user)
            if user.get("name") != self.name:
                self.log.info("User %s exists as %s: renaming it", username, user_id)
                users.update(user_id, name=self.name)
            if self.role_ids:
                _give_roles(self, user, self.role_ids, replace=True)
        elif self.if_exists == "skip" or (user.get("name") == self.name and attempt.created(user)):
            self.log.info("User %s exists as %s: nothing to do", username, user_id)
        else:
            raise ValueError(
                f"username: {username} is taken by user {user_id}, created {user.get('created')}; "
                "set if_exists to 'skip' or 'update' to go on with that user"
            )
        return user_id

    def _check_organisation(self, user: Row) -> None:
        there = number(part(user, "organisation"), "id")
        if self.organisation_id is not None and there not in {None, self.organisation_id}:
            raise ValueError(
                f"organisation_id: user {user['id']} is in organisation {there} and cannot be moved to "
                f"{self.organisation_id}"
            )


class EmnifyInviteUserOperator(_NewUserOperator):
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

    def execute(self, context: Context) -> int:
        """Send the invitation, or find the user whom an earlier one brought in."""
        username, users = self.username, self.client.users
        self.log.info("Inviting %s", username)
        try:
            invited = users.invite(**self._about())
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

    operator_extra_links = (EmnifyUsersLink(),)

    user_id = Argument(_one_user)
    name = Argument(optional(parse_text))
    username = Argument(optional(_parse_username))
    status = Argument(optional(status_in(UserStatus.ACTIVE, UserStatus.SUSPENDED)))

    def __init__(
        self,
        *,
        user_id: OneId,
        name: str | None = None,
        username: str | None = None,
        status: UserStatus | int | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if is_nothing(name) and is_nothing(username) and is_nothing(status):
            raise ValueError("name, username, status: give at least one of them to change")

    def execute(self, context: Context) -> int:
        """Read the user, and send what differs."""
        users = self.client.users
        user = _get_user(users, self.user_id, also=self.username)
        there = {"name": user.get("name"), "username": user.get("username"), "status": status_of(user)}
        asked = given(name=self.name, username=self.username, status=self.status)
        wanted = {field: value for field, value in asked.items() if value != there[field]}
        if wanted:
            self.log.info("User %s: changing %s", user["id"], show(wanted))
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

    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    user_id = Argument(_one_user)
    confirm = Argument(require_confirmation("deleting a user"), templated=False)

    def __init__(self, *, user_id: OneId, confirm: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Look for the user, and delete it."""
        users, wanted = self.client.users, self.user_id
        return self.delete_one(lambda: users.get(wanted), wanted, "user", users.delete)


class EmnifyAssignUserRolesOperator(EmnifyBaseOperator):
    """Give a user roles, and take away all others if asked. A role that the user has already is done.

    .. code-block:: python

        EmnifyAssignUserRolesOperator(task_id="observer", user_id=7, role_ids=[3], replace=True)

    :param user_id: The user's id or username (templated).
    :param role_ids: Roles, one id or many (templated); none does nothing.
    :param replace: Whether to take away every other role (default False). New roles are given first, since
        emnify does not take away a user's last one.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the user's roles afterwards.
    :raises AirflowFailException: when there is no such user or role, and for any other permanent error.

    Vendor page: https://docs.emnify.com/developers/api/user-management/user-role-by-id-and-role-id-put
    """

    operator_extra_links = (EmnifyUsersLink(),)
    idempotent: ClassVar[bool] = True

    user_id = Argument(_one_user)
    role_ids = Argument(parse_ids)
    replace = Argument(parse_bool, templated=False)

    def __init__(self, *, user_id: OneId, role_ids: Ids, replace: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Read the user's roles, and change what differs."""
        if not self.role_ids:
            self.log.info("No roles given: nothing to do")
            return []
        user = _get_user(self.client.users, self.user_id)
        return _give_roles(self, user, self.role_ids, replace=self.replace)


def _found(users: Any, username: str, conflict: EmnifyConflictError) -> Row:
    """Return the user who is there, as a conflict says; where there is none, the conflict is the error."""
    try:
        user: Row = users.get(username)
    except EmnifyNotFoundError:
        raise conflict from None
    return user


def _give_roles(operator: EmnifyBaseOperator, user: Row, role_ids: list[int], *, replace: bool) -> list[int]:
    """Give the roles that a user lacks, then take those that are too many. Return what is there now."""
    users = operator.client.users
    user_id = int(user["id"])
    there = [key for role in parts(user, "roles") if (key := number(role, "id")) is not None]
    listed = user.get("roles")
    if replace and listed and (not isinstance(listed, list) or len(there) < len(listed)):
        raise EmnifyServerError(f"the roles of user {user_id} could not be read: one of them has no id")
    missing = [role_id for role_id in role_ids if role_id not in there]
    surplus = [role_id for role_id in there if role_id not in role_ids] if replace else []
    operator.log.info(
        "User %s has roles %s: adding %s, removing %s",
        user_id,
        shorten(there),
        shorten(missing),
        shorten(surplus),
    )
    for role_id in missing:
        try:
            users.assign_role(user_id, role_id)
        except EmnifyConflictError as conflict:
            operator.log.info("User %s has role %s already (%s)", user_id, role_id, conflict.message)
    for role_id in surplus:
        try:
            users.remove_role(user_id, role_id)
        except EmnifyNotFoundError:
            operator.log.info("User %s no longer has role %s", user_id, role_id)
    return [*(role_id for role_id in there if role_id not in surplus), *missing]


def _get_user(users: Users, user_id: int | str, also: str | None = None) -> Row:
    """Return a user by id or username; or, where an earlier try may have renamed it, by the new username."""
    try:
        user: Row = users.get(user_id)
    except EmnifyNotFoundError:
        if also is None or isinstance(user_id, int):
            raise
        user = users.get(also)
    return user
