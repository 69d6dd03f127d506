"""Who takes part in a poller's rounds: waits, which end, and watchers, which get all that is read.

There may be ten thousand of them, and Python's garbage collector looks at every object that can hold others.
So each has slots, and shares with others what it can.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.waits.events import find_events

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.api.waits.wait import Id, Reading, Verdict, Wait

log = one_line_log(__name__)

PROGRESS_EVERY = 60.0  # seconds between two lines on how far a wait is


@dataclass(eq=False, slots=True)
class Batch:
    """What one read of the event list has found.

    :param since: From when on it holds every event that was known when it was read.
    :param until: When it was read. Events of an earlier time can still come to be known.
    :param rows: The events, the oldest first.
    """

    since: float
    until: float
    rows: list[dict[str, Any]]


class Member(Protocol):
    """What a poller needs of who takes part."""

    due: float
    """When to read next, on the clock of the event loop."""

    @property
    def wait(self) -> Wait | None:
        """How the state of its ids is read; None for who asks for the event list only."""

    @property
    def interval(self) -> float:
        """Seconds between two reads."""

    @property
    def deadline(self) -> float:
        """When its time is out, in seconds since 1970; infinity for who stays."""

    @property
    def pending(self) -> Sequence[Id]:
        """The ids that are to be read."""

    @property
    def since(self) -> float | None:
        """From when on it needs the event list; None while it asks for the state of its ids."""

    @property
    def error(self) -> str:
        """Why the last read failed; empty when it did not."""

    def judge(self, found: Mapping[Id, Reading] | Batch) -> Any:
        """Say what was found means. Runs in a thread."""

    def take(self, verdict: Any) -> None:
        """Take what :meth:`judge` returned."""

    def record_failure(self, reason: str, *, permanent: bool) -> None:
        """Note that a read has failed, for now or for good."""

    def abort(self, message: str) -> None:
        """Note that there will be no more reads."""


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
class WaitMember:
    """A wait that takes part.

    :param wait: The wait.
    :param interval: Seconds between two reads.
    :param deadline: When its time is out, in seconds since 1970; later where it is overdue.
    :param outcome: Where to say how it ended.
    :param context: In a triggerer, the context of a task says to whose log a line belongs.
    :param pending: The ids that are still to be read.
    :param due: When to read next, on the clock of the event loop.
    :param since: For a wait for events that was read once: from when on it needs the event list.
    :param was_read: Whether it was read at least once.
    :param overdue: Whether its time is out, and it is still to be read once.
    :param warned: Whether its task's log says what keeps it from being read.
    :param message: What the last read said.
    :param error: Why the last read failed; empty when it did not.
    :param readings: What was seen of the ids that are not read again.
    :param seen: What was seen of each id, as texts, for the outcome.
    :param counts: How many ids were in which state when that was last logged ...
    :param logged: ... and when, on the clock of the event loop.
    """

    wait: Wait
    interval: float
    deadline: float
    outcome: asyncio.Future[Outcome]
    context: contextvars.Context
    pending: Sequence[Id]
    due: float = float("-inf")
    since: float | None = None
    was_read: bool = False
    overdue: bool = False
    warned: bool = False
    message: str = "not read yet"
    error: str = ""
    readings: dict[Id, Reading] | None = None
    seen: dict[str, str] = field(default_factory=dict)
    counts: str | None = None
    logged: float = float("-inf")

    @property
    def over(self) -> bool:
        """Whether the wait has ended."""
        return self.outcome.done()

    def judge(self, found: Mapping[Id, Reading] | Batch) -> Verdict:
        """Say what was found means for this wait. Runs in a thread."""
        if isinstance(found, Batch):
            found = find_events(found.rows, self.pending, self.wait.filters)
        readings = {**(self.readings or {}), **{key: found[key] for key in self.pending}}
        verdict = self.wait.judge(readings)
        for key in verdict.pending:
            del readings[key]
        self.readings = readings or None
        return verdict

    def take(self, verdict: Verdict) -> None:
        """Take what was found: the wait ends, or goes on with what is pending."""
        self.pending, self.seen, self.message = verdict.pending, verdict.seen, verdict.message
        self.error = ""
        if verdict.done:
            self._end("success", verdict.message)
        elif verdict.failed:
            self._end("failed", verdict.message)
        else:
            self._log_progress(verdict.message)
        self._note_read()

    def record_failure(self, reason: str, *, permanent: bool) -> None:
        """Fail the wait for an error that is permanent; note one that is not, for when time runs out."""
        self.error = reason
        if permanent:
            self._end("failed", reason)
        self._note_read()

    def warn(self, message: str) -> None:
        """Log, once and in its own task's log, what keeps it from being read."""
        if not (self.warned or self.was_read):
            self.warned = True
            self.context.run(log.warning, "%s", message)

    def abort(self, message: str) -> None:
        """Fail the wait: there will be no more reads."""
        self._end("failed", message)

    def time_out(self) -> None:
        """End the wait because its time is out."""
        error = f"; polling failed last: {self.error}" if self.error else ""
        self._end("timeout", f"Time ran out: {self.message}{error}")

    def _end(self, status: Literal["success", "failed", "timeout"], message: str) -> None:
        if not self.outcome.done():
            self.outcome.set_result(Outcome(status, message, self.seen))

    def _note_read(self) -> None:
        self.was_read = True
        if self.overdue:
            self.time_out()

    def _log_progress(self, message: str) -> None:
        """Log how far the wait is when that has changed, in its own task's log, at most once a minute."""
        now = self.outcome.get_loop().time()
        if now - self.logged < PROGRESS_EVERY:
            return
        # As a text: a dict for each wait would slow garbage collections.
        counts = str(sorted(Counter(self.seen.values()).items()))
        first, before, self.counts = self.counts is None, self.counts, counts
        # What thousands of waits on one id each find at first is no news.
        if counts != before and not (first and len(self.wait.ids) == 1):
            self.logged = now
            self.context.run(log.info, "%s", message)


class Watching:
    """How those take part who stay for good: there is no task to fail, so the next round reads again."""

    deadline = float("inf")
    due = float("-inf")
    error = ""

    def record_failure(self, reason: str, *, permanent: bool) -> None:
        """Log an error that is permanent, once."""
        if permanent and reason != self.error:
            log.error("Polling failed: %s. Watching %r goes on", reason, self)
        self.error = reason


class StatusWatcher(Watching):
    """Takes part for good, and gets the states that each read has found.

    :param wait: Whose ids to read.
    :param interval: Seconds between two reads.
    """

    since = None

    def __init__(self, wait: Wait, interval: float) -> None:
        self.wait, self.interval, self.pending = wait, interval, wait.ids
        self.found: asyncio.Queue[Mapping[Id, Reading] | str] = asyncio.Queue()
        """What each read has found, or why there will be no more."""

    def __repr__(self) -> str:
        return repr(self.wait)

    def judge(self, found: Mapping[Id, Reading] | Batch) -> Mapping[Id, Reading]:
        """Pick what concerns this one."""
        return {} if isinstance(found, Batch) else {key: found[key] for key in self.pending if key in found}

    def take(self, verdict: Mapping[Id, Reading]) -> None:
        """Pass on what was found."""
        self.error = ""
        self.found.put_nowait(verdict)

    def abort(self, message: str) -> None:
        """End the watching: there will be no more reads."""
        self.found.put_nowait(message)
