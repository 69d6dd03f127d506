"""Send a text to all devices with a tag, wait for its delivery, and report which have not got it.

**Each part of a text bills.** Devices that are switched off get it when they are back, until it expires.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import Param, dag, task
from airflow_provider_emnify.api.enums import SmsStatus
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

log = logging.getLogger(__name__)


@dag(
    schedule=None,
    max_active_runs=1,
    tags=["emnify"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY},
    doc_md=__doc__,
    params={
        "tag": Param("pump", type="string", description="Devices with this tag get the text"),
        "text": Param("reboot", type="string", description="What they are sent"),
    },
)
def sms_campaign() -> None:
    @task
    def find(params: dict[str, Any] | None = None) -> list[int]:
        """Find the devices by their tag."""
        with EmnifyHook() as hook:
            return [row["id"] for row in hook.get_conn().endpoints.list(tags=(params or {})["tag"])]

    send = EmnifySendSmsOperator(
        task_id="send",
        endpoint_ids=find(),
        text="{{ params.text }}",
        wait_for_completion=True,
        deferrable=True,
        poll_interval=30,
        timeout=timedelta(hours=6),
    )

    @task(trigger_rule="all_done")
    def report(sent: dict[str, list[int]] | None) -> dict[str, list[str]]:
        """Tell which devices have it, whether the wait has ended well or not."""
        states: dict[str, list[str]] = {}
        with EmnifyHook() as hook:
            for endpoint_id, sms_ids in (sent or {}).items():
                rows = [hook.get_conn().sms.get(int(endpoint_id), sms_id) for sms_id in sms_ids]
                whole = all(SmsStatus.parse(row["status"]["id"]) is SmsStatus.DELIVERED for row in rows)
                states.setdefault("delivered" if whole else "not delivered", []).append(endpoint_id)
        log.info("%s", {state: len(devices) for state, devices in states.items()})
        return states

    report(send.output)


sms_campaign()
