"""A token in a triggerer lives as long as it is valid, and nothing else stays of waits that are over."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import Credentials, EmnifyAuthenticationError
from airflow_provider_emnify.hooks import emnify as hook_module
from airflow_provider_emnify.hooks.connection import ConnectionSettings
from airflow_provider_emnify.triggers.shared import cancel as cancelling
from airflow_provider_emnify.triggers.shared import connection as access_module
from airflow_provider_emnify.triggers.shared import tokens as module
from airflow_provider_emnify.triggers.shared.connection import connection_for
from airflow_provider_emnify.triggers.shared.threads import Threads
from airflow_provider_emnify.triggers.shared.tokens import held_token
from tests.fleets import disabled, ids_of
from tests.triggers.waiting import GET, connect, enable, join, revoke, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(5, retries=False, prepare=disabled)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Airflow was asked to mask."""
    secrets: list[str] = []
    monkeypatch.setattr(hook_module, "mask", secrets.append)
    monkeypatch.setattr(access_module, "mask_from", lambda loop: secrets.append)
    return secrets


async def _gone() -> None:
    names = [thread.name for thread in threading.enumerate()]
    async with asyncio.timeout(10):
        while any(name.startswith("emnify-emnify_default") for name in names):
            await asyncio.sleep(0.005)
            names = [thread.name for thread in threading.enumerate()]


def held_tokens() -> list[Any]:
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is module.HeldToken]


@pytest.mark.parametrize("loops", ["one event loop", "an event loop each"])
def test_waits_one_after_another_authenticate_once_and_leave_nothing(
    fleet: Sandbox, masked: list[str], loops: str
) -> None:
    enable(fleet)
    open_files = Path("/proc/self/fd")
    has_files = open_files.exists()
    kept: list[int] = []
    held_before = len(held_tokens())

    async def some(number: int) -> None:
        for _ in range(number):
            assert (await join(ids_of(fleet)[:1])).status == "success"
            await _gone()
            if has_files:
                kept.append(len(os.listdir(open_files)))

    if loops == "one event loop":
        run(lambda: some(100))
    else:
        for _ in range(10):
            run(lambda: some(1))
    assert fleet.authentications == 1
    assert len(set(masked)) <= 3  # the application token, the auth token, what is secret in it
    assert max(kept[5:], default=0) <= max(kept[:5], default=0) + 2
    assert len(held_tokens()) <= held_before + 1


def test_event_loops_side_by_side_share_the_token(fleet: Sandbox) -> None:
    enable(fleet)
    done: list[str] = []

    def wait() -> None:
        done.append(run(lambda: join(ids_of(fleet)[:1])).status)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == ["success"] * 4
    assert fleet.authentications == 1


def test_a_token_that_was_revoked_meanwhile_is_renewed(fleet: Sandbox) -> None:
    enable(fleet)
    assert run(lambda: join(ids_of(fleet)[:1])).status == "success"
    fleet.revoke_tokens()
    assert run(lambda: join(ids_of(fleet)[:1])).status == "success"
    assert fleet.authentications == 2


