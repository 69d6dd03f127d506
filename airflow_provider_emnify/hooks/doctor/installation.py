"""What is installed: versions, and what of the extras is there."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from airflow_provider_emnify import __version__
from airflow_provider_emnify.hooks.doctor.finding import Finding

_EXTRAS = {
    "sql": ("apache-airflow-providers-common-sql", "syncs into databases"),
    "parquet": ("pyarrow", "syncs into Parquet files"),
    "redis": ("redis", "rate limits and locks that hosts share"),
    "fast": ("orjson", "faster syncs"),
    "sandbox": ("uvicorn", "an emnify to test against"),
}


def installation() -> Iterator[Finding]:
    """Tell versions and extras."""
    airflow = _version("apache-airflow-core") or _version("apache-airflow")
    python = platform.python_version()
    yield Finding(
        "versions",
        "ok" if (3, 11) <= sys.version_info[:2] <= (3, 14) else "warning",
        f"provider {__version__}, Airflow {airflow}, Python {python}, {platform.system()}",
    )
    for extra, (distribution, purpose) in _EXTRAS.items():
        found = _version(distribution)
        said = f"{distribution} {found}: {purpose}" if found else f"not installed; it is for {purpose}"
        yield Finding(f"extra {extra}", "ok", said)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
