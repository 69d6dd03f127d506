"""What the tests of triggers share: a connection to a sandbox, waits on it, and an event loop to run them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.enums import ApplicationTokenStatus
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import connection, ids_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.triggers.shared.members import Outcome

GET = "GET /api/v1/endpoint/{endpoint_id}"


def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    changed = {**json.loads(connection(sandbox, max_retries=0)), **fields}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(changed))


def enable(sandbox: Sandbox, *ids: int) -> None:
    for key in ids or ids_of(sandbox):
        sandbox.state.endpoints[key].status = EndpointStatus.ENABLED


async def join(ids: Any, *, interval: float = 0.02, left: float = 20.0, **options: Any) -> Outcome:
    wait = Wait("endpoint_status", ids, options.pop("target", "enabled"), **options)
    return await poller_for("emnify_default", wait).join(wait, interval, time.time() + left)


def move_clock(seconds: float) -> None:
    """Have the running event loop's clock go forward: what waits for that time is due at once."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 - what happens, happens in another thread
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await test()

    return asyncio.run(main())


def revoke(sandbox: Sandbox) -> None:
    """Revoke the first application token, with every auth token that was made of it."""
    next(iter(sandbox.state.application_tokens.values())).status = ApplicationTokenStatus.REVOKED
    sandbox.revoke_tokens()
