"""A host store that cannot be used: one warning a process, then memory, and back when it is well again."""

from __future__ import annotations

import contextlib
import errno
import logging
import multiprocessing
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.limits import fallback as limit_fallback
from airflow_provider_emnify.api.limits import stores as limit_stores
from airflow_provider_emnify.api.limits.buckets import Place, local_now
from airflow_provider_emnify.api.limits.documented import Limit
from airflow_provider_emnify.api.limits.limits import Limits
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError, PrivateFolder
from tests.api.limits.test_limits import HOST, LIST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


LONG = (
    Limit("address", 2000, 300.0, "address", path=re.compile(".*")),
    Limit("short", 5, 0.01, "address", path=re.compile("/not-called")),  # how long a new store is waited for
)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def use(directory: Path | None, calls: int = 3, limits: tuple[Limit, ...] = LONG) -> None:
    """Do what a task does: a lock, a write, and calls; with a client of its own."""
    client = Limits("host", limits=limits, directory=directory)
    with client.locks.hold("SMS", 7, scope=f"{HOST} acme"):
        pass
    with client.serial("PATCH", "/api/v1/endpoint/5", host=HOST, organisation="acme"):
        for _ in range(calls):
            client.acquire("GET", LIST, host=HOST, organisation="acme")
    client.close()


def rows(directory: Path) -> int:
    connection = sqlite3.connect(directory / "limits.sqlite")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = sum(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in tables)
    connection.close()
    return int(found)


def recovered(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 120)  # the cooldown is over
    use(directory, 1)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is full, as soon as the store lies on it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=False, capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("a file system of its own cannot be mounted here; see the test with a bounded file size")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("ab", buffering=0) as filler:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while filler.write(b"x" * size):
                    pass


