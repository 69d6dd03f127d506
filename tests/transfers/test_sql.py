"""A stream in a table: merged, appended or replaced, as a whole or not at all; SQLite and PostgreSQL."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyServerError, EventSource
from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.api.resources.organisations import Organisations
from airflow_provider_emnify.api.streams.columns import boolean, decimal, integer, text, timestamp
from airflow_provider_emnify.api.streams.columns import json as json_column
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.transfers.sinks.sql_dialects import DIALECTS
from airflow_provider_emnify.transfers.sinks.sql_table import TableMismatchError
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator, sql_hook
from tests.fleets import WITH_EVENTS
from tests.transfers.support import NOW, Database, Table, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

Row = dict[str, Any]
CONVERT = Converter(
    [integer("id"), text("name"), decimal("cost"), boolean("alert"), timestamp("at"), json_column("tags")]
)
RUN = datetime(2024, 5, 2, tzinfo=UTC)


def row(number: int, name: str | None = "x", **more: Any) -> Row:
    return CONVERT({"id": number, "name": name, **more})


def table(database: Database, name: str = "things", **options: Any) -> Table:
    return Table(sql_hook("warehouse"), name, database.schema, CONVERT.columns, ("id",), **options)


def transfer(database: Database, stream: str = "sims", **options: Any) -> EmnifyToSqlOperator:
    options = {"task_id": "sync", "sql_conn_id": "warehouse", "schema": database.schema, **options}
    return EmnifyToSqlOperator(stream=stream, **options)


# -- the operator -----------------------------------------------------------------------------------------


def test_every_row_and_value_arrives(database: Database, fleet: Sandbox) -> None:
    result = run(transfer(database))
    assert result["rows"] == result["changed"] == 35
    sims = fleet.state.sims
    found = database.rows("emnify_sims", "id, iccid, status, endpoint_id, customer_org, activation_date")
    assert [values[:5] for values in found] == [
        (sim.id, sim.iccid, sim.status.label, sim.endpoint_id, "Sandbox") for sim in sims.values()
    ]
    said = found[-1][5]
    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    assert moment.timestamp() == pytest.approx(sims[found[-1][0]].activation_date, abs=0.002)


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
@pytest.mark.parametrize("stream", ["endpoints", "events"])
def test_a_run_that_is_repeated_changes_nothing(
    mode: str, stream: str, database: Database, fleet: Sandbox
) -> None:
    first = run(transfer(database, stream, mode=mode))
    before = database.rows(f"emnify_{stream}")
    again = run(transfer(database, stream, mode=mode))
    assert database.rows(f"emnify_{stream}") == before
    assert len(before) == first["rows"] == again["rows"] > 0
    assert again["changed"] == (0 if mode == "merge" else again["rows"])


def test_a_merge_changes_what_changed_and_keeps_what_is_gone(database: Database, fleet: Sandbox) -> None:
    run(transfer(database, "endpoints"))
    fleet.delete_endpoints([1_000_001])
    fleet.state.endpoints[1_000_002].name = "Renamed"
    (new,) = fleet.add_endpoints(1)
    assert run(transfer(database, "endpoints"))["changed"] == 2
    names = dict(database.rows("emnify_endpoints", "id, name"))
    assert names[1_000_002] == "Renamed"
    assert {1_000_001, new} <= set(names)


def test_a_replacement_is_all_there_is(database: Database, fleet: Sandbox) -> None:
    run(transfer(database, "endpoints", mode="replace"))
    fleet.delete_endpoints([1_000_001])
    run(transfer(database, "endpoints", mode="replace"))
    assert [number for (number,) in database.rows("emnify_endpoints", "id")] == sorted(fleet.state.endpoints)


def test_appended_runs_stand_beside_each_other(database: Database, fleet: Sandbox) -> None:
    operator = transfer(database, "endpoints", mode="append")
    run(operator, 24, NOW - timedelta(hours=24))
    run(operator, 24, NOW)
    fleet.delete_endpoints([1_000_001])
    run(operator, 24, NOW)  # once more: its own rows are replaced
    name = database.name("emnify_endpoints")
    counts = database.run(f"SELECT count(*) FROM {name} GROUP BY _interval_end ORDER BY _interval_end")
    assert counts == [(25,), (24,)]


@pytest.mark.parametrize("late_by", [None, 300])
@pytest.mark.parametrize("minutes", [1, 8, 45])
def test_an_event_that_shows_up_late_is_merged_by_the_next_hourly_run(
    minutes: int, late_by: float | None, database: Database, fleet: Sandbox
) -> None:
    operator = transfer(database, "events", late_by=late_by)
    border = NOW - timedelta(hours=2)
    run(operator, 1, border)
    when = (border - timedelta(minutes=minutes)).timestamp()
    late = fleet.state.emit(EventType.UPDATE_LOCATION, "", when, source=EventSource.NETWORK)
    for _ in range(2):
        run(operator, 1, border + timedelta(hours=1))
    ids = [number for (number,) in database.rows("emnify_events", "id")]
    assert ids.count(late.id) == (late_by is None or minutes * 60 < late_by)


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_run_that_fails_leaves_the_table_as_it_was(mode: str, database: Database, fleet: Sandbox) -> None:
    run(transfer(database, "endpoints", mode=mode))
    before = database.rows("emnify_endpoints")
    fleet.state.endpoints[1_000_001].name = "changed"
    fleet.faults.add(path="/api/v1/endpoint", status=403)
    with pytest.raises(AirflowFailException, match="403"):
        run(transfer(database, "endpoints", mode=mode), 24, NOW - timedelta(hours=30))
    assert database.rows("emnify_endpoints") == before
    assert all(not name.startswith("_emnify") for name in database.tables())


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_names_are_quoted_whatever_they_hold(mode: str, database: Database, fleet: Sandbox) -> None:
    name = 'weird `"; DROP TABLE x; -- table'
    if database.kind != "mysql":  # whose drivers do not agree on percent signs
        name += " 50% s"
    for _ in range(2):
        run(transfer(database, "tags", table=name, mode=mode))
    assert name in database.tables()
    assert len(database.rows(name)) == len(fleet.state.tags)


def test_values_are_bound_whatever_they_hold(database: Database, fleet: Sandbox) -> None:
    weird = '\'; DROP TABLE "emnify_endpoints"; -- \\N \t\n\r\\ ünïcode 📡 %s ? \x00'
    fleet.state.endpoints[1_000_001].name = weird
    run(transfer(database, "endpoints"))
    assert database.rows("emnify_endpoints", "name")[0] == (weird.replace("\x00", "\ufffd"),)


# -- the table --------------------------------------------------------------------------------------------


def test_types_survive(database: Database) -> None:
    at = datetime(2024, 5, 1, 12, 30, 45, 123456, tzinfo=UTC)
    full = row(
        2**62, "n", cost="0.1234567891", alert=1, at=at.isoformat(), tags=[{"a": 'b"\\'}], new={"x": None}
    )
    table(database).load([full, row(1, None)], RUN)
    empty, found = database.rows("things")
    assert empty == (1, *[None] * 6)
    if database.kind == "postgresql":
        assert found == (2**62, "n", Decimal("0.1234567891"), True, at, [{"a": 'b"\\'}], {"new": {"x": None}})
        assert found[4].utcoffset() == at.astimezone(found[4].tzinfo).utcoffset()
    elif database.kind in {"mysql", "duckdb"}:
        assert found[:4] == (2**62, "n", Decimal("0.1234567891"), 1)
        assert found[4] == at.replace(tzinfo=None)  # in UTC
        assert [json.loads(text) for text in found[5:]] == [[{"a": 'b"\\'}], {"new": {"x": None}}]
    else:
        assert found[:2] == (2**62, "n")
        assert (found[2], found[3], datetime.fromisoformat(found[4])) == (0.1234567891, 1, at)
        assert [json.loads(text) for text in found[5:]] == [[{"a": 'b"\\'}], {"new": {"x": None}}]


def test_missing_columns_are_an_error_that_names_them(database: Database) -> None:
    database.run(f"CREATE TABLE {database.name('things')} (id BIGINT PRIMARY KEY, name TEXT, _extra TEXT)")
    with pytest.raises(
        TableMismatchError, match="has no cost, alert, at, tags; add them, or set add_columns"
    ):
        table(database).load([row(1)], RUN)


def test_missing_columns_are_added_when_asked(database: Database) -> None:
    database.run(f"CREATE TABLE {database.name('things')} (id BIGINT PRIMARY KEY, name TEXT, note TEXT)")
    database.run(f"INSERT INTO {database.name('things')} VALUES (1, 'old', 'mine')")
    table(database, add_columns=True).load([row(1, "new", cost="2.5"), row(2)], RUN)
    found = database.rows("things", "id, name, note, cost")
    assert [(*values[:3], float(values[3] or 0)) for values in found] == [
        (1, "new", "mine", 2.5),
        (2, "x", None, 0),
    ]


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("id BIGINT PRIMARY KEY, name TIME", "name is TIME.*, which holds no text"),
        ("id BIGINT PRIMARY KEY, name TEXT NOT NULL", "name may not be null, and emnify does not always"),
        ("id BIGINT, name TEXT", "no primary key or unique index over id"),
        ("id BIGINT PRIMARY KEY, name INTEGER", r"name is INTEGER.*, which holds no text; (LONG)?TEXT does"),
        ("id BIGINT PRIMARY KEY, name TEXT, more TEXT NOT NULL", "more may not be null, and is not known"),
        ("name TEXT", "has no id, which is its key"),
    ],
)
def test_a_table_that_does_not_match_is_an_error_before_anything_is_read(
    definition: str, message: str, database: Database
) -> None:
    database.run(f"CREATE TABLE {database.name('things')} ({definition})")

    def never() -> Iterator[Row]:
        pytest.fail("it was read")
        yield row(1)

    with pytest.raises(TableMismatchError, match=message):
        table(database, add_columns=True).load(never(), RUN)


def test_no_table_is_an_error_when_none_shall_be_created(database: Database) -> None:
    with pytest.raises(TableMismatchError, match=r"there is no .*create_table is False"):
        table(database, create_table=False).load([row(1)], RUN)
    assert "things" not in database.tables()


def test_a_unique_index_is_as_good_as_a_primary_key(database: Database) -> None:
    database.run(f"CREATE TABLE {database.name('things')} (id BIGINT UNIQUE, name TEXT)")
    table(database, add_columns=True).load([row(1), row(2)], RUN)
    assert len(database.rows("things", "id")) == 2


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_of_rows_with_the_same_key_the_last_one_counts(
    mode: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [row(1, "first"), row(2, "only"), row(1, "second"), row(1, "third")]
    loaded = table(database, mode=mode).load(rows, RUN)
    assert (loaded.rows, loaded.repeated) == (4, 2)
    assert database.rows("things", "id, name") == [(1, "third"), (2, "only")]
    assert caplog.text.count("of each key the last row counts") == 1
    far_apart = [row(number % 1_501, str(number)) for number in range(3_002)]  # in different chunks
    assert table(database, mode=mode).load(far_apart, RUN).repeated == 1_501
    assert database.rows("things", "id, name", "id")[-1] == (1_500, "3001")
    assert table(database, mode=mode).load([row(7, "alone")], RUN).repeated == 0
    assert caplog.text.count("of each key the last row counts") == 2


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_daily_answer_with_one_date_twice_is_loaded(
    mode: str,
    database: Database,
    fleet: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    day = (NOW - timedelta(days=1)).date().isoformat()
    twice = [{"date": day, "data": {"volume": 1}}, {"date": day, "data": {"volume": 2}}]
    monkeypatch.setattr(Organisations, "daily_stats", lambda *_, **__: twice)
    result = run(transfer(database, "organisation_usage_daily", mode=mode), 72, NOW)
    assert (result["rows"], result["repeated"]) == (1, 0)
    assert caplog.text.count("of each key the last row counts") == 1
    ((volume,),) = database.rows("emnify_organisation_usage_daily", "data_volume")
    assert float(volume) == 2


def test_an_error_while_reading_is_the_error_that_is_raised(database: Database) -> None:
    def fail() -> Iterator[Row]:
        yield from (row(number) for number in range(2_500))
        raise EmnifyServerError("Page 3 is gone", status=500)

    table(database).load([row(1, "before")], RUN)
    with pytest.raises(EmnifyServerError, match="Page 3 is gone"):
        table(database, mode="replace").load(fail(), RUN)
    assert database.rows("things", "id, name") == [(1, "before")]


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_value_that_the_table_refuses_leaves_it_as_it_was(mode: Any, database: Database) -> None:
    table(database, mode=mode).load([row(1, "before"), row(2, "before")], RUN)
    before = database.rows("things")
    if database.kind in {"sqlite", "duckdb"}:
        sql = database.definition("things")
        database.run("DROP TABLE things")
        database.run(sql[:-1] + ", CHECK (length(name) < 9))")
        table(database, mode=mode).load([row(1, "before"), row(2, "before")], RUN)
    else:
        database.run(f"ALTER TABLE {database.name('things')} ADD CHECK (length(name) < 9)")
    with pytest.raises(Exception, match=r"(?i)check|constraint"):
        table(database, mode=mode).load([row(1, "after"), row(2, "much too long"), row(3, "new")], RUN)
    assert database.rows("things") == before


def test_texts_that_differ_by_case_alone_differ(database: Database) -> None:
    columns = Converter([text("id"), text("name")])
    things = Table(sql_hook("warehouse"), "things", database.schema, columns.columns, ("id",))
    things.load([columns({"id": one, "name": one}) for one in ("a", "A", "ä")], RUN)
    changed = things.load([columns({"id": one, "name": one.upper()}) for one in ("a", "A", "ä")], RUN).changed
    assert changed == 2
    assert set(database.rows("things", "id, name")) == {("a", "A"), ("A", "A"), ("ä", "Ä")}


def test_what_no_database_stores_is_replaced(database: Database) -> None:
    half, zero, text_of_zero = "\ud83d", "\x00", "\\u0000"
    table(database).load([row(1, half + zero, tags=[half, {zero: zero}, text_of_zero])], RUN)
    ((name, tags),) = database.rows("things", "name, tags")
    assert name == "?\ufffd"
    found = json.loads(tags) if isinstance(tags, str) else tags
    assert found == ["?", {"\ufffd": "\ufffd"}, text_of_zero]


def test_nothing_is_seen_before_everything_is_there(database: Database) -> None:
    table(database).load([row(1, "before")], RUN)
    seen: list[list[tuple[Any, ...]]] = []

    def slow() -> Iterator[Row]:
        for number in range(3_000):
            if number % 1_000 == 999:
                seen.append(database.rows("things", "id, name"))
            yield row(number)

    table(database, mode="replace").load(slow(), RUN)
    assert seen == [[(1, "before")]] * 3
    assert len(database.rows("things", "id")) == 3_000


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_of_two_loads_at_the_same_moment_one_follows_the_other(mode: Any, database: Database) -> None:
    if database.kind == "duckdb":
        pytest.skip("one of them fails, and is tried again")
    ready = threading.Barrier(2, timeout=30)

    def rows(name: str) -> Iterator[Row]:
        yield from (row(number, name) for number in range(300))
        ready.wait()  # both have been read, and neither is in the table

    def load(name: str) -> int:
        return table(database, mode=mode).load(rows(name), RUN).rows

    with ThreadPoolExecutor() as pool:
        for _ in range(4):  # at first, they have to create the table
            assert list(pool.map(load, ["one", "other"])) == [300, 300]
            names = [name for (name,) in database.rows("things", "name")]
            assert names in (["one"] * 300, ["other"] * 300)


def test_nothing_at_all_is_fine(database: Database) -> None:
    assert table(database).load([], RUN).rows == 0
    assert database.rows("things") == []


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_database_that_is_not_known_gets_standard_sql(
    mode: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its statements are tried where they can be: with the types of a database that is at hand."""
    known = DIALECTS[database.kind]
    monkeypatch.setitem(DIALECTS, database.kind, replace(known, upsert=None))
    monkeypatch.setattr("airflow_provider_emnify.transfers.sinks.sql_table.can_copy", lambda *_: False)
    table(database, mode=mode).load([row(1, "old"), row(2, "two")], RUN)
    table(database, mode=mode).load([row(1, "a"), row(1, "new"), row(3, "three")], RUN)
    there = database.rows("things", "id, name")
    assert there == (
        [(1, "new"), (2, "two"), (3, "three")] if mode == "merge" else [(1, "new"), (3, "three")]
    )


