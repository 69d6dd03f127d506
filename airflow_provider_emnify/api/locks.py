"""Locks: who may act now, where several calls belong together and nobody else may act in between.

Those wait for each other that name the same lock and share a store of the rate limits (``rate_limit_store``):
all processes of a host, or all workers with one Redis. A lock ends with the process that holds it. Its store
remembers for an hour when it was last released, so that whoever gets it knows whether another one was there.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Protocol

from airflow_provider_emnify.api.errors import EmnifyLockTimeoutError, first_line
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.secrets.private_folder import LockTimeoutError

log = one_line_log(__name__)

LOCK_TIMEOUT = 600.0  # seconds
LONG_WAIT = 10.0  # seconds; who waits longer for a lock, or a place in a rate limit, says so
_SAY_EVERY = 60.0  # seconds between two lines of one process on waits for the same thing
_LONGEST = 80  # characters of a key that a message shows
REMEMBERED = 3600.0  # seconds for which it is known when a lock was released

_held = threading.local()  # the lock that this thread holds


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    :param released: When it was last released before, by ``time.monotonic()``; minus infinity when it was
        not in the last hour. When its holder died it counts as released when it was taken, or just now for
        the one who waited for it.
    """

    released: float = -math.inf

    def held_since(self, moment: float) -> bool:
        """Tell whether another one has held it since a moment of ``time.monotonic()``."""
        return self.released > moment


class LockStore(Protocol):
    """Where locks are kept."""

    name: str

    def lock(self, key: str, timeout: float) -> contextlib.AbstractContextManager[float]:
        """Hold the lock of that key.

        :param timeout: Seconds to wait for it, at most.
        :returns: A context manager, which gives ``released`` of :class:`Lock`.
        :raises LockTimeoutError: when another one holds it for longer.
        """


class MemoryLocks:
    """Locks of this process."""

    name = "memory"

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Forget, in a child process, what threads of the parent hold."""
        self._lock = threading.Lock()
        self._locks: dict[str, _MemoryLock] = {}

    @contextlib.contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[float]:
        """Hold the lock of that key in this process."""
        with self._lock:
            self._forget()
            held = self._locks.setdefault(key, _MemoryLock())
            held.users += 1
        try:
            if not held.lock.acquire(timeout=timeout):
                raise LockTimeoutError(f"another thread has held it for {timeout:.0f} s")
            try:
                yield held.released
            finally:
                held.released = time.monotonic()
                held.lock.release()
        finally:
            with self._lock:
                held.users -= 1

    def _forget(self) -> None:
        long_ago = time.monotonic() - REMEMBERED
        for key in [k for k, held in self._locks.items() if not held.users and held.released < long_ago]:
            del self._locks[key]


class _MemoryLock:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.released = -math.inf
        self.users = 0  # who hold it or wait for it


class Locks:
    """The locks of a client.

    :param store: Where they are kept.
    :param is_failing: Tells whether the store is known to fail: then it is not asked.
    :param on_failure: Called with what the store raises.
    """

    def __init__(
        self,
        store: LockStore,
        is_failing: Callable[[], bool] = lambda: False,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._store = store
        self._is_failing = is_failing
        self._on_failure = on_failure

    @contextlib.contextmanager
    def hold(self, name: str, key: object, *, scope: str, timeout: float = LOCK_TIMEOUT) -> Iterator[Lock]:
        """Hold a lock. When the store fails, it is one of this process alone; a warning says so.

        See :meth:`~airflow_provider_emnify.api.client.EmnifyClient.lock` for what it takes and raises.

        :param scope: Who shares it: host and organisation.
        """
        if not (isinstance(timeout, Real) and timeout >= 0):
            raise ValueError(f"timeout: {timeout!r} is not a valid number of seconds; give 0 or more")
        if (other := getattr(_held, "name", None)) is not None:
            raise RuntimeError(f"{name}: this thread holds the lock '{other}' already; release that first")
        _held.name = name
        try:
            with self.queue(name, key, scope=scope, timeout=timeout) as lock:
                yield lock
        finally:
            _held.name = None

    @contextlib.contextmanager
    def queue(self, name: str, key: object, *, scope: str, timeout: float = LOCK_TIMEOUT) -> Iterator[Lock]:
        """Hold a lock under which nothing else is waited for: a thread that holds one may take it too."""
        stack = contextlib.ExitStack()
        shown = f"'{name}'" + (f" of {str(key)[:_LONGEST]}" if key != "" else "")
        released = self._acquire(stack, f"{scope} {name} {key}", shown, timeout)
        try:
            yield Lock(released)
        finally:
            try:
                stack.close()
            except Exception as error:
                log.warning(
                    "The lock %s was lost (%s): another task may have held it too", shown, first_line(error)
                )

    def _acquire(self, stack: contextlib.ExitStack, key: str, shown: str, timeout: float) -> float:
        if not self._is_failing():
            try:
                return self._wait(stack, self._store, key, shown, timeout)
            except EmnifyLockTimeoutError:
                raise
            except Exception as error:  # whatever the store raises, the task goes on
                self._on_failure(error)
        return self._wait(stack, IN_MEMORY, key, shown, timeout)

    def _wait(
        self, stack: contextlib.ExitStack, store: LockStore, key: str, shown: str, timeout: float
    ) -> float:
        waited, portion = 0.0, min(LONG_WAIT, timeout)
        while True:
            try:
                released = stack.enter_context(store.lock(key, portion))
                return time.monotonic() if waited else released
            except LockTimeoutError:
                waited += portion
            if waited >= timeout:
                raise EmnifyLockTimeoutError(
                    f"The lock {shown} (store {store.name}) was held by another task for {timeout:.0f} s, "
                    "its timeout. Nothing was sent for this step; another attempt goes on from here"
                )
            if is_to_be_said(f"lock {key}"):
                log.info(
                    "Waiting for the lock %s that another task holds (store %s): at most %.0f s. "
                    "max_active_runs=1 keeps runs of a DAG from overlapping; rate_limit_store in the "
                    "connection's extras says who shares the locks.",
                    shown,
                    store.name,
                    timeout - waited,
                )
            portion = min(_SAY_EVERY, timeout - waited)


IN_MEMORY = MemoryLocks()
_said: dict[str, float] = {}  # when this process has last said that it waits for something


def is_to_be_said(wait: str) -> bool:
    """Tell whether this process is to say that it waits: for the same thing, once a minute at most.

    :param wait: What it waits for.
    """
    now = time.monotonic()
    if now - _said.get(wait, -math.inf) < _SAY_EVERY:
        return False
    _said[wait] = now
    return True


def _after_fork() -> None:
    IN_MEMORY.after_fork()
    _held.name = None


os.register_at_fork(after_in_child=_after_fork)
