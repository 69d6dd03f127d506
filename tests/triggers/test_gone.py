"""In a poller: what is gone satisfies a wait for ``deleted``; a state of the network ends no wait."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import disabled, ids_of
from tests.sensors.test_gone import MISSING, UNKNOWN
from tests.triggers.waiting import run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.triggers.shared.members import Outcome

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)


async def join(kind: str, ids: Any, target: str, *, left: float = 15.0, **more: Any) -> Outcome:
    wait = Wait(kind, ids, target, **more)
    return await poller_for("emnify_default", wait).join(wait, 0.02, time.time() + left)


@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("kind", ["endpoint_status", "sim_status"])
def test_what_is_gone_is_deleted_and_fails_those_who_wait_for_something_else(
    fleet: Sandbox, kind: str, missing: Any
) -> None:
    ids = ids_of(fleet) if kind == "endpoint_status" else sorted(fleet.state.sims)
    first, second = ids[:2]
    path = "/api/v1/endpoint" if kind == "endpoint_status" else "/api/v1/sim"
    state = "enabled" if kind == "endpoint_status" else "activated"
    fleet.faults.add(method="GET", path=f"{path}/{first}$", status=404, body=missing, times=None)

    async def test() -> None:
        deleted, other, still = (
            asyncio.create_task(join(kind, first, "deleted")),
            asyncio.create_task(join(kind, first, state)),
            asyncio.create_task(join(kind, [first, second], "deleted")),
        )
        assert (await deleted).status == "success"
        failed = await other
        assert (failed.status, "does not exist" in failed.message) == ("failed", True)
        assert not still.done()
        fleet.faults.add(method="GET", path=f"{path}/{second}$", status=404, body=missing, times=None)
        assert (await still).status == "success"

    run(test)


@pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN)
def test_a_device_that_no_network_knows_is_waited_for_and_the_others_are_told(
    fleet: Sandbox, unknown: Any
) -> None:
    first, second, third = ids_of(fleet)[:3]
    path = f"/api/v1/endpoint/{first}/connectivity$"
    fault = fleet.faults.add(method="GET", path=path, status=404, body=unknown, times=None)
    for key in (second, third):
        online = {"status": {"description": "ONLINE"}}
        fleet.faults.add(
            method="GET", path=f"/api/v1/endpoint/{key}/connectivity$", status=200, body=online, times=None
        )

    async def test() -> None:
        waits = [asyncio.create_task(join("endpoint_connectivity", first, "online"))]
        waits += [
            asyncio.create_task(join("endpoint_connectivity", key, "online")) for key in (second, third)
        ]
        waits.append(
            asyncio.create_task(join("endpoint_connectivity", [first, second], "online", wait_for="any"))
        )
        assert {(await wait).status for wait in waits[1:]} == {"success"}
        await until(lambda: fault.hits > 3)
        assert not waits[0].done()
        fleet.faults.clear()
        fleet.faults.add(method="GET", path=path, status=200, body=online, times=None)
        assert (await waits[0]).status == "success"

    run(test)


def test_a_timeout_says_what_the_network_said(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    path = f"/api/v1/endpoint/{key}/connectivity$"
    fleet.faults.add(method="GET", path=path, status=404, body=UNKNOWN["1401"], times=None)
    outcome = run(lambda: join("endpoint_connectivity", key, "online", left=0.3))
    assert outcome.status == "timeout"
    assert "Unknown Location" in outcome.message
