"""Report on a fleet: endpoints by status, SIMs by status, and whether some endpoints are connected.

It reads and changes nothing. ``make live`` runs it on your own fleet.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from itertools import islice
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "look_up": Param(
            5, type="integer", minimum=0, maximum=100, description="How many endpoints to look up"
        ),
    },
)
def fleet_status() -> None:
    organisation = EmnifyOperator(task_id="organisation", call="organisations.my")

    @task
    def endpoints_by_status() -> dict[str, int]:
        """Count all endpoints. Rows arrive page by page and are not kept."""
        with EmnifyHook() as hook:
            return dict(Counter(row["status"]["description"] for row in hook.get_conn().endpoints.list()))

    @task
    def sims_by_status() -> dict[str, int]:
        """Count all SIMs: activated ones bill."""
        with EmnifyHook() as hook:
            return dict(Counter(row["status"]["description"] for row in hook.get_conn().sims.list()))

    @task
    def connectivity_of_the_newest(params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Ask whether the newest few enabled endpoints are connected: lists begin with the newest."""
        wanted = (params or {})["look_up"]
        with EmnifyHook() as hook:
            endpoints = hook.get_conn().endpoints
            rows = islice(endpoints.list(status="enabled", per_page=100), wanted)
            return [
                {
                    "id": row["id"],
                    "name": row["name"],
                    "connectivity": endpoints.connectivity(row["id"])["status"]["description"],
                }
                for row in rows
            ]

    @task
    def report(
        organisation: dict[str, Any],
        endpoints: dict[str, int],
        sims: dict[str, int],
        connectivity: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Put it all together."""
        log.info("Fleet of %s", organisation["name"])
        log.info("Endpoints: %s", endpoints or "none")
        log.info("SIMs: %s", sims or "none")
        for row in connectivity:
            log.info("Endpoint %(id)s, %(name)s: %(connectivity)s", row)
        return {
            "organisation": organisation["name"],
            "endpoints": endpoints,
            "sims": sims,
            "connectivity": connectivity,
        }

    endpoints, sims, connectivity = endpoints_by_status(), sims_by_status(), connectivity_of_the_newest()
    # One task goes ahead: a token that is rejected is then tried once, and not by three tasks in a row.
    organisation >> [endpoints, sims, connectivity]
    report(organisation.output, endpoints, sims, connectivity)


fleet_status()
