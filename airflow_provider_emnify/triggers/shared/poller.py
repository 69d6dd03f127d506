"""One poller for all waits of a connection that look at the same: they share each look.

A round reads each id once, however many waits want it. Rounds come at the shortest interval that a wait asks
for, with jitter; waits that begin between two rounds are gathered for a moment and get a first look of their
own. Requests are made in threads of the connection, so that the event loop is never held. Passing errors are
ridden out until a wait's deadline; a lasting one fails the waits that it concerns. All pollers of one
connection share its client, its auth token and its threads; when the last wait goes, so do these.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_emnify.api import EmnifyAuthenticationError, EmnifyError, EmnifyPermissionError
from airflow_provider_emnify.api.limits.limits import LIMITS
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.waits.wait import WAITS, read
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError
from airflow_provider_emnify.triggers.shared.connection import access_for
from airflow_provider_emnify.triggers.shared.members import Member, Outcome, Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from airflow_provider_emnify.api.waits.wait import Id, Reading, Wait

log = one_line_log(__name__)

_NO_ACCESS = (EmnifyAuthenticationError, EmnifyPermissionError)
_SHORTEST = 0.01  # seconds between rounds, whatever is asked for
_GATHER_SHARE, _GATHER_MOST = 0.05, 1.0  # how long newcomers are gathered: share of the interval, seconds
_NEWCOMER_SHARE = 0.1  # rounds for newcomers are at least this share of the interval apart
_JITTER = 0.1
_BACKOFF_MOST = 4  # intervals between rounds while everything fails
_FIRST_LOOK = 30.0  # seconds that a wait may overrun its deadline to be looked at once
_PORTION = 25  # waits that are told what was found before others get a turn on the loop
_JUDGED_AT_ONCE = 500  # waits; what is made for them is gone before the garbage collector takes it for old
_ENOUGH = 2  # looks in a row that fail before the rest of a round is given up


class Poller:
    """Looks for all waits of one connection and subject on one event loop. Had from :func:`poller_for`.

    :param conn_id: The connection.
    :param subject: What is looked at: the subject of the waits.
    :param on_gone: Called when the last wait has gone and the poller is not to be used any more.
    """

    def __init__(self, conn_id: str, subject: str, on_gone: Callable[[], None]) -> None:
        self._subject = subject
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._members: set[Member] = set()
        self._newcomers: set[Member] = set()
        self._newcomers_since = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._next_round = float("inf")
        self._last_end = float("-inf")
        self._failures = 0
        self._looks, self._looks_left, self._round_began = 0, 0, 0.0
        self._said_slow = False
        self._access = access_for(conn_id)
        # In a context of its own: in a triggerer, the context says to whose log a line belongs.
        self._context = contextvars.Context()

    async def join(self, wait: Wait, interval: float, deadline: float) -> Outcome:
        """Take part until the wait is over.

        :param interval: Seconds between two looks.
        :param deadline: When to give up, in seconds since 1970. A wait whose deadline is past (the triggerer
            was away) is looked at once all the same.
        """
        member = Member(wait, max(interval, _SHORTEST), self._loop.create_future(), wait.ids)
        if not wait.ids:
            member.take(wait.judge({}))
        member.deadline, member.context = deadline, contextvars.copy_context()
        left = max(0.0, deadline - time.time())
        timer = self._loop.call_later(left, self._expire, member, context=self._context)
        self._enter(member)
        try:
            return await member.outcome
        finally:
            timer.cancel()
            self._leave(member)

    async def watch(self, wait: Wait, interval: float) -> AsyncIterator[Mapping[Id, Reading]]:
        """Take part for good: yield what each look has found. Errors are logged, and it looks again.

        :param wait: Whose ids to look at.
        :param interval: Seconds between two looks.
        """
        watcher = Watcher(wait, max(interval, _SHORTEST), self._loop.create_future(), wait.ids)
        self._enter(watcher)
        try:
            while not isinstance(found := await watcher.found.get(), str):
                yield found
            raise RuntimeError(found)
        finally:
            self._leave(watcher)

    def _enter(self, member: Member) -> None:
        if not self._newcomers:
            self._newcomers_since = self._loop.time()
        self._members.add(member)
        self._newcomers.add(member)
        if self._task is None:
            self._task = self._loop.create_task(self._run(), context=self._context)
            self._task.add_done_callback(self._ended)
        self._wake.set()

    def _leave(self, member: Member) -> None:
        self._members.discard(member)
        self._newcomers.discard(member)
        if not self._members:
            self._go()

    def _go(self) -> None:
        self._on_gone()
        if self._task is not None:
            self._task.cancel()
        self._access.release()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None  # it refers to the poller: both are freed without a garbage collection
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("The poller of %s broke", self._subject, exc_info=error)
            for member in self._members:
                member.give_up(f"The poller broke: {error!r}")

    async def _run(self) -> None:
        while True:
            regular = await self._pause()
            start = self._loop.time()
            failed = await self._round(self._take(regular=regular))
            self._failures = self._failures + 1 if failed else 0
            self._last_end = self._loop.time()
            shortest = min(member.interval for member in self._members)
            pause = shortest * min(2 ** max(self._failures - 1, 0), _BACKOFF_MOST)
            after = start + pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret hangs on it
            after = max(after, self._last_end + shortest * _NEWCOMER_SHARE)
            self._next_round = after if regular else min(self._next_round, after)

    def _take(self, *, regular: bool) -> list[Member]:
        """Return who is to be looked at now: all who are due, or newcomers only."""
        now = self._loop.time()
        shortest = min(member.interval for member in self._members)
        due = [m for m in self._members if m.due <= now + shortest / 2] if regular else list(self._newcomers)
        self._newcomers.difference_update(due)
        for member in due:
            # Newcomers fall in with the next regular round.
            member.due = now + member.interval - (0 if regular else shortest)
        return due

    async def _pause(self) -> bool:
        """Sleep until the next round. Return whether it is a regular one, or one for newcomers only."""
        while True:
            now = self._loop.time()
            if now >= self._next_round:
                return True
            left = self._next_round - now
            if self._newcomers:
                shortest = min(member.interval for member in self._members)
                gathered = self._newcomers_since + min(shortest * _GATHER_SHARE, _GATHER_MOST)
                at = max(gathered, self._last_end + shortest * _NEWCOMER_SHARE)
                if now >= at:
                    return False
                await asyncio.sleep(min(left, at - now))
            else:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), None if left == float("inf") else left)

    async def _round(self, due: list[Member]) -> bool:
        """Look for those who are due. Return whether nothing could be read."""
        readings: dict[Id, Reading] = {}
        left, failures = _portions(due), 0
        self._looks, self._round_began = len(left), self._loop.time()
        while left:
            self._looks_left = len(left)
            self._check_pace(left)
            members = [m for m in left.pop() if m in self._members and not m.outcome.done()]
            try:
                await self._look(members, readings)
                failures = 0
            except Exception as error:
                lasts = not (isinstance(error, EmnifyError) and error.transient)
                failures += not lasts
                about_one = lasts and isinstance(error, EmnifyError) and not isinstance(error, _NO_ACCESS)
                if about_one and len(members) > 1:
                    left += [[member] for member in members]
                    continue
                if not about_one and (lasts or failures == _ENOUGH):
                    members += [member for portion in left for member in portion]
                    left = []
                await self._suffer(members, error, lasts=lasts)
            if self._newcomers:
                more = _portions(self._take(regular=False))
                self._looks += len(more)
                left = _with_newcomers(left, more)
        return bool(due) and not readings

    def _check_pace(self, left: list[list[Member]]) -> None:
        """Say once that the looks of a round take longer than a wait has time, or than its interval."""
        if self._said_slow or len(left) < LIMITS[0].calls / 4:
            return
        takes = _seconds_for(len(left))
        if any(min(m.interval, m.deadline - time.time()) < takes for portion in left for m in portion):
            self._say_slow(len(left))

    def _say_slow(self, looks: int) -> None:
        if not self._said_slow:
            self._said_slow = True
            log.warning("Waits for %s are looked at late: %s", self._subject, _too_many(looks))

    def _expire(self, member: Member) -> None:
        """Have the time of a wait run out. One that was never looked at gets a while for that."""
        if member.looked:
            member.time_out()
        elif not member.overdue:
            member.overdue = True
            self._loop.call_later(_FIRST_LOOK, self._expire, member, context=self._context)
        elif not member.outcome.done():
            self._say_slow(self._looks)
            member.message = (
                f"not looked at yet; {self._looks - self._looks_left} of the {self._looks} looks of this "
                f"round were done in {self._loop.time() - self._round_began:.0f} s. {_too_many(self._looks)}"
            )
            member.time_out()

    async def _look(self, members: list[Member], readings: dict[Id, Reading]) -> None:
        """Read what these ask for, and tell them.

        :param readings: What this round has found so far; the new ones are added.
        """
        ids = list(dict.fromkeys(key for one in members for key in one.pending if key not in readings))
        if ids:
            wait = members[0].wait
            found = await self._access.call(lambda client: read(client, wait.kind, ids, wait.filters))
            readings.update(found)
        for first in range(0, len(members), _JUDGED_AT_ONCE):
            some = members[first : first + _JUDGED_AT_ONCE]
            verdicts = await self._access.in_thread(_judge, some, readings)
            for number, (member, verdict) in enumerate(zip(some, verdicts, strict=True)):
                member.take(verdict)
                await _give_way(number)

    async def _suffer(self, members: Iterable[Member], error: Exception, *, lasts: bool) -> None:
        """Fail the waits that an error concerns, if it lasts; else remember it for when their time is out."""
        reason = str(error) or repr(error)
        if not isinstance(error, (EmnifyError, EmnifyConnectionConfigError)):
            log.error("Looking at %s broke", self._subject, exc_info=error)
        if not lasts:
            self._access.warn(reason)
        for number, member in enumerate(members):
            member.suffer(reason, lasts=lasts)
            await _give_way(number)


def _portions(members: list[Member]) -> list[list[Member]]:
    """Return who is looked at together: all, or each by itself where each id takes a request anyway.

    Then it is told at once, newcomers do not wait for the end of a long round, one that fails keeps no other
    from being looked at, and others get the threads in between.
    """
    if not members or not WAITS[members[0].wait.kind].one_by_one:
        return [members] if members else []
    random.shuffle(members)  # when a round is given up, it is not always for the same ones
    return sorted(([member] for member in members), key=_order, reverse=True)


def _order(portion: list[Member]) -> tuple[bool, float]:
    """Say who is looked at first: who has the least time, unless the last look failed: others have a turn."""
    return any(member.error for member in portion), min((m.deadline for m in portion), default=float("inf"))


def _with_newcomers(left: list[list[Member]], newcomers: list[list[Member]]) -> list[list[Member]]:
    """Put newcomers first, but for who has less time than all looks take: there the deadline decides."""
    tight = time.time() + _seconds_for(len(left) + len(newcomers))
    urgent: list[list[Member]] = []
    others: list[list[Member]] = []
    for portion in (*left, *newcomers):
        failed, deadline = _order(portion)
        (urgent if not failed and deadline < tight else others).append(portion)
    return others + sorted(urgent, key=_order, reverse=True)


def _seconds_for(looks: int) -> float:
    return looks * LIMITS[0].seconds / LIMITS[0].calls


def _too_many(looks: int) -> str:
    """Say which limit keeps a round from being quick, and what helps."""
    return (
        f"emnify allows an address {LIMITS[0].calls} requests in {LIMITS[0].seconds:.0f} s, of which a share "
        f"is left to tasks (task_share in the connection's extras); {looks} looks take "
        f"{_seconds_for(looks):.0f} s or more, and longer while emnify does not answer. "
        "Give a longer timeout and poke_interval, watch "
        "fewer ids, lower task_share, or wait for events instead (EmnifyEventSensor)"
    )


def _judge(members: list[Member], readings: Mapping[Id, Reading]) -> list[Any]:
    """Say what a look means for each. Runs in a thread: one wait can have thousands of ids."""
    return [member.judge(readings) for member in members]


async def _give_way(number: int) -> None:
    """Give others on the loop a turn, now and then in a long row of things to do."""
    if number % _PORTION == _PORTION - 1:
        await asyncio.sleep(0)


_Key = tuple[str, str]
_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Key, Poller]] = WeakKeyDictionary()


def poller_for(conn_id: str, subject: str) -> Poller:
    """Return the poller of a connection and a subject on the running event loop; the first wait makes it.

    :param conn_id: The connection.
    :param subject: What is looked at: the subject of the waits.
    """
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    key = (conn_id, subject)
    if key not in pollers:

        def forget() -> None:
            del pollers[key]

        pollers[key] = Poller(conn_id, subject, forget)
    return pollers[key]
