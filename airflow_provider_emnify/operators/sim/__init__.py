"""SIMs: status, registration, deletion, migration."""

from __future__ import annotations

from airflow_provider_emnify.operators.sim.migration import EmnifyMigrateSimsOperator
from airflow_provider_emnify.operators.sim.status import (
    EmnifyDeleteSimsOperator,
    EmnifyRegisterSimBatchOperator,
    EmnifySetSimStatusOperator,
)

__all__ = [
    "EmnifyDeleteSimsOperator",
    "EmnifyMigrateSimsOperator",
    "EmnifyRegisterSimBatchOperator",
    "EmnifySetSimStatusOperator",
]
