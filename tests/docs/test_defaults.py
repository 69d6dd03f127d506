"""Whatever an argument is by default stands beside it in the docstring."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from typing import Any

import pytest

from airflow_provider_emnify.arguments import NOT_GIVEN
from tests.operators.test_bad_arguments import KINDS, arguments

PARAMETER = re.compile(r":param (\w+): (.*?)(?=\n:|\n\n|\Z)", re.DOTALL)
ELSEWHERE = {"emnify_conn_id", "confirm"}  # the same everywhere, and one that has to be given


def bases_of(name: str) -> list[Any]:
    """Return a class and its bases, as far as they are of this package."""
    return [base for base in KINDS[name].__mro__ if base.__module__.startswith("airflow_provider_emnify.")]


def default_of(name: str, field: str) -> Any:
    """Return what an argument is where a task is not given it."""
    inits = (vars(base)["__init__"] for base in bases_of(name) if "__init__" in vars(base))
    found = (inspect.signature(init).parameters.get(field) for init in inits)
    own = next((parameter.default for parameter in found if parameter is not None), NOT_GIVEN)
    declared = KINDS[name].declared[field].default
    return own if declared is NOT_GIVEN else declared


@pytest.mark.parametrize("name", KINDS)
def test_a_default_that_is_a_value_is_said(name: str) -> None:
    texts: dict[str, str] = defaultdict(str)
    for base in bases_of(name):
        for field, text in PARAMETER.findall(inspect.getdoc(base) or ""):
            texts[field] += text
    silent = [
        field
        for field in arguments(name)
        if field in texts and field not in ELSEWHERE and "efault" not in texts[field]
        if default_of(name, field) not in (None, NOT_GIVEN, inspect.Parameter.empty)
    ]
    assert not silent
