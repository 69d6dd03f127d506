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
    if AIRFLOW.startswith("2."):
        fields = {name.removeprefix("extra__emnify__") for name in manager.connection_form_widgets}
        assert "placeholders" in manager.field_behaviours["emnify"]
    else:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

        found = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "emnify"]
        assert len(found) == 1
        fields = set(found[0].extra_fields or ())
        if AIRFLOW.startswith(("3.0.", "3.1.")) and not find_spec("flask_appbuilder"):
            print("connection type emnify; the form's extra fields need flask_appbuilder on this Airflow")
            return
    assert fields >= FIELDS, fields
    print(f"connection type emnify, with the fields {', '.join(sorted(FIELDS))}")


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
