"""No name, description or message forges a line: not in a log, not in the error of a task."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airflow_provider_emnify
from airflow_provider_emnify.airflow_names import AirflowFailException, TaskDeferred
from airflow_provider_emnify.api.errors import one_line
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.waits.wait import WAITS
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.endpoint import EmnifyUpdateEndpointsOperator
from airflow_provider_emnify.retry import fail_without_retry
from airflow_provider_emnify.sandbox.http.engine import Engine
from airflow_provider_emnify.sensors.user import EmnifyUserStatusSensor
from tests.operators.support import context
from tests.operators.test_as_airflow_does import EACH
from tests.sensors.test_each_sensor import CASES

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FORGED = "\r\n[2026-01-01] ERROR - forged \x1b[2K\x00\x85\x9b\u2028\u2029\u202e"
NAMES = {"name", "username", "message", "description", "reason", "gsm_map_error", "error_token", "email"}
each = pytest.mark.parametrize(("kind", "shared", "field", "template"), [row[:4] for row in EACH])


class Seen(logging.Handler):
    """Keeps what a log would show, whether or not Airflow passes its records on to the root."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen()
    loggers = [logging.getLogger(name) for name in ("airflow.task", "airflow_provider_emnify")]
    before = [(log, log.level) for log in loggers]
    for log in loggers:
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
    yield handler
    for log, level in before:
        log.removeHandler(handler)
        log.setLevel(level)


def forged(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: item if key == "status" else forged(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [forged(item, name) for item in value]
    return f"{value}{FORGED}" if isinstance(value, str) and name in NAMES else value


pytestmark = pytest.mark.fleet(2, retries=False, euiccs=1)


@pytest.fixture
def forged_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every name in an answer hold control characters."""
    real = Engine.act

    def act(engine: Engine, visit: Any) -> Any:
        answer = real(engine, visit)
        return replace(answer, body=forged(answer.body))

    monkeypatch.setattr(Engine, "act", act)


def texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield str(error)
        error = error.__cause__ or error.__context__


def run(task: Any) -> list[str]:
    try:
        task.execute(context())
    except TaskDeferred:
        return []
    except Exception as error:
        return list(texts(error))
    return []


def filled(template: Any, key: int) -> Any:
    if isinstance(template, str):
        return template.replace("{{ params.x }}", str(key))
    if isinstance(template, list):
        return [filled(item, key) for item in template]
    return {name: filled(item, key) for name, item in template.items()}


def assert_one_line(lines: list[str]) -> None:
    assert [line for line in lines if line != one_line(line)] == []


@pytest.mark.allow_openapi_violations
@pytest.mark.usefixtures("forged_names", "no_sleep")
@pytest.mark.parametrize("refused", [False, True], ids=["answered", "refused"])
@each
def test_no_operator_writes_a_forged_line(
    kind: Any, shared: Any, field: str, template: Any, refused: bool, fleet: Sandbox, seen: Seen
) -> None:
    if refused:
        body = {"error_code": 1400, "error_token": "No", "message": f"no{FORGED}"}
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            fleet.faults.add(method=method, path="/api/v[12]/(?!auth)", status=422, body=body, times=None)
    key = next(iter(fleet.state.endpoints))
    more = {"timeout": 0.001} if hasattr(kind, "poke") else {}
    for value in (filled(template, key), filled(template, 99), f"x{FORGED}{key}"):
        try:
            task = kind(task_id="t", **{**shared, **more, field: value})
        except ValueError as error:
            assert_one_line([str(error)])
            continue
        errors = run(task)
        assert_one_line([*seen.lines, *errors])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_wait_says_a_forged_line(case: Any) -> None:
    spec = WAITS[case.sensor(task_id="t", **case.arguments).wait().kind]
    from airflow_provider_emnify.api.waits.kinds import Reading

    wait = case.sensor(task_id="t", **case.arguments).wait()
    for value in (None, *(state.value for state in spec.states)):
        readings = {key: Reading(value, f"label{FORGED}") for key in wait.ids}
        assert_one_line([wait.judge(readings).message])


def test_no_event_of_a_trigger_ends_a_task_with_a_forged_line() -> None:
    sensor = EmnifyUserStatusSensor(task_id="t", user_ids=7)
    with pytest.raises(AirflowFailException) as caught:
        sensor.execute_complete(context(), {"status": "failed", "message": f"no{FORGED}"})
    assert_one_line([str(caught.value)])


@pytest.mark.parametrize("kind", [ValueError, AirflowFailException])
def test_no_error_that_leaves_a_task_has_two_lines(kind: type[Exception]) -> None:
    with pytest.raises(AirflowFailException) as caught, fail_without_retry():
        raise kind(f"no{FORGED}")
    assert_one_line(list(texts(caught.value)))


def test_a_log_keeps_its_format_where_nothing_is_forged(seen: Seen) -> None:
    log = one_line_log("airflow_provider_emnify.x")
    log.warning("%s: %d %%", f"a{FORGED}", 7)
    log.warning("100 %% of %r", "b\n")
    [first, second] = seen.lines
    assert first == one_line(f"a{FORGED}: 7 %")
    assert second == "100 % of 'b\\n'"
    assert len(one_line_log("airflow_provider_emnify.x").filters) == 1


def test_every_log_of_the_package_is_one_that_writes_one_line() -> None:
    root = Path(airflow_provider_emnify.__file__).parent
    plain = re.compile(r"getLogger\(|structlog|LoggingMixin")
    found = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if plain.search(path.read_text()) and "sandbox" not in path.parts
    }
    # The plugin, which each process of Airflow imports, says one thing, in which is no name.
    assert found == {"api/secrets/one_line_log.py", "callbacks/plugin.py"}
    for kind in (EmnifyOperator(task_id="t", call="organisations.my"), CASES[0].sensor):
        task = kind(task_id="t", **CASES[0].arguments) if isinstance(kind, type) else kind
        assert task.log.filters
        assert task.log.name.startswith("airflow.task.operators.airflow_provider_emnify.")
    assert EmnifyUpdateEndpointsOperator.log is EmnifyOperator.log
