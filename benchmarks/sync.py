"""How fast fleets are synced, in how much memory, with how many requests: SIMs into files and databases.

    python benchmarks/sync.py                                  # 1,000 to 100,000 SIMs, some minutes
    python benchmarks/sync.py --sizes 10000 1000000 --sdk DIR  # a million; DIR is a venv with emnify-sdk

The sandbox runs in a process of its own, and so does every measured sync, as a task does: the operator with
its hook, its client and the documented limits. Peak memory is the kernel's (VmHWM). Beside them, in the same
run: a plain loop with ``requests`` and, in an environment of its own, the list call of emnify's official SDK,
both of which keep every row in memory. Writes ``benchmarks/results/sync.md``.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RESULTS = Path(__file__).parent / "results" / "sync.md"
SIZES = (1_000, 10_000, 100_000)
TARGETS = ("jsonl", "parquet", "sqlite", "postgresql")
PAGE = 2_500
COPIED = 100_000
CHANGING = 50_000


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


# -- in a process of its own ----------------------------------------------------------------------------


def sync(target: str, folder: str) -> dict[str, Any]:
    """Run a transfer as a task does, and measure it."""
    from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
    from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator, sql_hook

    if target in {"jsonl", "parquet"}:
        operator: Any = EmnifyToObjectStorageOperator(
            task_id="sync", stream="sims", path=f"{folder}/{target}", format=target
        )
        if target == "parquet":
            import pyarrow.parquet  # noqa: F401 - so that its size is not taken for that of the rows
    else:
        operator = EmnifyToSqlOperator(task_id="sync", stream="sims", sql_conn_id=target, mode="replace")
        sql_hook(target).get_conn().close()
    client = operator.client
    client.authenticate()
    before = peak_megabytes()
    end = datetime.now(UTC) - timedelta(hours=1)
    context = {
        "data_interval_start": end - timedelta(days=1),
        "data_interval_end": end,
        "outlet_events": {asset: SimpleNamespace() for asset in operator.outlets},
    }
    began = time.perf_counter()
    result = operator.execute(context)
    seconds = time.perf_counter() - began
    return {
        "rows": result["rows"],
        "seconds": seconds,
        "requests": client.stats.requests - client.stats.authentications,
        "before": before,
        "peak": peak_megabytes(),
    }


def plain(url: str, token: str, folder: str) -> dict[str, Any]:
    """List all SIMs as a script does: page by page into a list, then into a file."""
    import requests

    began = time.perf_counter()
    session = requests.Session()
    session.trust_env = False
    answer = session.post(f"{url}/api/v1/authenticate", json={"application_token": token}, timeout=60)
    session.headers["Authorization"] = f"Bearer {answer.json()['auth_token']}"
    before, rows, page = peak_megabytes(), [], 1
    while True:
        answer = session.get(f"{url}/api/v1/sim", params={"page": page, "per_page": PAGE}, timeout=60)
        rows += answer.json()
        if page >= int(answer.headers["X-Total-Pages"]):
            break
        page += 1
    with Path(folder, "plain.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return {
        "rows": len(rows),
        "seconds": time.perf_counter() - began,
        "requests": page,
        "before": before,
        "peak": peak_megabytes(),
    }


def official(url: str, token: str, folder: str) -> dict[str, Any]:
    """List all SIMs with emnify's SDK, and write them into a file. Runs in its environment."""
    os.environ["EMNIFY_SDK_API_ENDPOINT_URL"] = f"{url}/api"
    from emnify import EMnify

    before, began = peak_megabytes(), time.perf_counter()
    rows = list(EMnify(token).sim.get_sim_list())
    with Path(folder, "sdk.jsonl").open("w") as file:
        file.writelines(row.json() + "\n" for row in rows)
    return {
        "rows": len(rows),
        "seconds": time.perf_counter() - began,
        "before": before,
        "peak": peak_megabytes(),
    }


def load(way: str) -> dict[str, Any]:
    """Bring rows that are there already into PostgreSQL, with COPY or with ``executemany``."""
    from airflow_provider_emnify.api.streams import get_stream
    from airflow_provider_emnify.transfers import sql_table
    from airflow_provider_emnify.transfers.sql import sql_hook

    stream = get_stream("sims")
    country = {"id": 74, "iso_code": "de"}
    organisation = {"id": 100, "name": "Fleet", "country": country}

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(COPIED):
            yield stream.converter(
                {
                    "id": number,
                    "iccid": f"8988303{number:012d}",
                    "imsi": f"90143{number:010d}",
                    "msisdn": f"88228{number:010d}",
                    "status": {"id": 1, "description": "Activated"},
                    "endpoint": {"id": number},
                    "customer_org": organisation,
                    "reseller_org": organisation,
                    "production_date": "2021-11-18T08:25:53.000+0000",
                    "activation_date": "2021-11-19T08:25:53.000+0000",
                }
            )

    if way == "executemany":
        sql_table.can_copy = lambda *_: False  # type: ignore[assignment]
    hook = sql_hook("postgresql")
    hook.run(f'DROP TABLE IF EXISTS "load_{way}"')
    table = sql_table.SqlTable(hook, f"load_{way}", None, stream.columns, stream.key)
    began = time.perf_counter()
    loaded = table.load(rows(), datetime.now(UTC))
    return {"rows": loaded.rows, "seconds": time.perf_counter() - began}


