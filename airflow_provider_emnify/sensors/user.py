"""Sensors for users: whether an account is active."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import UserStatus
from airflow_provider_emnify.arguments import Ids
from airflow_provider_emnify.links import EmnifyUsersLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyUserStatusSensor(EmnifyWaitSensor, kind="user_status", ids="user_ids"):
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

    operator_extra_links = (EmnifyUsersLink(),)

    def __init__(self, *, user_ids: Ids, target_status: Target[UserStatus] = "active", **kwargs: Any) -> None:
        self.init_task(locals())
