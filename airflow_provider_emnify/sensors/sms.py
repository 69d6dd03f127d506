"""Sensors for SMS: whether they were delivered, and whether a device has sent one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_emnify.airflow_names import XComArg
from airflow_provider_emnify.api.enums import SmsReply, SmsStatus
from airflow_provider_emnify.api.values import parse_moment
from airflow_provider_emnify.api.waits.sms_replies import parse_pattern
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, optional
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifySmsDeliverySensor(EmnifyWaitSensor, kind="sms_delivery", ids="sms_ids"):
    """Wait until SMS are delivered.

    It fails with the network's reason when one fails, expires or is cancelled (unless that is the target),
    and when it does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifySmsDeliverySensor(task_id="delivered", sms_ids="{{ ti.xcom_pull('reboot') }}", timeout=3600)

    :param sms_ids: The SMS (templated): what
        :class:`~airflow_provider_emnify.operators.sms.EmnifySendSmsOperator` returned, or pairs of the ids of
        endpoint and SMS: ``"7/12"``, ``["7/12", "8/13"]``.
    :param target_status: ``"delivered"`` (default), or another status or several that will do, for example
        ``["delivered", "buffered"]`` (templated).
    :returns: The status of each SMS, by pair: ``{"7/12": "Delivered"}``.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-endpoint-id-and-sms-id-get
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    def __init__(
        self, *, sms_ids: Ids, target_status: Target[SmsStatus] = "delivered", **kwargs: Any
    ) -> None:
        self.init_task(locals())


class EmnifySmsReplySensor(SelectsEndpoints, EmnifyWaitSensor, kind="sms_reply"):
    r"""Wait until a device has sent an SMS, by reading the list of its SMS.

    One request for each device and look. Where emnify can call Airflow, its callbacks start a DAG in a second
    without any. A long SMS counts once all its parts are there. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifySmsReplySensor(task_id="reply", endpoint_ids=7, matches=r"BATTERY \d+", deferrable=True)

    :param endpoint_ids: One id or many, each of which (see ``wait_for``) is to send an SMS (templated); or
        else ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param since: From when on, a datetime or ISO 8601, in UTC unless it says otherwise (templated). Default:
        the start of the DAG run.
    :param matches: A regular expression that the text holds (templated). Default: any text.
    :returns: The text of the first such SMS, by endpoint id.
    :raises ValueError: when the DAG is parsed, for an argument that makes no sense.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-id-get
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    target_status = SmsReply.REPLIED
    since = Argument(optional(parse_moment))
    matches = Argument(optional(parse_pattern))

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        since: datetime | str | XComArg | None = None,
        matches: str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def wait(self) -> Wait:
        """Return the wait."""
        run = self._context.get("dag_run")
        start = getattr(run, "start_date", None) or getattr(run, "run_after", None)
        filters = {"since": self.since or start}
        if self.matches is not None:
            filters["matches"] = self.matches
        return self._make_wait(filters=filters)
