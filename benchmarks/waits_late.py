"""More waits than emnify's limits allow: what succeeds, and what the others say and log.

Each wait is for the connectivity of one device, which takes a request of its own: emnify has no list of it.
All devices are online from the start. ``benchmarks/waits.py`` runs it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 150.0
INTERVAL = 60.0
_whose: ContextVar[int] = ContextVar("_whose", default=0)


class Said(logging.Handler):
    """Counts the warnings, and in how many tasks' logs they are, and when the last one came."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: Counter[str] = Counter()
        self.tasks: set[int] = set()
        self.last = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.lines[record.getMessage()] += 1
        self.tasks |= {_whose.get()} - {0}
        self.last = time.time()


async def late(ids: Sequence[int], results: dict[str, Any]) -> None:
    """Begin a wait an id, all at once."""
    from airflow_provider_emnify.api.waits.wait import Wait
    from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

    began, said = time.time(), Said()
    log = logging.getLogger("airflow_provider_emnify")
    log.addHandler(said)
    log.propagate = False  # some thousand lines

    async def one(key: int) -> tuple[str, str, float]:
        _whose.set(key)
        wait = Wait("endpoint_connectivity", key, "online", ()).to_dict()
        trigger = EmnifyWaitTrigger("emnify_default", wait, INTERVAL, began + TIMEOUT)
        trigger.trigger_id = key
        async for event in trigger.run():
            return event.payload["status"], event.payload["message"], time.time() - began
        return "nothing", "", 0.0

    ended = await asyncio.gather(*(asyncio.create_task(one(key)) for key in ids))
    log.removeHandler(said)
    log.propagate = True
    failures = Counter(message for status, message, _ in ended if status != "success")
    results.update(
        {
            "waits": len(ids),
            "statuses": Counter(status for status, _, _ in ended),
            "last success s": max((at for status, _, at in ended if status == "success"), default=0.0),
            "seconds": time.time() - began,
            "failures": failures.most_common(3),
            "kinds of failures": len(failures),
            "warnings": said.lines.most_common(3),
            "tasks warned": len(said.tasks),
            "last warning s": said.last - began,
        }
    )
