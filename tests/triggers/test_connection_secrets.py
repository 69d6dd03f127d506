"""A secret in any field of a connection, right or wrong, is shown by no trigger, nor kept with it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import requests_mock as rm

from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.triggers.shared import connection as access_module
from airflow_provider_emnify.triggers.shared.connection import SharedConnection
from airflow_provider_emnify.triggers.shared.event_feed import feed_for
from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger
from tests.hooks.test_connection_secrets import MISUSES, TOKENS, Stored, pieces
from tests.triggers.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = Wait("endpoint_status", [7], "enabled").to_dict()


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each request times out, at once."""
    monkeypatch.setattr(SharedConnection, "sleep", lambda self, seconds: None)
    with rm.Mocker() as mocker:
        mocker.register_uri(rm.ANY, rm.ANY, exc=requests.exceptions.ConnectTimeout("no"))
        yield


def use(conn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(conn_id: str) -> Any:
        return conn

    monkeypatch.setattr(access_module, "get_async_connection", get)


def shown(token: str, told: list[str], caplog: pytest.LogCaptureFixture) -> list[str]:
    formatter = logging.Formatter()
    everything = "\n".join([*told, caplog.text, *map(formatter.format, caplog.records)]).lower()
    return [piece for piece in pieces(token) if piece.lower() in everything]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_no_trigger_shows_what_is_in_a_field(
    misuse: Any, token: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    use(Stored(**misuse(token)), monkeypatch)
    told: list[str] = []

    async def main() -> None:
        wait = EmnifyWaitTrigger("fleet", WAIT, 0.01, time.time() + 0.05)
        told.extend([json.dumps(event.payload) async for event in wait.run()])
        told.extend([repr(wait), json.dumps(wait.serialize())])

    asyncio.run(main())
    assert told
    assert shown(token, told, caplog) == []


@pytest.mark.parametrize("token", [TOKENS["jwt"], TOKENS["with line ends"]], ids=["jwt", "with line ends"])
@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_no_watcher_shows_what_is_in_a_field(
    misuse: Any, token: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    use(Stored(**misuse(token)), monkeypatch)

    async def main() -> None:
        feed = feed_for("fleet")

        async def listen() -> None:
            async for _ in feed.batches():
                pass

        with feed.subscribe(time.time(), 0.01):
            task = asyncio.create_task(listen())
            await until(lambda: "Polling failed" in caplog.text)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert shown(token, [], caplog) == []


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_secrets_backend_that_fails_is_not_quoted(
    token: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)

    async def get(conn_id: str) -> Any:
        raise RuntimeError(f"cannot parse emnify://{token}@host")

    monkeypatch.setattr(access_module, "get_async_connection", get)
    told: list[str] = []

    async def main() -> None:
        wait = EmnifyWaitTrigger("fleet", WAIT, 0.01, time.time() + 0.05)
        told.extend([json.dumps(event.payload) async for event in wait.run()])

    asyncio.run(main())
    assert "could not be read" in told[0]
    assert shown(token, told, caplog) == []
