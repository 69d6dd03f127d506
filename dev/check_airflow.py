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
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from local_airflow import LocalAirflow
from local_airflow_2 import LocalAirflow2
from local_sandbox import LocalSandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "airflow_provider_emnify"
FORM_NEEDS_FAB = ("3.0.6", "3.1.0")
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
    """Airflow knows the provider and its connection type; on Airflow 2 with the form."""
    from airflow.providers_manager import ProvidersManager

    manager: Any = ProvidersManager()
    assert "airflow-provider-emnify" in manager.providers
    assert manager.hooks["emnify"].hook_class_name == f"{NAME}.hooks.emnify.EmnifyHook"
    if AIRFLOW.startswith("2."):
        start = "extra__emnify__"
        widgets = [name for name in manager.connection_form_widgets if name.startswith(start)]
        check_form({name.removeprefix(start) for name in widgets}, manager.field_behaviours["emnify"])


def form(airflow: LocalAirflow) -> None:
    """The page of the connections has the form: on Airflow 3 the API server makes it."""
    found = [
        one
        for one in airflow.request("GET", "/ui/connections/hook_meta")
        if one["connection_type"] == "emnify"
    ]
    assert len(found) == 1, found
    if AIRFLOW in FORM_NEEDS_FAB and not find_spec("flask_appbuilder"):
        print("connection type emnify; the form needs the FAB provider on this Airflow")
        return
    check_form(set(found[0]["extra_fields"] or ()), found[0]["standard_fields"])


def check_form(fields: set[str], standard: Any) -> None:
    """A form has the extra fields, and texts for the standard ones."""
    assert fields >= FIELDS, fields
    assert "application token" in str(standard), standard
    print(f"connection type emnify, its form with the fields {', '.join(sorted(fields))}", flush=True)


def onboard() -> None:
    """The example DAG runs to success, no example is an import error, and the triggerer lives on."""
    started = time.monotonic()
    told: set[str] = set()

    def tell(line: str) -> None:
        told.add(line.strip())
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    kind = LocalAirflow2 if AIRFLOW.startswith("2.") else LocalAirflow
    with kind(tell) as airflow:
        sandbox = LocalSandbox(airflow.processes, airflow.home, "--endpoints", "0", "--online-after", "30")
        airflow.start(sandbox.connection)
        airflow.wait_until_ready()
        if not AIRFLOW.startswith("2."):
            form(airflow)
        run = airflow.run_dag("onboard", seconds=480)  # Airflow 2 runs one task at a time
        airflow.fail_on_import_errors()
        airflow.processes.check()
        log = airflow.processes.tail("triggerer", 1000)
        assert run.succeeded, f"{run.state}\n{log}"
        assert "wait_online: deferred" in told, told  # else nothing of the triggerer was tried
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
