"""Sensors for endpoints (devices): their status, and whether they are online."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, Silence
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.api.waits.events import parse_hours
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, optional
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyEndpointStatusSensor(SelectsEndpoints, EmnifyWaitSensor, kind="endpoint_status"):
    """Wait until endpoints have a status.

    It fails when an endpoint is deleted or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyEndpointStatusSensor(task_id="enabled", endpoint_ids=[7, 8], deferrable=True, timeout=600)

    :param endpoint_ids: One id or many: ``7``, ``[7, 8]``, ``"7,8"``, ``"[7, 8]"`` (templated); or else
        ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param target_status: ``"enabled"`` (default), ``"disabled"`` or ``"deleted"``; or several that will do
        (templated).
    :returns: The status of each endpoint, by id.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-by-id-get
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    keeps_rows = True

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        target_status: Target[EndpointStatus] = "enabled",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())


class EmnifyEndpointConnectivitySensor(SelectsEndpoints, EmnifyWaitSensor, kind="endpoint_connectivity"):
    """Wait until endpoints are connected to the network, or have not been online for a number of hours.

    It fails when an endpoint does not exist and, unless that is switched off, when it is blocked. All
    parameters of :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``,
    ``deferrable``, ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``,
    ``emnify_conn_id``.

    .. code-block:: python

        EmnifyEndpointConnectivitySensor(
            task_id="online", endpoint_ids="{{ ti.xcom_pull('create') }}", deferrable=True, timeout=3600
        )
        EmnifyEndpointConnectivitySensor(task_id="lost", endpoint_ids=7, not_online_for=24, wait_for="any")

    :param endpoint_ids: One id or many: ``7``, ``[7, 8]``, ``"7,8"``, ``"[7, 8]"`` (templated); or else
        ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param target_status: The states that will do (templated): ``"ONLINE"`` has a data session, ``"ATTACHED"``
        is registered on a network without one; also ``"OFFLINE"`` and ``"BLOCKED"``. Default: ONLINE or
        ATTACHED.
    :param fail_on_blocked: Whether a blocked endpoint fails the wait at once (default True), unless that is
        the target or ``not_online_for`` is given.
    :param not_online_for: Instead of a target: hours (or a timedelta) without a data session, as the
        connectivity and the events of the endpoint say; at most 720, for emnify keeps events for 30 days.
        Takes two requests an endpoint that is not online.
    :returns: The connectivity of each endpoint, by id.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-connectivity-by-id-get
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    fail_on_blocked = Argument(parse_bool, templated=False)
    not_online_for = Argument(optional(parse_hours), templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        target_status: Target[Connectivity] = ("ONLINE", "ATTACHED"),
        fail_on_blocked: bool = True,
        not_online_for: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def wait(self) -> Wait:
        """Return the wait."""
        if self.not_online_for is not None:
            hours = {"hours": self.not_online_for}
            return self._make_wait("endpoint_silence", Silence.NOT_ONLINE, filters=hours)
        blocked_fails = self.fail_on_blocked and Connectivity.BLOCKED not in self.target_status
        failures = Connectivity.BLOCKED if blocked_fails else ()
        return self._make_wait(failures=failures)
