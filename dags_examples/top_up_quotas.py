"""Top up the data quota of devices that have used it up, every hour, within a bound a run.

A device that is blocked because its quota is exhausted gets ``megabytes`` more. More than ``most`` of them at
once is no top-up but a fault: the run fails and tells which, and nothing is written.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import AirflowFailException, Param, dag, task
from airflow_provider_emnify.api.enums import QuotaStatus
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.quota import EmnifyTopUpQuotaOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule="0 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "tag": Param("pump", type="string", description="Devices with this tag are looked after"),
        "megabytes": Param(50, type="number", exclusiveMinimum=0, description="How much more each one gets"),
        "most": Param(100, type="integer", minimum=1, description="More devices than this are a fault"),
    },
)
def top_up_quotas() -> None:
    @task
    def exhausted(params: dict[str, Any] | None = None) -> list[int]:
        """Find the devices whose quota is used up: one call a device."""
        given, found = params or {}, []
        with EmnifyHook() as hook:
            client = hook.get_conn()
            for device in client.endpoints.list(tags=given["tag"], status="enabled"):
                try:
                    quota = client.quotas.get_data(device["id"])
                except EmnifyNotFoundError:  # it has none
                    continue
                if QuotaStatus.parse(quota["status"]["id"]) is QuotaStatus.EXHAUSTED:
                    found.append(device["id"])
        log.info("%d devices have used up their quota", len(found))
        if len(found) > given["most"]:
            raise AirflowFailException(f"{len(found)} devices have used up their quota, e.g. {found[:10]}")
        return found

    EmnifyTopUpQuotaOperator(task_id="top_up", endpoint_ids=exhausted(), volume="{{ params.megabytes }}")


top_up_quotas()
