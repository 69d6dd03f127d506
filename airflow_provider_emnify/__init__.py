"""emnify, the cellular network for IoT devices, from Apache Airflow."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__", "get_provider_info"]


def get_provider_info() -> dict[str, object]:
    """Tell Airflow what this provider brings. Called by Airflow through its entry point."""
    from airflow_provider_emnify.provider_info import PROVIDER_INFO

    return PROVIDER_INFO
