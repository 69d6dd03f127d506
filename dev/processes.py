"""Start programs in the background, and end every one of them and of their children by its id."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRACE = 3.0  # seconds that a process has to end by itself


class ProcessEndedError(Exception):
    """A program that should be running has ended."""


class Processes:
    """The programs of one run. :meth:`stop` ends them and all their children.

    :param env: environment of every program. Its ``AIRFLOW_HOME`` is this run's own folder: by it a child is
        recognised even when its parent has gone.
    :param logs: folder for a log file a program
    """

    def __init__(self, env: dict[str, str], logs: Path) -> None:
        self._env = env
        self._logs = logs
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        _adopt_orphans()

    def start(self, name: str, *command: str | Path) -> None:
        """Start a program in a session of its own, so that a Ctrl-C in the terminal reaches only us."""
        with (self._logs / f"{name}.log").open("wb") as log:
            self._started[name] = subprocess.Popen(
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise if a program has ended.

        :raises ProcessEndedError: with the last lines of its log
        """
        for name, process in self._started.items():
            if (code := process.poll()) is not None:
                raise ProcessEndedError(f"{name} ended with exit code {code}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 25) -> str:
        """Give the last lines of a program's log."""
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End everything: politely, and after a while by force. A Ctrl-C meanwhile changes nothing."""
        with _deaf():
            for process in self._started.values():
                process.terminate()  # each of them ends its own children, if it is left the time
            self._wait_for_the_end()
            for relative in self._family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    relative.kill()
            self._wait_for_the_end()
            if left := self._family():
                raise ProcessEndedError(f"Still running: {', '.join(str(process.pid) for process in left)}")
            self._started.clear()

    def _wait_for_the_end(self) -> None:
        deadline = time.monotonic() + GRACE
        while self._family() and time.monotonic() < deadline:
            time.sleep(0.1)
            self._reap()
        self._reap()

    def _reap(self) -> None:
        """Take leave of what has ended: of our own, and of the orphans that we have adopted."""
        for process in self._started.values():
            process.poll()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _family(self) -> list[psutil.Process]:
        """Find what is alive of the started programs and of their children, grandchildren and orphans.

        Those are known by their parents, by their session (unless they left it), and by the environment they
        inherited (unless they wrote over it to change their title, as Airflow's API server does).
        """
        sessions = {process.pid for process in self._started.values()}
        family = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if os.getsid(process.pid) in sessions:
                    family[process.pid] = process
                    family.update((child.pid, child) for child in process.children(recursive=True))
                elif process.environ().get("AIRFLOW_HOME") == self._env["AIRFLOW_HOME"]:
                    family[process.pid] = process
        return list(family.values())


def _adopt_orphans() -> None:
    """Become the parent of orphaned grandchildren, where the system can: they end as zombies otherwise."""
    if sys.platform == "linux":
        set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER of <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ignore Ctrl-C and requests to end while cleaning up."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