@pytest.mark.parametrize("full_from", ["before the folder", "before the file", "in use"])
def test_a_full_disk_costs_one_warning_and_keeps_what_was_counted(
    full_disk: Path, full_from: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = full_disk / "limits"
    counted = 0
    if full_from == "before the file":
        PrivateFolder("x", directory).check()
    if full_from == "in use":
        use(directory)
        counted = rows(directory)
    fill(full_disk)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            use(directory, 80)
    (warning,) = warnings(caplog)
    assert re.search("The rate limit store host .* fails .*(full|No space)", warning)
    if full_from == "in use":
        assert rows(directory) >= counted
    (full_disk / "filler").unlink()
    with caplog.at_level(logging.INFO):
        recovered(directory, monkeypatch)
    assert "works again" in caplog.text
    # What was called meanwhile is told, so that other processes leave room for it.
    assert rows(directory) >= min(400, LONG[0].calls // 4)
    assert len(warnings(caplog)) == 1


BOUNDED = """
import resource, signal, sys, logging
from pathlib import Path
from tests.api.limits.test_failing_stores import use
logging.basicConfig(level="WARNING", format="%(message)s", stream=sys.stdout)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
use(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
for _ in range(5):
    use(Path(sys.argv[1]), 90)
"""


@pytest.mark.parametrize("size", [0, 4096, 12288])
def test_a_file_that_may_not_grow_costs_one_warning(tmp_path: Path, size: int) -> None:
    """What a quota does."""
    script = [sys.executable, "-c", BOUNDED, str(tmp_path / "limits"), str(size)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=True)
    assert len(done.stdout.splitlines()) == 1, done.stdout
    assert "fails" in done.stdout
    assert rows(tmp_path / "limits") >= 3


ERRORS = [
    (sqlite3.OperationalError, "SQLITE_FULL"),
    (sqlite3.OperationalError, "SQLITE_IOERR_WRITE"),
    (sqlite3.OperationalError, "SQLITE_IOERR_READ"),
    (sqlite3.OperationalError, "SQLITE_IOERR_FSYNC"),
    (sqlite3.OperationalError, "SQLITE_READONLY"),
    (sqlite3.OperationalError, "SQLITE_READONLY_DIRECTORY"),
    (sqlite3.OperationalError, "SQLITE_CANTOPEN"),
    (sqlite3.OperationalError, "SQLITE_BUSY"),
    (sqlite3.OperationalError, "SQLITE_LOCKED"),
    (sqlite3.OperationalError, "SQLITE_NOMEM"),
    (sqlite3.OperationalError, "SQLITE_PERM"),
]


@pytest.mark.parametrize(("kind", "code"), ERRORS)
def test_what_is_not_damage_deletes_nothing(
    tmp_path: Path,
    kind: type[sqlite3.Error],
    code: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(tmp_path)
    counted = rows(tmp_path)
    error = kind(f"as SQLite says it for {code}")
    error.sqlite_errorcode = getattr(sqlite3, code)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(limit_stores.LocalBucket, "take", fail)
        patch.setattr(limit_fallback.MemoryStore, "bucket", lambda *_: Roomy())
        for _ in range(3):
            use(tmp_path)
    assert rows(tmp_path) == counted
    assert len(warnings(caplog)) == 1
    assert "counts alone" in caplog.text
    recovered(tmp_path, monkeypatch)
    assert rows(tmp_path) == counted + 10  # with what was called meanwhile


class Roomy:
    """A bucket in which there is always a place."""

    def take(self) -> Place:
        return Place(0, local_now())


@pytest.mark.parametrize(
    "number", [errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES, errno.EMFILE]
)
def test_a_folder_that_cannot_be_made_costs_one_warning(
    tmp_path: Path, number: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", fail)
    for _ in range(3):
        use(tmp_path / "limits")
    (warning,) = warnings(caplog)
    assert os.strerror(number) in warning


def test_without_a_temporary_folder_a_home_or_a_known_user_it_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    monkeypatch.setattr(limit_fallback, "FALLBACKS", {})
    for _ in range(3):
        use(None)
    (warning,) = warnings(caplog)
    assert "No usable temporary directory" in warning


def work(directory: Path, calls: int, queue: multiprocessing.Queue[tuple[list[int], list[str]]]) -> None:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    said: list[str] = []
    logger = logging.getLogger("airflow_provider_emnify")
    logger.addHandler(Kept())
    client = Limits("host", limits=LONG, directory=directory)
    for _ in range(calls):
        client.acquire("GET", LIST, host=HOST, organisation="acme")
    ((_, own),) = client.calls.values()
    queue.put((list(own), said))
    client.close()


def in_processes(directory: Path, number: int, calls: int) -> tuple[list[int], list[str]]:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[tuple[list[int], list[str]]] = context.Queue()
    workers = [context.Process(target=work, args=(directory, calls, queue)) for _ in range(number)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    return [moment for own, _ in answers for moment in own], [line for _, said in answers for line in said]


def test_many_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    moments, said = in_processes(tmp_path / "limits", 40, 20)
    assert not said
    assert len(moments) == rows(tmp_path / "limits") == 800


def test_a_lock_that_is_not_had_in_time_deletes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(tmp_path)
    counted, identity = rows(tmp_path), (tmp_path / "limits.sqlite").stat().st_ino
    monkeypatch.setattr(limit_stores, "LOCK_WAIT", 0.01)
    with PrivateFolder("x", tmp_path).lock("limits.lock", 0):
        for _ in range(3):
            use(tmp_path)
    (warning,) = warnings(caplog)
    assert "another process has" in warning
    assert (rows(tmp_path), (tmp_path / "limits.sqlite").stat().st_ino) == (counted, identity)
    recovered(tmp_path, monkeypatch)
    assert rows(tmp_path) == counted + 10  # with what was called meanwhile


def test_a_lock_that_is_not_had_in_time_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, lock = [], PrivateFolder.lock

    def another_has_it(folder: PrivateFolder, name: str, timeout: float) -> AbstractContextManager[Any]:
        if name != "limits.lock":
            return lock(folder, name, timeout)
        waits.append(timeout)
        raise LockTimeoutError("another process has it")

    monkeypatch.setattr(PrivateFolder, "lock", another_has_it)
    Limits("host", directory=tmp_path).acquire("GET", LIST, host=HOST, organisation="acme")
    assert waits == [limit_stores.LOCK_WAIT]


def test_another_program_that_reads_the_file_damages_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_stores, "BUSY_WAIT", 0.01)
    use(tmp_path)
    counted = rows(tmp_path)
    other = sqlite3.connect(tmp_path / "limits.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    use(tmp_path)
    other.execute("ROLLBACK")
    other.close()
    assert rows(tmp_path) == counted
    assert "locked" in warnings(caplog)[0]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, and was never one" * 200)


def zeros_inside(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def another_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        connection.execute(f"DROP TABLE {name}")
        connection.execute(f"CREATE TABLE {name} (something)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("damage", [garbage, zeros_inside, another_table])
def test_damage_is_found_by_many_and_repaired_once(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    directory = tmp_path / "limits"
    use(directory)
    damage(directory / "limits.sqlite")
    moments, said = in_processes(directory, 12, 5)
    assert ["was damaged" in line for line in said] == [True]
    # Nobody's calls are lost with what was damaged.
    assert len(moments) == rows(directory) == 60


def test_a_file_that_was_emptied_is_begun_again(tmp_path: Path) -> None:
    directory = tmp_path / "limits"
    use(directory)
    emptied(directory / "limits.sqlite")
    use(directory, 4)
    assert rows(directory) == 4


def first_waits(directory: Path) -> list[float]:
    waits: list[float] = []
    client = Limits("host", directory=directory, sleep=waits.append)
    client.acquire("GET", "/api/v1/user", host=HOST, organisation="acme")
    client.close()
    return waits


@pytest.mark.parametrize("deleted", ["file", "folder"])
def test_where_others_may_just_have_called_the_first_call_waits(tmp_path: Path, deleted: str) -> None:
    directory = tmp_path / "limits"
    other = Limits("host", directory=directory)
    other.acquire("GET", "/api/v1/user", host=HOST, organisation="acme")
    (directory / "limits.sqlite").unlink() if deleted == "file" else shutil.rmtree(directory)
    assert first_waits(directory)
    other.close()


def test_a_child_that_was_forked_counts_nothing_twice(tmp_path: Path) -> None:
    client = Limits("host", limits=LONG, directory=tmp_path)
    for _ in range(5):
        client.acquire("GET", LIST, host=HOST, organisation="acme")

    def child() -> None:
        client.acquire("GET", LIST, host=HOST, organisation="acme")

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(60)
    client.acquire("GET", LIST, host=HOST, organisation="acme")
    client.close()
    assert rows(tmp_path) == 7


def test_clients_of_a_process_whose_store_fails_count_together(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("no folder")
    limit = (Limit("address", 40, 300.0, "address", path=re.compile(".*")),)

    class WaitedError(Exception):
        pass

    def give_up(_: float) -> None:
        raise WaitedError

    clients = [Limits("host", limits=limit, directory=tmp_path / "limits", sleep=give_up) for _ in range(4)]
    for number in range(10):
        clients[number % 4].acquire("GET", LIST, host=HOST, organisation="acme")
    for client in clients:
        with pytest.raises(WaitedError):
            client.acquire("GET", LIST, host=HOST, organisation="acme")
