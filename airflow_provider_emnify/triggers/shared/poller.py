"""One poller for all of a connection that ask for the same: they share each read.

A round reads each id once, however many waits want it, and the event list once, for event sensors and event
watchers alike. Requests are made in threads of the connection, so that the event loop is never held.
Transient errors are retried until a wait's deadline; a permanent one fails the waits that it concerns. All
pollers of one connection share its client, its auth token and its threads, which are shut down with the last.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import EmnifyAuthenticationError, EmnifyError, EmnifyPermissionError
from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.waits.event_filter import LATE_BY
from airflow_provider_emnify.api.waits.events import event_query, list_events
from airflow_provider_emnify.api.waits.wait import read
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError
from airflow_provider_emnify.triggers.shared.connection import connection_for
from airflow_provider_emnify.triggers.shared.members import Batch, StatusWatcher, WaitMember
from airflow_provider_emnify.triggers.shared.order import (
    by_read,
    seconds_for,
    too_late,
    too_many,
    with_joined,
)
from airflow_provider_emnify.triggers.shared.registry import forget, shared
from airflow_provider_emnify.triggers.shared.rounds import SHORTEST, Rounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from airflow_provider_emnify.api.waits.wait import Id, Reading, Wait
    from airflow_provider_emnify.triggers.shared.members import Member, Outcome

log = one_line_log(__name__)

EVENTS = "event"
"""The subject of the poller that reads the event list of a connection."""

_NO_ACCESS = (EmnifyAuthenticationError, EmnifyPermissionError)
FIRST_READ = 30.0  # seconds that a wait may overrun its deadline to be read once
_EXPIRE_REST = 1e-4  # seconds for each wait, at least, between two looks at whose time is out
_PORTION = 25  # members that take what was found before others have the event loop
_JUDGED_AT_ONCE = 100  # members; what is made for them is gone before the garbage collector takes it for old
_ENOUGH = 2  # reads in a row that fail before the rest of a round is abandoned


class Poller:
    """Reads for all of one connection and subject on one event loop. Had from :func:`poller_for`.

    :param conn_id: The connection.
    :param subject: What is read: the subject of the waits, or :data:`EVENTS`.
    """

    def __init__(self, conn_id: str, subject: str) -> None:
        self._subject = subject
        self._loop = asyncio.get_running_loop()
        self.rounds = Rounds()
        """Who takes part, and when they are read for."""
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reads, self._reads_left, self._round_began = 0, 0, 0.0
        self._warned_slow = False
        self._connection = connection_for(conn_id)
        # In a context of its own: in a triggerer, the context says to whose log a line belongs.
        self._context = contextvars.Context()

    async def join(self, wait: Wait, interval: float, deadline: float) -> Outcome:
        """Take part until the wait is over.

        :param interval: Seconds between two reads.
        :param deadline: When the wait times out, in seconds since 1970. A wait whose deadline is past (the
            triggerer was away) is read once all the same.
        """
        context = contextvars.copy_context()
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        member = WaitMember(wait, max(interval, SHORTEST), deadline, outcome, context, wait.ids)
        if not wait.ids:
            member.take(wait.judge({}))
        self._set_timer(member.deadline)
        self.subscribe(member)
        try:
            return await outcome
        finally:
            self.unsubscribe(member)

    async def watch(self, wait: Wait, interval: float) -> AsyncIterator[Mapping[Id, Reading]]:
        """Take part for good: yield what each read has found. Errors are logged, and it reads again.

        :param wait: Whose ids to read.
        :param interval: Seconds between two reads.
        """
        watcher = StatusWatcher(wait, max(interval, SHORTEST))
        self.subscribe(watcher)
        try:
            while not isinstance(found := await watcher.found.get(), str):
                yield found
            raise RuntimeError(found)
        finally:
            self.unsubscribe(watcher)

    def subscribe(self, member: Member) -> None:
        """Have a member take part; or, if it does, read for it as soon as may be."""
        self.rounds.join(member)
        if self._task is None:
            self._task = self._loop.create_task(self.rounds.run(self._round), context=self._context)
            self._task.add_done_callback(self._ended)

    def unsubscribe(self, member: Member) -> None:
        """Take a member out. With the last one the poller shuts down."""
        if member not in self.rounds.members:
            return
        self.rounds.leave(member)
        if not self.rounds.members:
            self._shut_down()

    def _shut_down(self) -> None:
        forget(self)
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._connection.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None  # it refers to the poller: both are freed without a garbage collection
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("The poller of %s failed unexpectedly", self._subject, exc_info=error)
            for member in list(self.rounds.members):
                member.abort(f"The poller failed unexpectedly: {error!r}")

    async def _round(self, due: list[Member]) -> bool:
        """Read for those who are due. Return whether nothing could be read."""
        readings: dict[Id, Reading] = {}
        left, failures, succeeded, grown = by_read(due), 0, False, True
        self._reads, self._round_began = len(left), self._loop.time()
        while left:
            self._reads_left = len(left)
            members = [member for member in left.pop() if member in self.rounds.members]
            try:
                await self._read_for(members, readings)
                failures, succeeded = 0, succeeded or bool(members)
                if grown:
                    grown = False
                    await self._check_pace(left)
            except Exception as error:
                transient = isinstance(error, EmnifyError) and error.transient
                failures += transient
                _spread(error, members, left, enough=failures == _ENOUGH)
                await self._record_failure(members, error, permanent=not transient)
            if self.rounds.joined:
                more = by_read(self.rounds.due(regular=False))
                self._reads += len(more)
                left, grown = with_joined(left, more), True
        return bool(due) and not succeeded

    async def _check_pace(self, left: list[list[Member]]) -> None:
        """Warn once that the reads of a round take longer than a wait has time, or than its interval.

        Each wait that cannot be read before its deadline gets a warning at once, in its own log.
        """
        if self._reads < LIMITS[0].calls / 4:
            return
        takes, now = seconds_for(self._reads), time.time()
        if any(min(m.interval, m.deadline - now) < takes for portion in left for m in portion):
            self._warn_slow()
        late = too_late(left, self._connection.task_share, now - FIRST_READ)
        for number, member in enumerate(late):
            if isinstance(member, WaitMember):  # watchers have all the time
                member.warn(f"Time will run out before this is read even once. {too_many(self._reads)}")
            await _yield_now_and_then(number)

    def _warn_slow(self) -> None:
        if not self._warned_slow:
            self._warned_slow = True
            log.warning("Waits for %s are read late: %s", self._subject, too_many(self._reads))

    def _set_timer(self, at: float) -> None:
        """Look then at the latest whose time is out. One timer serves all: thousands are much to collect."""
        when = self._loop.time() + max(at - time.time(), _EXPIRE_REST * len(self.rounds.members))
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire_due, context=self._context)

    def _expire_due(self) -> None:
        self._timer, now = None, time.time()
        waits = [one for one in self.rounds.members if isinstance(one, WaitMember) and not one.over]
        for member in waits:
            if member.deadline <= now:
                self._expire(member)
        if later := [member.deadline for member in waits if not member.over]:
            self._set_timer(min(later))

    def _expire(self, member: WaitMember) -> None:
        """Have a wait time out. One that was never read gets a while for that."""
        if member.was_read:
            member.time_out()
        elif not member.overdue:
            member.overdue, member.deadline = True, time.time() + FIRST_READ
        else:
            self._warn_slow()
            member.message = (
                f"not read yet; {self._reads - self._reads_left} of the {self._reads} reads of this "
                f"round were done in {self._loop.time() - self._round_began:.0f} s. {too_many(self._reads)}"
            )
            member.time_out()

    async def _read_for(self, members: list[Member], readings: dict[Id, Reading]) -> None:
        """Read what these ask for, and hand it to them.

        :param readings: What this round has found so far; the new ones are added.
        """
        if not members:
            return
        wait, began = members[0].wait, time.time()
        if wait is None or members[0].since is not None:
            await self._hand_out(members, await self._read_list(members))
        else:
            found = {} if wait.kind == EVENTS else readings  # of events, others have other filters
            ids = list(dict.fromkeys(key for one in members for key in one.pending if key not in found))
            if ids:
                kind, filters = wait.kind, wait.filters
                found.update(await self._connection.call(lambda client: read(client, kind, ids, filters)))
            await self._hand_out(members, found)
        for member in members:
            if isinstance(member, WaitMember) and member.wait.kind == EVENTS:
                member.since = began - LATE_BY.total_seconds()

    async def _read_list(self, members: list[Member]) -> Batch:
        """Read the event list for all at once."""
        since, until = min(member.since or 0.0 for member in members), time.time()
        query = _query_of(members[0])
        if any(_query_of(member) != query for member in members):
            query = {}
        rows = await self._connection.call(lambda client: list_events(client, since, query))
        return Batch(since, until, rows)

    async def _hand_out(self, members: list[Member], found: Mapping[Id, Reading] | Batch) -> None:
        for first in range(0, len(members), _JUDGED_AT_ONCE):
            some = members[first : first + _JUDGED_AT_ONCE]
            verdicts = await self._connection.in_thread(_judge, some, found)
            for number, (member, verdict) in enumerate(zip(some, verdicts, strict=True)):
                member.take(verdict)
                await _yield_now_and_then(number)

    async def _record_failure(self, members: Iterable[Member], error: Exception, *, permanent: bool) -> None:
        """Fail the waits that a permanent error concerns; have the others note it for when time runs out."""
        reason = str(error) or repr(error)
        if not isinstance(error, (EmnifyError, EmnifyConnectionConfigError)):
            log.error("Polling %s failed unexpectedly", self._subject, exc_info=error)
        if not permanent:
            self._connection.warn(reason)
        for number, member in enumerate(members):
            member.record_failure(reason, permanent=permanent)
            await _yield_now_and_then(number)


def _query_of(member: Member) -> Mapping[str, Any]:
    """Return which events it asks for, as far as emnify can filter by that; nothing for all."""
    return {} if member.wait is None else event_query(member.wait.filters)


def _spread(error: Exception, members: list[Member], left: list[list[Member]], *, enough: bool) -> None:
    """Have ``members`` be those whom an error concerns, and ``left`` what is still to be read.

    An error about one id concerns no other: those that were read together are read one by one.
    """
    permanent = not isinstance(error, EmnifyError) or not error.transient
    if permanent and isinstance(error, EmnifyError) and not isinstance(error, _NO_ACCESS):
        if len(members) > 1:
            left += [[member] for member in members]
            members.clear()
    elif permanent or enough:
        members += [member for portion in left for member in portion]
        left.clear()


def _judge(members: list[Member], found: Mapping[Id, Reading] | Batch) -> list[Any]:
    """Say what was found means for each. Runs in a thread: one wait can have thousands of ids."""
    return [member.judge(found) for member in members]


async def _yield_now_and_then(number: int) -> None:
    """Let others have the event loop, now and then in a long row of things to do."""
    if number % _PORTION == _PORTION - 1:
        await asyncio.sleep(0)


def poller_for(conn_id: str, wait: Wait) -> Poller:
    """Return the poller of a connection for a wait, on the running event loop; the first wait makes it."""
    return shared(Poller, conn_id, EVENTS if wait.kind == EVENTS else wait.subject)
