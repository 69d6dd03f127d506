"""The rate limits: what is counted together, by how many processes, and what happens to a damaged store."""

from __future__ import annotations

import logging
import multiprocessing
import re
import shutil
import sqlite3
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import time_machine

from airflow_provider_emnify.api.limits import buckets
from airflow_provider_emnify.api.limits.documented import LIMITS, Limit, is_serial, limit_class
from airflow_provider_emnify.api.limits.limits import Limits

if TYPE_CHECKING:
    from multiprocessing.context import SpawnContext
    from pathlib import Path

LIST = "/api/v1/endpoint"
HOST = "api.example"
# The documented limits, scaled down: 40 calls of an address in 1 s, lists 5 in 0.1 s.
SMALL = (
    Limit("address", 40, 1.0, "address", path=re.compile(".*")),
    Limit("lists", 5, 0.1, "organisation", "GET", re.compile(LIST)),
)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/api/v1/authenticate", "authenticate"),
        ("POST", "/api/v1/authenticate/workspace", "address"),
        ("GET", "/api/v1/endpoint", "10/s"),
        ("POST", "/api/v1/endpoint", "address"),
        ("GET", "/api/v1/sim", "10/s"),
        ("GET", "/api/v1/event", "10/s"),
        ("GET", "/api/v1/organisation/my/stats", "10/s"),
        ("GET", "/api/v1/sim/5/stats", "10/s"),
        ("GET", "/api/v1/endpoint/{endpoint_id}/connectivity_info", "10/s"),
        ("GET", "/api/v1/endpoint/5", "50/s"),
        ("GET", "/api/v1/endpoint/5/connectivity", "50/s"),
        ("GET", "/api/v1/sim/5", "100/s"),
        ("GET", "/api/v1/service_profile", "100/s"),
        ("GET", "/api/v1/tariff_profile", "100/s"),
        ("GET", "/api/v1/endpoint/5/stats/daily", "100/s"),
        ("GET", "/api/v1/user", "address"),
        ("DELETE", "/api/v2/endpoint/multi", "address"),
    ],
)
def test_each_call_falls_under_its_documented_limit(method: str, path: str, name: str) -> None:
    assert limit_class(method, path) == name


@pytest.mark.parametrize(
    ("method", "path", "serial"),
    [
        ("POST", "/api/v1/endpoint", True),
        ("PATCH", "/api/v1/endpoint/5", True),
        ("DELETE", "/api/v1/endpoint/5", True),
        ("POST", "/api/v2/endpoint/multi", True),
        ("DELETE", "/api/v1/sim/multi", True),
        ("POST", "/api/v2/bulk-operations/endpoint/add-tags", True),
        ("GET", "/api/v1/endpoint/5", False),
        ("POST", "/api/v1/endpoint/5/sms", False),
        ("PATCH", "/api/v1/sim/5", False),
    ],
)
def test_single_writes_on_endpoints_and_bulk_calls_are_serial(method: str, path: str, serial: bool) -> None:
    assert is_serial(method, path) is serial


def call(limits: Limits, places: list[dict[str, float]]) -> None:
    """Take a place in every limit, and note when each was taken, by the limits' own clock."""
    limits.acquire("GET", LIST, host=HOST, organisation="acme")
    places.append({limit.name: moments[-1] / 1000 for limit, moments in limits.calls.values()})


