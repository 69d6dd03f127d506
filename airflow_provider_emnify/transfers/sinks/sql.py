"""ToSql: the sink of the transfers into a table of any SQL database that Airflow has a hook for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.streams.columns import batch_of, each, integer, text, timestamp
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.arguments import Argument, optional, parse_text
from airflow_provider_emnify.transfers.base import EmnifyTransferOperator, Part, Row, SourceFile
from airflow_provider_emnify.transfers.lineage import Output, output_of_table
from airflow_provider_emnify.transfers.sinks.losses import Losses

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_emnify.transfers.sinks.sql_table import SqlTable

FILES_TABLE = "emnify_loaded_files"
FILES_AT_ONCE = 100
"""Files that one transaction takes."""

_FILES_COLUMNS = (
    *each(text, "path", "target", "fingerprint"),
    *each(integer, "rows", "rejected"),
    timestamp("loaded_at"),
    text("path_sha256"),  # its key: a path may be longer than a database's keys
)


def sql_hook(conn_id: str) -> DbApiHook:
    """Return the hook of the database that a connection names.

    :raises ValueError: when it names none, or its provider or this package's extra is missing.
    """
    from airflow_provider_emnify.airflow_names import BaseHook

    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise ValueError("sql_conn_id: install airflow-provider-emnify[sql] to write to databases") from None
    connection = BaseHook.get_connection(conn_id)
    try:
        hook = connection.get_hook()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a provider raises when it is not there
        raise ValueError(
            f"sql_conn_id: no hook for {conn_id!r} of type {connection.conn_type!r}; install its provider "
            f"({type(error).__name__}: {error})"
        ) from error
    if isinstance(hook, DbApiHook):
        return hook
    raise ValueError(f"sql_conn_id: {conn_id!r} is of type {connection.conn_type!r}, which is not a database")


class ToSql(EmnifyTransferOperator):
    """Sink of the transfers into a table; its arguments are those of ``EmnifyToSqlOperator``."""

    mode: Any = "merge"

    sql_conn_id = Argument(parse_text)
    table = Argument(optional(parse_text), default=None)
    schema = Argument(optional(parse_text), default=None)
    create_table = Argument(parse_bool, default=True, templated=False)
    add_columns = Argument(parse_bool, default=False, templated=False)

    def losses(self) -> Losses:
        """Return what a run may take away from the table."""
        return Losses()

    def open_sink(self, context: Context) -> SqlSink:
        """Return the table; nothing is asked of the database yet."""
        from airflow_provider_emnify.transfers.sinks.sql_table import SqlTable

        losses = self.losses()  # what cannot be is refused before the database is looked for
        table = SqlTable(
            sql_hook(self.sql_conn_id),
            self.table or f"emnify_{self.dataset.name}",
            self.schema,
            self.dataset.columns,
            self.dataset.key,
            mode=self.mode,
            create_table=self.create_table,
            add_columns=self.add_columns,
            losses=losses,
            load_values=self.load_values(context),
        )
        return SqlSink(self.sql_conn_id, table)


class SqlSink:
    """A table, and a second one with the files of the Data Streamer that were loaded.

    :param conn_id: Connection to the database.
    :param table: The table.
    """

    def __init__(self, conn_id: str, table: SqlTable) -> None:
        self._conn_id, self._table = conn_id, table
        key = ("path_sha256", "target")
        self._ledger = type(table)(table.hook, FILES_TABLE, table.schema, _FILES_COLUMNS, key)
        self.at_once = FILES_AT_ONCE
        self.merges = table.mode == "merge"
        self.about = {"table": ".".join(filter(None, (table.schema, table.name))), "mode": table.mode}

    def new_files(self, files: Sequence[SourceFile], root: str) -> list[SourceFile]:
        """Return the files of a directory that the table has not, or not as they are now."""
        if self._ledger.missing() is None:
            return list(files)
        quote, place = self._ledger.dialect.quote, self._ledger.hook.placeholder
        columns = ", ".join(quote(name) for name in ("path_sha256", "fingerprint"))
        condition = f"{quote('target')} = {place} AND {quote('path')} LIKE {place} ESCAPE '!'"
        statement = f"SELECT {columns} FROM {self._ledger.full_name} WHERE {condition}"  # noqa: S608 - quoted
        below = re.sub(r"([!%_])", r"!\1", root) + "%"
        with self._ledger.transaction() as cursor:
            cursor.execute(statement, (self._table.name, below))
            known = dict(map(tuple, cursor.fetchall()))
        return [file for file in files if known.get(file.digest) != file.fingerprint]

    def load(self, part: Part) -> Row:
        """Load rows, and what is remembered of their files, in one transaction."""
        missing = self._table.missing()  # before anything is read
        missing_in_ledger = self._ledger.missing() if part.files() else None
        with self._table.transaction() as cursor:
            with contextlib.closing(part.batches()) as batches:
                loaded = self._table.load_within(cursor, batches, part.end, missing)
            part.commit()
            entries = [
                {
                    "path": file.path,
                    "target": self._table.name,
                    "fingerprint": file.fingerprint,
                    "rows": count["rows"],
                    "rejected": count["rejected"],
                    "loaded_at": part.end,
                    "path_sha256": file.digest,
                }
                for file, count in part.files()
            ]
            if entries:
                self._ledger.load_within(cursor, [batch_of(entries)], part.end, missing_in_ledger)
        return {name: count for name, count in asdict(loaded).items() if count is not None}

    def output(self, rows: int) -> Output:
        """Return the table, for lineage."""
        table = self._table
        return output_of_table(table.hook, self._conn_id, table.schema, table.name, rows)
