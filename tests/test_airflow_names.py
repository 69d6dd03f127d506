"""Airflow's names are found on the installed Airflow, and nothing looks for them elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from airflow_provider_emnify import airflow_names

ROOT = Path(airflow_names.__file__).parent
EXAMPLES = sorted((ROOT.parent / "dags_examples").glob("*.py"))
# Never moved between 2.11 and 3.3, or asked for where they exist only.
ELSEWHERE = {
    "airflow": {"__version__"},
    "airflow.cli": {"cli_config"},
    "airflow.assets.manager": {"asset_manager"},
    "airflow.configuration": {"conf"},
    "airflow.models": {"TaskInstance", "XCom"},
    "airflow.models.asset": {"AssetActive", "AssetModel"},
    "airflow.models.connection": {"Connection"},
    "airflow.models.log": {"Log"},
    "airflow.plugins_manager": {"AirflowPlugin"},
    "airflow.providers.common.compat.openlineage.facet": None,
    "airflow.providers.common.sql.hooks.sql": None,
    "airflow.providers.openlineage.extractors": None,
    "airflow.sdk.definitions.retry_policy": None,
    "airflow.sdk.execution_time.comms": {"MaskSecret"},
    "airflow.sdk.execution_time.task_runner": {"RuntimeTaskInstance"},
    "airflow.triggers.base": None,
    "airflow.triggers.shared_stream": None,
    "airflow.utils.session": {"create_session"},
}


@pytest.mark.parametrize("name", airflow_names.PLACES)
def test_every_name_is_found_on_this_airflow(name: str) -> None:
    assert getattr(airflow_names, name) is not None


def test_a_name_that_no_airflow_has_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Assets'"):
        getattr(airflow_names, "Assets")  # noqa: B009


def test_what_this_airflow_lacks_is_an_import_error_that_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(airflow_names.PLACES, "Moved", ("airflow.nowhere", "airflow:nothing"))
    with pytest.raises(ImportError, match=r"looked in airflow\.nowhere, airflow:nothing"):
        getattr(airflow_names, "Moved")  # noqa: B009


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_other_module_imports_what_moved_between_airflows(path: Path) -> None:
    if path.name == "airflow_names.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not [one.name for one in node.names if one.name.split(".")[0] == "airflow"]
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "airflow":
            assert node.module in ELSEWHERE, node.lineno
            allowed = ELSEWHERE[node.module]
            assert allowed is None or {one.name for one in node.names} <= allowed, node.lineno


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_no_import_error_on_any_airflow(path: Path) -> None:
    """What only newer Airflows have is asked for inside a ``try``."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert not str(node.module).startswith("airflow."), node.lineno
