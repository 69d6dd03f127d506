"""What the tests of streams share: a client for any sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox


def connect(sandbox: Sandbox, **options: Any) -> EmnifyClient:
    """Return a client of a sandbox that keeps its own count of the limits."""
    options.setdefault("limits", Limits("memory"))
    credentials = Credentials(application_token=sandbox.application_token)
    return EmnifyClient(credentials, base_url=sandbox.url, **options)
