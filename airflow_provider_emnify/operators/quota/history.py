"""What emnify's events say of a quota: to what it was set each time, and what was added with that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.transport.answers import decimal
from airflow_provider_emnify.api.transport.recover import BEGINNING
from airflow_provider_emnify.api.types import Row, Rows

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient

_ASSIGNED = {"data": 56, "sms": 58}  # emnify's event types
_AHEAD = timedelta(days=1)  # of a worker's clock that is slow


def read_assigned(client: EmnifyClient, quota_type: str, endpoint_id: int, since: datetime) -> Rows:
    """Return each time that the quota of an endpoint was set since then, the latest first.

    :returns: Rows with ``id``, ``created``, and what the quota was set to, as far as the event tells it:
        ``volume`` and ``last_volume_added``.
    """
    events = client.endpoints.events(
        endpoint_id, type=_ASSIGNED[quota_type], from_=since, until=datetime.now(UTC) + _AHEAD
    )
    return [
        {**_detail(event.get("detail")), "id": event["id"], "created": event.get("timestamp")}
        for event in islice(events, BEGINNING)
    ]


def volumes_of(row: Row) -> tuple[float | None, float | None]:
    """Return the volume of a quota and the volume that was added last; None for what it does not tell."""
    volume, added = decimal(row, "volume"), decimal(row, "last_volume_added")
    return None if volume is None else round(volume, 6), None if added is None else round(added, 6)


def _detail(value: Any) -> Row:
    """Return the detail of an event, which emnify writes as an object or a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return value if isinstance(value, dict) else {}
