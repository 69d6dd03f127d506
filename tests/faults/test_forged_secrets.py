"""A token where none belongs, in a connection or among emnify's names: no task of any kind shows it."""

from __future__ import annotations

import copy
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import requests
from requests.adapters import BaseAdapter

from airflow_provider_emnify.airflow_names import TaskDeferred
from airflow_provider_emnify.api.transport.connections import Session
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.transfers.data_stream_files import (
    EmnifyDataStreamFilesToObjectStorageOperator,
    EmnifyDataStreamFilesToSqlOperator,
)
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.faults.each import CASES
from tests.faults.running import prepare
from tests.hooks.test_connection_secrets import MISUSES, TOKENS, Stored, pieces
from tests.masker import forget_secrets, masked
from tests.operators.support import context
from tests.sensors import modes
from tests.transfers.support import NOW, make_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.case import Case
    from tests.faults.in_process import InProcess

each = pytest.mark.parametrize("case", CASES, ids=str)


class Seen(logging.Handler):
    """Keeps what a log would show, with the tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen()
    loggers = [logging.getLogger(name) for name in ("airflow.task", "airflow_provider_emnify")]
    before = [log.level for log in loggers]
    for log in loggers:
        log.addHandler(handler)
        log.setLevel(logging.DEBUG)
    yield handler
    for log, level in zip(loggers, before, strict=True):
        log.removeHandler(handler)
        log.setLevel(level)


class NobodyAnswers(BaseAdapter):
    """Lets each request time out, at once."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        raise requests.exceptions.ConnectTimeout("no", request=request)

    def close(self) -> None:
        """Keep nothing open."""


def transfers(folder: Path) -> dict[str, Callable[[], Any]]:
    return {
        "EmnifyToObjectStorageOperator": lambda: EmnifyToObjectStorageOperator(
            task_id="t", stream="endpoints", path=f"file://{folder}/out", format="jsonl"
        ),
        "EmnifyToSqlOperator": lambda: EmnifyToSqlOperator(
            task_id="t", stream="endpoints", sql_conn_id="warehouse", table="endpoints"
        ),
    }


def shown_by(task: Any, task_context: Any) -> list[str]:
    """Run a task, and return all that it leaves to be seen but its log."""
    told = []
    try:
        told.append(json.dumps(task.execute(task_context), default=str))
    except TaskDeferred as deferred:
        told += [repr(deferred), repr(deferred.kwargs), repr(deferred.trigger)]
        told.append(json.dumps(deferred.trigger.serialize(), default=str))
    except Exception as error:
        told += [str(error), repr(error), repr(error.__dict__), *traceback.format_exception(error)]
    return [*told, repr(task), *(repr(getattr(task, name)) for name in task.template_fields)]


def misused(task: Callable[[], Any], task_context: Callable[[Any], Any], seen: Seen) -> list[str]:
    """Run a task with a token in each field of its connection; return in which it was shown."""
    wrong = []
    adapter = NobodyAnswers()
    for number, (name, misuse) in enumerate(MISUSES.items()):
        kind, token = [*TOKENS.items()][number % len(TOKENS)]
        conn = Stored(**misuse(token))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EmnifyHook, "get_connection", classmethod(lambda cls, conn_id, conn=conn: conn))
            patch.setattr(Session, "get_adapter", lambda session, url: adapter)
            patch.setattr("time.sleep", lambda seconds: None)
            seen.lines.clear()
            made = task()
            everything = "\n".join([*shown_by(made, task_context(made)), *seen.lines]).lower()
        wrong += [f"{kind} as {name}: {piece}" for piece in pieces(token) if piece.lower() in everything]
        forget_secrets()
    return wrong


@each
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_token_in_a_wrong_field_is_shown_by_no_task(case: Case, deferrable: bool, seen: Seen) -> None:
    sandbox = case.sandbox()
    with pytest.MonkeyPatch.context() as patch:
        prepare(case, sandbox, patch)
        task = case.make(sandbox)
    if deferrable:
        if not hasattr(task, "deferrable"):
            pytest.skip("it does not defer")
        task.deferrable = True
    assert misused(lambda: copy.deepcopy(task), lambda _: context(), seen) == []


