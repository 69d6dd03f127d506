"""Threads for the requests of a connection that keep no process from ending.

Python waits at its end for the threads of a ``ThreadPoolExecutor``, and so for a request that hangs. These it
does not wait for: what a triggerer was reading when it shuts down, another one reads again.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Work = tuple["concurrent.futures.Future[Any]", "Callable[[], Any]"]


class Threads:
    """At most so many threads, begun as they are needed.

    :param most: How many.
    :param name: What their names begin with.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._begun = 0
        self.free = threading.Semaphore(0)
        """How many wait for work."""

    def submit(self, work: Callable[[], Any]) -> concurrent.futures.Future[Any]:
        """Have work done by the next thread that is free. Called from one thread only."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._work.put((future, work))
        if self._begun < self._most and not self.free.acquire(blocking=False):
            threading.Thread(target=self._run, name=f"{self._name}_{self._begun}", daemon=True).start()
            self._begun += 1
        return future

    def shutdown(self) -> None:
        """End each thread once the work before this is done; waits for none."""
        for _ in range(self._begun):
            self._work.put(None)

    def _run(self) -> None:
        while (taken := self._work.get()) is not None:
            future, work = taken
            del taken
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del future, work  # nothing of it is kept while there is nothing to do
            self.free.release()
