"""Sensors for users: whether an account is active."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import UserStatus
from airflow_provider_emnify.api.values import parse_user_ids
from airflow_provider_emnify.arguments import Argument, Ids
from airflow_provider_emnify.links import EmnifyUsersLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target, states


class EmnifyUserStatusSensor(EmnifyWaitSensor):
    """Wait until users have a status, for example until invited people have activated their accounts.

    It fails when a user is suspended (unless that is the target) or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyUserStatusSensor(task_id="activated", user_ids="ada@example.org", deferrable=True)

    :param user_ids: One id or username, or many (templated).
    :param target_status: ``"active"`` (default), ``"suspended"`` or ``"activation_pending"``; or several
        that will do (templated).
    :returns: The status of each user, by id or username as given.

    Vendor page: https://docs.emnify.com/developers/api/user-management/user-by-id-get
    """

    template_fields = ("emnify_conn_id", "user_ids", "target_status")
    operator_extra_links = (EmnifyUsersLink(),)

    kind = "user_status"
    user_ids = Argument(parse_user_ids)
    target_status = Argument(states(UserStatus))

    def __init__(self, *, user_ids: Ids, target_status: Target[UserStatus] = "active", **kwargs: Any) -> None:
        self.init_task(locals())
