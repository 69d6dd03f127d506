"""Files in a folder that others can make first: nothing is followed, overwritten or waited for."""

from __future__ import annotations

import multiprocessing
import os
import socket
import stat
import tempfile
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.secrets import private_folder
from airflow_provider_emnify.api.secrets.private_folder import (
    LockTimeoutError,
    PrivateFolder,
    UnsafeFileError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRECIOUS = b"what another program has written"


def symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling_symlink(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_suffix(".new"))


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, victim: Path) -> None:
    del victim
    os.mkfifo(path)


def folder(path: Path, victim: Path) -> None:
    del victim
    path.mkdir()


def unix_socket(path: Path, victim: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(".", os.O_RDONLY)
        os.chdir(path.parent)  # the name of a socket is short
        try:
            listener.bind(path.name)
        finally:
            os.fchdir(here)
            os.close(here)
    del victim


def device(path: Path, victim: Path) -> None:
    if os.geteuid() == 0:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    else:  # a user has none of his own but this
        path.symlink_to("/dev/null")
    del victim


KINDS = [symlink, dangling_symlink, hard_link, pipe, folder, unix_socket, device]


def lock(folder: PrivateFolder, name: str) -> None:
    with folder.lock(name, 0):
        pass


USES: dict[str, Callable[[PrivateFolder, str], object]] = {
    "open": lambda folder, name: os.close(folder.open(name)),
    "read": PrivateFolder.read,
    "write": lambda folder, name: folder.write(name, b"new"),
    "lock": lock,
    "file": PrivateFolder.file,
    "beside": lambda folder, name: folder.file("x", name.removeprefix("x")),
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_bytes(PRECIOUS)
    return path


@pytest.fixture
def private(tmp_path: Path) -> PrivateFolder:
    private = PrivateFolder("test", tmp_path / "private")
    private.check()
    return private


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("plant", KINDS)
def test_what_is_no_file_of_this_users_own_is_refused_at_once(
    private: PrivateFolder, victim: Path, plant: Callable[[Path, Path], None], use: str
) -> None:
    plant(private.path / "x-journal", victim)
    before = set(private.path.iterdir()) | {private.path / "x"}
    with pytest.raises(UnsafeFileError, match="x-journal"):
        USES[use](private, "x-journal")
    assert victim.read_bytes() == PRECIOUS
    assert not victim.with_suffix(".new").exists()
    assert set(private.path.iterdir()) <= before


@pytest.mark.parametrize("use", USES)
def test_a_file_of_another_user_is_refused(
    private: PrivateFolder, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    private.write("x-journal", PRECIOUS)
    me = os.geteuid()
    USES[use](private, "x-journal")
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    monkeypatch.setattr(PrivateFolder, "check", lambda _: None)
    with pytest.raises(UnsafeFileError, match="belongs to another user"):
        USES[use](private, "x-journal")


def opened_to(mode: int) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda path, _: path.chmod(mode)


def another_users(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)


def replaced_by_a_link(path: Path, _: pytest.MonkeyPatch) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def replaced_by_a_file(path: Path, _: pytest.MonkeyPatch) -> None:
    path.rename(path.with_name("elsewhere"))
    path.write_bytes(b"")


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "happens",
    [
        *(opened_to(mode) for mode in (0o777, 0o1777, 0o770, 0o701, 0o720, 0o755)),
        another_users,
        replaced_by_a_link,
        replaced_by_a_file,
    ],
)
def test_the_folder_is_checked_at_every_use(
    private: PrivateFolder,
    use: str,
    happens: Callable[[Path, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private.write("x-journal", PRECIOUS)
    USES[use](private, "x-journal")
    happens(private.path, monkeypatch)
    with pytest.raises(UnsafeFileError, match="private"):
        USES[use](private, "x-journal")


def test_what_is_made_is_this_users_alone_whatever_the_umask(private: PrivateFolder) -> None:
    before = os.umask(0)
    try:
        private.write("written", b"1")
        os.close(private.open("opened"))
        lock(private, "locked")
        other = PrivateFolder("test", private.path / "other")
        other.check()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in private.path.iterdir()}
    assert modes == {"written": 0o600, "opened": 0o600, "locked": 0o600, "other": 0o700}


def test_a_file_is_written_whole_or_not_at_all(
    private: PrivateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    private.write("x", b"1")

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(type(private.path), "replace", fail)
    with pytest.raises(OSError, match="no space"):
        private.write("x", b"2")
    assert private.read("x") == b"1"
    assert [path.name for path in private.path.iterdir()] == ["x"]


def test_without_a_temporary_folder_it_is_an_os_error_and_only_when_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> str:
        raise FileNotFoundError("no usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    private = PrivateFolder("emnify-test")
    assert str(private) == "emnify-test"
    with pytest.raises(OSError, match="no usable"):
        private.check()


def test_one_at_a_time_holds_a_lock_and_the_next_one_knows_that_it_waited(private: PrivateFolder) -> None:
    told: list[bool] = []
    inside: list[int] = []

    def work() -> None:
        for _ in range(20):
            with private.lock("x", 60) as held:
                inside.append(1)
                told.append(held.waited)
                assert len(inside) == 1
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    with private.lock("x", 0) as held:
        assert not held.waited
        for thread in threads:
            thread.start()
        with pytest.raises(LockTimeoutError, match="another process has"), private.lock("x", 0.01):
            pass
    for thread in threads:
        thread.join()
    assert len(told) == 80
    assert any(told)


def test_a_lock_file_that_is_deleted_under_way_is_made_again(
    private: PrivateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = private_folder.HeldFile.take

    def delete_first(held: private_folder.HeldFile) -> bool:
        (private.path / "x").unlink()
        monkeypatch.setattr(private_folder.HeldFile, "take", take)
        return take(held)

    monkeypatch.setattr(private_folder.HeldFile, "take", delete_first)
    with private.lock("x", 0), pytest.raises(LockTimeoutError), private.lock("x", 0):
        pass


def test_a_child_that_is_forked_under_a_lock_neither_keeps_nor_ends_it(private: PrivateFolder) -> None:
    context = multiprocessing.get_context("fork")
    go, free = context.Event(), context.Event()

    def child() -> None:
        free.set()
        go.wait(60)

    with private.lock("x", 0):
        process = context.Process(target=child)
        process.start()
        assert free.wait(60)
        with pytest.raises(LockTimeoutError), private.lock("x", 0):
            pass
    with private.lock("x", 0):
        pass
    go.set()
    process.join(60)
    assert process.exitcode == 0
