"""What the tests of transfers share: a context as Airflow gives it, and a database to look into."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.streams.columns import batch_of
from airflow_provider_emnify.transfers.sinks.sql_table import SqlTable
from airflow_provider_emnify.transfers.sql import sql_hook
from tests.masker import forget_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_emnify.api.streams.columns import Batch
    from airflow_provider_emnify.transfers.sinks.sql_table import Loaded

Row = dict[str, Any]

NOW = datetime.now(UTC).replace(microsecond=0)


class Store:
    """Airflow's store of an asset's state."""

    def __init__(self) -> None:
        self.kept: Row = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = value


class Stores(dict[Any, Store]):
    """The stores of a task's assets."""

    def __missing__(self, asset: Any) -> Store:
        self[asset.uri] = self.get(asset.uri) or Store()
        return self[asset.uri]


def make_context(
    operator: Any, start: datetime | None, end: datetime | None, run_type: str = "scheduled", **more: Any
) -> Row:
    """Return the context of a run over this interval."""
    return {
        "data_interval_start": start,
        "data_interval_end": end,
        "dag_run": SimpleNamespace(logical_date=end, run_after=end, start_date=end, run_type=run_type),
        "outlet_events": {asset: SimpleNamespace(extra=None) for asset in operator.outlets},
        **more,
    }


def run(operator: Any, hours: float = 48, end: datetime = NOW - timedelta(hours=1), **more: Any) -> Any:
    """Execute a transfer over the hours before ``end``, as if no other had told Airflow its secrets."""
    forget_secrets()
    return operator.execute(make_context(operator, end - timedelta(hours=hours), end, **more))


def in_batches(rows: Iterable[Row], size: int = 1000) -> Iterator[Batch]:
    """Return flat rows as sinks take them."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield batch_of(some)


class Table(SqlTable):
    """A table that takes rows one by one."""

    def load(self, rows: Any, run: datetime) -> Loaded:
        missing = self.missing()
        with self.transaction() as cursor:
            return self.load_within(cursor, in_batches(rows), run, missing)


class Database:
    """A database behind the connection ``warehouse``."""

    def __init__(self, kind: str, schema: str | None) -> None:
        self.kind, self.schema = kind, schema

    @property
    def connection(self) -> str:
        """The connection, as Airflow takes it in the environment."""
        return os.environ["AIRFLOW_CONN_WAREHOUSE"]

    def name(self, table: str) -> str:
        quote = "`" if self.kind == "mysql" else '"'
        parts = [part.replace(quote, 2 * quote) for part in (self.schema, table) if part]
        return ".".join(f"{quote}{part}{quote}" for part in parts)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own; return its rows, if it has any."""
        with contextlib.closing(sql_hook("warehouse").get_conn()) as connection:
            is_one = self.kind == "duckdb"  # whose cursors are connections of their own
            cursor = connection if is_one else connection.cursor()
            cursor.execute(statement, *([values] if values else []))
            rows = cursor.fetchall() if cursor.description else []
            if not is_one:
                connection.commit()
        return [tuple(row) for row in rows]

    def rows(self, table: str, columns: str = "*", order: str = "1") -> list[tuple[Any, ...]]:
        return self.run(f"SELECT {columns} FROM {self.name(table)} ORDER BY {order}")

    def definition(self, table: str) -> str:
        """Return the statement that made a table, of SQLite and DuckDB."""
        where = {"sqlite": "sqlite_master WHERE name", "duckdb": "duckdb_tables() WHERE table_name"}
        ((sql,),) = self.run(f"SELECT sql FROM {where[self.kind]} = '{table}'")
        return str(sql).rstrip(";")

    def tables(self) -> set[str]:
        if self.kind == "sqlite":
            return {name for (name,) in self.run("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if self.kind == "duckdb":
            return {name for (name,) in self.run("SELECT table_name FROM duckdb_tables()")}
        statement = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
        return {name for (name,) in self.run(statement, self.schema)}
