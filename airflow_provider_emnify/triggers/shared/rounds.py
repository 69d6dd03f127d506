"""When a poller reads: one loop of rounds for all who take part, whether they ask for states or events.

Rounds come at the shortest interval of the members, with jitter, and with backoff while nothing can be
read. Who joins between two rounds is read for early: those that join together are gathered for a moment.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_emnify.triggers.shared.members import Member

SHORTEST = 0.01  # seconds between rounds, whatever is asked for
_GATHER_SHARE = 0.05  # of the interval: for how long those that join are gathered ...
_GATHER_MOST = 1.0  # ... and in seconds, at most
_EARLY_SHARE = 0.1  # early rounds are at least this share of the interval apart
_JITTER = 0.1
_BACKOFF_MOST = 4  # intervals between rounds while everything fails


class Rounds:
    """The members of a poller, and the loop of rounds in which it reads for them."""

    def __init__(self) -> None:
        self.members: set[Member] = set()
        self.joined: set[Member] = set()
        """Those who wait for an early read."""
        self._loop = asyncio.get_running_loop()
        self._joined_since = 0.0
        self._wake = asyncio.Event()
        self._next_round = float("inf")
        self._last_end = float("-inf")
        self._failures = 0

    def join(self, member: Member) -> None:
        """Have a member take part, with a first read as soon as may be; or read again early for one."""
        if not self.joined:
            self._joined_since = self._loop.time()
        self.members.add(member)
        self.joined.add(member)
        self._wake.set()

    def leave(self, member: Member) -> None:
        """Take a member out."""
        self.members.discard(member)
        self.joined.discard(member)

    async def run(self, read: Callable[[list[Member]], Awaitable[bool]]) -> None:
        """Read round after round, until cancelled.

        :param read: Reads for those who are due; returns whether nothing could be read.
        """
        while True:
            regular = await self._pause()
            start = self._loop.time()
            failed = await read(self.due(regular=regular))
            self._failures = self._failures + 1 if failed else 0
            self._last_end = self._loop.time()
            shortest = self._shortest()
            pause = shortest * min(2 ** max(self._failures - 1, 0), _BACKOFF_MOST)
            after = start + pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret hangs on it
            after = max(after, self._last_end + shortest * _EARLY_SHARE)
            self._next_round = after if regular else min(self._next_round, after)

    def due(self, *, regular: bool) -> list[Member]:
        """Return who is to be read for now: all who are due, or those who have joined only."""
        now, shortest = self._loop.time(), self._shortest()
        due = [m for m in self.members if m.due <= now + shortest / 2] if regular else list(self.joined)
        self.joined.difference_update(due)
        for member in due:
            # Those who have joined fall in with the next regular round.
            member.due = now + member.interval - (0 if regular else shortest)
        return due

    def _shortest(self) -> float:
        return max(SHORTEST, min((member.interval for member in self.members), default=SHORTEST))

    async def _pause(self) -> bool:
        """Sleep until the next round. Return whether it is regular, or only for those who have joined."""
        while True:
            now = self._loop.time()
            if now >= self._next_round:
                return True
            left = self._next_round - now
            if self.joined:
                shortest = self._shortest()
                gathered = self._joined_since + min(shortest * _GATHER_SHARE, _GATHER_MOST)
                at = max(gathered, self._last_end + shortest * _EARLY_SHARE)
                if now >= at:
                    return False
                await asyncio.sleep(min(left, at - now))
            else:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), None if left == float("inf") else left)
