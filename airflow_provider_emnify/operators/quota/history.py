"""What emnify's events say of a quota: to what it was set each time, and what was added with that."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_emnify.api.resources.operation import BEGINNING

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient

_ASSIGNED = {"data": 56, "sms": 58}  # emnify's event types
_AHEAD = timedelta(days=1)  # of a worker's clock that is slow


class Assigned(NamedTuple):
    """What a quota was set to, and the volume that was added with that; None where emnify does not say."""

    volume: float | None
    added: float | None

    def lacks(self, volume: float, before: float | None) -> bool:
        """Tell whether it was set by someone who did not know of a volume that was added before.

        Someone who knew has added to the whole of it, less what was used in between. Someone who did not has
        added to what there was before it. What cannot be told is taken for the latter.

        :param volume: What was added before.
        :param before: What there was with it.
        """
        if before is None or self.volume is None or self.added is None:
            return True
        return round(before + self.added - self.volume, 6) >= volume


def assigned_of(row: Any) -> Assigned:
    """Return what a quota says, or the detail of an event, which emnify writes as an object or a text."""
    if isinstance(row, str):
        try:
            row = json.loads(row)
        except ValueError:
            row = None
    row = row if isinstance(row, dict) else {}
    return Assigned(_number(row.get("volume")), _number(row.get("last_volume_added")))


def read_assigned(client: EmnifyClient, quota_type: str, endpoint_id: int, since: datetime) -> list[Assigned]:
    """Return each time that the quota of an endpoint was set since then, the earliest first."""
    events = client.endpoints.events(
        endpoint_id, type=_ASSIGNED[quota_type], from_=since, until=datetime.now(UTC) + _AHEAD
    )
    return [assigned_of(event.get("detail")) for event in islice(events, BEGINNING)][::-1]


def _number(value: Any) -> float | None:
    try:
        return round(float(value), 6)
    except (TypeError, ValueError):
        return None
