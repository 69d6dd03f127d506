from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("airflow.sdk.definitions.asset", reason="asset watchers need Airflow 3")

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.triggers import status as module
from airflow_provider_emnify.triggers.status import EmnifyStatusTrigger
from tests.fleets import ids_of
from tests.triggers.test_event import Store, Watcher
from tests.triggers.waiting import join, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

GET = "GET /api/v1/endpoint/{endpoint_id}"


pytestmark = pytest.mark.fleet(3, retries=False)


@pytest.fixture(autouse=True)
def _stored_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORED_AFTER", 0.0)


def trigger(store: Store | None = None, **arguments: Any) -> EmnifyStatusTrigger:
    made = EmnifyStatusTrigger(**{"target_status": "disabled", "poll_interval": 0.02, **arguments})
    made.asset_state_store = store  # type: ignore[assignment]
    return made


def put(sandbox: Sandbox, key: int, status: EndpointStatus) -> None:
    sandbox.state.endpoints[key].status = status


async def looks(sandbox: Sandbox, more: int = 6) -> None:
    now = sandbox.requests
    await until(lambda: sandbox.requests >= now + more)


def test_it_fires_each_time_a_device_enters_the_status(fleet: Sandbox) -> None:
    first, second, _ = ids_of(fleet)
    put(fleet, second, EndpointStatus.DISABLED)  # from the start: no news

    async def test() -> None:
        watcher = Watcher(trigger(endpoint_ids=[first, second]))  # type: ignore[arg-type]
        await looks(fleet)
        assert watcher.payloads == []
        for number in (1, 2):
            put(fleet, first, EndpointStatus.DISABLED)
            await until(lambda: len(watcher.payloads) == number)  # noqa: B023 - at once
            await looks(fleet)
            put(fleet, first, EndpointStatus.ENABLED)
            await looks(fleet)
        assert watcher.payloads == [{"endpoint_id": first, "status": "Disabled", "before": "Enabled"}] * 2
        await watcher.stop()

    run(test)


def test_what_changes_while_no_triggerer_runs_fires_afterwards_once(fleet: Sandbox) -> None:
    first = ids_of(fleet)[0]

    async def test() -> None:
        store = Store()
        watcher = Watcher(trigger(store, endpoint_ids=first))  # type: ignore[arg-type]
        await until(lambda: bool(store.values))
        await watcher.stop()
        put(fleet, first, EndpointStatus.DISABLED)
        for fired in (1, 0):
            watcher = Watcher(trigger(store, endpoint_ids=first))  # type: ignore[arg-type]
            await looks(fleet)
            assert len(watcher.payloads) == fired
            await watcher.stop()

    run(test)


def test_a_connectivity_or_a_sim_can_be_watched(fleet: Sandbox) -> None:
    first = ids_of(fleet)[0]
    sim = fleet.state.endpoints[first].sim_id
    assert sim is not None

    async def test() -> None:
        watchers: list[Any] = [
            Watcher(trigger(endpoint_ids=first, target_status="blocked")),  # type: ignore[arg-type]
            Watcher(trigger(sim_ids=sim, target_status=["suspended"])),  # type: ignore[arg-type]
        ]
        await looks(fleet)
        fleet.block(first)
        fleet.state.sims[sim].status = SimStatus.SUSPENDED
        await until(lambda: all(len(watcher.payloads) == 1 for watcher in watchers))
        assert watchers[0].payloads[0]["status"] == "BLOCKED"
        assert watchers[1].payloads == [{"sim_id": sim, "status": "Suspended", "before": "Activated"}]
        for watcher in watchers:
            await watcher.stop()

    run(test)
    assert fleet.authentications == 1


@pytest.mark.parametrize("listed_first", [False, True])
def test_what_is_gone_fires_once_whatever_happens_to_others(fleet: Sandbox, *, listed_first: bool) -> None:
    """A SIM that was deleted is listed as deleted for a while, or not at all."""
    gone, other = sorted(fleet.state.sims)[:2]

    async def test() -> None:
        watcher = Watcher(trigger(sim_ids=[gone, other], target_status="deleted"))  # type: ignore[arg-type]
        await looks(fleet)
        if listed_first:
            fleet.state.sims[gone].status = SimStatus.DELETED
            await looks(fleet)
        fleet.faults.add(method="GET", path=f"/api/v1/sim/{gone}$", status=404, times=None)
        await until(lambda: bool(watcher.payloads))
        for status in (SimStatus.SUSPENDED, SimStatus.ACTIVATED):
            fleet.state.sims[other].status = status
            await looks(fleet)
        await watcher.stop()
        assert watcher.payloads == [{"sim_id": gone, "status": "Deleted", "before": "Issued"}]

    run(test)


def test_it_shares_the_looks_of_the_sensors(fleet: Sandbox) -> None:
    first = ids_of(fleet)[0]

    async def test() -> None:
        watcher = Watcher(trigger(endpoint_ids=first))  # type: ignore[arg-type]
        wait = asyncio.create_task(join(first, target="disabled"))
        await looks(fleet)
        put(fleet, first, EndpointStatus.DISABLED)
        assert (await wait).status == "success"
        await until(lambda: len(watcher.payloads) == 1)
        await watcher.stop()

    run(test)
    assert fleet.peaks[GET] == 1
    assert fleet.authentications == 1


def test_errors_do_not_end_it(fleet: Sandbox) -> None:
    first = ids_of(fleet)[0]

    async def test() -> None:
        watcher = Watcher(trigger(endpoint_ids=first))  # type: ignore[arg-type]
        await looks(fleet)
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=403, times=2)
        fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=503, times=2)
        await looks(fleet)
        put(fleet, first, EndpointStatus.DISABLED)
        await until(lambda: len(watcher.payloads) == 1)
        await watcher.stop()

    run(test)


def test_it_is_made_again_of_plain_values() -> None:
    made = EmnifyStatusTrigger(sim_ids="7,8", target_status="suspended", emnify_conn_id="other")
    path, kwargs = made.serialize()
    assert path == "airflow_provider_emnify.triggers.status.EmnifyStatusTrigger"
    assert json.loads(json.dumps(kwargs)) == kwargs
    assert EmnifyStatusTrigger(**kwargs).serialize() == (path, kwargs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target_status": "enabled"}, "give one of them"),
        ({"endpoint_ids": 1, "sim_ids": 1, "target_status": "enabled"}, "give one of them"),
        ({"endpoint_ids": [], "target_status": "enabled"}, "names none to watch"),
        ({"endpoint_ids": 1, "target_status": "asleep"}, "^target_status: 'asleep'"),
        ({"sim_ids": "x y", "target_status": "issued"}, "^sim_ids: 'x y'"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyStatusTrigger(**arguments)
