"""Onboard devices: create a user, create endpoints with SIMs, activate them, wait until they are online.

Run it as it is on the sandbox (``make demo``). On your own fleet, set the params to your own profiles, and
note that **an activated SIM bills**.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import islice
from typing import Any

from airflow_provider_emnify.airflow_names import AirflowFailException, Param, dag, task
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifySetEndpointStatusOperator,
)
from airflow_provider_emnify.operators.user import EmnifyCreateUserOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,  # runs that overlap on hosts which share no lock would create devices twice
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=2), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "devices": Param(
            3, type="integer", minimum=1, maximum=2000, description="How many endpoints to create"
        ),
        "service_profile_id": Param(1, type="integer", description="What the endpoints may do"),
        "tariff_profile_id": Param(1, type="integer", description="What their traffic costs"),
        "username": Param("operations@example.org", type="string", description="Who looks after them"),
    },
)
def onboard() -> None:
    create_user = EmnifyCreateUserOperator(
        task_id="create_user",
        username="{{ params.username }}",
        name="Fleet Operations",
        if_exists="skip",
    )
    read_user = EmnifyOperator(
        task_id="read_user",
        call="users.get",
        arguments={"user_id": create_user.output},
    )

    @task
    def pick_sims(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Take SIMs that no endpoint has yet, and plan an endpoint for each."""
        wanted = (params or {})["devices"]
        with EmnifyHook() as hook:
            sims = list(islice(hook.get_conn().sims.list(assigned=False, status="issued"), wanted))
        if len(sims) < wanted:
            raise AirflowFailException(f"{wanted} devices need as many free SIMs, and there are {len(sims)}")
        return [{"name": f"Tracker {sim['iccid']}", "sim_id": sim["id"]} for sim in sims]

    create_endpoints = EmnifyCreateEndpointsOperator(
        task_id="create_endpoints",
        endpoints=pick_sims(),
        service_profile_id="{{ params.service_profile_id }}",
        tariff_profile_id="{{ params.tariff_profile_id }}",
        status="disabled",
    )
    endpoint_ids = create_endpoints.output

    activate = EmnifySetEndpointStatusOperator(
        task_id="activate",
        endpoint_ids=endpoint_ids,
        status="enabled",
        sim_status="activated",
    )

    # Deferred: the waits take no worker slot, however long they last.
    wait_enabled = EmnifyEndpointStatusSensor(
        task_id="wait_enabled",
        endpoint_ids=endpoint_ids,
        target_status="enabled",
        deferrable=True,
        poke_interval=2,
        timeout=600,
    )
    wait_online = EmnifyEndpointConnectivitySensor(
        task_id="wait_online",
        endpoint_ids=endpoint_ids,
        target_status="ONLINE",
        deferrable=True,
        poke_interval=2,
        timeout=3600,
    )

    @task
    def report(user: dict[str, Any], endpoint_ids: list[int]) -> dict[str, Any]:
        """Read back what is there now."""
        with EmnifyHook() as hook:
            endpoints = hook.get_conn().endpoints
            rows = [
                {
                    "id": endpoint_id,
                    "name": endpoint["name"],
                    "status": endpoint["status"]["description"],
                    "connectivity": endpoints.connectivity(endpoint_id)["status"]["description"],
                }
                for endpoint_id in endpoint_ids
                for endpoint in [endpoints.get(endpoint_id)]
            ]
        log.info("User %s: %s", user["id"], user["username"])
        for row in rows:
            log.info("Endpoint %(id)s, %(name)s: %(status)s, %(connectivity)s", row)
        return {"user": {"id": user["id"], "username": user["username"]}, "endpoints": rows}

    read_user >> activate >> [wait_enabled, wait_online] >> report(read_user.output, endpoint_ids)


onboard()
