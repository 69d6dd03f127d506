"""A table says how the fleet shall be; every night the fleet becomes that, once a person has said so.

The table ``emnify_fleet`` has a row for each device. What a cell does not say stays as it is, so the table
can begin small: an ICCID and a name. A SIM that no device has is created as one; it needs the profiles then.
``activate_on`` and ``suspend_on`` are carried out by the run of that day. Rows that are wrong are left out,
and the plan names them with their reason. A device that is not in the table is left alone.

* **An activated SIM is billed from then on**, also on a disabled endpoint: the plan says how many these are.
* **A suspended SIM is free from the next month on only.**

The run writes its plan as a file below ``plans`` (with several workers, give an object storage that all of
them reach) and asks a person in Airflow's UI (*Required Actions*), on Airflow 3.1 and later; before, it ends
with the plan. What became of each device is in a file beside the plan, how many in the table
``emnify_fleet_report``. To use it, add a connection ``emnify_warehouse`` to a database, fill the table, and
unpause the DAG.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import AirflowOptionalProviderFeatureException, Param, dag, task
from airflow_provider_emnify.operators.fleet import EmnifyApplyFleetOperator, EmnifyPlanFleetOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.transfers.sql import sql_hook

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):  # before Airflow 3.1
    ApprovalOperator = None

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS emnify_fleet (
        iccid VARCHAR(20) NOT NULL, name VARCHAR(250), status VARCHAR(20), sim_status VARCHAR(20),
        service_profile VARCHAR(250), tariff_profile VARCHAR(250), tags VARCHAR(1000),
        activate_on DATE, suspend_on DATE
    )""",
    """
    CREATE TABLE IF NOT EXISTS emnify_fleet_report (
        run_id VARCHAR(250) NOT NULL, done INTEGER, skipped INTEGER, refused INTEGER, not_known INTEGER,
        bad_rows INTEGER, result VARCHAR(1000)
    )""",
)


@dag(
    schedule="0 5 * * *",
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
        "plans": Param(
            f"file://{tempfile.gettempdir()}/emnify-fleet", type="string", description="Directory for plans"
        ),
    },
)
def fleet_from_table() -> None:
    @task
    def tables(params: Any = None) -> None:
        """Make the tables, if they are not there."""
        for statement in TABLES:
            sql_hook(params["sql_conn_id"]).run(statement)

    plan = EmnifyPlanFleetOperator(
        task_id="plan",
        sql_conn_id="{{ params.sql_conn_id }}",
        sql="SELECT * FROM emnify_fleet",
        plan_path="{{ params.plans }}/{{ run_id | replace(':', '') }}.jsonl",
        on_bad_rows="skip",
    )
    tables() >> plan
    if ApprovalOperator is None:
        return

    @task.short_circuit
    def changes(plan: dict[str, Any]) -> int:
        """Go on only if there is something to approve."""
        return int(plan["changes"])

    approve = ApprovalOperator(
        task_id="approve",
        subject="{{ ti.xcom_pull(task_ids='plan')['summary'] }}: carry it out?",
        body="""\
The first of each kind; all of them are in {{ ti.xcom_pull(task_ids='plan')['path'] }}.

{% for kind, devices in ti.xcom_pull(task_ids='plan')['first'].items() %}
**{{ kind }}** ({{ ti.xcom_pull(task_ids='plan')['counts'][kind] }})
{% for device in devices %}
* {{ device }}
{% endfor %}
{% endfor %}
""",
    )
    apply = EmnifyApplyFleetOperator(task_id="apply", plan=plan.output, on_drift="skip", fail_on_error=False)

    @task
    def report(
        plan: dict[str, Any], result: dict[str, Any], run_id: Any = None, params: Any = None
    ) -> dict[str, Any]:
        """Put what was done into the report table."""
        hook = sql_hook(params["sql_conn_id"])
        hook.run(
            f"DELETE FROM emnify_fleet_report WHERE run_id = {hook.placeholder}",  # noqa: S608
            parameters=(run_id,),
        )
        counts = [result[name] for name in ("done", "skipped", "refused", "unknown")]
        row = (run_id, *counts, plan["counts"]["refuse"], result["path"])
        hook.insert_rows("emnify_fleet_report", [row])
        return result

    changes(plan.output) >> approve >> apply >> report(plan.output, apply.output)


fleet_from_table()