def test_a_rejected_credential_is_not_sent_again_by_later_waits(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    enable(fleet)
    right = json.loads(fleet.airflow_connection)["password"]
    connect(fleet, monkeypatch, password="wrong-token-42")
    for _ in range(4):
        outcome = run(lambda: join(ids_of(fleet)[:1]))
        assert outcome.status == "failed"
        assert "rejected" in outcome.message
    assert fleet.authentications == 1
    connect(fleet, monkeypatch, password=right)
    assert run(lambda: join(ids_of(fleet)[:1])).status == "success"
    assert fleet.authentications == 2


def test_a_rejection_is_remembered_for_as_long_as_an_account_is_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    held = module.HeldToken()
    held.store(rejection="no")
    now += 299
    assert held.load() is not None
    now += 2
    assert held.load() is None


def test_of_connections_that_come_and_go_few_are_remembered() -> None:
    def settings(number: int) -> ConnectionSettings:
        return ConnectionSettings(f"c{number}", Credentials(application_token=f"secret-{number}"))

    first = held_token(settings(0))
    for number in range(1, 500):
        held_token(settings(number))
        assert held_token(settings(0)) is first  # what is used stays
    assert len(held_tokens()) <= module.MOST_HELD


def test_what_another_process_has_left_later_is_preferred(tmp_path: Path) -> None:
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

    credentials = Credentials(application_token="secret")
    ours, theirs = (TokenCache(credentials, "http://127.0.0.1", tmp_path) for _ in range(2))
    held = module.HeldToken(ours)
    with held.lock():
        held.store(token="old")
    loaded = theirs.load()
    assert loaded is not None
    assert loaded.token == "old"
    time.sleep(0.01)
    with theirs.lock():
        theirs.store(token="new")
    loaded = held.load()
    assert loaded is not None
    assert loaded.token == "new"


def test_a_connection_that_is_changed_is_noticed_while_waits_go_on(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old credential is still good: nothing but the connection itself tells of the new one."""
    monkeypatch.setattr(access_module, "FETCH_EVERY", 0.05)
    made: list[Any] = []
    closed: list[Any] = []
    real = access_module.EmnifyHook.client_from_settings  # type: ignore[attr-defined]

    def make(settings: Any, **options: Any) -> Any:
        client = real(settings, **options)
        close = client.close
        monkeypatch.setattr(client, "close", lambda: (closed.append(client), close()))
        made.append(client)
        return client

    monkeypatch.setattr(access_module.EmnifyHook, "client_from_settings", make)  # type: ignore[attr-defined]

    async def test() -> None:
        wait = asyncio.create_task(join(ids_of(fleet)[:1]))
        await until(lambda: fleet.counts[GET] >= 2)
        connect(fleet, monkeypatch, password=fleet.accounts.add_application_token("new").token)
        await until(lambda: len(made) == 2)
        await until(lambda: closed == made[:1])
        enable(fleet)
        assert (await wait).status == "success"

    run(test)
    assert fleet.authentications == 2


def test_what_many_tasks_began_is_cancelled_with_one_token(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def state(_: Any) -> str:
        return "failed"

    class Trigger:
        task_instance = None

    monkeypatch.setattr(cancelling, "task_state", state)
    key = ids_of(fleet)[0]
    calls = [{"call": "endpoints.update", "arguments": {"endpoint_id": key, "name": "cancelled"}}]

    async def test() -> None:
        for _ in range(5):
            await cancelling.cancel_in_triggerer(Trigger(), "emnify_default", calls)  # type: ignore[arg-type]

    run(test)
    assert fleet.state.endpoints[key].name == "cancelled"
    assert fleet.authentications == 1


def test_a_process_ends_though_a_request_hangs() -> None:
    code = """
import time
from airflow_provider_emnify.triggers.shared.threads import Threads
threads = Threads(2, "hanging")
threads.submit(lambda: time.sleep(60))
threads.shutdown()
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50)
    assert time.monotonic() - began < 40


def test_threads_do_what_they_are_given_and_tell_how_it_ended() -> None:
    threads = Threads(2, "emnify-test")
    release = threading.Event()
    futures = [threads.submit(release.wait) for _ in range(2)]
    after = threads.submit(lambda: 7)
    broken = threads.submit(lambda: 1 / 0)
    assert not after.done()
    release.set()
    assert after.result(10) == 7
    with pytest.raises(ZeroDivisionError):
        broken.result(10)
    assert [future.result(10) for future in futures] == [True, True]
    assert len([t for t in threading.enumerate() if t.name.startswith("emnify-test")]) <= 2
    threads.shutdown()


def test_rejected_by_one_is_known_to_all_on_other_loops(fleet: Sandbox) -> None:
    revoke(fleet)

    async def ask() -> None:
        access = connection_for("emnify_default")
        try:
            await access.call(lambda client: client.endpoints.get(ids_of(fleet)[0]))
        finally:
            access.release()

    for _ in range(3):
        with pytest.raises(EmnifyAuthenticationError, match="rejected"):
            run(ask)
    assert fleet.authentications == 1
