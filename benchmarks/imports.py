"""What a DAG's file costs: the import of each module, and a file of 500 tasks.

    python benchmarks/imports.py

Each module is imported in processes of its own that have loaded Airflow's own base class, in turn with the
module of the HTTP provider that does the same; then once more in forks of a process that has loaded what
``airflow dag-processor`` has. Then tasks are made in a DAG. Writes ``benchmarks/results/imports.md``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from compileall import compile_dir
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from machine import checks, heading, table  # noqa: E402 - it lies beside this file

PACKAGE = ROOT / "airflow_provider_emnify"
RESULTS = ROOT / "benchmarks" / "results" / "imports.md"
MAJOR = int(version("apache-airflow").partition(".")[0])
MOST = 50.0  # milliseconds
TASKS = 500
HTTP_OPERATOR, HTTP_SENSOR = "airflow.providers.http.operators.http", "airflow.providers.http.sensors.http"
#: The room, what is loaded before, and the module that does the same with plain HTTP.
ROOMS = {
    "operators": (("airflow.sdk", "BaseOperator"), HTTP_OPERATOR),
    "transfers": (("airflow.sdk", "BaseOperator"), HTTP_OPERATOR),
    "sensors": (("airflow.sdk", "BaseSensorOperator"), HTTP_SENSOR),
    "triggers": (("airflow.triggers.base", "BaseTrigger"), "airflow.providers.http.triggers.http"),
}
#: Made as a DAG's file makes them; operators are held against the HTTP operator, sensors against its sensor.
MADE = {
    "BaseOperator": ("airflow.sdk", {}),
    "HttpOperator": (HTTP_OPERATOR, {"http_conn_id": "h", "endpoint": "/api/v1/endpoint", "method": "GET"}),
    "BaseSensorOperator": ("airflow.sdk", {}),
    "HttpSensor": (HTTP_SENSOR, {"http_conn_id": "h", "endpoint": "/api/v1/endpoint"}),
    "EmnifyUpdateUserOperator": ("operators.user", {"user_id": 7, "name": "Ann"}),
    "EmnifyAddTagsOperator": ("operators.tag", {"endpoint_ids": [1, 2], "tags": ["pump"]}),
    "EmnifySetEndpointStatusOperator": ("operators.endpoint", {"endpoint_ids": [1, 2], "status": "enabled"}),
    "EmnifySetSimStatusOperator": ("operators.sim", {"sim_ids": [1, 2], "status": "activated"}),
    "EmnifySendSmsOperator": ("operators.sms", {"endpoint_ids": [1, 2], "text": "reboot"}),
    "EmnifyOperator": ("operators.emnify", {"call": "endpoints.get", "arguments": {"endpoint_id": 7}}),
    "EmnifyToSqlOperator": ("transfers.sql", {"stream": "sims", "sql_conn_id": "warehouse"}),
    "EmnifyToObjectStorageOperator": (
        "transfers.object_storage",
        {"stream": "sims", "path": "s3://lake/sims"},
    ),
    "EmnifyEndpointStatusSensor": ("sensors.endpoint", {"endpoint_ids": [1, 2], "target_status": "enabled"}),
    "EmnifySimStatusSensor": ("sensors.sim", {"sim_ids": [1, 2], "target_status": "activated"}),
}


EXPLAINED = """A task of this provider goes through one `__init__` that Airflow wraps, as `HttpOperator` does.
What it takes beyond that:

* Its classes. `BaseOperator` looks for a converter (`_convert_<name>`) of each of the 55 attributes that it
  sets, by a name that is put together anew, so that Python walks through all classes of the task each time.
  `HttpOperator` is one class; an operator of this provider is three to seven, a transfer six.
* Its template fields. Airflow looks into each for results of other tasks. `HttpOperator` has 4,
  `EmnifySendSmsOperator` 7, `EmnifyToSqlOperator` 13: what can be a template is one.
* Its checks, 0.2 µs (a flag) to 3 (a list of ids, the text of an SMS): a mistake is found when the file is
  parsed, and not at night. `HttpOperator` checks nothing.
* A transfer's asset, which is put into its `outlets`."""


