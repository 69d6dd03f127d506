"""Sensors for SMS: whether they were delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import SmsStatus
from airflow_provider_emnify.api.values import parse_pairs
from airflow_provider_emnify.arguments import Argument
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, states

if TYPE_CHECKING:
    from airflow_provider_emnify.arguments import Ids
    from airflow_provider_emnify.sensors.base import Target


class EmnifySmsDeliverySensor(EmnifyWaitSensor):
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

    template_fields = ("emnify_conn_id", "sms_ids", "target_status")
    operator_extra_links = (EmnifyDevicesLink(),)

    kind = "sms_delivery"
    sms_ids = Argument(parse_pairs)
    target_status = Argument(states(SmsStatus))

    def __init__(
        self, *, sms_ids: Ids, target_status: Target[SmsStatus] = "delivered", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sms_ids = sms_ids
        self.target_status = target_status
