"""Sensors for SIMs: their status, and whether a batch can be registered."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import SimBatchState, SimStatus
from airflow_provider_emnify.arguments import NOT_GIVEN, Ids
from airflow_provider_emnify.hooks.selection import SelectsSims
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target


class EmnifySimStatusSensor(SelectsSims, EmnifyWaitSensor, kind="sim_status"):
    """Wait until SIMs have a status.

    It fails when a SIM is deleted (unless that is the target) or does not exist. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifySimStatusSensor(task_id="suspended", sim_ids=[7, 8], target_status="suspended")

    :param sim_ids: One id or many: ``7``, ``[7, 8]``, ``"7,8"``, ``"[7, 8]"`` (templated); or else
        ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsSims`.
    :param target_status: ``"activated"`` (default), ``"suspended"``, ``"issued"``, ``"factory_test"`` or
        ``"deleted"``; or several that will do (templated).
    :returns: The status of each SIM, by id.

    Vendor page: https://docs.emnify.com/developers/api/sim/sim-by-id-get
    """

    operator_extra_links = (EmnifySimsLink(),)

    keeps_rows = True

    def __init__(
        self,
        *,
        sim_ids: Ids | None = NOT_GIVEN,
        target_status: Target[SimStatus] = "activated",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())


class EmnifySimBatchSensor(EmnifyWaitSensor, kind="sim_batch", ids="bics"):
    """Wait until batches of SIMs can be registered, or are registered.

    It fails with emnify's reason when a code is invalid or unknown, and when a batch is registered already
    that was to be registrable. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifySimBatchSensor(task_id="arrived", bics="4423-8372-9182")

    :param bics: The code of one batch (BIC), or of many (templated).
    :param target_status: ``"registrable"`` (default) or ``"registered"``; or both (templated).
    :returns: The state of each batch, by code.

    Vendor page: https://docs.emnify.com/developers/api/sim/validate-sim-batch-by-bic
    """

    operator_extra_links = (EmnifySimsLink(),)

    def __init__(
        self, *, bics: Ids, target_status: Target[SimBatchState] = "registrable", **kwargs: Any
    ) -> None:
        self.init_task(locals())