def limited(url: str, token: str) -> dict[str, Any]:
    """Read a list within the documented limits: small pages, so that the limit is what holds it up."""
    from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits

    with EmnifyClient(Credentials(application_token=token), base_url=url, limits=Limits("memory")) as client:
        client.authenticate()
        began = time.perf_counter()
        rows = sum(1 for _ in client.sims.list(per_page=50))
        seconds = time.perf_counter() - began
        return {"rows": rows, "seconds": seconds, "requests": client.stats.requests - 1}


def changing(folder: str) -> dict[str, Any]:
    """Sync endpoints while 1 % change each second and 2 % of the requests fail; compare row for row."""
    import random
    import sqlite3
    import threading

    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator

    chance, over = random.Random(1), threading.Event()
    with Sandbox(CHANGING, spare_sims=CHANGING, limits=False, log_size=1000) as sandbox:
        os.environ["AIRFLOW_CONN_EMNIFY_DEFAULT"] = sandbox.airflow_connection
        table = sandbox.state.endpoints
        there = {number: (one.name, one.sim_id) for number, one in table.items()}
        renamed: dict[int, set[str]] = {}
        changes = 0

        def change() -> None:
            nonlocal changes
            started = time.perf_counter()
            while not over.wait(0.05):
                due = (time.perf_counter() - started) * CHANGING / 100 - changes  # 1 % a second
                part = int(due) // 3  # a third each: renamed, deleted, new
                if part < 1:
                    continue
                numbers = chance.sample(list(table), 2 * part)
                for number in numbers[:part]:
                    renamed.setdefault(number, {table[number].name}).add(f"renamed {changes}")
                    table[number].name = f"renamed {changes}"
                sandbox.delete_endpoints(numbers[part:])
                sandbox.add_endpoints(part)
                changes += 3 * part

        sandbox.faults.add(status=503, probability=0.02, times=None)
        operator = EmnifyToSqlOperator(
            task_id="sync", stream="endpoints", sql_conn_id="sqlite", mode="replace"
        )
        context = {"outlet_events": {asset: SimpleNamespace() for asset in operator.outlets}}
        thread = threading.Thread(target=change)
        thread.start()
        began = time.perf_counter()
        try:
            operator.execute(context)
        finally:
            seconds = time.perf_counter() - began
            over.set()
            thread.join()
        with contextlib.closing(sqlite3.connect(f"{folder}/sqlite.db")) as database:
            got = list(database.execute("SELECT id, name, sim_id FROM emnify_endpoints"))
        stayed = there.keys() & table.keys()
        rows = {number: (name, sim_id) for number, name, sim_id in got}
        good = {
            number
            for number in stayed & rows.keys()
            if rows[number][1] == there[number][1]
            and rows[number][0] in renamed.get(number, {there[number][0]})
        }
        return {
            "seconds": seconds,
            "changes": changes,
            "failed": sandbox.statuses[503],
            "stayed": len(stayed),
            "lost": len(stayed - rows.keys()),
            "doubled": len(got) - len(rows),
            "wrong": len(stayed & rows.keys()) - len(good),
        }


CHILDREN = {"sync": sync, "plain": plain, "official": official, "load": load, "limited": limited}
CHILDREN["changing"] = changing


# -- the run --------------------------------------------------------------------------------------------


