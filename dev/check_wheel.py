"""Check a wheel, and its installation alone, without extras, in the environment of this Python."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

NAME = "airflow_provider_emnify"
ROOMS = ("hooks", "operators", "sensors", "triggers")


def contents(wheel: Path) -> None:
    """The wheel holds the package and its metadata, ``py.typed``, the licence, and nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    strays = [name for name in names if name.split("/")[0].split("-")[0] != NAME or "test" in name.lower()]
    assert not strays, f"does not belong into the wheel: {strays}"
    assert f"{NAME}/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    print(f"{wheel.name}: {len(names)} files")


def imports() -> None:
    """Every module with an operator, a sensor, a trigger or a hook imports."""
    package = importlib.import_module(NAME)
    assert package.__file__ is not None
    folder = Path(package.__file__).parent
    assert "site-packages" in folder.parts, f"this is not the installed wheel: {folder}"
    for room in ROOMS:
        for module in pkgutil.iter_modules([str(folder / room)]):
            importlib.import_module(f"{NAME}.{room}.{module.name}")
            print(f"imported {NAME}.{room}.{module.name}")


def providers(command: str, expected: str) -> None:
    """``airflow providers list`` and ``hooks`` show the provider."""
    shown = subprocess.run(
        [sys.executable, "-m", "airflow", "providers", command, "--output", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    (rows,) = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("[{")]
    (row,) = [row for row in rows if expected in row.values()]
    print(f"airflow providers {command}: {row}")


if __name__ == "__main__":
    print(f"Airflow {version('apache-airflow')}, Python {sys.version.split()[0]}")
    contents(Path(sys.argv[1]))
    imports()
    providers("list", "airflow-provider-emnify")
    providers("hooks", f"{NAME}.hooks.emnify.EmnifyHook")
