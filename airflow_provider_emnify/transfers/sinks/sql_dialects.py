"""SQL dialects: types, quotes, temporary tables, and how values are bound.

A table: to support another database, add a row. One that is not in it gets standard SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from airflow_provider_emnify.api.streams.columns import Column, ColumnType

Bind = Callable[[Any], Any]

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_ZERO = re.compile(r"(\\\\)|\\u0000")


def to_json_text(value: Any) -> str:
    """Return JSON as text, without what databases do not store."""
    text = _json(value)
    if "\\u0000" in text:  # of which the backslash may itself be one that is escaped
        text = _ZERO.sub(lambda found: found[1] or "\ufffd", text)
    return _clean(text)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _clean(text: str) -> str:
    """Return a text without zeros and halves of characters, which databases do not store."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


_BINDS: dict[ColumnType, Bind] = {ColumnType.JSON: to_json_text, ColumnType.TEXT: _clean}


@dataclass(frozen=True)
class Dialect:
    """The SQL of one kind of database.

    :param types: Its type for each of ours.
    :param binds: What becomes of a value before it is bound, where its driver does not take it as it is.
    :param quotes: What stands around a name.
    :param folds: What is written without quotes means upper case, so a name in lower case becomes that.
    :param key_text: Its type for a text in a key, where another is needed.
    :param collation: What follows the type of a text.
    :param upsert: How it merges: ``conflict`` is ``ON CONFLICT DO UPDATE``, ``join`` is ``UPDATE JOIN`` and
        an insertion of what is new; None is deletion and insertion.
    :param unlike: When two values differ; nothing equals nothing.
    :param unlike_json: The same for JSON, where that is another.
    :param lock: Makes a transaction wait for another one that changes the same table, whose name is bound.
    :param create: How the creation of a table begins.
    :param drop: How its removal begins; it must not end the transaction.
    :param longest_name: How long a name may be; 0: no limit; None: SQLAlchemy's dialect says.
    :param counts_bytes: Names are measured in bytes of UTF-8, else in characters.
    :param reserved: How the name of a table must not begin.
    :param plain_plane: Names hold neither characters beyond U+FFFF nor a space at the end.
    :param folds_columns: Columns whose names differ by case alone are the same.
    :param begin: What begins a transaction, where its driver would not do so for a new table.
    :param bounded: Types that are taken although a text may be longer, and how many bytes they hold.
    """

    types: Mapping[ColumnType, str]
    binds: Mapping[ColumnType, Bind] = field(default_factory=lambda: _BINDS)
    quotes: tuple[str, str] = ('"', '"')
    folds: bool = False
    key_text: str | None = None
    collation: str = ""
    upsert: Literal["conflict", "join"] | None = None
    unlike: str = "{0} IS DISTINCT FROM {1}"
    unlike_json: str | None = None
    lock: str | None = None
    create: str = "CREATE TABLE"
    drop: str = "DROP TABLE"
    longest_name: int | None = None
    counts_bytes: bool = True
    reserved: str = ""
    plain_plane: bool = False
    folds_columns: bool = False
    begin: str | None = None
    bounded: Mapping[str, int] = field(default_factory=dict)

    def quote(self, name: str) -> str:
        """Return a name in quotes, whatever it holds.

        :raises ValueError: for what is not a name at all.
        """
        if not name or "\x00" in name:
            raise ValueError(f"{name!r} is not a valid name of a table or column")
        if self.folds and _PLAIN_NAME.fullmatch(name):
            name = name.upper()
        begin, end = self.quotes
        return f"{begin}{name.replace(end, end * 2)}{end}"

    def names(self, names: Iterable[str]) -> str:
        """Return quoted names, one after another."""
        return ", ".join(map(self.quote, names))

    def table(self, name: str, schema: str | None = None) -> str:
        """Return the quoted name of a table."""
        return self.quote(name) if schema is None else f"{self.quote(schema)}.{self.quote(name)}"

    def column(self, column: Column, *, in_key: bool = False) -> str:
        """Return the definition of a column."""
        kind = self.types[column.type]
        if in_key and column.type is ColumnType.TEXT and self.key_text is not None:
            kind = self.key_text
        if column.type is ColumnType.TEXT:
            kind += self.collation
        return f"{self.quote(column.name)} {kind}{' NOT NULL' if in_key else ''}"


