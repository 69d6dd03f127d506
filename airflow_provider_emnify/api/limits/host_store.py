"""The store that all processes of this user on this host share: a SQLite file in a private folder."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import first_line
from airflow_provider_emnify.api.limits import presence
from airflow_provider_emnify.api.limits.stores import Place, Store, local_now, name_of
from airflow_provider_emnify.api.locks import REMEMBERED
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.secrets.private_folder import PrivateFolder, check_file

if TYPE_CHECKING:
    from airflow_provider_emnify.api.limits.documented import Limit

log = one_line_log(__name__)

LOCK_WAIT = 30.0
"""Seconds to wait for the lock file, which is held for a millisecond."""

BUSY_WAIT = 1.0
"""Seconds to wait for another program that reads the file."""

_RETRY_LOCK_WAIT = 0.5  # seconds, where it was not had before
_IDLE = 600_000  # milliseconds after which no call counts any more
_FILE = "limits.sqlite"
_SCHEMA = """
PRAGMA journal_mode=MEMORY;
PRAGMA synchronous=OFF;
CREATE TABLE IF NOT EXISTS calls (key TEXT, moment INTEGER);
CREATE INDEX IF NOT EXISTS calls_by_key ON calls (key, moment);
"""
# SQLite's codes for: no such table or column, malformed, schema, constraint, mismatch, format, no database.
_DAMAGE = {1, 11, 17, 19, 20, 24, 26}
_STAMPS = 2**31 - 1  # SQLite keeps a number of this size in the header of the file: milliseconds, going round


class HostStore(Store):
    """A SQLite file that all processes of this user on this host share.

    A lock file beside it is held while a place is taken, so the file itself needs no journal on disk. When
    it is deleted or damaged under way, it is recreated, and each process tells it of its own calls.

    :param directory: Where it lies; by default a directory of this user's in the temporary one.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._folder = PrivateFolder("emnify-limits", directory)
        self.name = self.key = f"host ({self._folder})"
        self._path = ""
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] | None = None
        self._knows_us: tuple[int, ...] | None = None  # the file that this client has told of its calls

    def guard(self, *, again: bool = False) -> contextlib.AbstractContextManager[Any]:
        """Hold the lock file."""
        return self._folder.lock("limits.lock", _RETRY_LOCK_WAIT if again else LOCK_WAIT)

    def begin(self, seconds: float) -> bool:
        """Open the file, or open it again when it was deleted or replaced, or after a fork.

        :returns: Whether it is another one than before, or was begun in the last seconds with others about.
        """
        if self._connection is not None and self._opened == self._identity():
            return False
        self.close()
        self._path = str(self._folder.file(_FILE, "-journal", "-wal", "-shm"))
        self._opened = self._identity()
        self._connection = sqlite3.connect(self._path, timeout=BUSY_WAIT, check_same_thread=False)
        self._connection.executescript(_SCHEMA)
        alone = presence.enter()  # then nobody has calls to tell a new file of
        with self._connection as db:
            (born,) = db.execute("PRAGMA user_version").fetchone()
            if not born:
                born = 1 if alone else _stamp()
                db.execute(f"PRAGMA user_version={born}")
            db.execute("DELETE FROM calls WHERE moment < ?", (local_now() - _IDLE,))
        self._folder.forget_locks("lock-*", REMEMBERED)
        before, self._knows_us = self._knows_us, (self._opened or ())[:2]
        return before not in {None, self._knows_us} or (_stamp() - born) % _STAMPS < seconds * 1000

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return None
        check_file(found, self._path)
        return found.st_dev, found.st_ino, os.getpid()

    def mend(self, error: Exception) -> bool:
        """Delete a damaged file, unless another process has done so; tell whether it is to be made anew.

        A full disk, a lock, a missing right are no damage: they pass, and what is stored is good.
        """
        is_damage = (
            getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
            if isinstance(error, sqlite3.Error)
            else isinstance(error, (TypeError, ValueError))  # what is in it is not of its type
        )
        if not is_damage:
            return self._opened is not None and not os.path.lexists(self._path)
        with contextlib.suppress(OSError), self.guard():
            # The damaged file is still open here, so no other one has its number.
            if self._opened == self._identity():
                Path(self._path).unlink()
                log.warning(
                    "The rate limit store %s was damaged (%s) and is recreated", self.name, first_line(error)
                )
            return True
        return False

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the file is not open")
        return self._connection

    def take(self, key: str, limit: Limit) -> Place:
        """Take a place, if there is one."""
        key, now = name_of(key), local_now()
        with self._db as db:
            db.execute("DELETE FROM calls WHERE key = ? AND moment < ?", (key, now - limit.window))
            # What is in the future was counted before the clock was set back.
            blocking = db.execute(
                "SELECT moment FROM calls WHERE key = ? AND moment <= ? "
                "ORDER BY moment DESC LIMIT 1 OFFSET ?",
                (key, now, limit.calls - 1),
            ).fetchone()
            if blocking is not None:
                return Place(blocking[0] + limit.window - now + 1, now)
            db.execute("INSERT INTO calls VALUES (?, ?)", (key, now))
        return Place(0, now)

    def remember(self, key: str, limit: Limit, ages: Iterable[int]) -> None:
        """Count calls that were made without this store."""
        now = local_now()
        with self._db as db:
            db.executemany("INSERT INTO calls VALUES (?, ?)", [(name_of(key), now - age) for age in ages])

    def used(self, key: str, limit: Limit) -> int:
        """Return how many calls the window holds now."""
        since = (name_of(key), local_now() - limit.window)
        found = self._db.execute("SELECT count(*) FROM calls WHERE key = ? AND moment >= ?", since)
        return int(found.fetchone()[0])

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        """Hold a lock file on this host. It was last changed when the lock was last taken or released."""
        with self._folder.lock(f"lock-{name_of(key)}", timeout) as held:
            ago = 0.0 if held.waited else max(time.time() - held.changed, 0.0)
            held.touch()
            try:
                yield time.monotonic() - ago
            finally:
                held.touch()

    def close(self) -> None:
        """Close the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def _stamp() -> int:
    return local_now() % _STAMPS or 1
