"""Where the buckets of the rate limits are kept: in memory, in a file of this host, or in Redis."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyrate_limiter import InMemoryBucket, Rate, SQLiteBucket

from airflow_provider_emnify.api.limits import presence as limit_presence
from airflow_provider_emnify.api.limits.buckets import Bucket, LocalBucket, SharedRedisBucket, local_now
from airflow_provider_emnify.api.locks import IN_MEMORY, REMEMBERED
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError, PrivateFolder, check_file

LOCK_WAIT = 30.0
"""Seconds to wait for the lock file, which is held for a millisecond."""

BUSY_WAIT = 1.0
"""Seconds to wait for another program that reads the file."""

LEASE = 60.0
"""Seconds after which a lock in Redis ends whose process has ended."""

_RETRY_LOCK_WAIT = 0.5  # seconds, where it was not had before
_MANY = 50  # tables, from which on idle ones are dropped
_IDLE = 600_000  # milliseconds after which nothing in a table counts any more
_FILE = "limits.sqlite"
# SQLite's codes for: no such table or column, malformed, schema, constraint, mismatch, format, no database.
_DAMAGE = {1, 11, 17, 19, 20, 24, 26}
_STAMPS = 2**31 - 1  # SQLite keeps a number of this size in the header of the file: milliseconds, going round


def make_store(name: str, directory: Path | None) -> Store:
    """Return the store of that name.

    :raises ValueError: when there is none.
    """
    if name == "memory":
        return MemoryStore()
    if name == "host":
        return HostStore(directory)
    if name.startswith(("redis://", "rediss://")):
        return RedisStore(name)
    raise ValueError(
        f"rate_limit_store: {_bare(name)!r} is none of host, memory, redis://... and rediss://..."
    )


class Store:
    """Keeps buckets.

    ``name``: how messages name it. ``key``: what tells it from others; it may hold secrets.
    ``share``: the part of each limit that this store's users take, as a divisor.
    """

    name = key = "memory"
    share = 1

    def rate(self, rate: Rate) -> Rate:
        """Return the part of a rate that this store's users take."""
        return Rate(max(int(rate.limit) // self.share, 1), int(rate.interval))

    def guard(self, *, again: bool = False) -> contextlib.AbstractContextManager[Any]:
        """Hold the store against other processes while places are taken.

        :param again: Whether the store has failed before: then it is not waited for.
        """
        del again
        return contextlib.nullcontext()

    def begin(self) -> bool:
        """Get ready; True when earlier buckets of this store are no longer good."""
        return False

    def lost_history(self, seconds: float) -> bool:
        """Tell, after it has begun, whether calls of the last seconds may be missing in it."""
        del seconds
        return False

    def is_damaged(self, error: Exception) -> bool:
        """Tell whether an error means that what is stored is damaged, and not only out of reach."""
        del error
        return False

    def was_deleted(self) -> bool:
        """Tell, after an error, whether the store was deleted while in use: it may be tried once more."""
        return False

    def recreate(self) -> None:
        """Throw away what is stored; it is damaged. The lock is held meanwhile."""

    def bucket(self, key: str, rate: Rate) -> Bucket:
        """Return the bucket of that key."""
        raise NotImplementedError

    def lock(self, key: str, timeout: float) -> contextlib.AbstractContextManager[float]:
        """Hold the lock of that key; see :class:`~airflow_provider_emnify.api.locks.LockStore`."""
        return IN_MEMORY.lock(key, timeout)

    def close(self) -> None:
        """Close files and connections."""


class MemoryStore(Store):
    """For one client alone; a process has one for each task, and a triggerer one for each connection."""

    def __init__(self, share: int = 1) -> None:
        self.share = share

    def bucket(self, key: str, rate: Rate) -> Bucket:
        """Return a new bucket."""
        del key
        return LocalBucket(InMemoryBucket([rate]), rate)


class HostStore(Store):
    """A SQLite file that all processes of this user on this host share.

    A lock file beside it is held while a place is taken, so the file itself needs no journal on disk. When
    it is deleted or damaged while in use, it is recreated, and each process adds its own calls.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._folder = PrivateFolder("emnify-limits", directory)
        self.name = self.key = f"host ({self._folder})"
        self._path = ""
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int, int] | None = None
        self._replaced = False

    def guard(self, *, again: bool = False) -> contextlib.AbstractContextManager[Any]:
        """Hold the lock file."""
        return self._folder.lock("limits.lock", _RETRY_LOCK_WAIT if again else LOCK_WAIT)

    def begin(self) -> bool:
        """Open the file, or open it again when it was deleted or replaced, or after a fork."""
        if self._connection is not None and self._opened == self._identity():
            return False
        before = self._opened
        with contextlib.ExitStack() as stack:
            if self._connection is not None:
                stack.callback(self._connection.close)
            self._open(before)
        return True

    def _open(self, before: tuple[int, int, int] | None) -> None:
        self._path = str(self._folder.file(_FILE, "-journal", "-wal", "-shm"))
        self._connection = sqlite3.connect(self._path, timeout=BUSY_WAIT, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF")
        alone = limit_presence.enter()  # then no other process has calls to add to a new file
        if new := not self._born():
            self._connection.execute(f"PRAGMA user_version={1 if alone else _stamp()}").close()
        self._connection.commit()
        self._opened = self._identity()
        other = before is not None and before[:2] != (self._opened or ())[:2]
        self._replaced = other or (new and not alone)
        self._tidy(self._connection)
        self._folder.forget_locks("lock-*", REMEMBERED)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """Drop the tables of hosts and organisations that are not called any more, once there are many.

        Each has tables of its own, and each process that opens the file reads the names of all. Sandboxes on
        ever new ports would make them thousands.
        """
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        if len(tables) <= _MANY:
            return
        long_ago = local_now() - _IDLE
        for table in tables:
            newest = connection.execute(f"SELECT max(item_timestamp) FROM {table}").fetchone()[0]  # noqa: S608 - a name of ours
            if (newest or 0) < long_ago:
                connection.execute(f"DROP TABLE {table}")
        connection.commit()

    def _born(self) -> int:
        found = self._connection and self._connection.execute("PRAGMA user_version").fetchone()
        return int(found[0]) if found else 0

    def lost_history(self, seconds: float) -> bool:
        """Tell whether the file was replaced, or was created just now while other processes were running."""
        return seconds > 0 and (self._replaced or (_stamp() - self._born()) % _STAMPS < seconds * 1000)

    def _identity(self) -> tuple[int, int, int] | None:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return None
        check_file(found, self._path)
        return found.st_dev, found.st_ino, os.getpid()

    def is_damaged(self, error: Exception) -> bool:
        """Tell damage from a full disk, a lock, a missing right: those pass, and what is stored is good."""
        if isinstance(error, sqlite3.Error):
            return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE
        return isinstance(error, (TypeError, ValueError))  # what is in it is not of its type

    def was_deleted(self) -> bool:
        """Tell whether the file was opened, and is not there."""
        return self._opened is not None and not os.path.lexists(self._path)

    def recreate(self) -> None:
        """Delete the file."""
        self._opened = self._identity()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        Path(self._path).unlink(missing_ok=True)

    def bucket(self, key: str, rate: Rate) -> Bucket:
        """Return the bucket of that key: a table of its own."""
        if self._connection is None:
            raise sqlite3.OperationalError("the file is not open")
        table = f"bucket_{_name(key)}"
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (name VARCHAR, item_timestamp INTEGER)")
        self._connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_time ON {table} (item_timestamp)")
        self._connection.commit()
        return LocalBucket(SQLiteBucket([rate], self._connection, table), rate)

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        """Hold a lock file on this host. It was last changed when the lock was last taken or released."""
        with self._folder.lock(f"lock-{_name(key)}", timeout) as held:
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


class RedisStore(Store):
    """A Redis that workers behind one address share."""

    def __init__(self, url: str) -> None:
        self._url = self.key = url
        self.name = _bare(url)
        self._client: Any = None

    def begin(self) -> bool:
        """Connect."""
        if self._client is not None:
            return False
        try:
            from redis import Redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ImportError("redis is missing: pip install 'airflow-provider-emnify[redis]'") from None
        # Once more, for a connection that was closed while nobody called.
        self._client = Redis.from_url(
            self._url, socket_timeout=5, socket_connect_timeout=5, retry=Retry(NoBackoff(), 1)
        )
        return True

    def bucket(self, key: str, rate: Rate) -> Bucket:
        """Return the bucket of that key: a sorted set."""
        return SharedRedisBucket(self._client, f"emnify-limits:{_name(key)}", rate)

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        """Hold a lock in Redis. It ends at most a minute after the process that holds it."""
        self.begin()
        client, name = self._client, f"emnify-lock:{_name(key)}"
        released, remembered = f"{name}:released", round(REMEMBERED * 1000)
        lock = client.lock(name, timeout=LEASE, blocking_timeout=timeout, thread_local=False)
        waited = not lock.acquire(blocking=False)
        if waited and not lock.acquire():
            raise LockTimeoutError(f"another process has held it for {timeout:.0f} s")
        over = threading.Event()

        def keep() -> None:
            while not over.wait(LEASE / 4):
                with contextlib.suppress(Exception):  # whether it was lost shows at its end
                    lock.reacquire()

        keeper = threading.Thread(target=keep, name="emnify-lock", daemon=True)
        keeper.start()
        try:
            left = remembered if waited else client.pttl(released)  # by the clock of Redis
            client.set(released, "", px=remembered)
            try:
                yield -math.inf if left < 0 else time.monotonic() - (remembered - left) / 1000
            finally:
                with contextlib.suppress(Exception):
                    client.set(released, "", px=remembered)
        finally:
            over.set()
            keeper.join()
            lock.release()

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _stamp() -> int:
    return local_now() % _STAMPS or 1


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _bare(url: str) -> str:
    """Return a URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme else url