class SharedTime:
    """A clock of several processes, which goes on when all of them sleep: none is late on a slow machine."""

    def __init__(self, context: SpawnContext, sleepers: int) -> None:
        self.milliseconds = context.Value("q", time.time_ns() // 1_000_000)
        self._wakes = context.Array("q", sleepers)  # 0: is awake

    def sleep(self, sleeper: int, seconds: float) -> None:
        with self.milliseconds:
            wake = self._wakes[sleeper] = self.milliseconds.value + round(seconds * 1000) + 1
        while self._wakes[sleeper]:
            with self.milliseconds:
                if all(self._wakes):
                    self.milliseconds.value = min(self._wakes)
                if self.milliseconds.value >= wake:
                    self._wakes[sleeper] = 0
            time.sleep(0.0005)

    def leave(self, sleeper: int) -> None:
        self._wakes[sleeper] = sys.maxsize


def call_in_a_process(
    directory: Path,
    calls: int,
    queue: multiprocessing.Queue[list[dict[str, float]]],
    shared: SharedTime,
    number: int,
) -> None:
    logging.disable(logging.CRITICAL)  # a damaged store is warned of; here it is damaged on purpose
    clock = SimpleNamespace(time_ns=lambda: shared.milliseconds.value * 1_000_000)
    buckets.time = clock  # type: ignore[assignment]
    places: list[dict[str, float]] = []
    limits = Limits("host", limits=SMALL, directory=directory, sleep=partial(shared.sleep, number))
    for _ in range(calls):
        call(limits, places)
    limits.close()
    queue.put(places)
    shared.leave(number)


def most_in_a_window(places: list[dict[str, float]], limit: Limit) -> int:
    moments = sorted(place[limit.name] for place in places)
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - limit.seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def damage_nothing(_: Path) -> None:
    pass


def delete(path: Path) -> None:
    path.unlink(missing_ok=True)


def delete_all(path: Path) -> None:
    shutil.rmtree(path.parent, ignore_errors=True)


def corrupt(path: Path) -> None:
    if path.exists():
        path.write_bytes(b"this is no database, and was never one" * 200)


def make_unreadable(path: Path) -> None:
    # What a lost permission is to a user; a superuser reads everything but a directory.
    path.unlink(missing_ok=True)
    path.mkdir(exist_ok=True)


@pytest.mark.parametrize("damage", [damage_nothing, delete, delete_all, corrupt, make_unreadable])
def test_four_processes_together_stay_within_the_limits(tmp_path: Path, damage: object) -> None:
    directory = tmp_path / "limits"
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[list[dict[str, float]]] = context.Queue()
    shared = SharedTime(context, 5)
    workers = [
        context.Process(target=call_in_a_process, args=(directory, 22, queue, shared, number), daemon=True)
        for number in range(4)
    ]
    for worker in workers:
        worker.start()
    store = directory / "limits.sqlite"
    while not store.exists() and any(worker.is_alive() for worker in workers):
        workers[0].join(0.01)
    damage(store)  # type: ignore[operator]
    shared.leave(4)
    places = [place for _ in workers for place in queue.get(timeout=60)]
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    assert len(places) == 88
    # With its lock file gone, a process that is just taking a place does so in a file that no other sees.
    unseen = 4 if damage is delete_all else 0
    assert [most_in_a_window(places, limit) <= limit.calls + unseen for limit in SMALL] == [True, True]


def test_threads_of_a_process_stay_within_the_limits() -> None:
    limits = Limits("memory", limits=SMALL)
    places: list[dict[str, float]] = []

    def work() -> None:
        for _ in range(8):
            call(limits, places)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [{limit.name: moment / 1000} for limit, own in limits.calls.values() for moment in own]
    assert len(places) == 32
    for limit in SMALL:
        assert most_in_a_window([place for place in everything if limit.name in place], limit) <= limit.calls


def test_organisations_and_hosts_have_limits_of_their_own(tmp_path: Path) -> None:
    waits: list[float] = []
    limits = Limits("host", limits=SMALL, directory=tmp_path, sleep=waits.append)
    limits.acquire("POST", "/api/v1/user", host=HOST, organisation="acme")
    waits.clear()
    for organisation in ("acme", "other"):
        for _ in range(5):
            limits.acquire("GET", LIST, host=HOST, organisation=organisation)
    for _ in range(5):
        limits.acquire("GET", LIST, host="another.example", organisation="acme")
    limits.close()
    assert not waits


def test_those_who_leave_a_share_keep_together_to_the_rest_and_others_have_it(tmp_path: Path) -> None:
    limit = (Limit("address", 8, 60.0, "address", path=re.compile(".*")),)
    with time_machine.travel(time.time() - 120):  # nobody has used the store lately
        Limits("host", limits=limit, directory=tmp_path).used(host=HOST, organisation="a")

    class WaitedError(Exception):
        pass

    def give_up(_: float) -> None:
        raise WaitedError

    background = [
        Limits("host", limits=limit, directory=tmp_path, leave=0.25, sleep=give_up) for _ in range(2)
    ]
    task = Limits("host", limits=limit, directory=tmp_path, sleep=give_up)
    for number in range(6):
        background[number % 2].acquire("GET", LIST, host=HOST, organisation="a")
    for limits in background:
        with pytest.raises(WaitedError):
            limits.acquire("GET", LIST, host=HOST, organisation="a")
    for _ in range(2):
        task.acquire("GET", LIST, host=HOST, organisation="a")
    with pytest.raises(WaitedError):
        task.acquire("GET", LIST, host=HOST, organisation="a")
    for limits in (*background, task):
        limits.close()


def test_what_was_waited_is_returned(tmp_path: Path) -> None:
    limits = Limits("host", limits=SMALL, directory=tmp_path)
    waited = [limits.acquire("GET", LIST, host=HOST, organisation="acme") for _ in range(6)]
    limits.close()
    assert waited[0] == pytest.approx(0.102)  # others may have been calling before the store was there
    assert waited[1:5] == [0.0] * 4
    assert 0 < waited[5] <= 0.25


def test_a_clock_that_was_set_back_does_not_stop_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits("host", limits=SMALL, directory=tmp_path)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3600 * 10**9)
    for _ in range(5):
        limits.acquire("GET", LIST, host=HOST, organisation="acme")
    monkeypatch.setattr(time, "time_ns", real)
    assert limits.acquire("GET", LIST, host=HOST, organisation="acme") < 1
    limits.close()


