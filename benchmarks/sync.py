"""How fast fleets are synced, in how much memory, with how many requests: SIMs into files and databases.

    python benchmarks/sync.py                     # 1,000 to 1,000,000 SIMs: a quarter of an hour
    python benchmarks/sync.py --sizes 1000 10000  # some minutes

The sandbox runs in a process of its own, and so does every measured sync, as a task does: the operator with
its hook, its client and the documented limits. Peak memory is the kernel's (VmHWM). Beside them, in the same
run: a plain loop with ``requests`` and, in an environment of its own, the list call of emnify's official SDK,
both of which keep every row in memory. Then what was written is held against the sandbox's state, row for row
(sync_proof.py). Writes ``benchmarks/results/sync.md``, and fails when a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from sync_parts import COPIED, PAGE  # noqa: E402 - it lies beside this file
from sync_proof import prove  # noqa: E402

PARTS = Path(__file__).with_name("sync_parts.py")
RESULTS = Path(__file__).parent / "results" / "sync.md"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
TARGETS = ("jsonl", "parquet", "sqlite", "postgresql")
SDK_MOST = 100_000  # SIMs: of a million, the SDK makes 7 GB
COPY_LEAST = 20_000  # rows a second
MISSED = "**missed**"


class Run:
    """One run of the benchmark: its folder, its environment and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checks: list[str] = []
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.env |= {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "TMPDIR": str(folder),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "AIRFLOW_CONN_SQLITE": json.dumps({"conn_type": "sqlite", "host": str(folder / "sqlite.db")}),
        }

    def check(self, what: str, value: float, *, most: float = math.inf, least: float = -math.inf) -> None:
        """Note whether a target is met."""
        bound = f"at most {most:,}" if most < math.inf else f"at least {least:,}"
        said = f"{what}: {round(value, 2):,} ({bound})"
        self.checks.append(f"* {'met' if least <= value <= most else MISSED}: {said}")

    def child(
        self, name: str, *arguments: str, python: str | Path = sys.executable, parts: Path = PARTS
    ) -> dict[str, Any]:
        """Do one part in a process of its own, and return what it measured."""
        command = [str(python), str(parts), name, *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} {arguments} failed:\n{done.stderr[-3000:]}")
        measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        told = {key: value for key, value in measured.items() if key != "files"}
        about = filter(str.isalnum, arguments[:2])  # neither a URL nor a token
        print(f"{datetime.now(UTC):%H:%M:%S}", name, *about, told, flush=True)
        return measured

    @contextlib.contextmanager
    def setting(self, **env: str) -> Iterator[None]:
        """Have other variables in the environment for as long as the block lasts."""
        before = dict(self.env)
        self.env |= env
        try:
            yield
        finally:
            self.env = before

    @contextlib.contextmanager
    def another_host(self) -> Iterator[None]:
        """Be a host that has sent nothing yet: the store of the limits is empty."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder, self.setting(TMPDIR=folder):
            yield

    @contextlib.contextmanager
    def emnify(self, sims: int, *flags: str) -> Iterator[tuple[str, str]]:
        """Be emnify with so many SIMs, in a process of its own; yield its URL and its token."""
        ready = self.folder / "sandbox.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "airflow_provider_emnify.sandbox", "--ready-file", str(ready)]
        server = subprocess.Popen(
            [*command, "--spare-sims", str(sims), *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        try:
            while not ready.exists():
                if server.poll() is not None:
                    raise RuntimeError("the sandbox does not start")
                time.sleep(0.1)
            about: dict[str, Any] = json.loads(ready.read_text())
            self.env["AIRFLOW_CONN_EMNIFY_DEFAULT"] = about["connection"]
            yield about["url"], about["application_token"]
        finally:
            server.terminate()
            server.wait()


def make_sdk(folder: Path) -> Path | None:
    """Make an environment with emnify's SDK, which cannot stand beside Airflow; None where it cannot be had.

    :returns: Its Python.
    """
    python = folder / "sdk" / "bin" / "python"
    venv.create(folder / "sdk", with_pip=True)
    install = [python, "-m", "pip", "install", "--quiet", "emnify-sdk"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"emnify-sdk could not be installed and is left out:\n{done.stderr[-500:]}", flush=True)
        return None
    return python


def line(size: int, name: str, measured: dict[str, Any]) -> str:
    sent = measured.get("requests")
    return (
        f"| {size:,} | {name} | {measured['rows']:,} | {measured['seconds']:.1f} | "
        f"{measured['rows'] / measured['seconds']:,.0f} | "
        f"{'' if sent is None else f'{sent:.0f} of {-(-size // PAGE)}'} | "
        f"{measured['before']:.0f} | {measured['peak']:.0f} |"
    )


def sizes(run: Run, wanted: list[int], targets: list[str], sdk: Path | None) -> list[str]:
    """Sync fleets of these sizes; return the report."""
    lines = [
        "| SIMs | into | rows | seconds | rows a second | requests of the least | MB before | MB peak |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    peaks: dict[tuple[str, int], float] = {}
    missing, more = 0, 0.0
    for size in wanted:
        with run.emnify(size, "--no-limits") as (url, token):
            for target in targets:
                measured = run.child("sync", "sims", target, str(run.folder))
                peaks[target, size] = measured["peak"]
                lines.append(line(size, target, measured))
                missing += size - measured["rows"]
                more += measured["requests"] - -(-size // PAGE)
            reach = (url, token, str(run.folder))
            lines.append(line(size, "*requests*, a plain loop to JSON lines", run.child("plain", *reach)))
            if sdk is not None and size <= SDK_MOST:
                measured = run.child("official", *reach, python=sdk)
                lines.append(line(size, "*emnify-sdk* to JSON lines", measured))
    run.check("Rows that are missing", missing, most=0)
    run.check("Requests beyond the least", more, most=0)
    small, large = 10_000 if 10_000 in wanted else wanted[0], wanted[-1]
    for target in targets if large > small else ():
        what = f"Peak memory at {large:,} SIMs by that at {small:,}, {target}"
        run.check(what, peaks[target, large] / peaks[target, small], most=1.2)
    return lines


def copying(run: Run) -> list[str]:
    """Bring rows into PostgreSQL by COPY and by ``executemany``; return the report."""
    speeds: dict[str, float] = {}
    for way in ("COPY", "executemany") * 3:  # in turns, and the best of three: other work goes on
        loaded = run.child("load", way)
        speeds[way] = max(speeds.get(way, 0), loaded["rows"] / loaded["seconds"])
    run.check("Rows a second into PostgreSQL", speeds["COPY"], least=COPY_LEAST)
    return [
        f"{COPIED:,} rows that are there already into PostgreSQL, in rows a second:",
        "",
        *(f"* {way}: {speed:,.0f}" for way, speed in speeds.items()),
    ]


def limited(run: Run) -> list[str]:
    """Read within the documented limits; return the report."""
    with run.emnify(10_000) as (url, token):
        found = run.child("limited", url, token)
    allowed = (found["requests"] - 5) / 10  # 10/s with a burst of 5
    speed = allowed / found["seconds"]
    run.check("Share of the speed that the documented limits allow", speed, least=0.95)
    pages = f"{found['requests']:.0f} pages in {found['seconds']:.1f} s"
    return [
        f"With the documented limits on, on both sides: {pages},",
        f"which is {speed:.0%} of the speed that 10/s with a burst of 5 allows.",
    ]


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    processor = names[0] if names else platform.processor()
    return f"{os.cpu_count()} cores ({processor}), {platform.system()} {platform.release()}"


def head(command: list[str], load: float) -> str:
    import airflow

    return f"""\
