"""What the tests cost: CPU time of each folder, of the programs that tests start, and of beginning.

    python benchmarks/suite.py             the whole suite: some ten minutes
    python benchmarks/suite.py --every 20  each twentieth test of it, multiplied

It is no part of ``make bench``, which it would double. Writes ``benchmarks/results/tests.md``. The same file
is the plugin that pytest loads to measure.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "tests.md"
TARGET = 120.0  # seconds
FOLDER, EVERY = "SUITE_FOLDER", "SUITE_EVERY"
SHOWN = 15  # of the dearest files

_taken: list[tuple[str, float, float]] = []
_begun: list[float] = []


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Take each n-th test."""
    items[:] = items[:: int(os.environ[EVERY])]


def pytest_collection_finish() -> None:
    """Remember what it took to begin: imports and collection."""
    _begun.append(time.process_time())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Generator[None, Any, Any]:
    """Measure a test with its fixtures, the threads of this process, and the programs that it started."""
    own, children = time.process_time(), _of_children()
    result = yield
    _taken.append((item.nodeid, time.process_time() - own, _of_children() - children))
    return result


def pytest_sessionfinish() -> None:
    """Hand over what this process has measured."""
    if _begun:
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.json"
        path.write_text(json.dumps({"begun": _begun[-1], "taken": _taken}))


def measure(every: int) -> tuple[float, list[float], list[tuple[str, float, float]], str]:
    """Run the tests with two workers.

    :returns: Seconds of CPU time in all; those that each worker took to begin; each test with its own seconds
        and those of the programs that it started; pytest's last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, FOLDER: folder, EVERY: str(every)}
        marks = ["-m", "not system", "-n", "2", "-p", "suite", "-p", "no:randomly"]
        before = _of_children()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *marks],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        parts = [json.loads(path.read_text()) for path in Path(folder).iterdir()]
    print(*(line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))), sep="\n")
    last = ([line for line in done.stdout.splitlines() if " passed" in line] or ["nothing passed"])[-1]
    taken = [tuple(test) for part in parts for test in part["taken"]]
    return (
        _of_children() - before,
        [part["begun"] for part in parts],
        taken,
        last,
    )


def report(every: int) -> str:
    from machine import checks, heading, table

    head = heading("The tests", "suite.py")
    total, begun, taken, last = measure(every)
    tested = sum(own + started for _, own, started in taken)
    whole = total + tested * (every - 1)  # the rest is there once
    folders, files = Counter[str](), Counter[str]()
    children, tests = Counter[str](), Counter[str]()
    for name, own, started in taken:
        file = name.partition("::")[0]
        folder = "/".join(file.split("/")[:2])
        folders[folder] += own + started
        children[folder] += started
        tests[folder] += every
        files[file] += own + started
    rows = [
        [
            f"`{folder}`",
            f"{tests[folder]:,}",
            f"{seconds * every:.0f}",
            f"{children[folder] * every:.0f}",
            f"{seconds * every * 1000 / tests[folder]:.0f}",
        ]
        for folder, seconds in folders.most_common()
    ]
    dearest = [[f"`{file}`", f"{seconds * every:.0f}"] for file, seconds in files.most_common(SHOWN)]
    which = "Every test was run" if every == 1 else f"Each {every}th test was run, and the figures multiplied"
    return f"""{head}
{which}, with two workers: {last.strip(" =")}.
{sum(begun):.0f} s are the two workers' beginning: imports, and the collection of all tests.

{checks([("CPU time of the tests, in seconds", whole, TARGET)])}

{table(["folder", "tests", "CPU seconds", "in programs that tests start", "milliseconds a test"], rows)}

The dearest files, in CPU seconds:

{table(["file", "seconds"], dearest)}

There is no single cause whose removal would test as much. A sandbox costs 1.4 ms to make, start and stop, and
a first call over real HTTP 5 ms; a test of an operator makes some. Schemathesis calls every operation of the
OpenAPI, 24 times each; the hostile answers are each field of each answer to each operator, missing or of
another type; PostgreSQL, MariaDB and DuckDB load each row for real.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--every", type=int, default=1, help="run each n-th test only, and multiply")
    text = report(parser.parse_args().every)
    RESULTS.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
