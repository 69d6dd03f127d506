"""The emnify REST API in Python. Imports no Airflow.

.. code-block:: python

    from airflow_provider_emnify.api import Credentials, EmnifyClient

    with EmnifyClient(Credentials(application_token="...")) as client:
        for endpoint in client.endpoints.list(status="enabled"):
            print(endpoint["id"], endpoint["name"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import (
    ApplicationTokenStatus,
    CloudConnectStatus,
    Connectivity,
    DataStreamStatus,
    EndpointStatus,
    EventSeverity,
    EventSource,
    OperationState,
    QuotaStatus,
    SimBatchState,
    SimStatus,
    SmsStatus,
    UserStatus,
)
from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyConflictError,
    EmnifyConnectionError,
    EmnifyError,
    EmnifyLockTimeoutError,
    EmnifyNetworkStateError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyPermissionError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.transport.credentials import Credentials

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.limits.limits import Limits

__all__ = [
    "ApplicationTokenStatus",
    "CloudConnectStatus",
    "Connectivity",
    "Credentials",
    "DataStreamStatus",
    "EmnifyAuthenticationError",
    "EmnifyClient",
    "EmnifyConflictError",
    "EmnifyConnectionError",
    "EmnifyError",
    "EmnifyLockTimeoutError",
    "EmnifyNetworkStateError",
    "EmnifyNotFoundError",
    "EmnifyPartialError",
    "EmnifyPermissionError",
    "EmnifyRateLimitError",
    "EmnifyServerError",
    "EmnifyUnknownOutcomeError",
    "EmnifyValidationError",
    "EndpointStatus",
    "EventSeverity",
    "EventSource",
    "Limits",
    "OperationState",
    "QuotaStatus",
    "SimBatchState",
    "SimStatus",
    "SmsStatus",
    "UserStatus",
]

# What brings requests with it is imported when it is first asked for: a DAG's file is parsed without it.
_LATER = {
    "EmnifyClient": "airflow_provider_emnify.api.client",
    "Limits": "airflow_provider_emnify.api.limits.limits",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found