def modules(room: str) -> list[str]:
    """Return the modules of a room that DAGs import."""
    found = [
        path
        for path in (PACKAGE / room).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    ]
    names = sorted(path.stem for path in found if path.stem != "__init__")
    private = {
        "base",
        "first_look",
        "garbage",
        "idempotency",
        "lineage",
        "load_columns",
        "progress",
        "shared",
        "sinks",
        "sources",
        "task",
    }
    return [f"airflow_provider_emnify.{room}.{name}" for name in names if name not in private]


def measure_import(room: str, module: str) -> float:
    """Return the milliseconds that all names of a module take, beyond what Airflow loads for the room."""
    (base, name), _ = ROOMS[room]
    getattr(import_module(base), name)
    began = time.process_time()
    exec(f"from {module} import *", {})
    return (time.process_time() - began) * 1000


def measure_imports(room: str, rounds: int) -> dict[str, float]:
    """Return the milliseconds of each module of a room, and of its peer: the median of some processes."""
    every = (ROOMS[room][1], *modules(room))
    times: dict[str, list[float]] = {module: [] for module in every}
    for _ in range(rounds):
        for module in every:
            times[module].append(measured("--room", room, "--module", module))
    return {module: statistics.median(taken) for module, taken in times.items()}


def load_dag_processor() -> None:
    """Load what ``airflow dag-processor`` has loaded when it forks the process that parses a file.

    That is its command, on Airflow 3 the API that it serves to its children, and what a child imports first.
    """
    import_module("airflow.cli.commands.dag_processor_command")
    if MAJOR >= 3:
        api = import_module("airflow.api_fastapi.execution_api.app").InProcessExecutionAPI()
        _ = api.transport
        import_module("airflow.sdk.execution_time.task_runner")
    import_module("airflow.dag_processing.processor")
    for base, name in {room[0] for room in ROOMS.values()}:
        getattr(import_module(base), name)


def measure_in_forks(rounds: int) -> dict[str, float]:
    """Return the milliseconds of each module and each peer in a fork of a DAG processor: the medians."""
    load_dag_processor()
    every = [module for room, (_, peer) in ROOMS.items() for module in (peer, *modules(room))]
    times: dict[str, list[float]] = {module: [] for module in every}
    for _ in range(3 * rounds):  # they are quick
        for module, taken in times.items():
            taken.append(measure_in_fork(module))
    return {module: statistics.median(taken) for module, taken in times.items()}


