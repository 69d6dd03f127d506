"""What a run takes away from a table is bounded, and rows that are gone are kept, marked or deleted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.transfers.sinks.losses import Losses, TableLossError
from airflow_provider_emnify.transfers.sinks.sql_dialects import DIALECTS
from airflow_provider_emnify.transfers.sinks.sql_table import TableMismatchError
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.fleets import WITH_EVENTS
from tests.transfers.support import Database, run
from tests.transfers.test_sql import RUN, Row, row, table, transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

REMOVING: list[dict[str, Any]] = [
    {"mode": "replace"},
    {"mode": "merge", "deletions": "mark"},
    {"mode": "merge", "deletions": "delete"},
]
removing = pytest.mark.parametrize("how", REMOVING, ids=lambda how: how.get("deletions", how["mode"]))


def remove_endpoints(fleet: Sandbox, count: int) -> list[int]:
    """Delete the last endpoints of the fleet; return the ids of those that are left."""
    ids = sorted(fleet.state.endpoints)
    fleet.delete_endpoints(ids[-count:])
    return ids[:-count]


def ids_in(database: Database, name: str = "emnify_endpoints", where: str = "") -> list[int]:
    return [number for (number,) in database.run(f"SELECT id FROM {database.name(name)} {where} ORDER BY id")]


# -- how many -----------------------------------------------------------------------------------------------


@removing
@pytest.mark.parametrize(
    "bound", [{"max_shrink": 0.2}, {"max_shrink": 5}, {"min_rows": 20}, {"max_shrink": "0.2"}]
)
def test_a_run_that_takes_too_much_away_leaves_the_table_as_it_was(
    how: dict[str, Any], bound: dict[str, Any], database: Database, fleet: Sandbox
) -> None:
    operator = transfer(database, "endpoints", **how, **bound)
    run(operator)
    left = remove_endpoints(fleet, 5)  # of 25: as much as is allowed
    run(operator)
    assert (
        ids_in(database, where="WHERE deleted_at IS NULL" if how.get("deletions") == "mark" else "") == left
    )
    remove_endpoints(fleet, 6)
    fleet.state.endpoints[left[0]].name = "changed"
    before = database.rows("emnify_endpoints")
    (name,) = bound
    with pytest.raises(AirflowFailException, match=rf"{name}: .*emnify_endpoints.* from 20 rows to 14"):
        run(operator)
    assert database.rows("emnify_endpoints") == before
    assert all(not name.startswith("_emnify") for name in database.tables())


@removing
def test_a_table_that_is_new_or_empty_takes_anything(
    how: dict[str, Any], database: Database, fleet: Sandbox
) -> None:
    operator = transfer(database, "endpoints", **how, max_shrink=0)
    assert run(operator)["rows"] == 25
    database.run(f"DELETE FROM {database.name('emnify_endpoints')}")
    assert run(operator)["rows"] == 25
    assert run(operator)["rows"] == 25  # nothing is gone
    fleet.add_endpoints(2)
    assert run(operator)["rows"] == 27


def test_a_first_run_of_too_few_rows_makes_no_table(database: Database, fleet: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match=r"min_rows: .* from 0 rows to 25, and 26 is the least"):
        run(transfer(database, "endpoints", mode="replace", min_rows=26))
    assert "emnify_endpoints" not in database.tables()


def test_a_refused_run_adds_no_column(database: Database) -> None:
    table(database).load([row(1), row(2)], RUN)
    guard = Losses("mark", max_shrink=0)
    with pytest.raises(TableLossError, match="from 2 rows to 1, 1 fewer, and 0 fewer is the most"):
        table(database, add_columns=True, losses=guard).load([row(1)], RUN)
    with pytest.raises(TableMismatchError, match="has no deleted_at"):
        table(database, losses=guard).load([row(1), row(2)], RUN)


def test_a_list_that_comes_empty_replaces_nothing_when_that_is_bounded(
    database: Database, fleet: Sandbox
) -> None:
    run(transfer(database, "endpoints", mode="replace"))
    remove_endpoints(fleet, 24)
    fleet.delete_endpoints([*fleet.state.endpoints])
    with pytest.raises(AirflowFailException, match=r"from 25 rows to 0, 25 fewer, and 22 fewer is the most"):
        run(transfer(database, "endpoints", mode="replace", max_shrink=0.9))
    assert len(ids_in(database)) == 25
    assert run(transfer(database, "endpoints", mode="replace", max_shrink=1.0))["rows"] == 0
    assert ids_in(database) == []


@pytest.mark.parametrize(
    ("share", "before", "most"), [(0.29, 100, 29), (0.1, 30, 3), (0.7, 10, 7), (0.5, 3, 1), (0.0, 9, 0)]
)
def test_a_share_is_counted_as_it_is_written(share: float, before: int, most: int) -> None:
    guard = Losses(max_shrink=share)
    guard.check("t", before, before - most)
    with pytest.raises(TableLossError, match=f"{most + 1} fewer, and {most} fewer is the most, a share of"):
        guard.check("t", before, before - most - 1)


# -- what is gone -------------------------------------------------------------------------------------------


def test_what_is_gone_is_marked_once_and_cleared_when_it_is_back(database: Database, fleet: Sandbox) -> None:
    operator = transfer(database, "endpoints", deletions="mark")
    assert run(operator)["deleted"] == 0
    endpoint = fleet.state.endpoints[1_000_003]
    fleet.delete_endpoints([1_000_003])
    began = datetime.now(UTC)
    result = run(operator)
    assert (result["changed"], result["deleted"]) == (0, 1)
    ((number, said),) = database.run(
        f"SELECT id, deleted_at FROM {database.name('emnify_endpoints')} WHERE deleted_at IS NOT NULL"
    )
    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    assert number == 1_000_003
    assert began <= moment <= datetime.now(UTC)
    before = database.rows("emnify_endpoints")
    result = run(operator)  # once more: it stays marked with the first moment
    assert (result["changed"], result["deleted"]) == (0, 0)
    assert database.rows("emnify_endpoints") == before
    fleet.state.endpoints[1_000_003] = endpoint
    result = run(operator)
    assert (result["changed"], result["deleted"]) == (1, 0)
    assert ids_in(database, where="WHERE deleted_at IS NOT NULL") == []


def test_what_is_gone_is_deleted(database: Database, fleet: Sandbox) -> None:
    operator = transfer(database, "endpoints", deletions="delete")
    run(operator)
    left = remove_endpoints(fleet, 2)
    (new,) = fleet.add_endpoints(1)
    result = run(operator)
    assert (result["changed"], result["deleted"]) == (1, 2)
    assert ids_in(database) == [*left, new]
    assert run(operator)["deleted"] == 0


@pytest.mark.parametrize("deletions", ["mark", "delete"])
def test_a_run_that_fails_removes_nothing(deletions: str, database: Database, fleet: Sandbox) -> None:
    run(transfer(database, "endpoints", deletions=deletions))
    before = database.rows("emnify_endpoints")
    remove_endpoints(fleet, 2)
    fleet.faults.add(path="/api/v1/endpoint", status=403)
    with pytest.raises((AirflowFailException, EmnifyError), match="403"):
        run(transfer(database, "endpoints", deletions=deletions))
    assert database.rows("emnify_endpoints") == before


@pytest.mark.parametrize("deletions", ["mark", "delete"])
@pytest.mark.parametrize("known", [True, False])
def test_of_rows_that_come_twice_none_is_gone(
    known: bool, deletions: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not known:  # a database that gets standard SQL
        dialect = replace(DIALECTS[database.kind], upsert=None)
        monkeypatch.setitem(DIALECTS, database.kind, dialect)
    name = "things" if database.kind == "mysql" else "50% of things"
    things = table(database, name, losses=Losses(deletions))
    assert things.load([row(1), row(2), row(3)], RUN).deleted == 0
    loaded = things.load([row(1, "old"), row(3), row(1, "new")], RUN)
    assert (loaded.repeated, loaded.deleted) == (1, 1)
    names = dict(database.rows(name, "id, name"))
    assert names == {1: "new", 3: "x", **({2: "x"} if deletions == "mark" else {})}


@pytest.mark.parametrize("deletions", ["mark", "delete"])
def test_every_stream_that_is_a_whole_list_takes_them(
    deletions: str, database: Database, fleet: Sandbox
) -> None:
    others = {"events", "sms", "data_quotas", "sms_quotas", "connectivity"}
    others |= {stream for stream in STREAMS if "usage" in stream}
    for stream in STREAMS.keys() - others:
        operator = transfer(database, stream, deletions=deletions)
        assert [run(operator)["deleted"] for _ in range(2)] == [0, 0]
    for stream in others:
        with pytest.raises(ValueError, match=f"one whole list, and {stream} is none"):
            transfer(database, stream, deletions=deletions)


@pytest.mark.parametrize("max_shrink", [None, 1.0])
@pytest.mark.parametrize("deletions", ["mark", "delete"])
def test_of_two_loads_at_the_same_moment_one_follows_the_other(
    deletions: Any, max_shrink: float | None, database: Database
) -> None:
    if database.kind == "duckdb":
        pytest.skip("one of them fails, and is tried again")
    guard = Losses(deletions, max_shrink)
    table(database, losses=guard).load((row(number) for number in range(300)), RUN)
    ready = threading.Barrier(2, timeout=30)

    def load(first: int) -> int:
        def rows() -> Iterator[Row]:
            yield from (row(number) for number in range(first, first + 200))
            ready.wait()  # both have been read, and neither is in the table

        return table(database, losses=guard).load(rows(), RUN).rows

    where = "WHERE deleted_at IS NULL" if deletions == "mark" else ""
    with ThreadPoolExecutor() as pool:
        for _ in range(3):
            assert list(pool.map(load, [0, 100])) == [200, 200]
            assert ids_in(database, "things", where) in ([*range(200)], [*range(100, 300)])


# -- when the DAG is parsed -------------------------------------------------------------------------------


def parse(**options: Any) -> EmnifyToSqlOperator:
    return EmnifyToSqlOperator(**{"task_id": "t", "stream": "sims", "sql_conn_id": "w", **options})


BAD: list[tuple[dict[str, Any], str]] = [
    *[
        (
            {"mode": "replace", "max_shrink": value},
            "max_shrink: .* is not valid; give a share from 0.0 to 1.0",
        )
        for value in (-1, 1.5, True, "much", float("nan"), "NaN", [1], "1e3", -0.1)
    ],
    *[
        ({"mode": "replace", "min_rows": value}, "min_rows: .* is not a valid whole number")
        for value in (0, -3, 1.5, True, "many")
    ],
    ({"deletions": "drop"}, "deletions: 'drop' is not valid; allowed: keep, mark, delete"),
    ({"max_shrink": 0.5}, "max_shrink: 0.5 has no effect, since mode 'merge' removes no rows"),
    ({"mode": "append", "min_rows": 5}, "min_rows: 5 has no effect, since mode 'append'"),
    ({"deletions": "mark", "mode": "replace"}, "deletions: 'mark' is for mode='merge'; mode 'replace'"),
    ({"deletions": "delete", "mode": "append"}, "deletions: 'delete' is for mode='merge'; mode 'append'"),
    ({"deletions": "mark", "filters": {"status": "Activated"}}, "deletions: 'mark' takes no filters"),
    *[
        ({"deletions": deletions, "stream": stream}, f"deletions: .* whole list, and {stream} is none")
        for deletions in ("mark", "delete")
        for stream in ("events", "sim_usage_daily", "connectivity", "organisation_usage_monthly")
    ],
    ({"load_columns": "maybe"}, "load_columns: 'maybe' is not valid"),
]


@pytest.mark.parametrize(("options", "message"), BAD)
def test_what_cannot_be_breaks_the_dag(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(**options)


@pytest.mark.parametrize(
    ("templated", "rendered", "message"),
    [
        ({"deletions": "{{ x }}", "stream": "events"}, {"deletions": "mark"}, "events is none"),
        ({"deletions": "mark", "filters": "{{ x }}"}, {"filters": {"status": 1}}, "takes no filters"),
        ({"max_shrink": "{{ x }}"}, {"max_shrink": "0.5"}, "max_shrink: 0.5 has no effect"),
        ({"mode": "{{ x }}", "deletions": "mark"}, {"mode": "append"}, "is for mode='merge'"),
        ({"mode": "replace", "max_shrink": "{{ x }}"}, {"max_shrink": "7%"}, "max_shrink: '7%' is not valid"),
    ],
)
def test_what_templates_hide_is_found_before_anything_is_read(
    templated: dict[str, Any], rendered: dict[str, Any], message: str
) -> None:
    operator = parse(**templated)
    for name, value in rendered.items():
        setattr(operator, name, value)
    with pytest.raises(AirflowFailException, match=message):
        run(operator)
