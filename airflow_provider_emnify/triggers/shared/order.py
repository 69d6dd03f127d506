"""Who is read for together in a round, in which order, and how long a round takes within emnify's limits."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.limits.documented import LIMITS
from airflow_provider_emnify.api.resources.few import FEW
from airflow_provider_emnify.api.waits.wait import WAITS

if TYPE_CHECKING:
    from airflow_provider_emnify.triggers.shared.members import Member


def by_read(members: list[Member]) -> list[list[Member]]:
    """Return who is read for together, the first last: as many as share a read.

    Where each id takes a request anyway, each is read for by itself: then it is handed out at once, those
    who join do not wait for the end of a long round, one that fails keeps no other from being read, and
    others get the threads in between.
    """
    listed = [member for member in members if member.since is not None]
    groups: dict[str, list[Member]] = {}
    for member in members:
        if member.since is None and member.wait is not None:
            groups.setdefault(member.wait.subject, []).append(member)
    portions = [listed] if listed else []
    for group in groups.values():
        if _one_by_one(group):
            random.shuffle(group)  # when a round is abandoned, it is not always for the same ones
            portions += sorted(([member] for member in group), key=_order, reverse=True)
        else:
            portions.append(group)
    return portions


def _one_by_one(group: list[Member]) -> bool:
    """Tell whether each id of those who ask for the same takes a request of its own."""
    wait = group[0].wait
    if wait is None or WAITS[wait.kind].read_many is not None:
        return False
    return WAITS[wait.kind].one_by_one or sum(len(member.pending) for member in group) <= FEW


def with_joined(left: list[list[Member]], joined: list[list[Member]]) -> list[list[Member]]:
    """Put those who have joined first, after those with less time than all reads take, by deadline."""
    tight = time.time() + seconds_for(len(left) + len(joined))
    urgent: list[list[Member]] = []
    others: list[list[Member]] = []
    for portion in (*left, *joined):
        failed, deadline = _order(portion)
        (urgent if not failed and deadline < tight else others).append(portion)
    return others + sorted(urgent, key=_order, reverse=True)


def too_late(left: list[list[Member]], share: float, now: float) -> list[Member]:
    """Return whose time is out before they can be read, even if nothing else uses the limit of the address.

    :param share: The share of it that is reserved for tasks.
    """
    at_once = LIMITS[0].calls * (1 - share)
    return [
        member
        for place, portion in enumerate(reversed(left), 1)  # at least one was read before them
        for member in portion
        if now + place // at_once * LIMITS[0].seconds > member.deadline
    ]


def _order(portion: list[Member]) -> tuple[bool, float]:
    """Say who is read first: who has the least time, unless the last read failed: then others are first."""
    return any(member.error for member in portion), min((m.deadline for m in portion), default=float("inf"))


def seconds_for(reads: int) -> float:
    """Return how long so many requests take at least, within the limit of an address."""
    return reads * LIMITS[0].seconds / LIMITS[0].calls


def too_many(reads: int) -> str:
    """Say which limit keeps a round from being quick, and what helps."""
    return (
        f"emnify allows an address {LIMITS[0].calls} requests in {LIMITS[0].seconds:.0f} s, of which a share "
        f"is reserved for tasks (task_share in the connection's extras); {reads} reads take "
        f"{seconds_for(reads):.0f} s or more, and longer while emnify does not answer. "
        "Give a longer timeout and poke_interval, watch "
        "fewer ids, lower task_share, or wait for events instead (EmnifyEventSensor)"
    )
