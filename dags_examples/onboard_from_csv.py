"""Onboard the devices of a CSV file with the columns ``name``, ``iccid`` and ``tags``.

A row that is wrong (an ICCID that is not the organisation's, or twice in the file) refuses the file before
anything is created. Run it again after a correction: what is there already is not created a second time.
**An activated SIM bills.** The params begin with what fits the sandbox; set them to your own.
"""

from __future__ import annotations

import csv
import logging
from collections import Counter
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import (
    AirflowFailException,
    ObjectStoragePath,
    Param,
    dag,
    task,
)
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifySetEndpointStatusOperator,
)
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointConnectivitySensor

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "path": Param(
            "file:///tmp/devices.csv", type="string", description="The file, also s3://, gs://, ..."
        ),
        "service_profile_id": Param(1, type="integer", description="What the endpoints may do"),
        "tariff_profile_id": Param(1, type="integer", description="What their traffic costs"),
        "seconds": Param(3600, type="integer", description="How long to wait for them to be online"),
    },
)
def onboard_from_csv() -> None:
    @task
    def read_devices(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Read the file, and find the SIM of each ICCID (19 digits, or 20 with the Luhn digit)."""
        path = ObjectStoragePath((params or {})["path"])
        with path.open("rb") as file:
            rows = list(csv.DictReader(file.read().decode("utf-8-sig").splitlines()))
        iccids = [str(row["iccid"]).strip()[:19] for row in rows]
        twice = [iccid for iccid, count in Counter(iccids).items() if count > 1]
        with EmnifyHook() as hook:
            sims = {str(sim["iccid"])[:19]: sim["id"] for sim in hook.get_conn().sims.list()}
        unknown = [iccid for iccid in iccids if iccid not in sims]
        if twice or unknown:
            raise AirflowFailException(
                f"{path}: ICCIDs that are unknown: {unknown}; twice in the file: {twice}"
            )
        return [
            {"name": row["name"], "sim_id": sims[iccid], "tags": row["tags"]}
            for row, iccid in zip(rows, iccids, strict=True)
        ]

    create = EmnifyCreateEndpointsOperator(
        task_id="create",
        endpoints=read_devices(),
        service_profile_id="{{ params.service_profile_id }}",
        tariff_profile_id="{{ params.tariff_profile_id }}",
        status="disabled",
    )
    activate = EmnifySetEndpointStatusOperator(
        task_id="activate", endpoint_ids=create.output, status="enabled", sim_status="activated"
    )
    online = EmnifyEndpointConnectivitySensor(
        task_id="wait_online",
        endpoint_ids=create.output,
        deferrable=True,
        poke_interval=30,
        timeout=3600,
    )
    activate >> online


onboard_from_csv()
