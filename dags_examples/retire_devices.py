"""Retire devices: disable them, suspend their SIMs, and delete the endpoints, once a person has confirmed it.

Everything is found by the tag ``retire`` unless the run names other tags. A suspended SIM is free from the
next month on. Deleting cannot be undone, so it needs the param ``confirm``; without it the run ends with the
devices disabled and their SIMs suspended, which can be taken back.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.endpoint import (
    EmnifyDeleteEndpointsOperator,
    EmnifySetEndpointStatusOperator,
)
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "tag": Param("retire", type="string", description="Devices with this tag are retired"),
        "confirm": Param(False, type="boolean", description="Delete them too, which cannot be undone"),
    },
)
def retire_devices() -> None:
    @task
    def find(params: dict[str, Any] | None = None) -> list[int]:
        """Find the devices by their tag."""
        with EmnifyHook() as hook:
            found = [row["id"] for row in hook.get_conn().endpoints.list(tags=(params or {})["tag"])]
        log.info("%d devices are to be retired", len(found))
        return found

    devices = find()
    disable = EmnifySetEndpointStatusOperator(
        task_id="disable", endpoint_ids=devices, status="disabled", sim_status="suspended"
    )

    @task.short_circuit
    def confirmed(params: dict[str, Any] | None = None) -> bool:
        """Go on only where the run says so."""
        return bool((params or {})["confirm"])

    delete = EmnifyDeleteEndpointsOperator(
        task_id="delete", endpoint_ids=devices, sims="suspend", confirm=True
    )
    disable >> confirmed() >> delete


retire_devices()
