from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.waits import Wait
from airflow_provider_emnify.triggers import access as access_module
from airflow_provider_emnify.triggers import poller as module
from airflow_provider_emnify.triggers.poller import Outcome, poller_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_emnify.sandbox import Sandbox

GET = "GET /api/v1/endpoint/{endpoint_id}"
ENABLED, DISABLED = EndpointStatus.ENABLED, EndpointStatus.DISABLED


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Five disabled endpoints."""
    sandbox = make_sandbox(5, limits=False)
    for endpoint in sandbox.state.endpoints.values():
        endpoint.status = DISABLED
    connect(sandbox, monkeypatch)
    return sandbox


def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    extra = {"max_retries": 0, "rate_limit_store": "memory"}
    connection = {**json.loads(sandbox.airflow_connection), "extra": extra, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))


def ids_of(sandbox: Sandbox) -> list[int]:
    return sorted(sandbox.state.endpoints)


def enable(sandbox: Sandbox, *ids: int) -> None:
    for key in ids or ids_of(sandbox):
        sandbox.state.endpoints[key].status = ENABLED


async def join(ids: Any, *, interval: float = 0.02, left: float = 20.0, **options: Any) -> Outcome:
    wait = Wait("endpoint_status", ids, options.pop("target", "enabled"), **options)
    return await poller_for("emnify_default").join(wait, interval, time.time() + left)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 - what happens, happens in another thread
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(20):
            return await test()

    return asyncio.run(main())


def test_many_waits_share_one_client_and_read_each_id_once_a_round(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> list[Outcome]:
        waits = [asyncio.create_task(join([first, second][: 1 + number % 2])) for number in range(50)]
        await until(lambda: fleet.counts[GET] >= 6)
        enable(fleet)
        return await asyncio.gather(*waits)

    outcomes = run(test)
    assert {outcome.status for outcome in outcomes} == {"success"}
    assert fleet.authentications == 1
    assert fleet.peaks[GET] == 1
    read = [entry.path.rpartition("/")[2] for entry in fleet.log if entry.method == "GET"]
    assert abs(read.count(str(first)) - read.count(str(second))) <= 2


def test_it_goes_with_its_last_wait(fleet: Sandbox) -> None:
    enable(fleet)

    async def test() -> None:
        before = set(asyncio.all_tasks())
        await asyncio.gather(join(ids_of(fleet)[:2]), join(ids_of(fleet)[2:]))
        await asyncio.sleep(0)
        assert set(asyncio.all_tasks()) == before
        assert not module._pollers[asyncio.get_running_loop()]
        threads = [
            thread for thread in threading.enumerate() if thread.name.startswith("emnify-emnify_default")
        ]
        await until(lambda: not any(thread.is_alive() for thread in threads))
        await join(ids_of(fleet)[:1])  # and comes again with the next

    run(test)
    assert fleet.authentications == 2


def test_a_cancelled_wait_leaves_the_others_alone(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> Outcome:
        cancelled, other = asyncio.create_task(join(first)), asyncio.create_task(join(second))
        await until(lambda: fleet.counts[GET] >= 2)
        cancelled.cancel()
        enable(fleet)
        outcome = await other
        assert cancelled.cancelled()
        return outcome

    assert run(test).status == "success"
    assert fleet.authentications == 1


def test_cancelling_all_ends_everything_at_once(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", delay=0.2, times=None)

    async def test() -> float:
        waits = [asyncio.create_task(join(key)) for key in ids_of(fleet)]
        await until(lambda: fleet.authentications == 1)
        began = time.perf_counter()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return time.perf_counter() - began

    assert run(test) < 0.1


def test_the_event_loop_is_never_held(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", delay=0.8, times=1)
    fleet.faults.add(method="POST", delay=0.8, times=1)
    enable(fleet)

    async def test() -> float:
        longest = 0.0
        wait = asyncio.create_task(join(ids_of(fleet)[:1]))
        while not wait.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)
        return longest

    assert run(test) < 0.5


def test_a_wait_that_comes_later_does_not_wait_for_the_next_round(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]

    async def test() -> Outcome:
        long = asyncio.create_task(join(first, interval=1.0))
        await until(lambda: fleet.counts[GET] >= 1)
        enable(fleet, second)
        began = time.perf_counter()
        outcome = await join(second, interval=1.0)
        assert time.perf_counter() - began < 0.6
        long.cancel()
        return outcome

    assert run(test).status == "success"


def test_a_slow_wait_is_not_read_at_a_quick_one_s_pace(fleet: Sandbox) -> None:
    slow, quick = ids_of(fleet)[:2]

    async def test() -> None:
        waits = [asyncio.create_task(join(slow, interval=30)), asyncio.create_task(join(quick))]
        await until(lambda: fleet.counts[GET] >= 10)
        for wait in waits:
            wait.cancel()

    run(test)
    read = [entry.path.rpartition("/")[2] for entry in fleet.log if entry.method == "GET"]
    assert read.count(str(slow)) <= 2
    assert read.count(str(quick)) >= 8


def test_the_deadline_ends_a_wait(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]
    outcome = run(lambda: join(key, left=0.2))
    assert outcome.status == "timeout"
    assert f"still waiting for {key} (Disabled)" in outcome.message
    assert outcome.seen == {str(key): "Disabled"}


def test_a_wait_whose_deadline_is_past_is_looked_at_once(fleet: Sandbox) -> None:
    first, second = ids_of(fleet)[:2]
    enable(fleet, first)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(join(first, left=-60), join(second, left=-60)))

    assert [outcome.status for outcome in run(test)] == ["success", "timeout"]


def test_passing_errors_are_ridden_out_with_one_line_a_minute(
    fleet: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    key = ids_of(fleet)[0]
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=503, times=4)
    enable(fleet)
    with caplog.at_level(logging.WARNING, module.__name__):
        outcome = run(lambda: join(key))
    assert outcome.status == "success"
    assert fleet.counts[GET] == 5
    assert len([record for record in caplog.records if record.name == module.__name__]) == 1


def test_an_outage_fails_a_wait_at_its_own_deadline_with_the_last_error(fleet: Sandbox) -> None:
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=503, body="maintenance", times=None)
    outcome = run(lambda: join(ids_of(fleet)[:1], left=0.3))
    assert outcome.status == "timeout"
    assert "503" in outcome.message
    assert "maintenance" in outcome.message


def test_a_host_that_cannot_be_reached_is_an_outage(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(fleet, monkeypatch, host="http://127.0.0.1:9")
    outcome = run(lambda: join(ids_of(fleet)[:1], left=0.3))
    assert outcome.status == "timeout"
    assert "127.0.0.1:9" in outcome.message


def test_a_lack_of_permission_fails_all_waits_that_it_concerns(fleet: Sandbox) -> None:
    fleet.faults.add(path="^/api/v1/endpoint", status=403, times=None)
    user = fleet.state.add_user("ada@example.org", "Ada", [1], fleet.clock.time())

    async def test() -> list[Outcome]:
        users = Wait("user_status", user.id, "activation_pending", ())
        other = poller_for("emnify_default").join(users, 0.02, time.time() + 20)
        return list(await asyncio.gather(*(join(key) for key in ids_of(fleet)), other))

    outcomes = run(test)
    assert [outcome.status for outcome in outcomes] == ["failed"] * 5 + ["success"]
    assert "403" in outcomes[0].message


def test_an_id_that_is_gone_fails_only_its_own_waits(fleet: Sandbox) -> None:
    enable(fleet)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(join(7), join(ids_of(fleet)[:1])))

    gone, there = run(test)
    assert (gone.status, there.status) == ("failed", "success")
    assert "endpoint 7 does not exist" in gone.message


def test_an_error_about_one_id_fails_only_its_own_waits(fleet: Sandbox) -> None:
    enable(fleet)
    first, second = ids_of(fleet)[:2]
    fleet.faults.add(path=f"/endpoint/{first}$", status=422, times=None)

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(join(first), join(second)))

    assert [outcome.status for outcome in run(test)] == ["failed", "success"]


def test_a_rejected_credential_is_tried_once_and_fails_all(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(fleet, monkeypatch, password="wrong-token-42")

    async def test() -> list[Outcome]:
        return list(await asyncio.gather(*(join(key) for key in ids_of(fleet))))

    outcomes = run(test)
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert "application token was rejected" in outcomes[0].message
    assert "wrong-token-42" not in outcomes[0].message
    assert fleet.authentications == 1


def test_a_revoked_auth_token_is_renewed_and_nobody_notices(fleet: Sandbox) -> None:
    key = ids_of(fleet)[0]

    async def test() -> Outcome:
        wait = asyncio.create_task(join(key))
        await until(lambda: fleet.counts[GET] >= 2)
        fleet.revoke_tokens()
        await until(lambda: fleet.authentications == 2)
        enable(fleet)
        return await wait

    assert run(test).status == "success"


def test_a_rotated_application_token_is_picked_up_without_a_restart(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ids_of(fleet)[0]

    async def test() -> Outcome:
        wait = asyncio.create_task(join(key))
        await until(lambda: fleet.counts[GET] >= 2)
        new = fleet.accounts.add_application_token("new")
        connect(fleet, monkeypatch, password=new.token)
        revoke(fleet)
        await until(lambda: fleet.counts[GET] >= 6)
        enable(fleet)
        return await wait

    assert run(test).status == "success"


def revoke(sandbox: Sandbox) -> None:
    """Revoke the first application token, with every auth token that was made of it."""
    from airflow_provider_emnify.api.enums import ApplicationTokenStatus

    sandbox._token.status = ApplicationTokenStatus.REVOKED
    sandbox.revoke_tokens()


def test_a_token_that_is_revoked_for_good_fails_all_with_the_reason(fleet: Sandbox) -> None:
    async def test() -> list[Outcome]:
        waits = [asyncio.create_task(join(key)) for key in ids_of(fleet)[:2]]
        await until(lambda: fleet.counts[GET] >= 2)
        revoke(fleet)
        return list(await asyncio.gather(*waits))

    outcomes = run(test)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
    assert "rejected" in outcomes[0].message
    assert fleet.authentications == 2


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (None, "there is no such connection"),
        ({"conn_type": "emnify"}, "password: it is empty"),
        ({"conn_type": "emnify", "password": "x", "host": "ftp://x"}, "host: its scheme"),
    ],
)
def test_a_connection_that_cannot_work_fails_all_with_the_mend(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, connection: Any, words: str
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_EMNIFY_DEFAULT")
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
    outcome = run(lambda: join(ids_of(fleet)[:1]))
    assert outcome.status == "failed"
    assert words in outcome.message


def test_a_connection_that_cannot_be_fetched_for_now_is_ridden_out(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable(fleet)
    real, calls = access_module.get_async_connection, 0

    async def flaky(conn_id: str) -> Any:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise RuntimeError("emnify://:top-secret@host")
        return await real(conn_id)

    monkeypatch.setattr(access_module, "get_async_connection", flaky)
    assert run(lambda: join(ids_of(fleet)[:1])).status == "success"

    calls = -1_000_000
    outcome = run(lambda: join(ids_of(fleet)[:1], left=0.1))
    assert outcome.status == "timeout"
    assert "could not be read: RuntimeError" in outcome.message
    assert "top-secret" not in outcome.message


def test_an_error_of_our_own_fails_the_waits_and_not_the_triggerer(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(module, "read", broken)
    outcome = run(lambda: join(ids_of(fleet)[:1]))
    assert outcome == Outcome("failed", "oops")


def test_no_ids_are_done_at_once(fleet: Sandbox) -> None:
    assert run(lambda: join([])).status == "success"
    assert fleet.requests == 0


def test_each_connection_has_a_poller_of_its_own(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    enable(fleet)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", fleet.airflow_connection)

    async def test() -> list[Outcome]:
        wait = Wait("endpoint_status", ids_of(fleet)[:1], "enabled")
        joins = [poller_for(name).join(wait, 0.02, time.time() + 9) for name in ("emnify_default", "other")]
        return list(await asyncio.gather(*joins))

    assert {outcome.status for outcome in run(test)} == {"success"}
    assert fleet.authentications == 2


def test_no_secret_is_logged(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=500, times=2)
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=401, times=1)
    enable(fleet)
    with caplog.at_level(logging.DEBUG):
        run(lambda: join(ids_of(fleet)[:1]))
    for secret in fleet.secrets:
        assert secret not in caplog.text
