"""Sensors for data streams: whether they run."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.arguments import Ids
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyDataStreamSensor(EmnifyWaitSensor, kind="data_stream", ids="data_stream_ids"):
    """Wait until data streams have a status.

    It fails when a stream is in error (unless that is the target) or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyDataStreamSensor(task_id="running", data_stream_ids="{{ ti.xcom_pull('create') }}")

    :param data_stream_ids: One id or many (templated).
    :param target_status: ``"running"`` (default), ``"paused"``, ``"pending"`` or ``"error"``; or several that
        will do (templated).
    :returns: The status of each data stream, by id.

    Vendor page: https://docs.emnify.com/developers/api/integrations/get-data-streamer-by-id-v-2
    """

    def __init__(
        self, *, data_stream_ids: Ids, target_status: Target[DataStreamStatus] = "running", **kwargs: Any
    ) -> None:
        self.init_task(locals())
