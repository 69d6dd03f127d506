"""Fewer garbage collections while a transfer runs: they took a third of its time, and found nothing.

A transfer makes tens of thousands of objects a page, and frees them; none is in a reference cycle. Yet their
number alone has them searched again and again, with all that the process holds besides. So what lives is left
out of it (``gc.freeze()``), and it is done more rarely; both is put back in the end. This is for the process
of a task: a triggerer runs no transfer.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_RARELY = (100_000, 20, 100)  # objects, collections of the youngest, and of the middle ones

_lock = threading.Lock()
_before: list[tuple[tuple[int, int, int], bool]] = []  # one a transfer that is under way


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely for as long as the block lasts; of several at a time, the last one puts it back."""
    with _lock:
        is_frozen = gc.get_freeze_count() > 0  # by this, or by whoever runs the task
        _before.append((gc.get_threshold(), is_frozen))
        if not is_frozen:
            gc.freeze()
        if gc.get_threshold()[0]:  # else there are none
            gc.set_threshold(*_RARELY)
    try:
        yield
    finally:
        with _lock:
            threshold, was_frozen = _before[0]
            _before.pop()
            if not _before:
                gc.set_threshold(*threshold)
                if not was_frozen:
                    gc.unfreeze()
