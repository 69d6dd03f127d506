"""A stream in a table of a SQL database: created, checked, and changed as a whole or not at all.

Rows go into a temporary table first, which no other session sees. Then the same transaction creates the table
or adds columns, where that was asked for, and merges, appends or replaces. Names are quoted, values bound.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.columns import Batch, Column, ColumnType
from airflow_provider_emnify.transfers.load_columns import LOAD_COLUMNS, with_values
from airflow_provider_emnify.transfers.sinks.losses import DELETED_AT, Losses, Mode
from airflow_provider_emnify.transfers.sinks.sql_copy import can_copy, copy, insert
from airflow_provider_emnify.transfers.sinks.sql_dialects import dialect_of
from airflow_provider_emnify.transfers.sinks.sql_fit import fills_itself, misfit
from airflow_provider_emnify.transfers.sinks.sql_inspect import columns_of, inspector_of, keys_of
from airflow_provider_emnify.transfers.sinks.sql_names import check_names, check_table_name

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from sqlalchemy.engine import Inspector


log = one_line_log(__name__)

RUN = Column("_interval_end", ColumnType.TIMESTAMP, ())
"""In a table that is appended to: which run a row belongs to, by the end of its interval."""

_PLACE = Column("_row", ColumnType.INTEGER, ())
_STAGE = "_emnify_rows"  # each connection has its own
_SOURCE = "emnify_source_"  # its alias
_OTHER_STAGE = "_emnify_rows_2"  # for a table that is called like the first one


class TableMismatchError(ValueError):
    """A table cannot take the rows of a stream."""


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    :param rows: Rows that came.
    :param changed: Rows of the table that were added or changed, as far as the database says.
    :param repeated: Rows that do not count, because a later one has the same key.
    :param deleted: Rows that are gone and were marked or deleted; None where they are kept.
    """

    rows: int
    changed: int
    repeated: int = 0
    deleted: int | None = None


