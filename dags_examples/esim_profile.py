"""Carry out an eSIM operation on eUICCs, for example enable a profile, and report what came of it.

An operation can take a day, for the device has to be online: the task is deferred. One that is open already
on an eUICC is shared, not begun a second time.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "euicc_ids": Param([1], type="array", items={"type": "integer"}, description="The eUICCs"),
        "action": Param(
            "Audit eUICC", type="string", description="As client.euiccs.operation_actions() has it"
        ),
    },
)
def esim_profile() -> None:
    operate = EmnifyEuiccOperationOperator(
        task_id="operate",
        euicc_ids="{{ params.euicc_ids }}",
        action="{{ params.action }}",
        wait_for_completion=True,
        fail_on_error=False,
        deferrable=True,
        poll_interval=60,
        timeout=timedelta(days=2),
    )

    @task
    def report(result: dict[str, Any]) -> dict[str, Any]:
        """Tell how many have succeeded, and why others have not."""
        log.info("%d succeeded", result["succeeded"])
        for eid, reason in result["failed"].items():
            log.warning("eUICC %s: %s", eid, reason)
        return result

    report(operate.output)


esim_profile()
