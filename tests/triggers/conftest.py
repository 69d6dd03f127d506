"""A fleet for the tests of triggers, and what is started once for a process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from asgiref.sync import sync_to_async

from airflow_provider_emnify.api import EndpointStatus
from tests.triggers.waiting import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox


@pytest.fixture(scope="session", autouse=True)
def _thread_of_asgiref() -> None:
    """Airflow reads connections in asgiref's one thread for all, which stays until the process ends."""
    asyncio.run(sync_to_async(int)())


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Five disabled endpoints."""
    sandbox = make_sandbox(5, limits=False)
    for endpoint in sandbox.state.endpoints.values():
        endpoint.status = EndpointStatus.DISABLED
    connect(sandbox, monkeypatch)
    return sandbox
