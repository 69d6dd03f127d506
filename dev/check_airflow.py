"""Check the provider on the Airflow of this Python: imports, what Airflow knows of it, and a real run.

The run is on a real scheduler and triggerer, and the triggerer must outlive it: ``dag.test()`` cannot show
what a wait in a thread does to the process of all triggers.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from local_airflow import LocalAirflow
from local_airflow_2 import LocalAirflow2
from local_sandbox import LocalSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "airflow_provider_emnify"
FIELDS = {"timeout", "max_retries", "rate_limit_store", "token_cache"}
AIRFLOW = version("apache-airflow")


def imports() -> None:
    """Every module of the package imports."""
    package = importlib.import_module(NAME)
    modules = [one.name for one in pkgutil.walk_packages(package.__path__, f"{NAME}.")]
    for module in modules:
        if not module.endswith("__main__"):
            importlib.import_module(module)
    print(f"imported {len(modules)} modules")


def known() -> None:
    """Airflow knows the provider, its connection type, and the fields of the form."""
    from airflow.providers_manager import ProvidersManager

    manager: Any = ProvidersManager()
    assert "airflow-provider-emnify" in manager.providers
    assert manager.hooks["emnify"].hook_class_name == f"{NAME}.hooks.emnify.EmnifyHook"
    widgets = manager.connection_form_widgets
    shown = {name.removeprefix("extra__emnify__") for name in widgets if "emnify" in name}
    assert shown >= FIELDS, shown
    assert "placeholders" in manager.field_behaviours["emnify"]
    print(f"connection type emnify, with the fields {', '.join(sorted(shown))}")


def onboard() -> None:
    """The example DAG runs to success, no example is an import error, and the triggerer lives on."""
    started = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    kind = LocalAirflow2 if AIRFLOW.startswith("2.") else LocalAirflow
    with kind(tell) as airflow:
        sandbox = LocalSandbox(airflow.processes, airflow.home, "--endpoints", "0")
        airflow.start(sandbox.connection)
        airflow.wait_until_ready()
        run = airflow.run_dag("onboard", seconds=480)  # Airflow 2 runs one task at a time
        airflow.fail_on_import_errors()
        airflow.processes.check()
        log = airflow.processes.tail("triggerer", 1000)
        assert run.succeeded, f"{run.state}\n{log}"
        assert "has died" not in log, log
        assert "out of order" not in log, log
        tell(f"onboard: {run.state}")


@contextmanager
def home() -> Iterator[None]:
    """Keep Airflow, while it is asked, out of the user's own home of it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AIRFLOW_HOME"] = folder
        yield


if __name__ == "__main__":
    print(f"Airflow {AIRFLOW}, Python {sys.version.split()[0]}")
    with home():
        imports()
        known()
    onboard()
