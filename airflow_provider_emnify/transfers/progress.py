"""How far a transfer is: a line every ten seconds at most, and in the end what it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import Logger
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.sending import ClientStats

EVERY = 10.0
"""Seconds between two lines, at least."""

_MINUTES = 120  # seconds, from which on they are said in minutes


class Progress:
    """Counts what a transfer has read.

    :param log: Where it is said.
    :param name: What is transferred.
    :param part: What its rows come in: ``page``, ``device``, ``file``.
    :param clock: Seconds that only grow.
    """

    def __init__(
        self, log: Logger, name: str, part: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._name, self._part, self._clock = log, name, part, clock
        self._began = self._said = clock()
        self.rows = self.parts = 0
        self.all_rows: int | None = None
        self.all_parts: int | None = None

    def add(self, rows: int = 0, parts: int = 0) -> None:
        """Count rows that were read, and parts of which all rows were; say so if it is time."""
        self.rows += rows
        self.parts += parts
        if self._clock() - self._said >= EVERY:
            self._said = self._clock()
            self._log.info("%s: %s%s", self._name, ", ".join(self._so_far()), self._left())

    def _so_far(self) -> list[str]:
        rows = f"{self.rows:,}" + (f" of {self.all_rows:,}" if self.all_rows else "")
        parts = f"{self.parts:,}" + (f" of {self.all_parts:,}" if self.all_parts else "")
        return [f"{rows} rows", f"{self._part} {parts}"]

    def _left(self) -> str:
        """Say how long it takes from now on, if it goes on like this."""
        done = self.rows / self.all_rows if self.all_rows else self.parts / (self.all_parts or 1)
        if not 0 < done < 1 or not (self.all_rows or self.all_parts):
            return ""
        return f"; about {_length((self._said - self._began) * (1 / done - 1))} left"

    def finish(self, into: str, stats: ClientStats | None = None) -> None:
        """Say what was read in all, how long it took, and what was sent for it."""
        seconds = self._clock() - self._began
        sent = (
            ""
            if stats is None
            else f"; {stats.requests:,.0f} requests, {stats.retries:,.0f} of them retries, "
            f"{stats.throttled_seconds:,.1f} s throttled by the rate limits"
        )
        self._log.info(
            "%s: %s rows read in %s, into %s%s", self._name, f"{self.rows:,}", _length(seconds), into, sent
        )


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"
