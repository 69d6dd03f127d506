"""Bring events into a data lake, every hour: Parquet, partitioned by day, in S3, GCS, Azure or on a disk.

A run writes the events between the end of the last one and its own: none is missing and none is there twice.
It waits in the triggerer until events that come late have arrived, an hour after its end. Its files
appear whole, with a manifest; when it is repeated, they are replaced. emnify keeps events for 30 days, so
this can begin a month ago.

To use it, give the param ``path`` the address of your lake (``s3://aws_default@my-lake/emnify/events``) as
its default, and unpause the DAG. It needs ``airflow-provider-emnify[parquet]``.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from tempfile import gettempdir
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator

log = logging.getLogger(__name__)


@dag(
    schedule="0 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "path": Param(f"file://{gettempdir()}/emnify-lake", type="string", description="Where the files go"),
        "start": Param("", type="string", description="Begin here instead, for example 2025-01-31T00:00Z"),
    },
)
def events_to_lake() -> None:
    events = EmnifyToObjectStorageOperator(
        task_id="events",
        stream="events",
        path="{{ params.path }}",
        format="parquet",
        compression="zstd",
        partition_by="timestamp:day",
        interval_start="{{ params.start }}",
        first_interval=timedelta(days=29),
        deferrable=True,
    )

    @task
    def report(manifest: dict[str, Any]) -> dict[str, Any]:
        """Tell what was written."""
        log.info("%(rows)s events from %(interval_start)s to %(interval_end)s", manifest)
        for file in manifest["files"]:
            log.info("%(path)s: %(rows)s rows, %(bytes)s bytes", file)
        return {name: manifest[name] for name in ("rows", "interval_start", "interval_end", "manifest")}

    report(events.output)


events_to_lake()
