"""The emnify REST API in Python. Imports no Airflow.

.. code-block:: python

    from airflow_provider_emnify.api import Credentials, EmnifyClient

    with EmnifyClient(Credentials(application_token="...")) as client:
        for endpoint in client.endpoints.list(status="enabled"):
            print(endpoint["id"], endpoint["name"])
"""

from __future__ import annotations

from airflow_provider_emnify.api.client import EmnifyClient
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
from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.transport.credentials import Credentials

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