def measure_in_fork(module: str) -> float:
    """Return the milliseconds that all names of a module take in a fork of this process."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        began = time.process_time()
        exec(f"from {module} import *", {})
        os.write(writing, str((time.process_time() - began) * 1000).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        taken = pipe.read()
    os.waitpid(child, 0)
    return float(taken)


def parts_of_a_task() -> dict[str, Any]:
    """Return classes that do nothing, which show what the parts of one cost."""
    from airflow_provider_emnify.airflow_names import BaseOperator
    from airflow_provider_emnify.operators.base import EmnifyBaseOperator

    def init(self: Any, **kwargs: Any) -> None:
        super(found["init"], self).__init__(**kwargs)

    def own(self: Any, **kwargs: Any) -> None:
        self.init_task(locals())

    names = ("a", "b", "c", "d", "e")
    found: dict[str, Any] = {"init": type("Init", (BaseOperator,), {"__init__": init})}
    found["classes"] = found["init"]
    for name in names:
        found["classes"] = type(name, (found["classes"],), {})
    fields = {"template_fields": names, **dict.fromkeys(names)}
    found["fields"] = type("Fields", (found["init"],), fields)
    found["own"] = type("Own", (EmnifyBaseOperator,), {"__init__": own})
    return found


def measure_tasks(rounds: int) -> dict[str, float]:
    """Return the microseconds that a task takes of each kind, in a DAG of 500: the median of some rounds."""
    from airflow_provider_emnify.airflow_names import DAG

    kinds = parts_of_a_task()
    for name, (place, _) in MADE.items():
        module = place if place.startswith("airflow.") else f"airflow_provider_emnify.{place}"
        kinds[name] = getattr(import_module(module), name)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(6 * rounds + 1):  # they are quick
        for name in kinds:
            arguments = MADE.get(name, ("", {}))[1]
            gc.collect()  # of the tasks before
            with DAG("fleet", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
                began = time.process_time()
                for number in range(TASKS):
                    kinds[name](task_id=f"task_{number}", **arguments)
                times[name].append((time.process_time() - began) / TASKS * 1e6)
    return {name: statistics.median(taken[1:]) for name, taken in times.items()}


def measured(*arguments: str) -> Any:
    """Run a part of this file in a process of its own."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(rounds: int) -> str:
    compile_dir(PACKAGE, quiet=1)  # as an installation does
    rows: list[list[str]] = []
    slowest = highest = loaded = 0.0
    forks: dict[str, float] = measured("--forks", "--rounds", str(rounds))
    for room, (_, peer) in ROOMS.items():
        times = measure_imports(room, rounds)
        of_peer, later = times.pop(peer), forks[peer]
        for module, taken in times.items():
            figures = (taken, of_peer, taken / of_peer, forks[module], later, forks[module] / later)
            shown = [f"{figure:.{2 if place in {2, 5} else 0}f}" for place, figure in enumerate(figures)]
            rows.append([f"`{module.partition('.')[2]}`", *shown])
            slowest, highest = max(slowest, taken), max(highest, taken / of_peer)
            loaded = max(loaded, forks[module] / later)
    tasks: dict[str, float] = measured("--tasks", "--rounds", str(rounds))
    made = []
    for name in MADE:
        peer = "HttpSensor" if "Sensor" in name else "HttpOperator"
        made.append(
            [f"`{name}`", f"{tasks[name]:.0f}", f"{tasks[peer]:.0f}", f"{tasks[name] / tasks[peer]:.2f}"]
        )
    base, one = tasks["BaseOperator"], tasks["init"]
    profile = [
        ["`BaseOperator`", f"{base:.0f}"],
        ["an `__init__` of a class: Airflow applies `default_args`", f"{one - base:.1f}"],
        ["a class between, without `__init__`", f"{(tasks['classes'] - one) / 5:.1f}"],
        ["a template field", f"{(tasks['fields'] - one) / 5:.1f}"],
        ["an operator of this provider that takes nothing", f"{tasks['own'] - base:.1f}"],
    ]
    targets = [
        ("The slowest import beyond Airflow's own base class, in ms", slowest, MOST),
        ("Import of a module by that of its peer, the highest", highest, 1.0),
        ("The same in a DAG processor", loaded, 1.0),
        *(
            (f"A task of {row[0]} by one of its peer", float(row[3]), 1.0)
            for row in made
            if "Emnify" in row[0]
        ),
    ]
    head = ["", "ours", "peer", "ratio"]
    return f"""{heading("Importing and parsing", "imports.py")}
## Importing a module, in milliseconds

First beyond Airflow's own base operator, sensor or trigger, which is loaded before; then in a fork of a
process that has loaded what `airflow dag-processor` has. The peer is the module of
`apache-airflow-providers-http` of the same kind.

{table(["module", *head[1:], "in a DAG processor", "peer", "ratio"], rows)}

## Making a task, in microseconds

In a DAG of {TASKS} tasks of one kind, their arguments checked as they are made. The peers are `HttpOperator`
and `HttpSensor`, which check none. Airflow's own base classes are shown for what every task costs.

{table(["task", *head[1:]], made)}

What the time goes to, in microseconds:

{table(["", "takes"], profile)}

{EXPLAINED}

Targets:

{checks(targets)}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; medians are shown")
    parser.add_argument("--room", choices=ROOMS, help=argparse.SUPPRESS)
    parser.add_argument("--module", help=argparse.SUPPRESS)
    parser.add_argument("--forks", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--tasks", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.module:
        print(json.dumps(measure_import(arguments.room, arguments.module)))
        return 0
    if arguments.forks:
        print(json.dumps(measure_in_forks(arguments.rounds)))
        return 0
    if arguments.tasks:
        print(json.dumps(measure_tasks(arguments.rounds)))
        return 0
    text = report(arguments.rounds)
    RESULTS.write_text(text)
    print(text)
    return 0  # a target that is missed is reported, and does not keep the next benchmark from running


if __name__ == "__main__":
    sys.exit(main())
