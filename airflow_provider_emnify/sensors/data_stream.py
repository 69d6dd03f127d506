"""Sensors for data streams: whether they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sensors.base import EmnifyWaitSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.api.enums import DataStreamStatus
    from airflow_provider_emnify.api.waits.wait import Wait


class EmnifyDataStreamSensor(EmnifyWaitSensor):
    """Wait until data streams have a status.

    It fails when a stream is in error (unless that is the target) or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyDataStreamSensor(task_id="running", data_stream_ids="{{ ti.xcom_pull('create') }}")

    :param data_stream_ids: One id or many (templated).
    :param target_status: ``"running"`` (default), ``"paused"``, ``"pending"`` or ``"error"``; or several that
        will do (templated).
    :returns: The status of each data stream, by id.

    Vendor page: https://docs.emnify.com/developers/api/integrations/get-data-streamer-by-id-v-2
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "data_stream_ids", "target_status")

    def __init__(
        self,
        *,
        data_stream_ids: Any,
        target_status: DataStreamStatus | int | str | Sequence[DataStreamStatus | int | str] = "running",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_stream_ids = data_stream_ids
        self.target_status = target_status
        self._check_early(self.wait, data_stream_ids, target_status)

    def wait(self) -> Wait:
        """Return the wait."""
        return self._make_wait("data_stream", self.data_stream_ids, self.target_status)
