"""Sensors for operations on eUICCs and SIMs: whether they are over, and how they ended."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.arguments import Ids
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifyEuiccOperationSensor(EmnifyWaitSensor, kind="euicc_operation", ids="operation_ids"):
    """Wait until operations on eUICCs (download, enable, disable or delete a profile) have succeeded.

    That can take a day. It fails with emnify's reason when one fails, and when it does not exist. All
    parameters of :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``,
    ``deferrable``, ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``,
    ``emnify_conn_id``.

    .. code-block:: python

        EmnifyEuiccOperationSensor(task_id="enabled", operation_ids="7/5f1c", deferrable=True)

    :param operation_ids: The ids of eUICC and operation, one pair or many: ``"7/5f1c"``, ``[[7, "5f1c"]]``
        (templated).
    :returns: The state of each operation, by pair.

    Vendor page: https://docs.emnify.com/developers/api/euicc-operation/get-operation
    """

    operator_extra_links = (EmnifySimsLink(),)

    target_status = OperationState.SUCCEEDED

    def __init__(self, *, operation_ids: Ids, **kwargs: Any) -> None:
        self.init_task(locals())


class EmnifySimOperationSensor(EmnifyWaitSensor, kind="sim_operation", ids="operation_ids"):
    """Wait until SIM operations have succeeded.

    It fails with the reasons of those SIMs that failed when an operation fails, in whole or (unless that will
    do) in part, and when it does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifySimOperationSensor(task_id="done", operation_ids="{{ ti.xcom_pull('begin') }}")

    :param operation_ids: One id or many (templated).
    :param target_status: ``"succeeded"`` (default), or also ``"partly_failed"``, or both (templated).
    :returns: The state of each operation, by id.

    Vendor page: https://docs.emnify.com/developers/api/sim-operation/get-sim-operation
    """

    operator_extra_links = (EmnifySimsLink(),)

    def __init__(
        self, *, operation_ids: Ids, target_status: Target[OperationState] = "succeeded", **kwargs: Any
    ) -> None:
        self.init_task(locals())
