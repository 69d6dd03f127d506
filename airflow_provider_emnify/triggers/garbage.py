"""Short garbage collections in a triggerer that holds thousands of waits.

A full collection looks at every object that can hold others, and holds up every thread and so the event loop:
for a tenth of a second in a triggerer of Airflow 3.3 that has just started, and longer with each wait.
``gc.freeze()`` takes what lives from then on out of it, at no cost. What is frozen and given up is freed all
the same, unless it refers to itself in a circle. So it is done a few times in the life of a process, however
many waits come and go, and what it can keep from being collected is bounded.
"""

from __future__ import annotations

import gc

_MANY = 1000  # waits

_frozen_again_at = 0


def keep_collections_short(waits: int) -> None:
    """Freeze what lives, with the first wait of the process and whenever their number has doubled.

    For a triggerer only: in other processes most of what lives may soon be garbage.

    :param waits: How many there are.
    """
    global _frozen_again_at  # noqa: PLW0603 - the garbage collector is one for the process, too
    if waits < _frozen_again_at:
        return
    _frozen_again_at = max(_MANY, 2 * waits)
    gc.collect(1)  # what has just become garbage; a full collection is what this is to spare
    gc.freeze()
