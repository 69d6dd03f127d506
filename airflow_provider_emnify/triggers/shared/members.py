"""Who takes part in a poller's rounds: waits that end, and watchers that are told of each look.

There may be ten thousand of them, and Python's garbage collector looks at every object that can hold others.
So a member has slots, and shares with others what it can.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.api.waits.wait import Id, Reading, Verdict, Wait

log = one_line_log(__name__)

_PROGRESS = 60.0  # seconds between two lines on how far a wait is


@dataclass(frozen=True)
class Outcome:
    """How a wait ended.

    :param status: The target was reached, or cannot be reached any more, or time ran out.
    :param message: One sentence on why.
    :param seen: The last state of each id, by id.
    """

    status: Literal["success", "failed", "timeout"]
    message: str
    seen: dict[str, str] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the outcome as a trigger event carries it."""
        return {"status": self.status, "seen": self.seen, "message": self.message}


@dataclass(eq=False, slots=True)
class Member:
    """A wait that takes part.

    :param wait: The wait.
    :param interval: Seconds between two looks.
    :param outcome: Where to say how it ended.
    :param pending: The ids that are still to be looked at.
    :param due: When to look next, on the clock of the event loop.
    :param looked: Whether it was looked at.
    :param overdue: Whether its time is out, and it is still to be looked at once.
    :param message: What the last look said.
    :param error: Why the last look failed; empty when it did not.
    :param readings: What was seen of each id.
    :param seen: The same as texts, for the outcome.
    :param deadline: When it is to be given up, in seconds since 1970.
    :param context: In a triggerer, the context of a task says to whose log a line belongs.
    :param counts: How many ids were in which state when that was last logged ...
    :param said: ... and when, on the clock of the event loop.
    """

    wait: Wait
    interval: float
    outcome: asyncio.Future[Outcome]
    pending: Sequence[Id]
    due: float = float("-inf")
    looked: bool = False
    overdue: bool = False
    message: str = "not looked at yet"
    error: str = ""
    readings: dict[Id, Reading] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    deadline: float = float("inf")
    context: contextvars.Context | None = None
    counts: dict[str, int] | None = None
    said: float = float("-inf")

    def judge(self, readings: Mapping[Id, Reading]) -> Any:
        """Say what a look means for this wait. Runs in a thread."""
        self.readings.update((key, readings[key]) for key in self.pending if key in readings)
        return self.wait.judge(self.readings)

    def settle(self, status: Literal["success", "failed", "timeout"], message: str) -> None:
        """End the wait, unless it has ended."""
        if not self.outcome.done():
            self.outcome.set_result(Outcome(status, message, self.seen))

    def give_up(self, message: str) -> None:
        """Take that there will be no more looks."""
        self.settle("failed", message)

    def take(self, verdict: Verdict) -> None:
        """Take what a look has found."""
        self.pending, self.seen, self.message = verdict.pending, verdict.seen, verdict.message
        self.error = ""
        if verdict.done:
            self.settle("success", verdict.message)
        elif verdict.failed:
            self.settle("failed", verdict.message)
        else:
            self._say(verdict.message)
        self._looked()

    def _say(self, message: str) -> None:
        """Log how far the wait is when that has changed, in its own task's log and now and then only."""
        now = self.outcome.get_loop().time()
        if self.context is None or now - self.said < _PROGRESS:
            return
        counts = dict(Counter(self.seen.values()))
        first, before, self.counts = self.counts is None, self.counts, counts
        # What thousands of waits on one id each find at first is no news.
        if counts != before and not (first and len(self.wait.ids) == 1):
            self.said = now
            self.context.run(log.info, "%s", message)

    def suffer(self, reason: str, *, lasts: bool) -> None:
        """Take that a look has failed: for good, or for now."""
        self.error = reason
        if lasts:
            self.settle("failed", reason)
        self._looked()

    def _looked(self) -> None:
        self.looked = True
        if self.overdue:
            self.time_out()

    def time_out(self) -> None:
        """Take that time has run out."""
        error = f"; the last look failed: {self.error}" if self.error else ""
        self.settle("timeout", f"Time ran out: {self.message}{error}")


@dataclass(eq=False, slots=True)
class Watcher(Member):
    """Takes part for good, and is told what each look has found."""

    found: asyncio.Queue[Mapping[Id, Reading] | str] = field(default_factory=asyncio.Queue)

    def give_up(self, message: str) -> None:
        """Take that there will be no more looks."""
        self.found.put_nowait(message)

    def judge(self, readings: Mapping[Id, Reading]) -> Mapping[Id, Reading]:
        """Pick what concerns this one."""
        return {key: readings[key] for key in self.pending if key in readings}

    def take(self, verdict: Mapping[Id, Reading]) -> None:  # type: ignore[override] # what judge() returned
        """Pass on what a look has found."""
        self.found.put_nowait(verdict)

    def settle(self, status: Literal["success", "failed", "timeout"], message: str) -> None:
        """There is no task to fail: it looks again at the next round."""
        if message != self.message:
            self.message = message
            log.error("Watching %r: %s (%s). Looking again", self.wait, message, status)
