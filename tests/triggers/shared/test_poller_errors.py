"""What a poller does when emnify, the connection or one of the ids fails it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared import connection as access_module
from airflow_provider_emnify.triggers.shared import poller as module
from airflow_provider_emnify.triggers.shared.members import Outcome
from airflow_provider_emnify.triggers.shared.poller import poller_for
from tests.fleets import disabled, ids_of
from tests.triggers.waiting import GET, connect, enable, join, revoke, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)


def test_passing_errors_are_ridden_out_with_one_line_a_minute(
    fleet: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    key = ids_of(fleet)[0]
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}", status=503, times=4)
    enable(fleet)
    with caplog.at_level(logging.WARNING, access_module.__name__):
        outcome = run(lambda: join(key))
    assert outcome.status == "success"
    assert fleet.counts[GET] == 5
    assert len([record for record in caplog.records if record.name == access_module.__name__]) == 1


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
        other = poller_for("emnify_default", users).join(users, 0.02, time.time() + 20)
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


@pytest.mark.parametrize("status", [500, 429])
def test_one_that_fails_again_and_again_keeps_no_other_of_a_few_from_being_read(
    fleet: Sandbox, status: int
) -> None:
    enable(fleet)
    broken, *others = ids_of(fleet)[:5]
    fleet.faults.add(path=f"/endpoint/{broken}$", status=status, times=None)

    async def test() -> list[Outcome]:
        wait = asyncio.create_task(join(broken))
        outcomes = await asyncio.gather(*map(join, others))
        assert not wait.done()
        wait.cancel()
        return list(outcomes)

    assert {outcome.status for outcome in run(test)} == {"success"}


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
def test_a_connection_that_cannot_work_fails_all_with_the_remedy(
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
