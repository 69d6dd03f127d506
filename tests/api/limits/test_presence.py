"""The first call on a fresh host is not held up, unless another process may have called before it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROCESS = """
import shutil, sys
from pathlib import Path
from airflow_provider_emnify.api import Limits
from airflow_provider_emnify.api.limits import presence as limit_presence
from airflow_provider_emnify.api.limits.documented import LIMITS

limit_presence.PLACE, folder = sys.argv[1], Path(sys.argv[2])
limits = Limits("host", directory=folder)
for line in sys.stdin:
    if line.strip() == "delete":
        shutil.rmtree(folder)
    elif line.strip() == "another":
        limits = Limits("host", directory=folder)
    slept = limits.acquire("GET", "/api/v1/endpoint/7", host="h", organisation="o")
    print(slept, flush=True)
"""


class Process:
    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.running = running

    def call(self, before: str = "") -> float:
        """Take a place in the limits; return the seconds that were waited for it."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.running.stdin.write(f"{before}\n")
        self.running.stdin.flush()
        return float(self.running.stdout.readline())


@contextmanager
def process(place: Path, folder: Path) -> Iterator[Process]:
    """Start a process that calls when it is told; it ends with the block."""
    command = [sys.executable, "-c", PROCESS, str(place), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as running:
        try:
            yield Process(running)
        finally:
            running.kill()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What stands for the installation: other tests' processes hold the real one."""
    file = tmp_path / "installation"
    file.touch()
    return file


def test_the_first_call_of_a_host_is_not_held_up(place: Path, tmp_path: Path) -> None:
    with process(place, tmp_path / "limits") as first, process(place, tmp_path / "limits") as second:
        assert first.call() == 0
        assert second.call() == 0  # the store is new to it too, but nobody has calls to tell


def test_a_store_that_is_new_while_others_call_is_waited_for(place: Path, tmp_path: Path) -> None:
    with process(place, tmp_path / "limits") as other, process(place, tmp_path / "limits") as late:
        assert other.call() == 0
        assert late.call("delete") >= 0.4


def test_a_process_waits_for_its_own_earlier_clients(place: Path, tmp_path: Path) -> None:
    with process(place, tmp_path / "limits") as one:
        assert one.call() == 0
        assert one.call("delete") >= 0.4
        assert one.call("another") == 0
        (tmp_path / "limits" / "limits.sqlite").unlink()
        assert one.call("another") >= 0.4


def test_without_a_place_to_be_seen_it_is_waited_for(tmp_path: Path) -> None:
    with process(tmp_path / "nothing", tmp_path / "limits") as one:
        assert one.call() >= 0.4
