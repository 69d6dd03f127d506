"""Sensors for Cloud Connect: whether attachments are active."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import CloudConnectStatus
from airflow_provider_emnify.arguments import Ids
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyCloudConnectSensor(EmnifyWaitSensor, kind="cloud_connect", ids="attachment_ids"):
    """Wait until Cloud Connect attachments are active.

    An offer can stay open for 7 days. It fails when an attachment is rolled back or deactivated (unless that
    is the target) or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyCloudConnectSensor(task_id="active", attachment_ids=12, deferrable=True, poke_interval=600)

    :param attachment_ids: One id or many (templated).
    :param target_status: ``"active"`` (default), or another status or several that will do (templated).
    :returns: The status of each attachment, by id.

    Vendor page: https://docs.emnify.com/developers/api/cloud-connect/get-cloud-connect-attachment-by-id
    """

    def __init__(
        self, *, attachment_ids: Ids, target_status: Target[CloudConnectStatus] = "active", **kwargs: Any
    ) -> None:
        self.init_task(locals())
