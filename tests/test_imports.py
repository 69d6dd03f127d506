"""A DAG's file is parsed without what only a running task needs: that is imported with the first call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_emnify
from airflow_provider_emnify import api

PACKAGE = Path(airflow_provider_emnify.__file__).parent
#: What takes long to import. Where Airflow's own base classes load it, it costs nothing more.
HEAVY = (
    "charset_normalizer",
    "cryptography",
    "filelock",
    "graphql",
    "jwt",
    "multiprocessing",
    "orjson",
    "pandas",
    "psycopg",
    "pyarrow",
    "pyrate_limiter",
    "redis",
    "requests",
    "s3fs",
    "sqlite3",
    "tenacity",
    "urllib3",
    "uvicorn",
)
PROGRAM = """
import json, sys
from airflow.triggers.base import BaseTrigger
from airflow_provider_emnify.airflow_names import BaseHook, BaseOperator, BaseSensorOperator

public, heavy = json.loads(sys.argv[1])
by_airflow, found = set(sys.modules), {}
for name in public:
    exec(f"import {name}" if name.endswith(".api") else f"from {name} import *")
    new = {module.partition(".")[0] for module in set(sys.modules) - by_airflow}
    if brought := new.intersection(heavy):
        found[name] = sorted(brought)
        break
print(json.dumps(found))
"""


def public_modules() -> list[str]:
    """Every module that a DAG, a triggerer or Airflow itself imports by its name."""
    rooms = ("hooks", "operators", "sensors", "triggers", "transfers")
    folders = [path for room in rooms for path in [*(PACKAGE / room).iterdir()]]
    files = [path for path in [*PACKAGE.iterdir(), *folders] if path.suffix == ".py"]
    packages = [path for path in folders if (path / "__init__.py").is_file()]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in files + packages]
    return sorted({name.removesuffix(".__init__") for name in names} | {"airflow_provider_emnify.api"})


def test_no_public_module_imports_what_only_a_call_needs() -> None:
    arguments = json.dumps([public_modules(), HEAVY])
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, arguments], capture_output=True, text=True, check=False, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == {}, "what it imports"


def test_public_modules_are_those_that_users_import() -> None:
    rooms = (
        "operators.user",
        "sensors.endpoint",
        "triggers.wait",
        "transfers.sql",
        "hooks.emnify",
        "api",
        "assets",
    )
    assert {f"airflow_provider_emnify.{room}" for room in rooms} <= set(public_modules())


@pytest.mark.parametrize("name", api.__all__)
def test_the_api_has_every_name_that_it_lists(name: str) -> None:
    assert getattr(api, name).__name__ == name


def test_a_name_that_the_api_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'airflow_provider_emnify\.api' has no attribute 'Client'"):
        _ = api.Client