@pytest.mark.parametrize("name", ["EmnifyToObjectStorageOperator", "EmnifyToSqlOperator"])
def test_a_token_in_a_wrong_field_is_shown_by_no_transfer(
    name: str, tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow.providers.sqlite")
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    assert misused(transfers(tmp_path)[name], lambda made: make_context(made, None, NOW), seen) == []


def name_all(sandbox: InProcess, token: str) -> None:
    """Give everything that has a name the token as its name."""
    state = sandbox.state
    for user in state.users.values():
        user.name = f"Ada {token}"
    for endpoint in state.endpoints.values():
        endpoint.name, endpoint.tags = f"pump {token}", f"{token},tag"
    for event in state.events.values():
        event.description = f"seen {token}"


def test_a_token_in_an_event_s_description_is_not_handed_over_by_a_triggerer() -> None:
    case = next(case for case in CASES if case.name == "EmnifyEventSensor")
    sandbox = case.sandbox()
    with pytest.MonkeyPatch.context() as patch:
        prepare(case, sandbox, patch)
        name_all(sandbox, sandbox.application_token)
        sensor = case.make(sandbox)
        sensor.deferrable, sensor.timeout = True, 20
        patch.setattr("airflow_provider_emnify.sensors.base.first_look", lambda *_: None)
        assert modes.run(sensor)["any"].startswith("seen *** (event ")


@each
def test_a_token_among_emnify_s_names_is_in_no_log_and_no_result(case: Case, seen: Seen) -> None:
    sandbox = case.sandbox()
    token = sandbox.password if case.as_user else sandbox.application_token
    with pytest.MonkeyPatch.context() as patch:
        prepare(case, sandbox, patch)
        name_all(sandbox, token)
        told = shown_by(case.make(sandbox), context())
        lines = [masked(line) for line in [*seen.lines, *told[1:]]]
    assert [line for line in lines if token in line] == []
    assert token not in told[0]


def forged_files(token: str) -> dict[str, bytes]:
    """Files of the Data Streamer with a token wherever a text can stand, good ones and bad."""
    event: dict[str, Any] = {"id": 1, "timestamp": "2024-05-01T10:00:00Z", "description": f"seen {token}"}
    event |= {"event_type": {"id": 11, "description": token}, "endpoint": {"id": 7, "name": token}}
    return {
        "good.json": json.dumps(event).encode(),
        "bad.json": json.dumps({**event, "id": token, "timestamp": token}).encode() + b"\n{" + token.encode(),
        "bad.csv": f"id,timestamp,{token}\n{token},{token},{token}\n".encode(),
        "header.csv": f"{token}\n{token}".encode(),
    }


@pytest.mark.parametrize("name", ["files", "table"])
def test_a_token_in_files_of_the_data_streamer_is_in_no_log_and_no_result(
    name: str, tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = TOKENS["jwt"]
    (tmp_path / "in").mkdir()
    for file, content in forged_files(token).items():
        (tmp_path / "in" / file).write_bytes(content)
    options: dict[str, Any] = {"task_id": "t", "path": str(tmp_path / "in"), "records": "events"}
    if name == "table":
        pytest.importorskip("airflow.providers.sqlite")
        warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
        made: Any = EmnifyDataStreamFilesToSqlOperator(sql_conn_id="warehouse", **options)
    else:
        made = EmnifyDataStreamFilesToObjectStorageOperator(
            target_path=f"file://{tmp_path}/out", format="jsonl", **options
        )
    told = shown_by(made, make_context(made, None, NOW))
    assert '"rows": 1' in told[0]
    assert '"rejected": 0' not in told[0]
    assert seen.lines
    assert [line for line in [*told, *seen.lines] if token in line] == []
