"""Whether another process of this host may have called emnify before: a new store then waits for it.

The store's own folder cannot tell: it may have been deleted a moment ago, while others go on calling. So each
process that uses the host's store holds a shared lock on a file that is not deleted while it runs: that of
this module. Processes of another installation are not detected.
"""

from __future__ import annotations

import fcntl
import os
import threading

PLACE = __file__

_lock = threading.Lock()
_held: list[int] = []  # the descriptor of the shared lock, once it is had; a child keeps its parent's


def enter() -> bool:
    """Register this process; tell whether none was registered before, neither this one nor another."""
    with _lock:
        if _held:
            return False
        try:
            found = os.open(PLACE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        _held.append(found)
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except OSError:
            alone = False
        try:
            fcntl.flock(found, fcntl.LOCK_SH)
        except OSError:  # a file system without locks
            alone = False
        return alone
