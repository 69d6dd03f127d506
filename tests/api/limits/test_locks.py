"""Locks: what takes several calls is done by one task at a time."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import Credentials, EmnifyAuthenticationError, EmnifyLockTimeoutError, Limits
from airflow_provider_emnify.api.limits.stores import HostStore, MemoryStore
from airflow_provider_emnify.api.locks import Lock, Locks
from airflow_provider_emnify.api.secrets import private_folder
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError
from tests.api.support import AUTHENTICATE, make_client, make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import requests_mock as rm

    Take = Callable[..., AbstractContextManager[Lock]]

SCOPE = "api.example acme"


@pytest.mark.parametrize("store", ["host", "memory"])
class TestLock:
    @pytest.fixture
    def take(self, tmp_path: Path, store: str) -> Iterator[Take]:
        """Take a lock, each time as another client would."""
        with contextlib.ExitStack() as stack:

            def hold(
                key: object = 7, scope: str = SCOPE, timeout: float = 60
            ) -> AbstractContextManager[Lock]:
                limits = Limits(store, directory=tmp_path)
                stack.callback(limits.close)
                return limits.locks.hold(f"test {tmp_path}", key, scope=scope, timeout=timeout)

            yield hold

    def test_holders_of_the_same_lock_do_not_overlap(self, take: Take) -> None:
        under_way, overlaps = [], []
        started = threading.Barrier(4)

        def work() -> None:
            started.wait()
            for _ in range(5):
                with take():
                    under_way.append(1)
                    overlaps.append(len(under_way))
                    sys.stdout.flush()
                    under_way.pop()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert overlaps == [1] * 20

    def test_other_keys_and_organisations_and_writes_are_not_waited_for(
        self, take: Take, tmp_path: Path, store: str
    ) -> None:
        def work() -> None:
            limits = Limits(store, directory=tmp_path)
            write = limits.serial("PATCH", "/api/v1/endpoint/7", host="api.example", organisation="acme")
            with take(8), write:
                pass
            with take(7, "api.example other"):
                pass
            limits.close()

        with take(7):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive()

    def test_it_knows_whether_another_one_held_it_since(self, take: Take) -> None:
        before = time.monotonic()
        with take() as lock:
            assert not lock.held_since(-1e9)
        after = time.monotonic()
        with take() as lock:
            assert lock.held_since(before - 0.1)
            assert not lock.held_since(after + 0.1)
        with take(8) as lock:
            assert not lock.held_since(-1e9)

    def test_it_knows_that_it_was_waited_for(self, take: Take) -> None:
        asked, told = threading.Event(), []

        def wait() -> None:
            begun = time.monotonic()
            asked.set()
            with take() as lock:
                told.append(lock.held_since(begun))

        thread = threading.Thread(target=wait)
        with take():
            thread.start()
            asked.wait()
            thread.join(0.02)
        thread.join()
        assert told == [True]

    def test_one_inside_another_is_refused(self, take: Take) -> None:
        refused = pytest.raises(RuntimeError, match=r"this thread holds the lock 'test .*' already")
        with take(), refused, take(8):
            pass
        with take(8):
            pass

    @pytest.mark.parametrize("timeout", ["x", "5", None, [1], -1, -5.0, math.nan])
    def test_a_timeout_that_is_no_time_is_refused_and_says_nothing_of_the_store(
        self, take: Take, timeout: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (
            pytest.raises(ValueError, match=r"timeout: .* is not a valid number of seconds"),
            take(timeout=timeout),
        ):
            pass
        with take(timeout=0):
            pass
        assert caplog.messages == []

    def test_it_is_released_by_what_fails_under_it(self, take: Take) -> None:
        with pytest.raises(KeyError), take():
            raise KeyError
        with take(timeout=0.0) as lock:
            assert lock.released > 0

    def test_a_lock_that_another_one_keeps_is_a_transient_error(self, take: Take) -> None:
        def wait() -> None:
            try:
                with take(timeout=0.01):
                    pass
            except EmnifyLockTimeoutError as error:
                errors.append(error)

        errors: list[EmnifyLockTimeoutError] = []
        thread = threading.Thread(target=wait)
        with take():
            thread.start()
            thread.join()
        assert errors[0].transient
        assert "was held by another task for 0 s, its timeout" in str(errors[0])

    def test_a_store_that_fails_costs_a_warning(
        self, take: Take, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, store: str
    ) -> None:
        def fail(self: object, key: str, timeout: float) -> AbstractContextManager[float]:
            raise OSError("no space left\non device")

        for kind in (MemoryStore, HostStore):
            monkeypatch.setattr(kind, "lock", fail)
        with take() as lock:
            assert lock.released == -math.inf
        assert "OSError: no space left)" in caplog.text


def test_a_child_that_was_forked_waits_for_no_thread_of_its_parent() -> None:
    def take() -> AbstractContextManager[Lock]:
        return Limits("memory").locks.hold("forked", 7, scope=SCOPE, timeout=0.0)

    with take():
        pid = os.fork()
        if not pid:
            with take():
                os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


class Busy:
    """A store whose lock others hold for so many seconds."""

    name = "busy"

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        self.left -= timeout
        if self.left >= 0:
            raise LockTimeoutError(key)
        yield -math.inf


@pytest.mark.parametrize(("seconds", "lines"), [(5, 0), (15, 1), (300, 5)])
def test_a_long_wait_says_what_for_how_long_and_what_helps_once_a_minute(
    seconds: int, lines: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Busy(seconds)
    monkeypatch.setattr("time.monotonic", lambda: 1e6 + seconds * 1e4 + seconds - store.left)
    with caplog.at_level(logging.INFO), Locks(store).hold("SMS", 7, scope=f"{seconds}") as lock:
        assert (lock.released > 0) is (seconds > 10)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == lines
    if said:
        assert said[0].startswith(
            "Waiting for the lock 'SMS' of 7 that another task holds (store busy): at most 590 s. max_active"
        )


def test_a_wait_never_ends_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EmnifyLockTimeoutError, match="for 600 s"), Locks(Busy(1e9)).hold("x", "", scope="x"):
        pass


def test_what_was_held_longer_ago_than_an_hour_leaves_no_file(tmp_path: Path) -> None:
    limits = Limits("host", directory=tmp_path)
    for endpoint_id in range(9):
        with limits.locks.hold("SMS", endpoint_id, scope=SCOPE):
            pass
    files = sorted(tmp_path.glob("lock-*"))
    assert len(files) == 9
    for file in files[:5]:
        os.utime(file, (time.time() - 4000,) * 2)
    limits.acquire("GET", "/api/v1/user", host="x", organisation="x")
    limits.close()
    assert sorted(tmp_path.glob("lock-*")) == files[5:]


HOLD = f"""
import os, sys
from pathlib import Path
from airflow_provider_emnify.api import Limits
limits = Limits("host", directory=Path(sys.argv[1]))
with limits.locks.hold("calls", 7, scope="{SCOPE}"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("waits", [True, False])
def test_of_a_lock_whose_process_died_its_beginning_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Who waited for it knows that it was held until just now."""
    begun, waiting = time.monotonic(), threading.Event()
    told: list[float] = []

    take_lock = private_folder.HeldFile.take

    def take_or_tell(held: private_folder.HeldFile) -> bool:
        taken = take_lock(held)
        if not taken:
            waiting.set()
        return taken

    monkeypatch.setattr(private_folder.HeldFile, "take", take_or_tell)

    def take() -> None:
        limits = Limits("host", directory=tmp_path)
        with limits.locks.hold("calls", 7, scope=SCOPE) as lock:
            told.append(lock.released)
        limits.close()

    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        thread = threading.Thread(target=take)
        if waits:
            thread.start()
            assert waiting.wait(30)
        held = time.monotonic()
        holder.kill()
        holder.wait()
        if not waits:
            thread.start()
        thread.join()
    assert told[0] > held if waits else begun - 0.1 <= told[0] <= held + 0.1


def test_on_a_full_disk_locks_are_held_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    errors: list[Exception] = []

    def other() -> None:
        limits = Limits("host", directory=tmp_path)
        try:
            with limits.locks.hold("calls", 7, scope=SCOPE, timeout=0.0):
                pass
        except EmnifyLockTimeoutError as error:
            errors.append(error)
        limits.close()

    limits = Limits("host", directory=tmp_path)
    with limits.locks.hold("calls", 7, scope=SCOPE):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    limits.close()
    assert len(errors) == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("organisations", "shared"), [((7, 7), True), ((7, 8), False), ((None, None), False)]
)
def test_tokens_of_one_organisation_share_a_lock(
    requests_mock: rm.Mocker, tmp_path: Path, organisations: tuple[int | None, int | None], shared: bool
) -> None:
    """Where a token does not say whose it is, each has locks of its own."""
    told = []
    for organisation in organisations:
        requests_mock.post(AUTHENTICATE, json={"auth_token": make_token(**{"esc.org": organisation})})
        limits = Limits("host", directory=tmp_path)
        client = make_client(Credentials(application_token=f"token {len(told)}"), limits=limits)
        with client, client.lock("SMS", 7) as lock:
            told.append(lock.released > 0)
    assert told == [False, shared]


def test_a_lock_needs_a_credential_that_is_accepted(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, status_code=401)
    with make_client() as client, pytest.raises(EmnifyAuthenticationError):
        client.lock("SMS", 7)
