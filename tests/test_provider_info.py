from __future__ import annotations

import importlib
import inspect
import json
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest

from airflow_provider_emnify import __version__, get_provider_info

INFO: Any = get_provider_info()
PACKAGE = Path(__file__).parent.parent / "airflow_provider_emnify"
KINDS = ("hooks", "operators", "sensors", "triggers")
# What the public modules are built on; users import from those that are declared.
INSIDE = {
    "hooks.call_log",
    "hooks.connection",
    "hooks.doctor",
    "hooks.form",
    "hooks.masking",
    "hooks.route",
    "hooks.selection",
    "hooks.task",
    "operators.base",
    "operators.idempotency",
    "sensors.base",
    "sensors.first_look",
    "triggers.base",
    "triggers.shared",
    "triggers.task",
}


def declared(kind: str) -> list[str]:
    return [name for entry in INFO[kind] for name in entry["python-modules"]]


def load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_airflow_s_own_schema_accepts_it() -> None:
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)
    assert json.loads(json.dumps(INFO)) == INFO


def test_the_version_is_the_package_s() -> None:
    assert INFO["versions"] == [__version__]


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_is_declared_and_can_be_imported(kind: str) -> None:
    there = {f"{kind}.{path.stem}" for path in (PACKAGE / kind).iterdir() if not path.name.startswith("_")}
    named = {name.removeprefix("airflow_provider_emnify.") for name in declared(kind)}
    assert named == there - INSIDE
    for name in declared(kind):
        importlib.import_module(name)


def test_every_class_that_is_named_exists() -> None:
    for entry in INFO["connection-types"]:
        hook = load(entry["hook-class-name"])
        assert hook.conn_type == entry["connection-type"]
        assert hook.hook_name == entry["hook-name"]
    for path in INFO["extra-links"]:
        assert load(path)().get_link(None, ti_key=None).startswith("https://portal.emnify.com/")


def test_each_link_has_a_page_and_a_name_of_its_own() -> None:
    links = [load(path)() for path in INFO["extra-links"]]
    assert len({link.name for link in links}) == len(links) == 3
    pages = {link.get_link(None, ti_key=None) for link in links}
    assert pages == {
        "https://portal.emnify.com/connected-devices",
        "https://portal.emnify.com/sim-inventory",
        "https://portal.emnify.com/organisation-settings/users",
    }


def test_the_form_s_defaults_are_the_client_s() -> None:
    from airflow_provider_emnify.api.transport.transport import Transport
    from airflow_provider_emnify.hooks import form

    client = inspect.signature(Transport).parameters
    assert client["base_url"].default == form.DEFAULT_BASE_URL
    assert client["timeout"].default == form.DEFAULT_TIMEOUT
    assert client["max_retries"].default == form.DEFAULT_MAX_RETRIES


def is_installed() -> bool:
    points = metadata.entry_points(group="apache_airflow_provider")
    return any(point.value.startswith("airflow_provider_emnify:") for point in points)


@pytest.mark.skipif(not is_installed(), reason="runs from a checkout that is not installed")
def test_airflow_finds_the_connection_type_and_its_form() -> None:
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow 3.3 has moved it, and 2.11 has it only here
        hook = manager.hooks["emnify"]
    assert hook is not None
    assert hook.hook_name == "emnify"
    assert hook.connection_testable
    assert manager.field_behaviours["emnify"]["relabeling"]["password"] == "Application token"
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)
    names = {name for name in manager.connection_form_widgets if name.startswith("extra__emnify__")}
    kinds = INFO["connection-types"][0]["conn-fields"]
    assert names == {f"extra__emnify__{name}" for name in kinds}
