"""The roles of users as tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import EmnifyConflictError, EmnifyNotFoundError, EmnifyServerError
from airflow_provider_emnify.api.transport.answers import number, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_ids, parse_user_ids
from airflow_provider_emnify.arguments import Argument, Ids, OneId, parse_bool, shorten
from airflow_provider_emnify.links import EmnifyUsersLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.users import Users


def one_user(value: Any, field: str) -> int | str:
    """Return the one id or username that ``value`` means.

    :raises ValueError: when it is none, or several.
    """
    users = parse_user_ids(value, field)
    if len(users) != 1:
        raise ValueError(f"{field}: {value!r} is not one user; give an id or a username")
    return users[0]


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

    user_id = Argument(one_user)
    role_ids = Argument(parse_ids)
    replace = Argument(parse_bool, templated=False)

    def __init__(self, *, user_id: OneId, role_ids: Ids, replace: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Read the user's roles, and change what differs."""
        if not self.role_ids:
            self.log.info("No roles given: nothing to do")
            return []
        user = get_user(self.client.users, self.user_id)
        return give_roles(self, user, self.role_ids, replace=self.replace)


def give_roles(operator: EmnifyBaseOperator, user: Row, role_ids: list[int], *, replace: bool) -> list[int]:
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
        "User %s has roles %s: giving %s, taking %s",
        user_id,
        shorten(there) or "none",
        shorten(missing) or "none",
        shorten(surplus) or "none",
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
            operator.log.info("User %s has role %s no more", user_id, role_id)
    return [*(role_id for role_id in there if role_id not in surplus), *missing]


def get_user(users: Users, user_id: int | str, also: str | None = None) -> Row:
    """Return a user by id or username; or, where an earlier try may have renamed it, by the new username."""
    try:
        user: Row = users.get(user_id)
    except EmnifyNotFoundError:
        if also is None or isinstance(user_id, int):
            raise
        user = users.get(also)
    return user
