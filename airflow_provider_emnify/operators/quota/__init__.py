"""Data and SMS quotas, top-ups and traffic limits."""

from __future__ import annotations

from airflow_provider_emnify.operators.quota.set import EmnifyClearQuotaOperator, EmnifySetQuotaOperator
from airflow_provider_emnify.operators.quota.top_up import EmnifyTopUpQuotaOperator
from airflow_provider_emnify.operators.quota.traffic_limit import (
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyExtendTrafficLimitOperator,
)

__all__ = [
    "EmnifyClearQuotaOperator",
    "EmnifyClearTrafficLimitExtensionsOperator",
    "EmnifyExtendTrafficLimitOperator",
    "EmnifySetQuotaOperator",
    "EmnifyTopUpQuotaOperator",
]
