"""Starts what is started once for a process, so that no single test is blamed for leaving it behind."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async


@pytest.fixture(scope="session", autouse=True)
def _thread_of_asgiref() -> None:
    """Airflow reads connections in asgiref's one thread for all, which stays until the process ends."""
    asyncio.run(sync_to_async(int)())
