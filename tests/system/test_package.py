"""What holds for the package as a whole: what importing it costs, and what Airflow sees of it."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_emnify

PACKAGE = Path(airflow_provider_emnify.__file__).parent
NAME = PACKAGE.name
AIRFLOW_ROOMS = ("hooks", "operators", "sensors", "triggers")
HEAVY = {"graphql", "uvicorn", "pyarrow", "pandas", "redis"}


def modules() -> list[str]:
    return [
        f"{NAME}.{room}.{module.name}"
        for room in AIRFLOW_ROOMS
        for module in pkgutil.iter_modules([str(PACKAGE / room)])
    ]


def test_importing_operators_sensors_triggers_and_hooks_loads_nothing_heavy() -> None:
    program = f"""
import importlib, json, sys
from airflow_provider_emnify.airflow_names import BaseHook, BaseOperator, BaseSensorOperator, Stats, conf
from airflow.triggers.base import BaseTrigger
before = set(sys.modules)
for module in {modules()!r}:
    importlib.import_module(module)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert NAME in loaded
    assert not loaded & HEAVY


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("list", {"airflow-provider-emnify"}),
        ("hooks", {"emnify", "airflow_provider_emnify.hooks.emnify.EmnifyHook"}),
    ],
)
def test_airflow_lists_the_provider(command: str, expected: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "providers", command, "--output", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    (rows,) = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[{")]
    (row,) = [row for row in rows if "emnify" in json.dumps(row)]
    assert expected <= {str(value) for value in row.values()}
