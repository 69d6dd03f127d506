"""The examples in the docstrings of operators and sensors are run, and the docstrings are whole."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.serialization import serialized_objects

from airflow_provider_emnify import operators, sensors
from airflow_provider_emnify.airflow_names import DAG, BaseOperator
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor

_BLOCK = re.compile(r"\.\. code-block:: python\n\n((?:[ ]{4}.*\n|\n)+)")


def every_class() -> dict[str, Any]:
    """Return the operators and sensors of all modules, by name."""
    modules = [
        importlib.import_module(info.name)
        for room in (operators, sensors)
        for info in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
    ]
    return {
        name: kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if name.startswith("Emnify") and issubclass(kind, BaseOperator) and not is_base(kind)
    }


def is_base(kind: Any) -> bool:
    return (inspect.getdoc(kind) or "").startswith("Base of ")


CLASSES = every_class()
each = pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)


def examples(kind: Any) -> list[str]:
    """Return the Python examples of a docstring."""
    return [textwrap.dedent(block) for block in _BLOCK.findall(f"{inspect.getdoc(kind)}\n")]


def parameters(kind: Any) -> set[str]:
    """Return the arguments that a class takes beyond those of Airflow's own."""
    own = (part for part in kind.__mro__ if part.__module__.startswith("airflow_provider_emnify."))
    inits = [vars(part)["__init__"] for part in own if "__init__" in vars(part)]
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {
        name
        for init in inits
        for name, parameter in inspect.signature(init).parameters.items()
        if parameter.kind in kinds and name != "self"
    }


def test_there_are_many() -> None:
    assert len(CLASSES) > 35


@each
def test_its_examples_run(kind: Any) -> None:
    assert examples(kind), f"{kind.__name__} has no example"
    names = {**CLASSES, "datetime": datetime, "timedelta": timedelta}
    made: list[Any] = []
    for number, code in enumerate(examples(kind)):
        with DAG(f"example_{number}", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC)) as dag:
            exec(compile(ast.parse(code), kind.__name__, "exec"), dict(names))
        serialization = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
        serialization.to_dict(dag)
        made += dag.tasks
    assert any(isinstance(task, kind) for task in made)


@each
def test_every_parameter_is_described(kind: Any) -> None:
    text = inspect.getdoc(kind) or ""
    bases = (EmnifyWaitSensor, EmnifyWaitingOperator, SelectsEndpoints)
    shared = {name for base in bases for name in parameters(base)} - {"emnify_conn_id"}
    described = set(re.findall(r":param (\w+):", text))
    mentioned = set(re.findall(r"``(\w+)``", text))
    missing = parameters(kind) - described - (mentioned & shared)
    assert "emnify_conn_id" in described | mentioned
    assert missing <= {"emnify_conn_id"}
    assert described <= parameters(kind), "describes what it does not take"


@each
def test_what_is_templated_is_said(kind: Any) -> None:
    text = inspect.getdoc(kind) or ""
    fields = re.findall(r":param (\w+):((?:.|\n(?!:))*)", text)
    templated = {name for name, description in fields if "(templated" in description}
    assert templated == (set(kind.template_fields) & {name for name, _ in fields}) - {"emnify_conn_id"}


@each
def test_the_vendor_s_page_is_named(kind: Any) -> None:
    assert re.search(r"Vendor page:\s+https://(docs|cdn)\.emnify\.\w+/\S+$", inspect.getdoc(kind) or "", re.M)