def _types(**other: str) -> dict[ColumnType, str]:
    """Return the types of standard SQL, but these."""
    return {kind: other.get(kind.value, standard) for kind, standard in _STANDARD_TYPES.items()}


_STANDARD_TYPES: dict[ColumnType, str] = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DECIMAL: "DECIMAL(38, 10)",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TEXT: "VARCHAR(65535)",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.DATE: "DATE",
    ColumnType.JSON: "VARCHAR(65535)",
}
_STANDARD = Dialect(_types(), {**_BINDS, ColumnType.TIMESTAMP: _naive})

DIALECTS: dict[str, Dialect] = {
    "default": _STANDARD,
    "sqlite": Dialect(
        _types(integer="INTEGER", decimal="NUMERIC", text="TEXT", json="JSON"),
        {
            **_BINDS,
            ColumnType.DECIMAL: str,
            ColumnType.BOOLEAN: int,
            # So that text sorts as time.
            ColumnType.TIMESTAMP: lambda moment: moment.isoformat(" ", "microseconds"),
            ColumnType.DATE: date.isoformat,
        },
        upsert="conflict",
        unlike="{0} IS NOT {1}",
        create="CREATE TABLE IF NOT EXISTS",
        longest_name=0,
        reserved="sqlite_",
        folds_columns=True,
        begin="BEGIN",
    ),
    "postgresql": Dialect(
        _types(decimal="NUMERIC", text="TEXT", timestamp="TIMESTAMPTZ", json="JSONB"),
        upsert="conflict",
        unlike_json="CAST({0} AS TEXT) IS DISTINCT FROM CAST({1} AS TEXT)",  # its type json has no equality
        lock="SELECT pg_advisory_xact_lock(hashtext(%s))",
        create="CREATE TABLE IF NOT EXISTS",
        longest_name=63,
    ),
    "mysql": Dialect(
        _types(text="LONGTEXT", timestamp="DATETIME(6)", json="JSON"),  # its TEXT ends at 65,535 bytes
        {**_BINDS, ColumnType.TIMESTAMP: _naive},
        quotes=("`", "`"),
        key_text="VARCHAR(380)",  # a key has room for 3,072 bytes, which are two of these
        collation=" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",  # its own takes "a" for "A", in keys as well
        upsert="join",
        unlike="NOT (CAST({0} AS BINARY) <=> CAST({1} AS BINARY))",
        lock="SELECT GET_LOCK(MD5(%s), 3600)",  # until the connection is closed
        create="CREATE TABLE IF NOT EXISTS",
        drop="DROP TEMPORARY TABLE",
        longest_name=64,
        counts_bytes=False,
        plain_plane=True,
        folds_columns=True,
        bounded={"TEXT": 2**16 - 1, "MEDIUMTEXT": 2**24 - 1},
    ),
    "duckdb": Dialect(
        _types(text="TEXT", json="JSON"),
        {**_BINDS, ColumnType.TIMESTAMP: _naive},
        upsert="conflict",
        create="CREATE TABLE IF NOT EXISTS",
        longest_name=0,
        folds_columns=True,
        begin="BEGIN",
    ),
    "snowflake": Dialect(
        _types(
            integer="NUMBER(38, 0)",
            decimal="NUMBER(38, 10)",
            text="VARCHAR",
            timestamp="TIMESTAMP_TZ",
            json="VARCHAR",
        ),
        folds=True,
        create="CREATE TABLE IF NOT EXISTS",
        longest_name=255,
        counts_bytes=False,
        begin="BEGIN",
    ),
}
"""Every dialect by its SQLAlchemy name. Tested are SQLite, PostgreSQL, DuckDB and, as MySQL, MariaDB."""


def dialect_of(hook: Any) -> tuple[str, Dialect]:
    """Return the name and the dialect of the database that a ``DbApiHook`` connects to."""
    name = str(getattr(hook, "dialect_name", "default"))
    return name, DIALECTS.get(name, _STANDARD)
