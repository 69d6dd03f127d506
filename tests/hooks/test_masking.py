"""Secrets are masked in this process at once, and the supervisor is told by the one thread that may speak."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.hooks import masking
from tests.masker import masked

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "a-token-of-emnify-7d1f"


class Channel:
    """A task's channel to its supervisor: notes what is sent on it, and by which thread."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []

    def send(self, message: Any) -> None:
        self.sent.append((message, threading.get_ident()))


class TriggererChannel(Channel):
    """A triggerer's: known by its writer."""

    _async_writer = None

    async def asend(self, message: Any) -> None:
        await asyncio.sleep(0)
        self.sent.append((message, threading.get_ident()))


@pytest.fixture
def speak_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Put a channel where Airflow keeps it; a message is the secret itself."""
    monkeypatch.setattr(masking, "message_of", lambda secret: secret)

    def speak_on(channel: Any) -> None:
        runner = SimpleNamespace(SUPERVISOR_COMMS=channel)
        monkeypatch.setitem(masking.sys.modules, "airflow.sdk.execution_time.task_runner", runner)

    return speak_on


def in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_in_a_triggerer_no_thread_speaks_to_the_supervisor(speak_on: Callable[[Any], None]) -> None:
    channel = TriggererChannel()
    speak_on(channel)
    in_thread(lambda: masking.mask(SECRET))
    masking.mask(SECRET)
    assert channel.sent == []


@pytest.mark.parametrize("threads", [1, 4])
def test_in_a_triggerer_the_event_loop_tells_what_its_threads_know(
    threads: int, speak_on: Callable[[Any], None]
) -> None:
    channel = TriggererChannel()
    speak_on(channel)

    async def main() -> None:
        mask = masking.mask_from(asyncio.get_running_loop())
        await asyncio.gather(*(asyncio.to_thread(mask, f"{SECRET}-{n}") for n in range(threads)))
        await asyncio.sleep(0)  # the loop takes what it was handed
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run(main())
    assert {secret for secret, _ in channel.sent} == {f"{SECRET}-{n}" for n in range(threads)}
    assert {thread for _, thread in channel.sent} == {threading.get_ident()}


def test_nothing_is_sent_on_a_loop_that_has_ended(speak_on: Callable[[Any], None]) -> None:
    speak_on(TriggererChannel())
    loop = asyncio.new_event_loop()
    mask = masking.mask_from(loop)
    loop.close()
    mask(SECRET)


def test_a_task_tells_its_supervisor(speak_on: Callable[[Any], None]) -> None:
    channel = Channel()
    speak_on(channel)
    masking.mask(SECRET)
    assert channel.sent == [(SECRET, threading.get_ident())]


def test_secrets_of_a_task_s_thread_are_sent_by_its_main_thread(speak_on: Callable[[Any], None]) -> None:
    channel = Channel()
    speak_on(channel)
    in_thread(lambda: masking.mask("first-secret-1"))
    assert channel.sent == []
    masking.mask("second-secret-2")
    assert channel.sent == [(one, threading.get_ident()) for one in ("first-secret-1", "second-secret-2")]


def test_a_channel_with_a_lock_takes_it_from_any_thread(speak_on: Callable[[Any], None]) -> None:
    channel = Channel()
    channel._thread_lock = threading.Lock()  # type: ignore[attr-defined]
    speak_on(channel)
    in_thread(lambda: masking.mask(SECRET))
    assert [secret for secret, _ in channel.sent] == [SECRET]


def test_a_supervisor_that_does_not_answer_fails_no_task(speak_on: Callable[[Any], None]) -> None:
    speak_on(SimpleNamespace())  # nothing to send with
    masking.mask(SECRET)


def test_without_a_supervisor_and_from_any_thread_this_process_masks() -> None:
    in_thread(lambda: masking.mask(SECRET))
    record = logging.LogRecord("x", logging.INFO, "", 0, "the token is %s", (SECRET,), None)
    assert SECRET not in masked(record.getMessage())


def test_nothing_is_no_secret(speak_on: Callable[[Any], None]) -> None:
    channel = Channel()
    speak_on(channel)
    masking.mask("")
    assert channel.sent == []