def test_memory_is_one_client_s_alone() -> None:
    day = (Limit("two a day", 2, 86_400.0, "address", path=re.compile(".*")),)
    waits: list[float] = []

    def stop(seconds: float) -> None:
        waits.append(seconds)
        raise InterruptedError

    for _ in range(2):
        limits = Limits("memory", limits=day, sleep=stop)
        for _ in range(2):
            limits.acquire("GET", LIST, host=HOST, organisation="acme")
        assert waits == []
    with pytest.raises(InterruptedError):
        limits.acquire("GET", LIST, host=HOST, organisation="acme")
    assert waits != []


def test_a_store_that_fails_costs_a_warning_and_a_share(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "limits.sqlite").mkdir()
    waits: list[float] = []
    limits = Limits("host", limits=(LIMITS[0],), directory=tmp_path, sleep=waits.append)
    with caplog.at_level(logging.WARNING):
        for _ in range(500):
            limits.acquire("GET", LIST, host=HOST, organisation="acme")
    assert not waits
    assert [r.getMessage() for r in caplog.records if "counts alone" in r.getMessage()]
    assert len(caplog.records) == 1
    limits.close()


def test_a_redis_that_is_not_there_costs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits("redis://:secret-password@127.0.0.1:1/0")
    with caplog.at_level(logging.WARNING):
        assert 0 < limits.acquire("GET", LIST, host=HOST, organisation="acme") < 2
    assert "redis://127.0.0.1:1" in caplog.text
    assert "secret-password" not in caplog.text
    limits.close()


@pytest.mark.parametrize("store", ["hots", "sqlite:///x", "", "http://user:secret@x"])
def test_a_store_that_is_none_is_refused(store: str) -> None:
    with pytest.raises(ValueError, match="rate_limit_store") as caught:
        Limits(store)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("store", ["host", "memory"])
def test_serial_writes_of_two_clients_do_not_overlap(tmp_path: Path, store: str) -> None:
    under_way, overlaps = [], []
    started = threading.Barrier(4)

    def write() -> None:
        limits = Limits(store, directory=tmp_path)
        started.wait()
        for _ in range(5):
            with limits.serial("PATCH", "/api/v1/endpoint/5", host=HOST, organisation="acme"):
                under_way.append(1)
                overlaps.append(len(under_way))
                sys.stdout.flush()
                under_way.pop()
        limits.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 20


def test_the_host_store_is_this_users_alone(tmp_path: Path) -> None:
    directory = tmp_path / "limits"
    limits = Limits("host", directory=directory)
    limits.acquire("GET", LIST, host=HOST, organisation="acme")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "limits.sqlite").stat().st_mode & 0o777 == 0o600
    limits.close()


def test_what_nobody_calls_any_more_is_forgotten(tmp_path: Path) -> None:
    with time_machine.travel(1_700_000_000, tick=False) as now:
        for port in range(40):
            limits = Limits("host", directory=tmp_path, sleep=lambda _: now.shift(1))
            limits.acquire("GET", LIST, host=f"127.0.0.1:{port}", organisation="acme")
            limits.close()
        now.shift(700)
        for _ in range(2):  # what is in use stays
            limits = Limits("host", directory=tmp_path)
            limits.acquire("GET", LIST, host=HOST, organisation="acme")
            limits.close()
    connection = sqlite3.connect(tmp_path / "limits.sqlite")
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
    connection.close()
    assert tables == (2,)
