"""Quotas of a fleet, for the tests of their operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.operators.quota import EmnifySetQuotaOperator
from airflow_provider_emnify.sandbox.world import quotas
from tests.fleets import ids_of

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

DATA = "/api/v1/endpoint/{endpoint_id}/quota/data"
KINDS = pytest.mark.parametrize("kind", ["data", "sms"])


def in_days(fleet: Sandbox, days: float) -> datetime:
    return datetime.fromtimestamp(fleet.clock.time(), UTC) + timedelta(days=days)


def left(fleet: Sandbox, kind: str = "data") -> list[float]:
    return [
        fleet.state.quotas[key, kind].volume for key in ids_of(fleet) if (key, kind) in fleet.state.quotas
    ]


def set_quota(fleet: Sandbox, kind: str = "data", **arguments: Any) -> EmnifySetQuotaOperator:
    shared = {"endpoint_ids": ids_of(fleet), "volume": 500, "expiry_date": in_days(fleet, 30)}
    return EmnifySetQuotaOperator(
        task_id="t", **{**shared, "quota_type": kind, "threshold_percentage": 10, **arguments}
    )


def use(fleet: Sandbox, volume: float, kind: Any = "data") -> None:
    endpoint = fleet.state.endpoints[ids_of(fleet)[0]]
    quotas.consume(fleet.state, endpoint, kind, volume)
