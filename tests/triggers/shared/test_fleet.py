"""One poller for a whole fleet: what a round costs, what it leaves to tasks, and what it leaves behind."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, EventType, SimStatus
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared import connection as access_module
from airflow_provider_emnify.triggers.shared import poller as poller_module
from airflow_provider_emnify.triggers.shared.connection import connection_for
from airflow_provider_emnify.triggers.shared.poller import poller_for
from airflow_provider_emnify.triggers.shared.registry import everything
from tests.fleets import disabled, ids_of
from tests.triggers.waiting import connect, enable, join, revoke, run, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)

GET = "GET /api/v1/endpoint/{endpoint_id}"
LIST = "GET /api/v1/endpoint"


@pytest.fixture
def make_fleet(
    make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Sandbox]:
    """Make so many disabled endpoints."""

    def make(endpoints: int) -> Sandbox:
        sandbox = make_sandbox(endpoints, limits=False)
        for endpoint in sandbox.state.endpoints.values():
            endpoint.status = EndpointStatus.DISABLED
        connect(sandbox, monkeypatch)
        return sandbox

    return make


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many ids were asked for, and how many requests that took, for each reading of the poller."""
    found: list[tuple[int, int]] = []
    real = poller_module.read  # type: ignore[attr-defined]

    def read(client: EmnifyClient, kind: str, ids: Any, filters: Any) -> Any:
        before = client.stats.requests
        try:
            return real(client, kind, ids, filters)
        finally:
            found.append((len(ids), int(client.stats.requests - before)))

    monkeypatch.setattr(poller_module, "read", read)
    return found


def test_a_round_takes_the_list_when_its_pages_are_fewer_than_the_ids(
    make_fleet: Callable[[int], Sandbox], rounds: list[tuple[int, int]]
) -> None:
    fleet = make_fleet(2500)

    async def test() -> None:
        waits = [asyncio.create_task(join(key, interval=0.5)) for key in ids_of(fleet)[::5]]
        await until(lambda: len(rounds) >= 2)
        enable(fleet)
        await asyncio.gather(*waits)

    run(test)
    assert rounds[0] == (500, 1 + 3)  # an authentication, three pages; no id by itself
    assert all(requests == 3 for _, requests in rounds[1:])
    assert fleet.counts[GET] == 0
    assert fleet.authentications == 1


def test_a_few_ids_are_read_by_themselves(
    make_fleet: Callable[[int], Sandbox], rounds: list[tuple[int, int]]
) -> None:
    fleet = make_fleet(2500)
    enable(fleet)
    run(lambda: join(ids_of(fleet)[:3]))
    assert rounds == [(3, 1 + 3)]
    assert fleet.counts[LIST] == 0


def test_sims_are_read_from_their_list_too(
    make_fleet: Callable[[int], Sandbox], rounds: list[tuple[int, int]]
) -> None:
    fleet = make_fleet(20)
    wait = Wait("sim_status", list(fleet.state.sims)[:20], [SimStatus.ACTIVATED, SimStatus.ISSUED])
    outcome = run(lambda: poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 9))
    assert outcome.status == "success"
    assert rounds == [(20, 1 + 1)]


def test_waits_of_all_kinds_share_the_client_and_each_subject_is_read_once_a_round(
    make_fleet: Callable[[int], Sandbox], rounds: list[tuple[int, int]]
) -> None:
    fleet = make_fleet(4)
    first, second = ids_of(fleet)[:2]
    since = datetime.now(UTC) - timedelta(hours=1)
    fleet.state.emit(EventType.ENDPOINT_BLOCKED, "x", time.time(), endpoint=fleet.state.endpoints[first])
    enable(fleet)

    def waits() -> list[Wait]:
        event = {"since": since, "event_type": 11}
        return [
            Wait("endpoint_status", first, "enabled"),
            Wait("endpoint_connectivity", first, [state.value for state in Connectivity], ()),
            Wait("event", first, "event seen", filters=event),
            Wait("event", [first, second], "event seen", filters=event, wait_for="any"),
            Wait("event", "any", "event seen", filters={"since": since, "severity": "info"}),
        ]

    async def test() -> list[Any]:
        joins = [poller_for("emnify_default", wait).join(wait, 0.02, time.time() + 9) for wait in waits()]
        return list(await asyncio.gather(*joins))

    assert {outcome.status for outcome in run(test)} == {"success"}
    assert fleet.authentications == 1
    assert sorted(ids for ids, _ in rounds) == [1, 1, 1, 2]  # the two on the same events are one reading


def test_the_event_loop_goes_on_while_many_waits_are_judged_and_told(
    make_fleet: Callable[[int], Sandbox], rounds: list[tuple[int, int]]
) -> None:
    fleet = make_fleet(3000)

    async def test() -> float:
        waits = [asyncio.create_task(join(key, interval=1.0)) for key in ids_of(fleet)]
        await until(lambda: len(rounds) >= 1)
        enable(fleet)
        held: list[float] = []
        while not all(wait.done() for wait in waits):
            before = time.thread_time()
            await asyncio.sleep(0.001)
            held.append(time.thread_time() - before)
        return sorted(held)[int(len(held) * 0.95)]

    assert run(test) < 0.05  # benchmarks/waits.py measures the longest, on a machine of its own


def test_a_share_of_the_address_s_limit_is_left_to_tasks(
    make_fleet: Callable[[int], Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make_fleet(1)
    enable(fleet)
    left: list[float] = []
    real = access_module.EmnifyHook.client_from_settings  # type: ignore[attr-defined]

    def make(settings: Any, **options: Any) -> Any:
        left.append(options["leave"])
        return real(settings, **options)

    monkeypatch.setattr(access_module.EmnifyHook, "client_from_settings", make)  # type: ignore[attr-defined]
    run(lambda: join(ids_of(fleet)))
    connect(fleet, monkeypatch, extra={"rate_limit_store": "memory", "task_share": 0.6})
    run(lambda: join(ids_of(fleet)))
    assert left == [0.25, 0.6]


def test_clients_are_closed_when_nobody_needs_them(
    make_fleet: Callable[[int], Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make_fleet(1)
    enable(fleet)
    closed: list[Any] = []
    real = access_module.EmnifyHook.client_from_settings  # type: ignore[attr-defined]

    def make(settings: Any, **options: Any) -> Any:
        client = real(settings, **options)
        monkeypatch.setattr(client, "close", lambda: closed.append(client))
        return client

    monkeypatch.setattr(access_module.EmnifyHook, "client_from_settings", make)  # type: ignore[attr-defined]

    async def test() -> None:
        await join(ids_of(fleet))
        await until(lambda: len(closed) == 1)
        assert not everything()

    run(test)


def test_rejected_credentials_are_not_sent_again_until_the_connection_changes(
    make_fleet: Callable[[int], Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_emnify.api import EmnifyAuthenticationError

    fleet = make_fleet(1)

    async def test() -> None:
        access = connection_for("emnify_default")

        async def ask() -> Any:
            return await access.call(lambda client: client.endpoints.get(ids_of(fleet)[0]))

        await ask()
        revoke(fleet)
        for _ in range(4):
            with pytest.raises(EmnifyAuthenticationError, match="rejected"):
                await ask()
        assert fleet.authentications == 2
        connect(fleet, monkeypatch, password=fleet.accounts.add_application_token("new").token)
        await ask()
        assert fleet.authentications == 3
        access.release()

    run(test)
