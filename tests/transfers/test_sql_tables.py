"""Tables that exist, and names: what cannot take the rows is refused before anything is read."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.data_streamer.files import RECORD_KINDS
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.api.streams.columns import integer, text
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.transfers.sinks.sql_dialects import DIALECTS
from airflow_provider_emnify.transfers.sinks.sql_table import TableMismatchError
from airflow_provider_emnify.transfers.sql import sql_hook
from tests.transfers.support import Database, Table
from tests.transfers.test_sql import CONVERT, RUN, Row, row, table

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("id", "INTEGER"),
        ("id", "SMALLINT"),
        ("id", "NUMERIC(10)"),
        ("id", "DOUBLE PRECISION"),
        ("name", "VARCHAR(255)"),
        ("name", "CHAR(20)"),
        ("cost", "NUMERIC(5, 2)"),
        ("cost", "NUMERIC(38, 2)"),
        ("cost", "BIGINT"),
        ("at", "DATE"),
        ("tags", "VARCHAR(100)"),
        ("_extra", "VARCHAR(255)"),
    ],
)
def test_a_column_that_is_too_narrow_is_named_before_anything_is_read(
    column: str, kind: str, database: Database
) -> None:
    if database.kind == "sqlite":
        pytest.skip("SQLite holds any width")
    if database.kind == "duckdb" and ("CHAR" in kind or column == "at"):
        pytest.skip("DuckDB's texts have any width, and a column of this name needs quotes")
    kinds = {"id": "BIGINT", column: kind}
    columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    database.run(f"CREATE TABLE {database.name('things')} ({columns}, PRIMARY KEY (id))")

    def never() -> Iterator[Row]:
        pytest.fail("it was read")
        yield row(1)

    with pytest.raises(TableMismatchError, match=rf"\.[`\"]?{column} is .*(too narrow|holds no).*does"):
        table(database, add_columns=True).load(never(), RUN)


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_table_of_every_stream_that_was_made_here_passes(mode: Any, database: Database) -> None:
    kinds = [(kind.table, kind.columns, kind.key) for kind in RECORD_KINDS.values()]
    streams = [(f"emnify_{stream.name}", stream.columns, stream.key) for stream in STREAMS.values()]
    for name, columns, key in [*streams, *kinds]:
        made = Table(sql_hook("warehouse"), f"{name}_here", database.schema, columns, key, mode=mode)
        assert made.missing() is None
        made.load([], RUN)
        assert made.missing() == []
        made.load([], RUN)


def test_a_text_in_a_key_as_earlier_versions_made_it_passes(database: Database) -> None:
    kind = "VARCHAR(255)" if database.kind == "mysql" else "TEXT"
    database.run(f"CREATE TABLE {database.name('things')} (code {kind} NOT NULL, PRIMARY KEY (code))")
    columns = Converter([text("code")])
    things = Table(
        sql_hook("warehouse"), "things", database.schema, columns.columns, ("code",), add_columns=True
    )
    assert things.load([columns({"code": "a"}), columns({"code": "b"})], RUN).rows == 2


WIDER = {
    "id": ("BIGINT", "NUMERIC(38, 0)", "NUMERIC(20)"),
    "name": ("TEXT", "VARCHAR(70000)"),
    "cost": ("NUMERIC(40, 12)", "NUMERIC(38, 10)", "DOUBLE PRECISION"),
    "tags": ("TEXT", "JSON"),
    "_extra": ("TEXT", "JSON"),
}


@pytest.mark.parametrize(("column", "kind"), [(name, kind) for name in WIDER for kind in WIDER[name]])
def test_a_column_that_someone_made_wide_enough_is_taken(column: str, kind: str, database: Database) -> None:
    if database.kind == "mysql" and "70000" in kind:
        kind = "LONGTEXT"
    if database.kind == "duckdb" and kind == "NUMERIC(40, 12)":
        pytest.skip("DuckDB's numbers have 38 digits")
    kinds = {"id": "BIGINT", column: kind}
    columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    database.run(f"CREATE TABLE {database.name('things')} ({columns}, PRIMARY KEY (id))")
    rows = [row(2**62, "x" * 9_000, cost="12.5", tags={"a": [1]}, more={"b": 1})]
    things = table(database, add_columns=True)
    assert [things.load(rows, RUN).changed for _ in range(2)] == [1, 0]
    assert [int(number) for (number,) in database.rows("things", "id")] == [2**62]


def test_a_table_of_its_own_takes_texts_that_are_longer_than_65_535_bytes(database: Database) -> None:
    rows = [row(1, "ä" * 70_000, more={"b": "ä" * 70_000})]
    assert table(database).load(rows, RUN).changed == 1
    ((name, extra),) = database.rows("things", "name, _extra")
    assert len(name) == 70_000
    assert len(extra["more"]["b"] if isinstance(extra, dict) else extra) >= 70_000


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("name", "TEXT"),
        ("_extra", "TEXT"),
        ("name", "TEXT CHARACTER SET utf16"),
        ("_extra", "TEXT CHARACTER SET utf32"),
    ],
)
def test_a_text_that_is_too_long_for_someone_s_column_leaves_the_table_as_it_was(
    column: str, kind: str, database: Database
) -> None:
    if database.kind != "mysql":
        pytest.skip("its TEXT has no end")
    database.run(f"CREATE TABLE {database.name('things')} (id BIGINT PRIMARY KEY, {column} {kind})")
    things = table(database, add_columns=True)
    assert things.load([row(1)], RUN).changed == 1
    came = "x" * (70_000 if kind == "TEXT" else 35_000)
    long = {"name": came} if column == "name" else {"more": came}
    with pytest.raises(
        TableMismatchError, match=rf"things`.{column} holds 65535 bytes, and a text of [71]\d+ came"
    ):
        things.load([row(2), row(1, **long)], RUN)
    assert database.rows("things", "id, name") == [(1, "x")]


@pytest.mark.parametrize(
    "kind", ["BOOLEAN", "INTEGER", "UUID", "BYTEA", "TIMESTAMP", "INET", "TEXT[]", "NAME", '"char"']
)
def test_wrong_kinds_of_postgresql_are_named(
    kind: str, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.airflow_connection)
    database = Database("postgresql", f"s{uuid.uuid4().hex}")
    database.run(f"CREATE SCHEMA {database.schema}")
    fits = {"BOOLEAN": "alert"}.get(kind)
    for column in [one.name for one in CONVERT.columns if one.name != "id"]:
        database.run(f"CREATE TABLE {database.name(column)} (id BIGINT PRIMARY KEY, {column} {kind})")
        things = table(database, column, add_columns=True)
        if column == fits:
            things.load([row(1, alert=True, cost=2, at="2024-01-01")], RUN)
            continue
        with pytest.raises(TableMismatchError, match=f"{column} is"):
            things.load([row(1)], RUN)


@pytest.mark.parametrize(
    ("column", "kind", "fits"),
    [
        ("name", "VARCHAR(3)", False),
        ("name", "VARCHAR", True),
        ("name", "CHAR(3)", False),
        ("name", "TEXT", True),
        ("name", "TEXT CHECK (value <> '')", True),
        ("cost", "NUMERIC(5, 2)", False),
        ("cost", "NUMERIC", True),
        ("cost", "DOUBLE PRECISION", True),
        ("id", "INT", False),
        ("id", "BIGINT", True),
    ],
)
def test_a_domain_of_postgresql_is_as_wide_as_what_it_is_made_of(
    column: str, kind: str, fits: bool, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.airflow_connection)
    database = Database("postgresql", f"s{uuid.uuid4().hex}")
    database.run(f"CREATE SCHEMA {database.schema}")
    database.run(f"CREATE DOMAIN {database.schema}.own AS {kind}")
    columns = {"id": "BIGINT", column: f"{database.schema}.own"}
    shown = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    database.run(f"CREATE TABLE {database.name('things')} ({shown}, PRIMARY KEY (id))")
    things = table(database, add_columns=True)
    if fits:
        assert things.load([row(2**62, "x" * 9_000, cost="12.5")], RUN).changed == 1
    else:
        with pytest.raises(TableMismatchError, match=rf"{column} is .*too narrow.*does"):
            things.load([row(1)], RUN)


@pytest.mark.parametrize("where", ["id > 0", "name IS NOT NULL"])
def test_an_index_over_some_rows_is_no_key(where: str, database: Database) -> None:
    if database.kind in {"mysql", "duckdb"}:
        pytest.skip("it has no such index")
    database.run(f"CREATE TABLE {database.name('things')} (id BIGINT, name TEXT)")
    database.run(f"CREATE UNIQUE INDEX i{uuid.uuid4().hex} ON {database.name('things')} (id) WHERE {where}")
    with pytest.raises(TableMismatchError, match="no primary key or unique index over id"):
        table(database, add_columns=True).load([row(1)], RUN)


@pytest.mark.parametrize("of", ["table", "column"])
@pytest.mark.parametrize(
    ("characters", "holds_all"),
    [
        ("latin1", False),
        ("utf8mb3", False),
        ("ascii", False),
        ("ucs2", False),
        ("utf8mb4", True),
        ("utf32", True),
    ],
)
@pytest.mark.parametrize("column", ["name", "tags", "_extra"])
def test_a_column_that_holds_some_characters_alone_is_named(
    of: str, characters: str, holds_all: bool, column: str, mariadb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", mariadb.airflow_connection)
    database = Database("mysql", f"s{uuid.uuid4().hex}")
    database.run(f"CREATE SCHEMA {database.schema}")
    own, default = (f"CHARACTER SET {characters}", "latin1") if of == "column" else ("", characters)
    columns = f"id BIGINT PRIMARY KEY, `{column}` LONGTEXT {own}"
    database.run(f"CREATE TABLE {database.name('things')} ({columns}) CHARACTER SET {default}")
    things = table(database, add_columns=True)
    if holds_all:
        assert things.load([row(1, "😀", tags={"a": "😀"}, more="😀")], RUN).changed == 1
    else:
        with pytest.raises(TableMismatchError, match=f"{column} holds the characters of {characters}"):
            things.load([row(1)], RUN)


@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY"])
def test_a_table_without_transactions_is_refused(engine: str, database: Database) -> None:
    if database.kind != "mysql":
        pytest.skip("its tables all have transactions")
    table(database).load([row(1)], RUN)
    for column in ("name", "tags", "_extra"):  # which MEMORY has not
        database.run(f"ALTER TABLE {database.name('things')} DROP COLUMN {column}")
    database.run(f"ALTER TABLE {database.name('things')} ENGINE = {engine}")
    with pytest.raises(ValueError, match=f"table: things is kept by {engine}.*InnoDB takes all rows or none"):
        table(database, mode="replace", add_columns=True).load([row(2)], RUN)
    assert database.rows("things", "id") == [(1,)]


def test_a_table_that_is_made_holds_all_characters_whatever_its_schema_does(
    mariadb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", mariadb.airflow_connection)
    database = Database("mysql", f"s{uuid.uuid4().hex}")
    database.run(f"CREATE SCHEMA {database.schema} CHARACTER SET latin1")
    rows = [row(1, "😀", tags={"a": "😀"}, more="😀")]
    assert [table(database).load(rows, RUN).changed for _ in range(2)] == [1, 0]


def test_what_the_database_fills_itself_is_left_to_it(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", postgres.airflow_connection)
    database = Database("postgresql", f"s{uuid.uuid4().hex}")
    database.run(f"CREATE SCHEMA {database.schema}")
    own = "id BIGINT PRIMARY KEY, n BIGINT GENERATED ALWAYS AS IDENTITY, at_ DATE NOT NULL DEFAULT now()"
    database.run(f"CREATE TABLE {database.name('things')} ({own})")
    assert table(database, add_columns=True).load([row(1)], RUN).changed == 1
    own = "id BIGINT PRIMARY KEY, name TEXT GENERATED ALWAYS AS ('x') STORED"
    database.run(f"CREATE TABLE {database.name('gen')} ({own})")
    with pytest.raises(TableMismatchError, match="name is generated by the database"):
        table(database, "gen", add_columns=True).load([row(1)], RUN)


def test_a_table_whose_key_is_less_than_a_run_adds_is_refused(database: Database) -> None:
    zone = " WITH TIME ZONE" if database.kind == "postgresql" else ""
    columns = f"id BIGINT PRIMARY KEY, _interval_end TIMESTAMP{zone}"
    database.run(f"CREATE TABLE {database.name('things')} ({columns})")
    with pytest.raises(TableMismatchError, match="over id, and in mode append several rows"):
        table(database, mode="append", add_columns=True).load([row(1)], RUN)


def test_a_view_is_refused(database: Database) -> None:
    database.run(f"CREATE VIEW {database.name('things')} AS SELECT 1 AS id")
    with pytest.raises(ValueError, match="'things' is a view"):
        table(database, add_columns=True).load([row(1)], RUN)


LONGEST = {"sqlite": None, "duckdb": None, "postgresql": (63, "bytes"), "mysql": (64, "characters")}


@pytest.mark.parametrize("letter", ["a", "ä"])
@pytest.mark.parametrize("what", ["table", "schema", "column"])
def test_names_that_the_database_would_cut_are_refused(what: str, letter: str, database: Database) -> None:
    most, unit = LONGEST[database.kind] or (1_000, "")
    most //= len(letter.encode()) if unit == "bytes" else 1
    if what == "table":
        assert table(database, letter * most).load([row(1)], RUN).changed == 1
    if not unit:
        return
    name = letter * (most + 1)
    names = {"table": "things", "schema": database.schema, "column": "x", what: name}
    columns = Converter([integer("id"), text(names["column"])])
    with pytest.raises(ValueError, match=f"{what}: '{letter}+' has 6.* {unit}, and this database keeps 6"):
        Table(sql_hook("warehouse"), names["table"], names["schema"], columns.columns, ("id",))


def test_sqlalchemy_is_asked_for_a_limit_that_is_not_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.kind == "duckdb":
        pytest.skip("it has no dialect in SQLAlchemy")
    monkeypatch.setitem(DIALECTS, database.kind, replace(DIALECTS[database.kind], longest_name=None))
    if database.kind != "sqlite":  # which has none
        with pytest.raises(ValueError, match="this database keeps"):
            table(database, "a" * 300)
    assert table(database, "a" * 60).load([row(1)], RUN).changed == 1


@pytest.mark.parametrize("name", ["_emnify_rows", "_EMNIFY_ROWS", "_emnify_rows_2", "_row", "s", "newest"])
@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_table_that_is_called_like_something_internal_is_loaded(
    mode: Any, name: str, database: Database
) -> None:
    things = Table(sql_hook("warehouse"), name, database.schema, CONVERT.columns, ("id",), mode=mode)
    for _ in range(2):
        things.load([row(1), row(2)], RUN)
    assert database.rows(name, "id") == [(1,), (2,)]


def test_a_name_that_differs_by_case_alone_is_another_table_or_refused(database: Database) -> None:
    table(database, "things").load([row(1)], RUN)
    if database.kind in {"sqlite", "duckdb"}:
        with pytest.raises(ValueError, match="there is 'things', which the database takes for 'Things'"):
            table(database, "Things", mode="replace").load([row(2)], RUN)
    else:
        table(database, "Things", mode="replace").load([row(2)], RUN)
    assert database.rows("things", "id") == [(1,)]


def test_columns_in_capitals_are_those_that_are_meant_where_case_does_not_count(database: Database) -> None:
    name = "id" if database.kind == "postgresql" else "ID"
    database.run(f"CREATE TABLE {database.name('things')} ({name} BIGINT PRIMARY KEY)")
    assert table(database, add_columns=True).load([row(1)], RUN).changed == 1


@pytest.mark.parametrize("name", ["sqlite_things", "half \ud83d", "SQLite_x"])
def test_names_that_cannot_be_are_refused_before_anything_is_read(name: str, database: Database) -> None:
    if "half" not in name and database.kind != "sqlite":
        pytest.skip("SQLite's own names")
    with pytest.raises(ValueError, match="table: "):
        table(database, name)
