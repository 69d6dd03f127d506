"""What each operator and sensor logs: a line stays a line, however many ids it is about."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.faults.case import PUBLIC, Case
from tests.faults.each import CASES
from tests.faults.in_process import InProcess
from tests.faults.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 300
LONGEST = 700


@dataclass
class Wide(Case):
    """A case with many devices, of which each has a SIM."""

    def sandbox(self) -> InProcess:
        return InProcess(MANY, as_user=self.as_user, extra=self.extra, **self.settings)


def wide(case: Case) -> Wide | None:
    """Return a case on all devices, where it is on some."""
    given = case.arguments
    if callable(given):
        return None
    name = next((one for one in ("endpoint_ids", "sim_ids") if one in given), None)
    if name is None or case.name == "EmnifyAssignSimOperator":  # which takes a SIM for each endpoint
        return None
    first = 1_000_001 if name == "endpoint_ids" else 2_000_101
    more = {name: [*range(first, first + MANY)]}
    return Wide(case.name, {**given, **more}, settings=case.settings, extra=case.extra)


WIDE = [found for case in CASES if (found := wide(case))]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    said: list[str] = []
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("airflow.task", "airflow_provider_emnify")]
    before = [(log, log.level) for log in loggers]
    for log in loggers:
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    yield said
    for log, level in before:
        log.removeHandler(handler)
        log.setLevel(level)


def test_many_are_walked() -> None:
    assert len({case.name for case in WIDE}) > 15
    assert {case.name for case in WIDE} <= PUBLIC.keys()


@pytest.mark.parametrize("case", WIDE, ids=str)
def test_no_line_lists_all_ids(case: Wide, lines: list[str]) -> None:
    ended = run(case)
    told = [*lines, str(ended.error or "")]
    assert any(told)
    assert [line[:100] for line in told if len(line) > LONGEST] == []
