"""eSIM and SIM operations."""

from __future__ import annotations

from airflow_provider_emnify.operators.euicc.operation import EmnifyEuiccOperationOperator
from airflow_provider_emnify.operators.euicc.sim_operation import EmnifySimOperationOperator

__all__ = [
    "EmnifyEuiccOperationOperator",
    "EmnifySimOperationOperator",
]
