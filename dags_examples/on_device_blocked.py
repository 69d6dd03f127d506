"""React to devices that emnify blocks, within a minute and without a schedule.

Needs Airflow 3; on 2.11 this file has no DAG, and is no import error.

An asset watcher in the triggerer reads emnify's events. An event "Endpoint blocked" (a traffic limit has been
exceeded) becomes an event of the asset ``emnify_device_blocked``, and that starts this DAG. It looks up what
it is about and reports it; put a message to the device's owner in its place, or a higher limit.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import DAG, Asset, task
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY
from airflow_provider_emnify.triggers.event import EmnifyEventTrigger

try:
    from airflow.sdk import AssetWatcher
except ImportError:  # Airflow 2
    AssetWatcher = None


@task
def blocked_devices(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
    """Take the events from what has started this run: each device once. A manual run has none."""
    events = [event.extra["payload"] for event in triggering_asset_events.get(blocked, ())]
    return list({event["endpoint"]["id"]: event for event in events}.values())


@task
def report(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell which devices are blocked, since when and why, and whether they still are."""
    with EmnifyHook() as hook:
        endpoints = hook.get_conn().endpoints
        return [
            {
                "id": event["endpoint"]["id"],
                "name": event["endpoint"]["name"],
                "since": event["timestamp"],
                "why": event["description"],
                "connectivity": endpoints.connectivity(event["endpoint"]["id"])["status"]["description"],
            }
            for event in events
        ]


if AssetWatcher is None:
    logging.getLogger(__name__).info("on_device_blocked needs Airflow 3: skipped")
else:
    watcher = AssetWatcher(
        name="blocked", trigger=EmnifyEventTrigger(event_type="Endpoint blocked", poll_interval=60)
    )
    blocked = Asset("emnify_device_blocked", watchers=[watcher])

    retries = {"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY}
    with DAG(
        "on_device_blocked",
        schedule=[blocked],
        catchup=False,
        default_args=retries,
        doc_md=__doc__,
        tags=["emnify"],
    ):
        report(blocked_devices())