class SqlTable:
    """A table, and how a stream gets into it.

    :param hook: The hook of the database.
    :param name: Name of the table.
    :param schema: Its schema.
    :param columns: What the rows hold.
    :param key: The columns that tell rows apart.
    :param mode: ``merge``: rows are added or changed by their key. ``append``: rows are added, those that
        the same run wrote before are replaced. ``replace``: the rows are all that there is.
    :param create_table: Create the table if there is none.
    :param add_columns: Add columns that the table does not have.
    :param losses: What becomes of rows that are gone, and how many that may be.
    :param load_values: What each row holds in columns that the load adds.
    """

    def __init__(
        self,
        hook: DbApiHook,
        name: str,
        schema: str | None,
        columns: Sequence[Column],
        key: Sequence[str],
        *,
        mode: Mode = "merge",
        create_table: bool = True,
        add_columns: bool = False,
        losses: Losses | None = None,
        load_values: Mapping[Column, Any] | None = None,
    ) -> None:
        self.hook = hook
        self.dialect_name, self.dialect = dialect_of(hook)
        self.name, self.schema = name, schema
        self._losses = losses or Losses()
        self._values = {**(load_values or {})}  # by column, the same for all rows
        if self._losses.deletions == "mark":
            self._values[DELETED_AT] = None  # what is there is not gone, or not any more
        if mode == "append":
            self._values[RUN] = None  # known when rows are loaded
        self.columns = (*columns, *self._values)
        self.key = (*key, RUN.name) if mode == "append" else tuple(key)
        self.mode = mode
        self.create_table, self.add_columns = create_table, add_columns
        self._bounded: dict[str, tuple[int, str]] = {}  # bytes that columns of the table hold, of characters
        self.full_name = self.dialect.table(name, schema)
        self._stage = self.dialect.quote(_OTHER_STAGE if name.casefold() == _STAGE else _STAGE)
        self._check_names()

    def load_within(
        self, cursor: Any, batches: Iterable[Batch], run: datetime, missing: list[Column] | None
    ) -> Loaded:
        """Bring rows into the table, in a transaction: of several with the same key the last one counts.

        :param cursor: The transaction's cursor.
        :param batches: Rows with a value for each column.
        :param run: End of the interval that they are for.
        :param missing: What :meth:`missing` said, before anything was read.
        """
        if self.mode == "append":
            self._values[RUN] = run
        number = self._fill_stage(cursor, batches)
        self._check_lengths(cursor)
        if self.dialect.lock is not None:
            cursor.execute(self.dialect.lock, (self.full_name,))
            cursor.fetchall()
        keys = self._count_keys(cursor)
        if self._losses.are_bounded:
            self._losses.check(self.full_name, self._count_rows(cursor, missing), keys)
        self._prepare(cursor, missing)
        repeated = number - keys
        if repeated:
            log.warning(
                "%d of %d rows for %s have the key (%s) of a later one; of each key the last row counts",
                *(repeated, number, self.full_name, ", ".join(self.key)),
            )
        changed = self._apply(cursor, run, self._source(unique=not repeated))
        deleted = None if self._losses.deletions == "keep" else self._remove_gone(cursor)
        cursor.execute(f"{self.dialect.drop} {self._stage}")
        return Loaded(number, changed, repeated, deleted)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Begin a transaction of the table's database: it ends well as a whole, or not at all."""
        connection: Any = self.hook.get_conn()
        with contextlib.closing(connection):
            if self.hook.supports_autocommit:
                self.hook.set_autocommit(connection, False)
            with contextlib.closing(connection.cursor()) as cursor:
                owner = cursor if hasattr(cursor, "commit") else connection  # a cursor of DuckDB is both
                if self.dialect.begin is not None:
                    cursor.execute(self.dialect.begin)
                try:
                    yield cursor
                    owner.commit()
                except BaseException:
                    with contextlib.suppress(Exception):  # the failure itself is what counts
                        owner.rollback()
                    raise

    def _check_names(self) -> None:
        """Refuse what the database would cut: two tables could become one."""
        names = [("table", self.name), *(("column", column.name) for column in self.columns)]
        if self.schema is not None:
            names.append(("schema", self.schema))
        longest = self.dialect.longest_name
        if longest is None:  # a database that is not in our table
            engine = self.hook.get_sqlalchemy_engine()
            engine.dispose()
            longest = getattr(engine.dialect, "max_identifier_length", 0)
        check_names(self.dialect, names, longest)

    # -- the table as it is -------------------------------------------------------------------------------

    def missing(self) -> list[Column] | None:
        """Return the columns that are missing, None when there is no table.

        :raises TableMismatchError: when it cannot take the rows.
        """
        with inspector_of(self.hook, self.dialect_name, self.transaction) as inspector:
            return self._check(inspector)

    def _check(self, inspector: Inspector) -> list[Column] | None:
        if not inspector.has_table(self.name, schema=self.schema):
            if not self.create_table:
                raise TableMismatchError(f"table: there is no {self.full_name}, and create_table is False")
            return None
        if not self.dialect.folds:
            check_table_name(inspector, self.name, self.schema)
        fold: Callable[[str], str] = str.casefold if self.dialect.folds_columns else str
        there = {fold(found["name"]): found for found in columns_of(inspector, self.name, self.schema)}
        missing = [column for column in self.columns if column.name not in there]
        if missing and not self.add_columns:
            names = ", ".join(column.name for column in missing)
            raise TableMismatchError(
                f"table: {self.full_name} has no {names}; add them, or set add_columns=True"
            )
        if lost := [column.name for column in missing if column.name in self.key]:
            raise TableMismatchError(f"table: {self.full_name} has no {', '.join(lost)}, which is its key")
        self._check_columns(there)
        self._check_key(inspector, fold)
        return missing

    def _check_columns(self, there: dict[str, Any]) -> None:
        own = {column.name: column for column in self.columns}
        for name, found in there.items():
            if name not in own:
                if not fills_itself(found):
                    raise TableMismatchError(
                        f"table: {self.full_name}.{name} may not be null, and is not known here"
                    )
                continue
            column, in_key = own[name], name in self.key
            if why := misfit(self.dialect_name, self.dialect, column, found, in_key=in_key):
                raise TableMismatchError(f"table: {self.full_name}.{name} {why}")
            if most := self.dialect.bounded.get(type(found["type"]).__name__):
                self._bounded[name] = most, found["charset"] or "utf8mb4"

    def _check_key(self, inspector: Inspector, fold: Callable[[str], str]) -> None:
        found = keys_of(inspector, self.name, self.schema)
        keys = [{fold(column or "") for column in columns} for columns in found if columns]
        if self.mode == "merge" and self.dialect.upsert is not None and set(self.key) not in keys:
            raise TableMismatchError(
                f"table: {self.full_name} has no primary key or unique index over {', '.join(self.key)}, "
                "which a merge needs"
            )
        for key in keys:
            if key < set(self.key):
                raise TableMismatchError(
                    f"table: {self.full_name} has a primary key or unique index over "
                    f"{', '.join(sorted(key))}, and in mode {self.mode} several rows may have the same: the "
                    f"key of the rows is {', '.join(self.key)}"
                )

    def _prepare(self, cursor: Any, missing: list[Column] | None) -> None:
        """Create the table, or add the columns that it does not have."""
        if missing is None:
            key = f"PRIMARY KEY ({self.dialect.names(self.key)})"
            columns = [self.dialect.column(column, in_key=column.name in self.key) for column in self.columns]
            cursor.execute(f"{self.dialect.create} {self.full_name} ({', '.join((*columns, key))})")
            log.info("Created the table %s", self.full_name)
        for column in missing or ():
            cursor.execute(f"ALTER TABLE {self.full_name} ADD COLUMN {self.dialect.column(column)}")
            log.info("Added the column %s to %s", column.name, self.full_name)

    # -- rows ---------------------------------------------------------------------------------------------

    def _fill_stage(self, cursor: Any, batches: Iterable[Batch]) -> int:
        columns = (*self.columns, _PLACE)
        looked_up = self.key if self._losses.deletions != "keep" else ()  # an index finds what is gone
        definitions = [self.dialect.column(column, in_key=column.name in looked_up) for column in columns]
        if looked_up:
            definitions.append(f"UNIQUE ({self.dialect.names((*looked_up, _PLACE.name))})")
        cursor.execute(f"CREATE TEMPORARY TABLE {self._stage} ({', '.join(definitions)})")
        names = self.dialect.names(column.name for column in columns)
        places = count(1)
        loaded = with_values(batches, [*self._values.values()])
        numbered = ([*batch, [*islice(places, len(batch[0]))]] for batch in loaded)
        if can_copy(self.dialect_name, cursor):
            copy(cursor, f"COPY {self._stage} ({names}) FROM STDIN", columns, numbered)
        else:
            values = ", ".join([self.hook.placeholder] * len(columns))
            # Names are quoted; the rest is ours.
            statement = f"INSERT INTO {self._stage} ({names}) VALUES ({values})"  # noqa: S608
            insert(cursor, statement, self.dialect, columns, numbered)
        return next(places) - 1

    def _check_lengths(self, cursor: Any) -> None:
        """Refuse texts that are longer than what a column holds: an UPDATE of MariaDB cuts them silently."""
        if not self._bounded:
            return
        quoted = ((self.dialect.quote(name), charset) for name, (_, charset) in self._bounded.items())
        lengths = ", ".join(f"MAX(LENGTH(CONVERT({name} USING {charset})))" for name, charset in quoted)
        cursor.execute(f"SELECT {lengths} FROM {self._stage}")  # noqa: S608 - quoted
        for (name, (most, _)), longest in zip(self._bounded.items(), cursor.fetchone(), strict=True):
            if longest is not None and longest > most:
                raise TableMismatchError(
                    f"table: {self.full_name}.{name} holds {most} bytes, and a text of {longest} came; make "
                    "the column LONGTEXT, which holds all"
                )

    def _count_keys(self, cursor: Any) -> int:
        """Count the keys in the temporary table: the database does, so that memory does not grow."""
        key = self.dialect.names(self.key)
        cursor.execute(f"SELECT COUNT(*) FROM (SELECT DISTINCT {key} FROM {self._stage}) k")  # noqa: S608 - quoted
        return int(cursor.fetchone()[0])

    def _count_rows(self, cursor: Any, missing: list[Column] | None) -> int:
        """Count the rows that the table holds, but those that are marked; none where there is no table."""
        if missing is None:
            return 0
        if self.dialect_name == "sqlite":  # it waits for another load, unless it has read before it writes
            cursor.execute(f"DELETE FROM {self.full_name} WHERE 1 = 0")  # noqa: S608 - quoted
        statement = f"SELECT COUNT(*) FROM {self.full_name}"  # noqa: S608 - quoted
        if DELETED_AT in self.columns and DELETED_AT not in missing:
            statement += f" WHERE {self.dialect.quote(DELETED_AT.name)} IS NULL"
        cursor.execute(statement)
        return int(cursor.fetchone()[0])

    def _apply(self, cursor: Any, run: datetime, source: str) -> int:
        """Bring the rows of a source into the table; return how many of it were changed."""
        changed = 0
        if self.mode == "replace":
            cursor.execute(f"DELETE FROM {self.full_name}")  # noqa: S608 - quoted
        elif self.mode == "append":  # what the same run has appended before
            statement = f"DELETE FROM {self._beside_place(self.full_name)} WHERE {self._equals(RUN)}"  # noqa: S608
            cursor.execute(statement, (self._bound(RUN, run),))
        elif self.dialect.upsert is None:
            cursor.execute(f"DELETE FROM {self.full_name} WHERE {self._is_staged}")  # noqa: S608
        elif self.dialect.upsert == "join":
            joined = f"{self.full_name} JOIN {source} {_SOURCE} ON {self._same}"
            cursor.execute(f"UPDATE {joined} SET {self._changes(_SOURCE)} WHERE {self._differs(_SOURCE)}")  # noqa: S608
            changed = max(int(cursor.rowcount), 0)
        cursor.execute(self._insertion(source))
        return changed + max(int(cursor.rowcount), 0)

    def _remove_gone(self, cursor: Any) -> int:
        """Mark or delete the rows of the table that are not in the temporary one; return how many."""
        gone = f"NOT {self._is_staged}"
        if self._losses.deletions == "delete":
            cursor.execute(f"DELETE FROM {self.full_name} WHERE {gone}")  # noqa: S608
            return max(int(cursor.rowcount), 0)
        values = {
            DELETED_AT: datetime.now(UTC),
            **{column: value for column, value in self._values.items() if column in LOAD_COLUMNS},
        }
        name, marked = self._beside_place(self.full_name), self.dialect.quote(DELETED_AT.name)
        cursor.execute(
            f"UPDATE {name} SET {', '.join(map(self._equals, values))} "  # noqa: S608
            f"WHERE {name}.{marked} IS NULL AND {self._beside_place(gone)}",
            tuple(self._bound(column, value) for column, value in values.items()),
        )
        return max(int(cursor.rowcount), 0)

    def _equals(self, column: Column) -> str:
        return f"{self.dialect.quote(column.name)} = {self.hook.placeholder}"

    def _bound(self, column: Column, value: Any) -> Any:
        bind = self.dialect.binds.get(column.type)
        return value if bind is None or value is None else bind(value)

    def _beside_place(self, sql: str) -> str:
        """Return SQL that stands beside a placeholder: PostgreSQL's drivers take a percent sign for one."""
        return sql.replace("%", "%%") if self.dialect_name == "postgresql" else sql

    def _source(self, *, unique: bool) -> str:
        """Return where the rows come from: of several with the same key, the last one."""
        if unique:
            return self._stage
        key, place = self.dialect.names(self.key), self.dialect.quote(_PLACE.name)
        newest = f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {place} DESC)"
        names = self.dialect.names(column.name for column in self.columns)
        ranked = f"SELECT {names}, {newest} AS newest FROM {self._stage}"  # noqa: S608
        return f"(SELECT {names} FROM ({ranked}) r WHERE r.newest = 1)"  # noqa: S608

    def _insertion(self, source: str) -> str:
        """Return the statement that takes rows into the table."""
        names = [self.dialect.quote(column.name) for column in self.columns]
        statement = (
            f"INSERT INTO {self.full_name} ({', '.join(names)}) "  # noqa: S608 - quoted
            f"SELECT {', '.join(f'{_SOURCE}.{name}' for name in names)} FROM {source} {_SOURCE} WHERE 1 = 1"
        )
        if self.mode != "merge" or self.dialect.upsert is None:
            return statement
        if self.dialect.upsert == "join":
            return f"{statement} AND NOT EXISTS (SELECT 1 FROM {self.full_name} WHERE {self._same})"  # noqa: S608
        key = self.dialect.names(self.key)
        update = f"UPDATE SET {self._changes('excluded')} WHERE {self._differs('excluded')}"
        return f"{statement} ON CONFLICT ({key}) DO {update}"

    @property
    def _rest(self) -> list[Column]:
        """The columns beside the key."""
        return [column for column in self.columns if column.name not in self.key]

    def _changes(self, source: str) -> str:
        own = "" if source == "excluded" else f"{self.full_name}."
        names = [self.dialect.quote(column.name) for column in self._rest]
        return ", ".join(f"{own}{name} = {source}.{name}" for name in names)

    def _differs(self, source: str) -> str:
        """Return the condition under which a row is written again: one that is as it was is not."""
        conditions = []
        for column in self._rest:
            if column in LOAD_COLUMNS:
                continue
            unlike, name = self.dialect.unlike, self.dialect.quote(column.name)
            if column.type is ColumnType.JSON:
                unlike = self.dialect.unlike_json or unlike
            conditions.append(unlike.format(f"{self.full_name}.{name}", f"{source}.{name}"))
        return " OR ".join(conditions)

    @property
    def _is_staged(self) -> str:
        return f"EXISTS (SELECT 1 FROM {self._stage} {_SOURCE} WHERE {self._same})"  # noqa: S608 - quoted

    @property
    def _same(self) -> str:
        names = map(self.dialect.quote, self.key)
        return " AND ".join(f"{self.full_name}.{name} = {_SOURCE}.{name}" for name in names)
