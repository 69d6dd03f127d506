"""Endpoints: create, update, delete, set their status, SIM and networks."""

from __future__ import annotations

from airflow_provider_emnify.operators.endpoint.create import EmnifyCreateEndpointsOperator
from airflow_provider_emnify.operators.endpoint.network import (
    EmnifyBlockNetworkOperator,
    EmnifyLocateEndpointsOperator,
    EmnifyResetConnectivityOperator,
    EmnifyUnblockNetworkOperator,
)
from airflow_provider_emnify.operators.endpoint.sim import EmnifyAssignSimOperator, EmnifyReleaseSimOperator
from airflow_provider_emnify.operators.endpoint.update import (
    EmnifyDeleteEndpointsOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUpdateEndpointsOperator,
)

__all__ = [
    "EmnifyAssignSimOperator",
    "EmnifyBlockNetworkOperator",
    "EmnifyCreateEndpointsOperator",
    "EmnifyDeleteEndpointsOperator",
    "EmnifyLocateEndpointsOperator",
    "EmnifyReleaseSimOperator",
    "EmnifyResetConnectivityOperator",
    "EmnifySetEndpointStatusOperator",
    "EmnifyUnblockNetworkOperator",
    "EmnifyUpdateEndpointsOperator",
]
