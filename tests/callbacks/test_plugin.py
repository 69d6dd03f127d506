"""The plugin: nothing unless it is switched on, nothing heavy before a callback is served."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec

import pytest

from airflow_provider_emnify import get_provider_info
from airflow_provider_emnify.callbacks import plugin
from airflow_provider_emnify.callbacks.plugin import EmnifyPlugin

needs_3 = pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="Airflow 3 has the API server")

IMPORTS = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
from airflow_provider_emnify.callbacks.plugin import EmnifyPlugin
assert EmnifyPlugin().fastapi_apps == []
print(*sorted(set(sys.modules) - before))
"""


def test_airflow_finds_it_by_its_entry_point() -> None:
    (point,) = (point for point in metadata.entry_points(group="airflow.plugins") if point.name == "emnify")
    assert point.load() is EmnifyPlugin


def test_it_is_off_unless_a_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EmnifyPlugin().fastapi_apps == []
    monkeypatch.setenv("AIRFLOW__EMNIFY__CALLBACKS", " ")
    assert EmnifyPlugin().fastapi_apps == []


def test_switched_off_it_imports_nothing_but_itself() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], check=True, capture_output=True, text=True)
    new = set(done.stdout.splitlines()[-1].split())
    assert {name for name in new if not name.startswith("airflow_provider_emnify")} == set()
    assert new <= {
        "airflow_provider_emnify",
        "airflow_provider_emnify.callbacks",
        "airflow_provider_emnify.callbacks.plugin",
    }


@needs_3
def test_switched_on_it_has_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__EMNIFY__CALLBACKS", "emnify_default, emnify_test")
    (app,) = EmnifyPlugin().fastapi_apps
    assert app["url_prefix"] == "/emnify/callbacks"
    assert callable(app["app"])
    assert EmnifyPlugin().flask_blueprints == []


@needs_3
def test_the_configuration_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_emnify.callbacks.settings import CallbackSettings

    for name, value in {
        "CALLBACKS": "one, two,three, fo/ur",
        "CALLBACKS_UNSIGNED": "True",
        "CALLBACKS_PATH": " /data ",
        "CALLBACKS_PER_MINUTE": "5",
    }.items():
        monkeypatch.setenv(f"AIRFLOW__EMNIFY__{name}", value)
    assert CallbackSettings.from_configuration() == CallbackSettings(
        frozenset({"one", "two", "three"}), unsigned=True, path="/data", per_minute=5
    )


@needs_3
@pytest.mark.parametrize(
    ("name", "value"), [("CALLBACKS_PER_MINUTE", "many"), ("CALLBACKS_UNSIGNED", "perhaps")]
)
def test_an_option_that_makes_no_sense_is_logged_and_airflow_starts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    monkeypatch.setenv("AIRFLOW__EMNIFY__CALLBACKS", "emnify_default")
    monkeypatch.setenv(f"AIRFLOW__EMNIFY__{name}", value)
    assert EmnifyPlugin().fastapi_apps == []
    assert "no callbacks are served" in caplog.text
    assert value in caplog.text


def test_every_option_is_declared_with_the_default_that_holds() -> None:
    from airflow_provider_emnify.callbacks.settings import CallbackSettings

    declared = get_provider_info()["config"]["emnify"]["options"]  # type: ignore[index]
    assert {name for name in declared if name.startswith("callbacks")} == {
        "callbacks",
        "callbacks_unsigned",
        "callbacks_path",
        "callbacks_per_minute",
    }
    assert declared["callbacks_per_minute"]["default"] == str(CallbackSettings.per_minute)


def test_on_airflow_2_it_does_nothing_and_the_web_server_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(plugin, "find_spec", lambda _: None)
    assert EmnifyPlugin().flask_blueprints == []
    assert caplog.text == "", "it is not switched on"
    monkeypatch.setenv("AIRFLOW__EMNIFY__CALLBACKS", "emnify_default")
    switched_on = EmnifyPlugin()
    for _ in range(2):
        assert switched_on.flask_blueprints == []
    assert caplog.text.count("Airflow 2 has no server") == 1
