"""How much CPU time a row takes: streams into files and databases, beside others with the same pages.

    python benchmarks/rows.py                 # some minutes
    python benchmarks/rows.py --rows 20000 --no-million

The pages are made by another process (canned.py), so that who reads them is what is measured: the operator
with its hook, its client and the documented limits, and in the same run a plain loop with ``requests`` that
flattens nothing, pyarrow's ``from_pylist``, pandas' ``to_sql`` and dlt's ``rest_api``, in an environment of
their own. Each is measured several times, in turns, and its best counts. Writes
``benchmarks/results/rows.md``, and fails when a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from canned import DAYS, PAGES  # noqa: E402 - it lies beside this file
from sync import Run, machine  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "rows.md"
PEERS = Path(__file__).with_name("rows_peers.py")
PYPROJECT = ROOT / "pyproject.toml"
MILLION, MANY = 1_000_000, 5_000_000
MOST_SECONDS = 44

# Stream, where it goes, CPU microseconds a row at most, and who does the like of it. For SIMs less than half
# of what it was before columns were filled many rows at a time (43 for JSON lines); for others as much less.
WORK: tuple[tuple[str, str, float, tuple[str, ...]], ...] = (
    ("sims", "jsonl", 20, ("plain", "dlt_jsonl")),
    ("sims", "jsonl without orjson", 20, ("plain", "dlt_jsonl")),
    ("sims", "parquet", 28, ("from_pylist", "dlt_parquet")),
    ("sims", "csv", 30, ()),
    ("sims", "sqlite", 30, ("to_sql",)),
    ("sims", "postgresql", 30, ("to_sql postgresql",)),
    ("endpoints", "jsonl", 18.5, ()),
    ("events", "jsonl", 16, ()),
    ("events", "postgresql", 30, ()),
    ("endpoint_usage_daily", "jsonl", 24, ()),
    ("endpoint_usage_daily", "parquet", 26, ()),
)
SHOWN = {
    "plain": "`requests`, a plain loop",
    "from_pylist": "`requests` and pyarrow's `from_pylist`",
    "to_sql": "`requests` and pandas' `to_sql`",
    "to_sql postgresql": "`requests` and pandas' `to_sql`",
    "dlt_jsonl": "dlt's `rest_api`",
    "dlt_parquet": "dlt's `rest_api`",
}


@contextlib.contextmanager
def canned(run: Run, rows: int) -> Iterator[str]:
    """Serve pages with so many rows for as long as the block lasts; yield the URL."""
    ready = run.folder / f"canned-{rows}"
    ready.unlink(missing_ok=True)
    server = subprocess.Popen([sys.executable, "benchmarks/canned.py", str(ready), str(rows)], cwd=ROOT)
    try:
        while not ready.exists():
            if server.poll() is not None:
                raise RuntimeError("the pages are not served")
            time.sleep(0.1)
        url = ready.read_text()
        account = {"conn_type": "emnify", "host": url, "password": "t" * 40}
        connection = json.dumps({**account, "extra": {"rate_limit_store": "memory"}})
        with run.setting(AIRFLOW_CONN_EMNIFY_DEFAULT=connection):
            yield url
    finally:
        server.terminate()
        server.wait()


def make_peers(folder: Path) -> Path | None:
    """Make an environment with what is measured beside this package; None where it cannot be had.

    :returns: Its Python.
    """
    uv, python = str(Path(sys.executable).with_name("uv")), folder / "peers" / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(folder / "peers")],
        [uv, "pip", "install", "--quiet", "--python", str(python), "--group", f"{PYPROJECT}:bench"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"The peers could not be installed and are left out:\n{done.stderr[-500:]}", flush=True)
            return None
    return python


class Bench:
    """Measures one piece of work after another.

    :param run: The benchmark.
    :param url: Where the pages are.
    :param rows: How many there are.
    :param python: That of the peers.
    :param database: The URL of a PostgreSQL for them.
    """

    def __init__(self, run: Run, url: str, rows: int, python: Path | None, database: str | None) -> None:
        self._run, self._url, self._rows = run, url, rows
        self._python, self._database = python, database
        self.best: dict[str, float] = {}

    def ours(self, stream: str, target: str) -> None:
        """Measure a transfer of this package."""
        into, *options = target.split(" without ")
        with contextlib.ExitStack() as stack:
            if "usage" in stream:
                stack.enter_context(canned(self._run, self._rows // DAYS))  # a call for each has a year
            stack.enter_context(self._run.another_host())
            found = self._run.child("sync_canned", stream, into, str(self._run.folder), *options)
        self._note(f"{stream} {target}", found)

    def peer(self, name: str) -> None:
        """Measure somebody else's, if it is there."""
        peer, _, database = name.partition(" ")
        if self._python is None or (database and self._database is None):
            return
        with tempfile.TemporaryDirectory(dir=self._run.folder) as folder:
            pages = -(-self._rows // PAGES["sim"])
            arguments = [self._url, str(pages), folder, *([self._database or ""] if database else [])]
            found = self._run.child(peer, *arguments, python=self._python, parts=PEERS)
        self._note(name, found)

    def _note(self, name: str, found: dict[str, Any]) -> None:
        spent = found["cpu"] / found["rows"] * 1e6
        self.best[name] = min(spent, self.best.get(name, spent))

    def report(self) -> Iterator[str]:
        """Return the table, and note whether the targets are met."""
        yield "| rows of | into | µs a row | at most | beside | its µs | ratio |"
        yield "| --- | --- | ---: | ---: | --- | ---: | ---: |"
        for stream, target, most, peers in WORK:
            if (spent := self.best.get(f"{stream} {target}")) is None:
                continue
            self._run.check(f"CPU time of {stream} into {target}, µs a row", spent, most=most)
            there = [(SHOWN[name], self.best[name]) for name in peers if name in self.best]
            for name, its in there or [("", 0.0)]:
                beside = f"{name} | {its:.1f} | {spent / its:.2f}" if its else " | | "
                yield f"| {stream} | {target} | {spent:.1f} | {most:g} | {beside} |"


def many(run: Run) -> Iterator[str]:
    """Sync a million SIMs within the limits, and five million without; return the report."""
    found = {}
    for rows, limits in ((10_000, ""), (MILLION, ""), (MANY, "unlimited")):
        with canned(run, rows), run.another_host():
            found[rows] = run.child("sync_canned", "sims", "jsonl", str(run.folder), limits)
    run.check("Seconds for 1,000,000 SIMs, with the limits on", found[MILLION]["seconds"], most=MOST_SECONDS)
    peak = found[MANY]["peak"] / found[10_000]["peak"]
    run.check("Peak memory at 5,000,000 SIMs by that at 10,000", peak, most=1.2)
    yield "| SIMs into JSON lines | seconds | requests | MB before | MB peak |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for rows, one in found.items():
        limits = ", without limits" if rows == MANY else ""
        yield (
            f"| {rows:,}{limits} | {one['seconds']:.1f} | {one['requests']:.0f} | {one['before']:.0f} | "
            f"{one['peak']:.0f} |"
        )


def head(command: list[str], rows: int, load: float) -> str:
    import airflow

    return f"""\
# What a row costs

`python benchmarks/rows.py{"".join(f" {word}" for word in command)}`
on {machine()}, Python {platform.python_version()}, Airflow {airflow.__version__},
{datetime.now(UTC):%Y-%m-%d}, with a load of {load:.1f} before.

CPU time of {rows:,} rows each, in microseconds a row; the pages are made by another process. A database's own
process is not counted. A ratio below 1 is less than the peer takes.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3, help="how often each is measured")
    parser.add_argument("--no-peers", action="store_true", help="leave the others out")
    parser.add_argument("--no-million", action="store_true", help="leave the large fleets out")
    parser.add_argument("--no-result", action="store_true", help="do not write the result")
    arguments = parser.parse_args()
    from tests.transfers.postgres import Postgres

    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emnify-rows-")))
        run, database = Run(folder), None
        work = [one for one in WORK if one[1] != "postgresql" or Postgres.find()]
        if Postgres.find():
            server = stack.enter_context(Postgres())
            run.env["AIRFLOW_CONN_POSTGRESQL"] = server.airflow_connection
            account = json.loads(server.airflow_connection)
            place = "{login}@{host}:{port}/{schema}".format(**account)
            database = f"postgresql+psycopg2://{place}"
        python = None if arguments.no_peers else make_peers(folder)
        url = stack.enter_context(canned(run, arguments.rows))
        bench = Bench(run, url, arguments.rows, python, database)
        for _ in range(arguments.times):
            for stream, target, _, _ in work:
                bench.ours(stream, target)
            for peer in dict.fromkeys(name for *_, peers in work for name in peers):
                bench.peer(peer)
        report = [head(sys.argv[1:], arguments.rows, load), *bench.report()]
        if not arguments.no_million:
            report += ["", *many(run)]
    text = "\n".join([*report, "", "Targets:", "", *run.checks, ""])
    print(text)
    if not arguments.no_result:
        RESULTS.write_text(text)
    return 0  # a target that is missed is reported, and does not keep the next benchmark from running


if __name__ == "__main__":
    sys.exit(main())
