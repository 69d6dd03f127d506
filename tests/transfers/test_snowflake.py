"""A table in Snowflake, as far as an emulator of it goes; ``nox -s snowflake`` installs what it needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.transfers.sinks.losses import Losses
from airflow_provider_emnify.transfers.sql import sql_hook
from tests.fleets import WITH_EVENTS
from tests.transfers.support import Database, run
from tests.transfers.test_sql import RUN, row, table, transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.sandbox import Sandbox

fakesnow = pytest.importorskip("fakesnow")
pytest.importorskip("airflow.providers.snowflake", reason="apache-airflow-providers-snowflake")

pytestmark = [pytest.mark.fleet(**WITH_EVENTS), pytest.mark.filterwarnings("default")]


@pytest.fixture
def snowflake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    extra = {"account": "fake", "database": "LAKE"}
    connection = {"conn_type": "snowflake", "login": "emnify", "password": "password", "schema": "PUBLIC"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**connection, "extra": extra}))
    with fakesnow.patch():
        yield Database("snowflake", None)


def records(query: str) -> list[tuple[Any, ...]]:
    return [tuple(found) for found in sql_hook("warehouse").get_records(query)]


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
@pytest.mark.parametrize("stream", ["endpoints", "events"])
def test_a_run_that_is_repeated_leaves_the_same_rows(
    mode: str, stream: str, snowflake: Database, fleet: Sandbox
) -> None:
    first = run(transfer(snowflake, stream, mode=mode))
    before = records(f"SELECT * FROM emnify_{stream} ORDER BY id")  # names need no quotes
    run(transfer(snowflake, stream, mode=mode))
    assert records(f"SELECT * FROM emnify_{stream} ORDER BY id") == before
    assert len(before) == first["rows"] > 0


def test_types_survive(snowflake: Database) -> None:
    at = datetime(2024, 5, 1, 12, 30, 45, 123456, tzinfo=UTC)
    table(snowflake).load([row(2**62, "n", cost="0.1234567891", alert=1, at=at.isoformat(), tags=[1])], RUN)
    ((number, name, cost, alert, moment, tags),) = records(
        'SELECT id, name, cost, alert, "AT", tags FROM things'
    )
    assert (number, name, str(cost), alert, moment, json.loads(tags)) == (
        *(2**62, "n", "0.1234567891", True, at, [1]),
    )


@pytest.mark.parametrize("deletions", ["mark", "delete"])
def test_what_is_gone_is_marked_or_deleted(deletions: Any, snowflake: Database) -> None:
    things = table(snowflake, losses=Losses(deletions))
    things.load([row(1), row(2), row(3)], RUN)
    assert things.load([row(1, "old"), row(3), row(1, "new")], RUN).deleted == 1
    names = dict(records("SELECT id, name FROM things"))
    assert names == {1: "new", 3: "x", **({2: "x"} if deletions == "mark" else {})}
    if deletions == "mark":
        assert records("SELECT id FROM things WHERE deleted_at IS NOT NULL") == [(2,)]
        things.load([row(1), row(2), row(3)], RUN)
        assert records("SELECT id FROM things WHERE deleted_at IS NOT NULL") == []


def test_a_run_that_takes_too_much_away_or_fails_leaves_the_table_as_it_was(
    snowflake: Database, fleet: Sandbox
) -> None:
    operator = transfer(snowflake, "endpoints", mode="replace", max_shrink=0.2, load_columns=True)
    run(operator, run_id="first")
    before = records("SELECT * FROM emnify_endpoints ORDER BY id")
    fleet.delete_endpoints([*fleet.state.endpoints][:6])
    with pytest.raises(AirflowFailException, match="from 25 rows to 19"):
        run(operator, run_id="second")
    fleet.faults.add(path="/api/v1/endpoint", status=403)
    with pytest.raises(AirflowFailException, match="403"):
        run(operator, run_id="third")
    assert records("SELECT * FROM emnify_endpoints ORDER BY id") == before
    assert records("SELECT DISTINCT _run_id FROM emnify_endpoints") == [("first",)]
