"""What all operators have in common.

In ``only_if`` is the base of those that act on devices, in ``waiting`` that of those that wait.
"""

from __future__ import annotations

from airflow_provider_emnify.operators.base.operator import EmnifyBaseOperator

__all__ = ["EmnifyBaseOperator"]
