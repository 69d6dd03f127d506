"""Ends a session of processes, also when whoever has started it is gone: a test that hangs cleans nothing up.

Run as a program with the id of the session, it waits until its standard input is closed. Airflow's tasks, for
example, leave the group of the process that started them; they do not leave its session.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

import psutil


def end(session: int, seconds: float = 15) -> None:
    """Kill all processes of a session, and wait until none is left.

    :raises TimeoutError: when one is left all the same.
    """
    deadline = time.monotonic() + seconds
    while left := _alive(session):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if time.monotonic() > deadline:
            raise TimeoutError(f"still running: {left}")
        time.sleep(0.05)


def _alive(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


if __name__ == "__main__":
    sys.stdin.read()
    end(int(sys.argv[1]))
