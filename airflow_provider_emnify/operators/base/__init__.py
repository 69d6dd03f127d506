"""What all operators have in common, and in ``waiting`` those that wait."""

from __future__ import annotations

from airflow_provider_emnify.operators.base.operator import EmnifyBaseOperator, EndpointsOperator

__all__ = ["EmnifyBaseOperator", "EndpointsOperator"]
