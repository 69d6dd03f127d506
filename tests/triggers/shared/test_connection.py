"""A connection that is changed while many use it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.triggers.shared import connection as module
from airflow_provider_emnify.triggers.shared.connection import connection_for
from airflow_provider_emnify.triggers.shared.threads import Threads
from tests.fleets import ids_of
from tests.triggers.waiting import connect, move_clock, revoke, run, until

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(1, retries=False)


def test_all_who_meet_a_rejected_credential_at_once_go_on_with_the_new_one(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = ids_of(fleet)

    def read(client: EmnifyClient) -> Any:
        return client.endpoints.get(key)["id"]

    async def test() -> list[Any]:
        connection = connection_for("emnify_default")
        await connection.call(read)
        new = fleet.accounts.add_application_token("new")
        revoke(fleet)
        connect(fleet, monkeypatch, password=new.token)
        found = await asyncio.gather(*(connection.call(read) for _ in range(4)))
        connection.release()
        return found

    assert run(test) == [key] * 4
    assert fleet.authentications == 3  # the rejected one was sent once


def test_a_client_that_is_replaced_is_not_closed_before_who_uses_it_is_done(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,), began, goes_on, used = ids_of(fleet), threading.Event(), threading.Event(), list[Any]()

    def read_slowly(client: EmnifyClient) -> Any:
        used.append(client)
        began.set()
        assert goes_on.wait(20)
        return client.endpoints.get(key)["id"]

    async def test() -> Any:
        connection = connection_for("emnify_default")
        slow = asyncio.create_task(connection.call(read_slowly))
        await until(began.is_set)
        connect(fleet, monkeypatch, extra={"timeout": 20, "rate_limit_store": "memory", "max_retries": 0})
        move_clock(module.FETCH_EVERY)
        before, after = used[0], await connection.call(lambda client: client)
        assert after is not before
        await connection.in_thread(int)
        goes_on.set()
        found = await slow
        connection.release()
        return found

    assert asyncio.run(test()) == key


def test_those_who_come_first_at_once_share_one_client(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,), made = ids_of(fleet), []
    make = EmnifyHook.client_from_settings

    def count(*args: Any, **kwargs: Any) -> EmnifyClient:
        made.append(1)
        return make(*args, **kwargs)

    monkeypatch.setattr(EmnifyHook, "client_from_settings", count)

    async def test() -> None:
        connection = connection_for("emnify_default")
        await asyncio.gather(*(connection.call(lambda client: client.endpoints.get(key)) for _ in range(4)))
        connection.release()

    run(test)
    assert made == [1]


def test_a_thread_that_is_free_is_used_before_another_one_begins() -> None:
    threads = Threads(4, "emnify-test")
    for _ in range(3):
        assert threads.submit(threading.current_thread).result(9).name == "emnify-test_0"
        assert threads.free.acquire(timeout=9)  # it is free a moment after its work is done
        threads.free.release()
    threads.shutdown()
