"""SIMs: status, registration, deletion, migration."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# A file imports only the operators that it names, and other operators' modules none of them.
_PLACES = {
    "EmnifyDeleteSimsOperator": "status",
    "EmnifyMigrateSimsOperator": "migration",
    "EmnifyRegisterSimBatchOperator": "status",
    "EmnifySetSimStatusOperator": "status",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found
