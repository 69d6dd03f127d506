"""What it takes to plan and apply a fleet: 100,000 rows against 100,000 devices, in requests and memory.

    python benchmarks/fleet.py               # some minutes
    python benchmarks/fleet.py --devices 10000

The sandbox runs in a process of its own, and so does every measured task. Requests are those that the sandbox
has counted; peak memory is the kernel's (VmHWM). Writes ``benchmarks/results/fleet.md``, and fails when a
target is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import sync  # noqa: E402 - it lies beside this file
from sync_parts import peak_megabytes  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "fleet.md"
MULTI = "/api/v2/endpoint/multi"
WRITES = ("POST", "PATCH", "PUT", "DELETE")
FIRST_SIM = 2_000_001
COLUMNS = ("iccid", "name", "service_profile", "tariff_profile", "sim_status", "tags")
PROFILES = ("Default service profile", "Default tariff profile")


def write_source(path: Path, devices: int, new: int) -> None:
    """Write how the fleet shall be: a tenth of it changes, of which ``new`` devices are created.

    The last ``new`` devices of the fleet are not in it, so that it has as many rows as the fleet devices.
    """
    tenth = devices // 10
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(new):
            writer.writerow(
                [f"8988303{FIRST_SIM + number:012d}", f"New {number}", *PROFILES, "activated", ""]
            )
        for number in range(devices - new):
            name, profile, status, tags = f"Device {number + 1}", PROFILES[0], "activated", ""
            if number < tenth - new:
                name = f"Pump {number + 1}" if number % 4 < 2 else name
                profile = "Second service profile" if number % 4 in {1, 2} else profile
                tags = "tracker" if number % 4 == 3 else tags
            row = [f"8988303{FIRST_SIM + new + number:012d}", name, profile, PROFILES[1], status, tags]
            writer.writerow(row)


def measure(what: str, folder: str) -> dict[str, Any]:
    """Run a task as a worker does; return its result, and what it took."""
    from types import SimpleNamespace

    from airflow_provider_emnify.operators.fleet import EmnifyApplyFleetOperator, EmnifyPlanFleetOperator

    plan = f"{folder}/plan.jsonl"
    operator: Any
    if what == "plan":
        operator = EmnifyPlanFleetOperator(task_id="t", path=f"{folder}/fleet.csv", plan_path=plan)
    else:
        operator = EmnifyApplyFleetOperator(task_id="t", plan=plan)
    started = datetime.now(UTC)
    context: Any = {"ti": SimpleNamespace(try_number=1), "dag_run": SimpleNamespace(start_date=started)}
    before, began = peak_megabytes(), time.perf_counter()
    result = operator.execute(context)
    result.pop("first", None)
    seconds = time.perf_counter() - began
    return {"result": result, "seconds": seconds, "before": before, "peak": peak_megabytes()}


def counts(url: str) -> dict[str, int]:
    """Return how many requests of each kind the sandbox has had."""
    with urllib.request.urlopen(f"{url}/_sandbox/counts") as answer:
        found: dict[str, int] = json.load(answer)["counts"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--no-result", action="store_true", help="do not write the result")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(*arguments.child)))
        return 0
    devices, new, load = arguments.devices, arguments.devices // 50, os.getloadavg()[0]
    lines = [
        "| task | seconds | MB before | MB peak | lists | bulk calls for endpoints | other writes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="emnify-fleet-") as folder:
        run = sync.Run(Path(folder))
        write_source(Path(folder, "fleet.csv"), devices, new)
        with run.emnify(new, "--no-limits", "--endpoints", str(devices)) as (url, _):
            for task, what in TASKS:
                before = counts(url)
                measured = run.child("--child", what, folder, parts=Path(__file__))
                sent = {name: count - before.get(name, 0) for name, count in counts(url).items()}
                lists = sum(count for name, count in sent.items() if name.startswith("GET"))
                bulk = sum(count for name, count in sent.items() if name.endswith(MULTI) and count)
                writes = sum(count for name, count in sent.items() if name.startswith(WRITES))
                writes -= bulk + sent.get("POST /api/v1/authenticate", 0)
                figures[task] = {**measured, "lists": lists, "bulk": bulk, "writes": writes}
                lines.append(
                    f"| {task} | {measured['seconds']:.1f} | {measured['before']:.0f} | "
                    f"{measured['peak']:.0f} | {lists} | {bulk} | {writes} |"
                )
        plan, apply, again = (figures[task] for task in ("plan", "apply", "apply again"))
        empty = figures["plan again"]
        tenth = devices // 10
        run.check("Requests of a plan that read", plan["lists"], most=145)
        run.check("Peak memory of a plan (MB)", plan["peak"], most=300)
        changes = plan["result"]["changes"]
        run.check("Devices that the plan changes", changes, most=tenth, least=tenth)
        run.check("Bulk calls for endpoints of an apply", apply["bulk"], most=5)
        run.check("Devices that are done", apply["result"]["done"], most=tenth, least=tenth)
        run.check("Writes of a second apply", again["bulk"] + again["writes"], most=0)
        run.check("Devices that a second plan changes", empty["result"]["changes"], most=0)
    text = "\n".join([head(devices, new, load), *lines, "", "Targets:", "", *run.checks, ""])
    print(text)
    if not arguments.no_result:
        RESULTS.write_text(text)
    return 0  # a target that is missed is reported, and does not keep the next benchmark from running


TASKS = (
    ("plan", "plan"),
    ("apply", "apply"),
    ("apply again", "apply"),
    ("plan again", "plan"),
)


def head(devices: int, new: int, load: float) -> str:
    import airflow

    return f"""\
# Fleets as data

`python benchmarks/fleet.py`
on {sync.machine()}, Python {platform.python_version()}, Airflow {airflow.__version__},
{datetime.now(UTC):%Y-%m-%d}, with a load of {load:.1f} before. The sandbox runs on the same machine.

A CSV file of {devices:,} rows against a fleet of {devices:,} devices and {devices + new:,} SIMs.
{devices // 10:,} devices change: {new:,} are created of free SIMs that are activated, the others get a name,
a profile or a tag.
"""


if __name__ == "__main__":
    sys.exit(main())
