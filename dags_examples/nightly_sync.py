"""Sync inventory and usage into a database, every night: SQLite, PostgreSQL, whatever Airflow has a hook for.

Inventory tables hold what there is now; they are replaced in one transaction, so that nobody sees half of
them. Usage tables grow: days that are complete are added, and the last ones are read again, because emnify
still corrects them. Clear a task, run it twice, backfill it: the rows are the same.

To use it, add a connection ``emnify_warehouse`` to your database, and unpause the DAG.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator

log = logging.getLogger(__name__)

INVENTORY = ("sims", "users", "tags", "service_profiles", "tariff_profiles", "inclusive_volumes")
USAGE = ("organisation_usage_daily", "organisation_usage_monthly", "workspace_usage_daily")


@dag(
    schedule="0 3 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "sql_conn_id": Param("emnify_warehouse", type="string", description="Connection to the database"),
    },
)
def nightly_sync() -> None:
    def sync(stream: str, mode: str) -> EmnifyToSqlOperator:
        return EmnifyToSqlOperator(
            task_id=stream,
            stream=stream,
            sql_conn_id="{{ params.sql_conn_id }}",
            mode=mode,
            first_interval=timedelta(days=30),
        )

    @task
    def report(synced: list[dict[str, Any]]) -> dict[str, int]:
        """Tell how many rows each table got."""
        for table in synced:
            log.info("%(table)s: %(rows)s rows read, %(changed)s changed", table)
        return {table["table"]: table["rows"] for table in synced}

    # One task goes ahead: a token that is rejected is then tried once, and not by all of them.
    first = sync("endpoints", "replace")
    others = [sync(stream, "replace") for stream in INVENTORY]
    others += [sync(stream, "merge") for stream in USAGE]
    first >> others
    report([each.output for each in (first, *others)])


nightly_sync()