def test_names_in_snowflake_are_those_that_need_no_quotes() -> None:
    """Else SQLAlchemy, and whoever writes a query, would not find the tables."""
    quote = DIALECTS["snowflake"].quote
    assert [quote(name) for name in ("emnify_sims", "_extra", "My Table", "My")] == [
        *('"EMNIFY_SIMS"', '"_EXTRA"', '"My Table"', '"My"')
    ]


def test_psycopg_2_copies_as_well(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    psycopg2 = pytest.importorskip("psycopg2")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.airflow_connection)
    database = Database("postgresql", "public")
    things = table(database, "copied")

    def connect() -> Any:
        return psycopg2.connect(host="127.0.0.1", port=postgres.port, user="emnify", dbname="postgres")

    monkeypatch.setattr(things.hook, "get_conn", connect)

    def fail() -> Iterator[Row]:
        yield row(1)
        raise EmnifyServerError("Page 3 is gone", status=500)

    assert things.load((row(number, "a\tb\\") for number in range(5_000)), RUN).changed == 5_000
    with pytest.raises(EmnifyServerError, match="Page 3 is gone"):
        things.load(fail(), RUN)
    assert database.rows("copied", "count(*), max(name)") == [(5_000, "a\tb\\")]
    database.run("DROP TABLE copied")
