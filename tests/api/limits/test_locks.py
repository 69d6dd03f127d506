"""Turns: what takes several calls is done by one task at a time."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api import Credentials, EmnifyAuthenticationError, Limits
from airflow_provider_emnify.api.limits import limits as limits_module
from airflow_provider_emnify.api.limits import stores as limit_stores
from airflow_provider_emnify.api.limits.stores import HostStore, MemoryStore
from airflow_provider_emnify.api.secrets import private_folder
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError, PrivateFolder
from tests.api.support import AUTHENTICATE, make_client, make_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import requests_mock as rm

    Turn = Callable[..., AbstractContextManager[float]]

HOST = "api.example"


@pytest.mark.parametrize("store", ["host", "memory"])
class TestOneAtATime:
    @pytest.fixture
    def turn(self, tmp_path: Path, store: str) -> Iterator[Turn]:
        """Take a turn, each time as another client would."""
        with contextlib.ExitStack() as stack:

            def take(which: object = 7, organisation: str = "acme") -> AbstractContextManager[float]:
                limits = Limits(store, directory=tmp_path)
                stack.callback(limits.close)
                return limits.one_at_a_time(f"test {tmp_path}", which, host=HOST, organisation=organisation)

            yield take

    def test_turns_of_the_same_thing_do_not_overlap(self, turn: Turn) -> None:
        under_way, overlaps = [], []
        started = threading.Barrier(4)

        def work() -> None:
            started.wait()
            for _ in range(5):
                with turn():
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

    def test_other_things_and_organisations_and_writes_are_not_waited_for(
        self, turn: Turn, tmp_path: Path, store: str
    ) -> None:
        def work() -> None:
            limits = Limits(store, directory=tmp_path)
            with turn(8), limits.serial("PATCH", "/api/v1/endpoint/7", host=HOST, organisation="acme"):
                pass
            with turn(7, "other"):
                pass
            limits.close()

        with turn(7):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(30)
            assert not thread.is_alive()

    def test_it_tells_when_another_one_ended(self, turn: Turn) -> None:
        before = time.monotonic()
        with turn() as ended:
            assert ended == -math.inf
        after = time.monotonic()
        with turn() as ended:
            assert before - 0.1 <= ended <= after + 0.1

    def test_things_that_share_a_turn_are_told_apart(
        self, turn: Turn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits_module, "_SLOTS", 1)
        for which in (7, 8):
            with turn(which) as ended:
                assert ended == -math.inf
        for which in (7, 8):
            with turn(which) as ended:
                assert ended > 0

    def test_what_was_more_than_an_hour_ago_is_forgotten(
        self, turn: Turn, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits_module, "_SLOTS", 1)
        monkeypatch.setattr(limit_stores, "_TURN_REMEMBERED", 0.0)
        for which in range(50):
            with turn(which):
                pass
        (file,) = tmp_path.glob("*.turns") if store == "host" else (None,)
        kept = json.loads(file.read_text()) if file else next(
            ended for key, ended in MemoryStore._ended.items() if str(tmp_path) in key
        )
        assert len(kept) == 1

    def test_it_tells_that_another_one_ended_while_it_was_waited_for(self, turn: Turn) -> None:
        asked, told = threading.Event(), []

        def wait() -> None:
            begun = time.monotonic()
            asked.set()
            with turn() as ended:
                told.append((ended, begun))

        thread = threading.Thread(target=wait)
        with turn():
            thread.start()
            asked.wait()
            thread.join(0.02)
        thread.join()
        ((ended, begun),) = told
        assert ended > begun

    def test_one_inside_another_is_refused(self, turn: Turn) -> None:
        with turn(), pytest.raises(RuntimeError, match=r"has the turn of test .* already"), turn(8):
            pass
        with turn(8):
            pass

    def test_a_turn_ends_with_what_fails_in_it(self, turn: Turn) -> None:
        with pytest.raises(KeyError), turn():
            raise KeyError
        with turn() as ended:
            assert ended > 0

    def test_a_store_that_fails_costs_a_warning(
        self, turn: Turn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(self: object, key: str, which: str, timeout: float) -> AbstractContextManager[float]:
            raise OSError("no space left\non device")

        for kind in (MemoryStore, HostStore):
            monkeypatch.setattr(kind, "turn", fail)
        done = []
        with turn() as ended:
            done.append(ended)
        assert done == [-math.inf]
        assert "OSError: no space left); going on" in caplog.text


def test_a_fleet_leaves_few_files_of_its_turns(tmp_path: Path) -> None:
    limits = Limits("host", directory=tmp_path)
    for endpoint_id in range(300):
        with limits.one_at_a_time("SMS", endpoint_id, host=HOST, organisation="acme"):
            pass
    limits.close()
    assert 20 < len(list(tmp_path.glob("turn-*.turns"))) <= 64
    assert len(list(tmp_path.glob("turn-*"))) <= 128


HOLD = f"""
import os, sys
from pathlib import Path
from airflow_provider_emnify.api import Limits
limits = Limits("host", directory=Path(sys.argv[1]))
with limits.one_at_a_time("calls", 7, host="{HOST}", organisation="acme"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("waits", [True, False])
def test_of_a_turn_whose_process_died_its_beginning_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Who waited for it is told that it ended just now, whatever it has done."""
    begun, waiting = time.monotonic(), threading.Event()
    told: list[float] = []

    take_lock = private_folder._Held.take

    def take_or_tell(held: private_folder._Held) -> bool:
        taken = take_lock(held)
        if not taken:
            waiting.set()
        return taken

    monkeypatch.setattr(private_folder._Held, "take", take_or_tell)

    def take() -> None:
        limits = Limits("host", directory=tmp_path)
        with limits.one_at_a_time("calls", 7, host=HOST, organisation="acme") as ended:
            told.append(ended)
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


def test_notes_of_turns_that_are_damaged_are_begun_anew(tmp_path: Path) -> None:
    told = []
    for _ in range(3):
        limits = Limits("host", directory=tmp_path)
        with limits.one_at_a_time("calls", 7, host=HOST, organisation="acme") as ended:
            told.append(ended == -math.inf)
        limits.close()
        if len(told) == 1:
            (file,) = tmp_path.glob("*.turns")
            file.write_text("{")
    assert told == [True, True, False]


def test_on_a_full_disk_turns_are_taken_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(PrivateFolder, "write", fail)
    limits, other = (Limits("host", directory=tmp_path) for _ in range(2))
    store = other._store
    with limits.one_at_a_time("calls", 7, host=HOST, organisation="acme"):
        (lock,) = tmp_path.glob("turn-*.lock")
        monkeypatch.setattr(limit_stores, "_name", lambda _: lock.stem.removeprefix("turn-"))
        with pytest.raises(LockTimeoutError), store.turn("the same", "7", 0.0):
            pass
    limits.close()
    other.close()
    assert not caplog.records


@pytest.mark.parametrize(
    ("organisations", "shared"), [((7, 7), True), ((7, 8), False), ((None, None), False)]
)
def test_tokens_of_one_organisation_share_a_turn(
    requests_mock: rm.Mocker, tmp_path: Path, organisations: tuple[int | None, int | None], shared: bool
) -> None:
    """Where a token does not say whose it is, each has turns of its own."""
    told = []
    for organisation in organisations:
        requests_mock.post(AUTHENTICATE, json={"auth_token": make_token(**{"esc.org": organisation})})
        limits = Limits("host", directory=tmp_path)
        client = make_client(Credentials(application_token=f"token {len(told)}"), limits=limits)
        with client, client.one_at_a_time("SMS", 7) as ended:
            told.append(ended > 0)
    assert told == [False, shared]


def test_a_turn_needs_a_credential_that_is_accepted(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, status_code=401)
    with make_client() as client, pytest.raises(EmnifyAuthenticationError):
        client.one_at_a_time("SMS", 7)
