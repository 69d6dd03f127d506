"""A device sends an SMS, and a DAG starts: it answers, and opens a report.

Needs Airflow 3, whose API server takes what emnify sends; on 2.11 this file has no DAG, and is no import
error.

A device texts ``BATTERY 12``. emnify calls ``/emnify/callbacks/emnify_default/sms``, which makes the SMS an
event of the asset ``emnify://emnify_default/sms``, and that starts this DAG a second later. Devices whose
battery is low get an answer by SMS, and stand in a report; put a ticket of your own system in its place.

Needed once: ``[emnify] callbacks = emnify_default`` in Airflow's configuration, and an API secret as the
extra ``api_secret`` of the connection, which ``EmnifySetUpCallbacksOperator`` makes known to emnify.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from airflow_provider_emnify.airflow_names import DAG, task
from airflow_provider_emnify.assets import emnify_asset
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY

LOW = 20  # per cent
EMNIFY = "emnify_default"


@task
def low_batteries(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
    """Take the SMS from what has started this run: of each device the last. A manual run has none."""
    last: dict[int, dict[str, Any]] = {}
    for event in triggering_asset_events.get(texts, ()):
        sms = event.extra
        said = re.fullmatch(r"BATTERY (\d{1,3})", sms["text"].strip(), re.IGNORECASE)
        if said and int(said[1]) <= LOW:
            last[sms["endpoint"]["id"]] = {
                "id": sms["endpoint"]["id"],
                "name": sms["endpoint"]["name"],
                "battery": int(said[1]),
                "sent": sms["submit_date"],
            }
    return list(last.values())


@task
def answers(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say what each device is told."""
    return [
        {"endpoint_ids": [one["id"]], "text": f"OK {one['battery']}, service is coming"} for one in devices
    ]


@task
def open_report(devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell a person which devices need a new battery."""
    for one in devices:
        logging.getLogger(__name__).warning("%(name)s (%(id)s): battery at %(battery)s %%", one)
    return devices


if find_spec("airflow.sdk") is None:  # Airflow 2
    logging.getLogger(__name__).info("on_device_sms needs Airflow 3: skipped")
else:
    texts = emnify_asset("sms", EMNIFY)

    retries = {"retries": 2, "retry_delay": timedelta(seconds=30), "retry_policy": EMNIFY_RETRY_POLICY}
    with DAG(
        "on_device_sms",
        schedule=[texts],
        catchup=False,
        default_args=retries,
        doc_md=__doc__,
        tags=["emnify"],
    ):
        low = low_batteries()
        EmnifySendSmsOperator.partial(
            task_id="answer",
            emnify_conn_id=EMNIFY,
            map_index_template="endpoint {{ task.endpoint_ids | join }}",  # its name on Airflow's page
        ).expand_kwargs(answers(low))
        open_report(low)
