"""Short garbage collections in a triggerer that holds thousands of waits, where ``[emnify]
triggerer_gc_freeze`` asks for them.

A full collection looks at every object that can hold others, and holds up every thread and so the event loop:
in a triggerer of Airflow 3.3 for 0.1 s of CPU time without any trigger. While 10,000 waits begin there are
four, the last of 0.3 s; with as many of Airflow's own triggers that only sleep there are five, the last of
0.4 s (``benchmarks/results/waits.md``). While they wait there is next to none. ``gc.freeze()`` takes what
lives from then on out of it, at no cost. What is frozen and no longer used is freed
nevertheless, unless it is in a reference cycle. So it is done a few times in a process, however many waits
come and go, and what it can keep from being collected is bounded. Yet the process belongs to the triggers of
all providers: it is off unless asked for.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

from airflow_provider_emnify.airflow_names import conf

_MANY = 1000  # waits


@dataclass
class Waits:
    """How many waits a process holds. There is one of these, as there is one garbage collector."""

    number: int = 0
    frozen_again_at: int = 1

    def begins(self) -> None:
        """Count one more: with the first, and whenever their number has doubled, freeze what lives.

        For a triggerer only: in other processes most of what lives may soon be garbage.
        """
        self.number += 1
        if self.number >= self.frozen_again_at:
            self.frozen_again_at = max(_MANY, 2 * self.number)
            if not conf.getboolean("emnify", "triggerer_gc_freeze", fallback=False):
                return
            gc.collect(1)  # what has just become garbage; a full collection is what this is to spare
            gc.freeze()

    def ends(self) -> None:
        """Count one less."""
        self.number -= 1


WAITS = Waits()
