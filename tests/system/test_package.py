"""What holds for the package as a whole: who may import whom, at what cost, and what Airflow sees of it."""

from __future__ import annotations

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import airflow_provider_emnify

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(airflow_provider_emnify.__file__).parent
NAME = PACKAGE.name
AIRFLOW_ROOMS = ("hooks", "operators", "sensors", "triggers")
HEAVY = {"graphql", "uvicorn", "pyarrow", "pandas", "redis"}


def imports(room: str) -> Iterator[tuple[str, str]]:
    """Every module that a file of the room imports, wherever in the file, with the file's name."""
    for file in sorted((PACKAGE / room).rglob("*.py")):
        here = file.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
                module = ".".join(filter(None, (base, node.module)))
                names = [f"{module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from ((str(file.relative_to(PACKAGE)), name) for name in names)


def is_of(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_the_api_knows_emnify_and_nothing_else() -> None:
    assert list(imports("api"))
    wrong = [
        (file, module)
        for file, module in imports("api")
        if is_of(module, "airflow")
        or (is_of(module, NAME) and not is_of(module, f"{NAME}.api", f"{NAME}.__version__"))
    ]
    assert not wrong


def test_the_sandbox_shares_only_the_enums() -> None:
    assert list(imports("sandbox"))
    wrong = [
        (file, module)
        for file, module in imports("sandbox")
        if is_of(module, "airflow")
        or (is_of(module, NAME) and not is_of(module, f"{NAME}.sandbox", f"{NAME}.api.enums"))
    ]
    assert not wrong


@pytest.mark.parametrize("room", ["operators", "sensors", "triggers"])
def test_what_airflow_knows_of_emnify_comes_through_the_hook(room: str) -> None:
    wrong = [
        (file, module)
        for file, module in imports(room)
        if is_of(module, "requests", "httpx", "aiohttp", "urllib3", f"{NAME}.sandbox")
    ]
    assert not wrong


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
