"""A folder of this user's in the shared temporary one, and its files: nothing there is trusted unseen.

Anybody can make a folder of that name first, and put links, pipes or devices into it. So its owner, mode and
kind are checked at every use, and those of each file when it is opened. Whoever uses the folder does without
it when that fails: each of its methods raises :class:`OSError` then, and none is called at import.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import random
import secrets
import stat
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05  # seconds between two looks at a lock that another one has
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_IN_PLACE = 3  # tries, where another process makes or deletes a file meanwhile
_held: weakref.WeakSet[HeldFile] = weakref.WeakSet()


class UnsafeFileError(PermissionError):
    """A folder or file that others can reach, or that is not what it should be."""


class LockTimeoutError(TimeoutError):
    """A lock that another one has kept. Nothing is wrong with the file."""


class PrivateFolder:
    """A folder that this user alone can read and write.

    :param name: Its name in the temporary folder; this user's id is added.
    :param path: Where it lies instead. It is made when it is first used.
    """

    def __init__(self, name: str, path: Path | None = None) -> None:
        self._name = name
        self._path = path

    @property
    def path(self) -> Path:
        """Where it lies.

        :raises OSError: when there is no temporary folder that can be written.
        """
        if self._path is None:
            self._path = Path(tempfile.gettempdir()) / f"{self._name}-{os.geteuid()}"
        return self._path

    def __str__(self) -> str:
        try:
            return str(self.path)
        except OSError:
            return self._name

    def check(self) -> None:
        """Make the folder if it is not there.

        :raises UnsafeFileError: when it is not a folder that this user alone can reach.
        :raises OSError: when it cannot be made.
        """
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
            found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode):
            raise UnsafeFileError(f"{self.path} is not a folder")
        _check_owner(found, self.path)
        if found.st_mode & _OTHERS:
            mode = stat.S_IMODE(found.st_mode)
            raise UnsafeFileError(f"{self.path} is open to other users (mode {mode:04o}); delete it")

    def file(self, name: str, *beside: str) -> Path:
        """Return the path of a file, for code that opens files by their names: it is there, and safe.

        :param beside: What that code appends to the name for files of its own. They need not be there.
        :raises OSError: as for :meth:`open`.
        """
        os.close(self.open(name))
        for ending in beside:
            path = self.path / f"{name}{ending}"
            with contextlib.suppress(FileNotFoundError):
                check_file(os.lstat(path), path)
        return self.path / name

    def open(self, name: str) -> int:
        """Open a file to read and write; make it, empty, if it is not there. Never waits.

        :returns: Its descriptor.
        :raises UnsafeFileError: when it is not a regular file, belongs to another user or has a second name.
        :raises OSError: when it cannot be opened.
        """
        self.check()
        path = self.path / name
        for _ in range(_IN_PLACE):
            try:
                return _open_existing(path, os.O_RDWR)
            except FileNotFoundError:
                with contextlib.suppress(FileExistsError):
                    return _open_new(path)
        raise UnsafeFileError(f"{path} keeps being made and deleted")

    def read(self, name: str) -> bytes:
        """Return what is in a file.

        :raises FileNotFoundError: when it is not there.
        :raises OSError: as for :meth:`open`.
        """
        self.check()
        with os.fdopen(_open_existing(self.path / name, os.O_RDONLY), "rb") as file:
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole: others see what was there before, or all of it.

        :raises OSError: as for :meth:`open`, or when the disk is full.
        """
        self.check()
        path = self.path / name
        with contextlib.suppress(FileNotFoundError):
            check_file(os.lstat(path), path)
        new = self.path / f"{name}.{secrets.token_hex(8)}.new"
        try:
            with os.fdopen(_open_new(new), "wb") as file:
                file.write(content)
            new.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink()
            raise

    @contextlib.contextmanager
    def lock(self, name: str, timeout: float) -> Iterator[HeldFile]:
        """Hold a lock file against other processes and threads. It ends with the process that holds it.

        :param timeout: Seconds to wait for it, at most.
        :returns: A context manager, which gives the file.
        :raises LockTimeoutError: when another one has it for longer. That says nothing of the files.
        :raises OSError: when the lock file cannot be used.
        """
        waited, deadline, pause = False, time.monotonic() + timeout, _FIRST_PAUSE
        while True:
            held = HeldFile(self.open(name), waited=waited)
            try:
                while not held.take():
                    held.waited = waited = True
                    left = deadline - time.monotonic()
                    if left <= 0:
                        raise LockTimeoutError(
                            f"another process has held the lock {self.path / name} for {timeout:g} s"
                        )
                    time.sleep(min(pause * random.uniform(0.5, 1), left))  # noqa: S311 - spreads processes
                    pause = min(pause * 2, _LONGEST_PAUSE)
                if held.is_in_place():
                    yield held
                    return
            finally:
                held.release()

    def forget_locks(self, pattern: str, seconds: float) -> None:
        """Delete the lock files that nobody has touched for so long, and nobody holds."""
        long_ago = time.time() - seconds
        for path in self.path.glob(pattern):
            with contextlib.suppress(OSError):
                if path.lstat().st_mtime < long_ago:
                    with self.lock(path.name, 0) as held:
                        if held.changed < long_ago:
                            path.unlink()


class HeldFile:
    """An open lock file. ``waited`` tells whether another one had it first."""

    def __init__(self, descriptor: int, *, waited: bool) -> None:
        self._descriptor = descriptor  # -1 after its end
        self.waited = waited
        _held.add(self)

    @property
    def changed(self) -> float:
        """When it was last touched, in seconds since 1970; minus infinity when it never was."""
        found = os.fstat(self._descriptor)
        return found.st_mtime if found.st_size else -math.inf

    def touch(self) -> None:
        """Note the time. On a full disk it is not noted."""
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, b"\n", 0)
            os.utime(self._descriptor)

    def take(self) -> bool:
        """Take the lock, unless another one has it."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def is_in_place(self) -> bool:
        """Tell whether others lock the same file: it may have been deleted while it was waited for."""
        return os.fstat(self._descriptor).st_nlink > 0

    def release(self) -> None:
        """End the lock, also where a child that was forked meanwhile has the file open."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.leave()

    def leave(self) -> None:
        """Close the file, and leave the lock to the process that this one was forked from."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _leave_locks() -> None:
    for held in list(_held):
        held.leave()


os.register_at_fork(after_in_child=_leave_locks)


def check_file(found: os.stat_result, path: Path | str) -> None:
    """Refuse what is not a regular file that this user alone has.

    :raises UnsafeFileError: for anything else.
    """
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFileError(f"{path} is not a regular file; delete it")
    _check_owner(found, path)
    if found.st_nlink > 1:
        raise UnsafeFileError(f"{path} has a second name (a hard link); delete it")


def _check_owner(found: os.stat_result, path: Path | str) -> None:
    if found.st_uid != os.geteuid():
        raise UnsafeFileError(f"{path} belongs to another user (id {found.st_uid})")


def _open_existing(path: Path, flags: int) -> int:
    # Looked at first, for to open a device can do something; and again, for it may be another file by then.
    check_file(os.lstat(path), path)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        check_file(os.fstat(descriptor), path)
    except UnsafeFileError:
        os.close(descriptor)
        raise
    return descriptor


def _open_new(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)