class Run:
    """One run of the benchmark: its folder, its environment and what came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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

    def child(self, name: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
        """Do one thing in a process of its own, and return what it measured."""
        command = [python, str(Path(__file__).resolve()), "--child", name, *arguments]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} {arguments} failed:\n{done.stderr[-3000:]}")
        measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        print(name, *arguments[:1], measured, flush=True)
        return measured

    @contextlib.contextmanager
    def emnify(self, sims: int, *flags: str) -> Iterator[dict[str, Any]]:
        """Be emnify with so many SIMs, in a process of its own."""
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
            yield about
        finally:
            server.terminate()
            server.wait()


def row(name: str, size: int, measured: dict[str, Any]) -> str:
    least = -(-size // PAGE)
    sent = measured.get("requests")
    return (
        f"| {size:,} | {name} | {measured['rows']:,} | {measured['seconds']:.1f} | "
        f"{measured['rows'] / measured['seconds']:,.0f} | {'' if sent is None else f'{sent} of {least}'} | "
        f"{measured['before']:.0f} | {measured['peak']:.0f} |"
    )


def measure(run: Run, sizes: list[int], targets: list[str], sdk: str | None, postgres: Any) -> list[str]:
    """Measure everything; return the lines of the report."""
    if postgres is None:
        targets = [target for target in targets if target != "postgresql"]
    lines = [
        "| SIMs | into | rows | seconds | rows a second | requests of the least | MB before | MB peak |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    peaks: dict[tuple[str, int], float] = {}
    for size in sizes:
        with run.emnify(size, "--no-limits") as about:
            for target in targets:
                measured = run.child("sync", target, str(run.folder))
                assert measured["rows"] == size, measured
                peaks[target, size] = measured["peak"]
                lines.append(row(target, size, measured))
            reach = (about["url"], about["application_token"], str(run.folder))
            lines.append(row("*requests*, a plain loop to JSON lines", size, run.child("plain", *reach)))
            if sdk is not None:
                python = str(Path(sdk) / "bin" / "python")
                measured = run.child("official", *reach, python=python)
                lines.append(row("*emnify-sdk* to JSON lines", size, measured))
    if len(sizes) > 1:
        small = 10_000 if 10_000 in sizes else sizes[0]
        grown = ", ".join(
            f"{target} {peaks[target, sizes[-1]] / peaks[target, small]:.2f}" for target in targets
        )
        lines += ["", f"Peak memory at {sizes[-1]:,} by that at {small:,} (at most 1.20): {grown}."]
    if postgres is not None:
        lines += ["", f"{COPIED:,} rows that are there already into PostgreSQL, in rows a second:", ""]
        speeds: dict[str, float] = {}
        for way in ("COPY", "executemany") * 3:  # in turns, and the best of three: other work goes on
            loaded = run.child("load", way)
            speeds[way] = max(speeds.get(way, 0), loaded["rows"] / loaded["seconds"])
        lines += [f"* {way}: {speed:,.0f}" for way, speed in speeds.items()]
    with run.emnify(10_000) as about:
        found = run.child("limited", about["url"], about["application_token"])
    allowed = (found["requests"] - 5) / 10  # 10/s with a burst of 5
    speed = allowed / found["seconds"]
    lines += ["", f"With the documented limits on: {found['requests']} pages in {found['seconds']:.1f} s."]
    lines += [f"That is {speed:.0%} of the speed that 10/s with a burst of 5 allows."]
    found = run.child("changing", str(run.folder))
    share = found["changes"] / found["seconds"] / CHANGING
    lines += [
        "",
        f"{CHANGING:,} endpoints into SQLite, while {share:.1%} of them change each second and 2 % of",
    ]
    lines += [
        f"the requests fail ({found['failed']} did): of {found['stayed']:,} that are there all the time,"
    ]
    lines += [
        f"{found['lost']} are lost and {found['wrong']} wrong, and {found['doubled']} rows are doubled."
    ]
    return lines


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    processor = names[0] if names else platform.processor()
    return f"{os.cpu_count()} cores ({processor}), {platform.system()} {platform.release()}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--sdk", help="a virtual environment with emnify-sdk")
    parser.add_argument("--into", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--append", action="store_true", help="add to the result that there is")
    parser.add_argument("--no-result", action="store_true", help="do not write the result")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, *rest = arguments.child
        print(json.dumps(CHILDREN[name](*rest)))
        return 0
    from tests.transfers.postgres import Postgres, find_binaries

    load = f"{os.getloadavg()[0]:.1f}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emnify-sync-")))
        run = Run(folder)
        postgres = stack.enter_context(Postgres()) if find_binaries() else None
        if postgres is not None:
            run.env["AIRFLOW_CONN_POSTGRESQL"] = postgres.airflow_connection
        lines = measure(run, sorted(arguments.sizes), list(arguments.into), arguments.sdk, postgres)
    import airflow

    sizes = " ".join(map(str, sorted(arguments.sizes)))
    report = [] if arguments.append else ["# Syncing fleets", ""]
    report += [f"`python benchmarks/sync.py --sizes {sizes}{' --sdk DIR' if arguments.sdk else ''}`"]
    report += [f"on {machine()}, Python {platform.python_version()}, Airflow {airflow.__version__},"]
    report += [
        f"{datetime.now(UTC):%Y-%m-%d}. The sandbox runs on the same machine and takes most of the time;"
    ]
    report += [f"other work went on (load {load}). emnify's limit allows 25,000 SIMs a second.", "", *lines]
    text = "\n".join(report) + "\n"
    print(text)
    if not arguments.no_result:
        before = RESULTS.read_text() + "\n" if arguments.append else ""
        RESULTS.write_text(before + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
