"""Sensors for quotas: whether there is something left, or nothing."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_emnify.api.enums import QuotaStatus
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, parse_choice
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyQuotaSensor(SelectsEndpoints, EmnifyWaitSensor, kind="data_quota"):
    """Wait until quotas of endpoints have a status, for example until one is used up.

    It fails when an endpoint has no such quota, or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyQuotaSensor(task_id="used_up", endpoint_ids=[7, 8], target_status="exhausted", wait_for="any")

    :param endpoint_ids: One id or many: ``7``, ``[7, 8]``, ``"7,8"``, ``"[7, 8]"`` (templated); or else
        ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param target_status: ``"active"`` (default), ``"exhausted"`` or ``"expired"``; or several that will do
        (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :returns: The status of each endpoint's quota, by endpoint id.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-get
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    quota_type = Argument(parse_choice("data", "sms"), templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        target_status: Target[QuotaStatus] = "active",
        quota_type: Literal["data", "sms"] = "data",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def wait(self) -> Wait:
        """Return the wait."""
        return self._make_wait(f"{self.quota_type}_quota")
