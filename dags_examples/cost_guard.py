"""Find SIMs that cost more than they should, and suspend them once a person has said so.

What emnify bills, and what follows from it:

* **An activated SIM is billed, also on a disabled endpoint**: endpoint and SIM have a status each. Here these
  SIMs are reported as ``disabled endpoint``.
* **An activated SIM is billed, also if it never connects.** One that is active for a week, is not attached
  now, and has had no event on any network in the 30 days that emnify keeps, is ``never connected``.
* **A suspended SIM is free from the next month on only**, and a month is billed by the most SIMs that were
  active at the same time: suspending late in a month saves in the next one.
* Traffic is billed by use: endpoints above ``daily_megabytes`` on the last whole day are ``high usage``. They
  are reported and never suspended.
* A SIM in factory test becomes activated, and is billed from then on, when the status of its endpoint is
  changed or its connectivity is reset. Neither is done here.

The report is the table ``emnify_cost_report``. On Airflow 3.1 and later, the suspension waits up to 20 hours
for a person to approve it in the UI (*Required Actions*); before, the DAG ends with the report. To use it,
add a connection ``emnify_warehouse`` to a database, and unpause the DAG.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import AirflowOptionalProviderFeatureException, Param, dag, task
from airflow_provider_emnify.operators.sim import EmnifySetSimStatusOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator, sql_hook

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):  # before Airflow 3.1
    ApprovalOperator = None

log = logging.getLogger(__name__)

# Plain SQL, for any database. A week ago is bound: databases do not agree on how to say it.
FINDINGS = {
    "disabled endpoint": """
        SELECT s.id, s.iccid, e.id, e.name, NULL
        FROM emnify_sims s JOIN emnify_endpoints e ON e.sim_id = s.id
        WHERE s.status = 'Activated' AND e.status = 'Disabled'""",
    "never connected": """
        SELECT s.id, s.iccid, e.id, e.name, NULL
        FROM emnify_sims s LEFT JOIN emnify_endpoints e ON e.sim_id = s.id
        WHERE s.status = 'Activated' AND s.activation_date < {place} AND e.msc IS NULL AND e.sgsn IS NULL
        AND NOT EXISTS (SELECT 1 FROM emnify_events v WHERE v.sim_id = s.id AND v.source = 'Network')""",
    "high usage": """
        SELECT e.sim_id, e.sim_iccid, e.id, e.name, u.data_volume
        FROM emnify_endpoint_usage_daily u JOIN emnify_endpoints e ON e.id = u.endpoint_id
        WHERE u.date = (SELECT MAX(date) FROM emnify_endpoint_usage_daily) AND u.data_volume > {place}""",
}
REPORT = """
    CREATE TABLE IF NOT EXISTS emnify_cost_report (
        run_id VARCHAR(250) NOT NULL, reason VARCHAR(50) NOT NULL, sim_id BIGINT, iccid VARCHAR(30),
        endpoint_id BIGINT, endpoint VARCHAR(250), megabytes DECIMAL(20, 6)
    )"""


@dag(
    schedule="0 6 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=True,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=20),  # also of one whose question nobody answers: the next one asks again
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "sql_conn_id": Param("emnify_warehouse", type="string", description="Connection to the database"),
        "daily_megabytes": Param(500, type="number", minimum=0, description="More in a day is reported"),
        "max_calls": Param(2000, type="integer", minimum=1, description="Calls that usage may take"),
    },
)
def cost_guard() -> None:
    warehouse: dict[str, Any] = {"sql_conn_id": "{{ params.sql_conn_id }}"}
    month: dict[str, Any] = {"first_interval": timedelta(days=29)}
    endpoints = EmnifyToSqlOperator(task_id="endpoints", stream="endpoints", mode="replace", **warehouse)
    sims = EmnifyToSqlOperator(task_id="sims", stream="sims", mode="replace", **warehouse)
    events = EmnifyToSqlOperator(task_id="events", stream="events", **warehouse, **month)
    usage = EmnifyToSqlOperator(
        task_id="usage",
        stream="endpoint_usage_daily",
        filters={"status": "enabled"},
        first_interval=timedelta(days=1),
        max_calls="{{ params.max_calls }}",  # one call an endpoint
        **warehouse,
    )

    @task
    def report(run_id: Any = None, params: Any = None) -> list[dict[str, Any]]:
        """Put all findings of this run into the report table; return the SIMs that could be suspended."""
        hook = sql_hook(params["sql_conn_id"])
        week_ago = (datetime.now(UTC) - timedelta(days=7)).isoformat(" ", "microseconds")
        values: dict[str, Any] = {"never connected": week_ago, "high usage": params["daily_megabytes"]}
        place = hook.placeholder
        found = []
        for reason, query in FINDINGS.items():
            bound = (values[reason],) if reason in values else None
            rows = hook.get_records(query.format(place=place), parameters=bound)
            log.info("%s: %d", reason, len(rows))
            found += [(run_id, reason, *row) for row in rows]
        hook.run(REPORT)
        hook.run(f"DELETE FROM emnify_cost_report WHERE run_id = {place}", parameters=(run_id,))  # noqa: S608
        if found:
            hook.insert_rows("emnify_cost_report", found)
        return [
            {"sim_id": sim_id, "iccid": iccid, "reason": reason}
            for _, reason, sim_id, iccid, *_ in found
            if reason != "high usage"
        ]

    findings = report()
    endpoints >> [sims, events, usage] >> findings
    if ApprovalOperator is None:
        return

    @task.short_circuit
    def sims_to_suspend(findings: list[dict[str, Any]]) -> list[int]:
        """Go on only if there is something to approve."""
        return sorted({finding["sim_id"] for finding in findings})

    to_suspend = sims_to_suspend(findings)
    approve = ApprovalOperator(
        task_id="approve",
        subject="Suspend {{ ti.xcom_pull(task_ids='sims_to_suspend') | length }} SIMs?",
        body="""\
These SIMs are active, and billed, without being of use. A suspended SIM is free from the next month on.

{% for finding in ti.xcom_pull(task_ids='report') %}
* SIM {{ finding.sim_id }} ({{ finding.iccid }}): {{ finding.reason }}
{% endfor %}
""",
    )
    suspend = EmnifySetSimStatusOperator(task_id="suspend", sim_ids=to_suspend, status="suspended")
    to_suspend >> approve >> suspend


cost_guard()
