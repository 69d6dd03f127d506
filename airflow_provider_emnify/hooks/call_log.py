"""Tells in a task's log which calls its own code makes with the hook."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.sending import ClientStats

log = one_line_log(__name__)

_FIRST = 20
_PAUSE = 10.0  # seconds


class CallLog:
    """Logs the first calls each, and then one every ten seconds.

    :param clock: A clock in seconds that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made = 0
        self._last = 0.0

    def __call__(self, call: str) -> None:
        """Log a call: each of the first 20, then at most one in ten seconds."""
        with self._lock:
            self._made += 1
            made, now = self._made, self._clock()
            if made > _FIRST and now - self._last < _PAUSE:
                return
            self._last = now
        log.info("Calling %s%s", call, f" (call {made})" if made > _FIRST else "")

    def close(self, stats: ClientStats) -> None:
        """Log how many calls, requests and retries there were, if there was a call."""
        if self._made:
            log.info(
                "%d calls were made, with %d requests, of which %d were sent again",
                *(self._made, stats.requests, stats.retries),
            )