# Syncing fleets

`python benchmarks/sync.py{"".join(f" {word}" for word in command)}`
on {machine()}, Python {platform.python_version()}, Airflow {airflow.__version__},
{datetime.now(UTC):%Y-%m-%d}, with a load of {load:.1f} before.
The sandbox runs on the same machine and takes most of the time. emnify's limit allows 25,000 SIMs a second.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--into", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--no-sdk", action="store_true", help="leave emnify's SDK out")
    parser.add_argument("--no-result", action="store_true", help="do not write the result")
    arguments = parser.parse_args()
    from tests.transfers.postgres import Postgres

    load = os.getloadavg()[0]
    targets = list(arguments.into)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emnify-sync-")))
        run = Run(folder)
        os.environ.update({name: value for name, value in run.env.items() if name.startswith("AIRFLOW")})
        if "postgresql" in targets and Postgres.find() is None:
            print("PostgreSQL is not installed and is left out", flush=True)
            targets.remove("postgresql")
        if "postgresql" in targets:
            connection = stack.enter_context(Postgres()).airflow_connection
            run.env["AIRFLOW_CONN_POSTGRESQL"] = os.environ["AIRFLOW_CONN_POSTGRESQL"] = connection
        sdk = None if arguments.no_sdk else make_sdk(folder)
        report = [head(sys.argv[1:], load), *sizes(run, sorted(arguments.sizes), targets, sdk)]
        if sdk is None:
            report += ["", "*emnify-sdk* was left out."]
        if "postgresql" in targets:
            report += ["", *copying(run)]
        report += ["", *limited(run), "", *prove(run, targets)]
    text = "\n".join([*report, "", "Targets:", "", *run.checks, ""])
    print(text)
    if not arguments.no_result:
        RESULTS.write_text(text)
    return 0  # a target that is missed is reported, and does not keep the next benchmark from running


if __name__ == "__main__":
    sys.exit(main())
