"""Fleets as data: plan what has to change for a fleet to be as a table says, and apply the plan."""

from __future__ import annotations

from airflow_provider_emnify.operators.fleet.apply import EmnifyApplyFleetOperator
from airflow_provider_emnify.operators.fleet.make import EmnifyPlanFleetOperator

__all__ = ["EmnifyApplyFleetOperator", "EmnifyPlanFleetOperator"]
