"""One poller a connection (and event loop): all its waits share a client, an auth token, and each look.

A round reads each id once, however many waits want it. Rounds come at the shortest interval that a wait asks
for, with jitter; waits that begin between two rounds are gathered for a moment and get a first look of their
own. Requests are made in the poller's own threads, so that the event loop is never held. Passing errors are
ridden out until a wait's deadline; a lasting one fails the waits that it concerns. When the last wait goes,
so do the threads and the client.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow_provider_emnify.api import EmnifyAuthenticationError, EmnifyError, EmnifyPermissionError
from airflow_provider_emnify.api.waits import read
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError
from airflow_provider_emnify.triggers.access import access_for
from airflow_provider_emnify.triggers.members import Member, Outcome, Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.api.waits import Id, Reading, Wait

log = logging.getLogger(__name__)

_NO_ACCESS = (EmnifyAuthenticationError, EmnifyPermissionError)
_SHORTEST = 0.01  # seconds between rounds, whatever is asked for
_GATHER_SHARE, _GATHER_MOST = 0.05, 1.0  # how long newcomers are gathered: share of the interval, seconds
_NEWCOMER_SHARE = 0.1  # rounds for newcomers are at least this share of the interval apart
_JITTER = 0.1
_BACKOFF_MOST = 4  # intervals between rounds while everything fails
_FIRST_LOOK = 30.0  # seconds that a wait may overrun its deadline to be looked at once
_COMPLAINT = 60.0  # seconds between two log lines on passing errors
_PORTION = 25  # waits that are told what was found before others get a turn on the loop
_JUDGED_AT_ONCE = 500  # waits; what is made for them is gone before the garbage collector takes it for old


class Poller:
    """Looks for all waits of one connection on one event loop. Had from :func:`poller_for`.

    :param conn_id: The connection.
    :param on_gone: Called when the last wait has gone and the poller is not to be used any more.
    """

    def __init__(self, conn_id: str, on_gone: Callable[[], None]) -> None:
        self._conn_id = conn_id
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
        self._complained = float("-inf")
        self._access = access_for(conn_id)
        # In a context of its own: in a triggerer, the context says to whose log a line belongs.
        self._context = contextvars.Context()

    @property
    def size(self) -> int:
        """How many take part."""
        return len(self._members)

    async def join(self, wait: Wait, interval: float, deadline: float) -> Outcome:
        """Take part until the wait is over.

        :param interval: Seconds between two looks.
        :param deadline: When to give up, in seconds since 1970. A wait whose deadline is past (the triggerer
            was away) is looked at once all the same.
        """
        member = Member(wait, max(interval, _SHORTEST), self._loop.create_future(), wait.ids)
        if not wait.ids:
            member.take(wait.judge({}))
        left = max(0.0, deadline - time.time())
        timer = self._loop.call_later(left, _expire, member, context=self._context)
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
            log.error("The poller of connection '%s' broke", self._conn_id, exc_info=error)
            for member in self._members:
                member.give_up(f"The poller broke: {error!r}")

    async def _run(self) -> None:
        while True:
            regular = await self._pause()
            start = self._loop.time()
            shortest = min(member.interval for member in self._members)
            if regular:
                due = [m for m in self._members if m.due <= start + shortest / 2]
            else:
                due = list(self._newcomers)
            self._newcomers.difference_update(due)
            for member in due:
                # Newcomers fall in with the next regular round.
                member.due = start + member.interval - (0 if regular else shortest)
            failed = await self._round([m for m in due if not m.outcome.done()])
            self._failures = self._failures + 1 if failed else 0
            self._last_end = self._loop.time()
            pause = shortest * min(2 ** max(self._failures - 1, 0), _BACKOFF_MOST)
            after = start + pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret hangs on it
            after = max(after, self._last_end + shortest * _NEWCOMER_SHARE)
            self._next_round = after if regular else min(self._next_round, after)

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
        subjects: dict[str, list[Member]] = defaultdict(list)
        for member in due:
            subjects[member.wait.subject].append(member)
        read_well = await asyncio.gather(*(self._look(members) for members in subjects.values()))
        for number, member in enumerate(due):
            member.looked = True
            if member.overdue:
                member.time_out()
            await _give_way(number)
        return bool(subjects) and not any(read_well)

    async def _look(self, members: list[Member]) -> bool:
        """Read all that members of one subject ask for, and tell them. Return whether it could be read."""
        try:
            readings = await self._access.call(lambda client: _read(client, members))
            for first in range(0, len(members), _JUDGED_AT_ONCE):
                some = members[first : first + _JUDGED_AT_ONCE]
                verdicts = await self._access.in_thread(_judge, some, readings)
                for number, (member, verdict) in enumerate(zip(some, verdicts, strict=True)):
                    member.take(verdict)
                    await _give_way(number)
        except EmnifyError as error:
            # No access concerns all of a subject. Anything else that lasts may be about one wait's ids.
            if not error.transient and not isinstance(error, _NO_ACCESS) and len(members) > 1:
                return any([await self._look([member]) for member in members])
            await self._suffer(members, error, lasts=not error.transient)
        except Exception as error:
            if not isinstance(error, EmnifyConnectionConfigError):
                log.exception("Looking at %s broke", members[0].wait.subject)
            await self._suffer(members, error, lasts=True)
        else:
            return True
        return False

    async def _suffer(self, members: Iterable[Member], error: Exception, *, lasts: bool) -> None:
        """Fail the waits that an error concerns, if it lasts; else remember it for when their time is out."""
        reason = str(error) or repr(error)
        for number, member in enumerate(members):
            member.error = reason
            if lasts:
                member.settle("failed", reason)
            await _give_way(number)
        if not lasts and self._loop.time() - self._complained >= _COMPLAINT:
            self._complained = self._loop.time()
            log.warning(
                "emnify (connection '%s') could not be read: %s. Trying again until the waits' deadlines",
                self._conn_id,
                reason,
            )


def _read(client: EmnifyClient, members: list[Member]) -> dict[Id, Reading]:
    """Read each id that is still asked for once. Runs in a thread."""
    wait = members[0].wait
    ids = list(dict.fromkeys(key for member in members for key in member.pending))
    return read(client, wait.kind, ids, wait.filters)


def _judge(members: list[Member], readings: Mapping[Id, Reading]) -> list[Any]:
    """Say what a look means for each. Runs in a thread: one wait can have thousands of ids."""
    return [member.judge(readings) for member in members]


def _expire(member: Member) -> None:
    """Have the time of a wait run out. One that was never looked at gets a while for that."""
    if member.looked or member.overdue:
        member.time_out()
    else:
        member.overdue = True
        asyncio.get_running_loop().call_later(_FIRST_LOOK, member.time_out)


async def _give_way(number: int) -> None:
    """Give others on the loop a turn, now and then in a long row of things to do."""
    if number % _PORTION == _PORTION - 1:
        await asyncio.sleep(0)


_pollers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Poller]] = WeakKeyDictionary()


def poller_for(conn_id: str) -> Poller:
    """Return the poller of a connection on the running event loop; it is made with the first wait."""
    pollers = _pollers.setdefault(asyncio.get_running_loop(), {})
    if conn_id not in pollers:

        def forget() -> None:
            del pollers[conn_id]

        pollers[conn_id] = Poller(conn_id, forget)
    return pollers[conn_id]
