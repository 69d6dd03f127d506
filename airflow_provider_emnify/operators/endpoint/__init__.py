"""Endpoints: create, update, delete, set their status, SIM and networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emnify.operators.endpoint.create import EmnifyCreateEndpointsOperator
    from airflow_provider_emnify.operators.endpoint.network import (
        EmnifyBlockNetworkOperator,
        EmnifyLocateEndpointsOperator,
        EmnifyResetConnectivityOperator,
        EmnifyUnblockNetworkOperator,
    )
    from airflow_provider_emnify.operators.endpoint.sim import (
        EmnifyAssignSimOperator,
        EmnifyReleaseSimOperator,
    )
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

# A file imports only the operators that it names, and other operators' modules none of them.
_PLACES = {
    "EmnifyAssignSimOperator": "sim",
    "EmnifyBlockNetworkOperator": "network",
    "EmnifyCreateEndpointsOperator": "create",
    "EmnifyDeleteEndpointsOperator": "update",
    "EmnifyLocateEndpointsOperator": "network",
    "EmnifyReleaseSimOperator": "sim",
    "EmnifyResetConnectivityOperator": "network",
    "EmnifySetEndpointStatusOperator": "update",
    "EmnifyUnblockNetworkOperator": "network",
    "EmnifyUpdateEndpointsOperator": "update",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found
