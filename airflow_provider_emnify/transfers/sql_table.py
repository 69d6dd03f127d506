"""A stream in a table of a SQL database: created, checked, and changed as a whole or not at all.

Rows go into a temporary table first, which nobody else sees. Then the same transaction creates the table or
adds columns, where that was asked for, and merges, appends or replaces. Names are quoted, values are bound.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emnify.api.stream_columns import Column, ColumnType
from airflow_provider_emnify.transfers.sql_copy import can_copy, copy, insert
from airflow_provider_emnify.transfers.sql_dialects import dialect_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from sqlalchemy.engine import Inspector

log = logging.getLogger(__name__)

Row = dict[str, Any]
Mode = Literal["merge", "append", "replace"]
MODES: tuple[Mode, ...] = ("merge", "append", "replace")

RUN = Column("_interval_end", ColumnType.TIMESTAMP, ())
"""In a table that is appended to: which run a row belongs to, by the end of its interval."""

_PLACE = Column("_row", ColumnType.INTEGER, ())
_STAGE = "_emnify_rows"  # each connection has its own

# What a column may be reflected as, by the names of SQLAlchemy's types.
_FITTING: dict[ColumnType, frozenset[str]] = {
    ColumnType.INTEGER: frozenset({"Integer", "Numeric"}),
    ColumnType.DECIMAL: frozenset({"Numeric", "Float"}),
    ColumnType.BOOLEAN: frozenset({"Boolean", "Integer"}),
    ColumnType.TEXT: frozenset({"String"}),
    ColumnType.TIMESTAMP: frozenset({"DateTime"}),
    ColumnType.DATE: frozenset({"Date"}),
    ColumnType.JSON: frozenset({"JSON", "String"}),
}


class TableMismatchError(ValueError):
    """A table cannot take the rows of a stream."""


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    :param rows: Rows that came.
    :param changed: Rows of the table that were added or changed, as far as the database says.
    """

    rows: int
    changed: int


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
    ) -> None:
        self.hook = hook
        self.dialect_name, self.dialect = dialect_of(hook)
        self.name, self.schema = name, schema
        self.columns = (*columns, RUN) if mode == "append" else tuple(columns)
        self.key = (*key, RUN.name) if mode == "append" else tuple(key)
        self.mode = mode
        self.create_table, self.add_columns = create_table, add_columns
        self.full_name = self.dialect.table(name, schema)
        self._stage = self.dialect.quote(_STAGE)

    def load(self, rows: Iterable[Row], run: datetime, *, unique: bool = True) -> Loaded:
        """Bring rows into the table; when anything fails, it stays as it was.

        :param rows: Rows with a value for each column.
        :param run: End of the interval that they are for.
        :param unique: No two rows have the same key; else the last one counts.
        :raises TableMismatchError: when the table cannot take them.
        """
        missing = self.missing()  # before anything is read
        with self.transaction() as cursor:
            return self.load_within(cursor, rows, run, missing, unique=unique)

    def load_within(
        self,
        cursor: Any,
        rows: Iterable[Row],
        run: datetime,
        missing: list[Column] | None,
        *,
        unique: bool = True,
    ) -> Loaded:
        """Bring rows into the table as part of a transaction.

        :param cursor: The transaction's cursor.
        :param missing: What :meth:`missing` said.
        """
        count = self._fill_stage(cursor, rows, run)
        if self.dialect.lock is not None:
            cursor.execute(self.dialect.lock, (self.full_name,))
            cursor.fetchall()
        self._prepare(cursor, missing)
        changed = self._apply(cursor, run, unique=unique)
        cursor.execute(f"{self.dialect.drop} {self._stage}")
        return Loaded(count, changed)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Begin a transaction of the table's database: it ends well as a whole, or not at all."""
        connection: Any = self.hook.get_conn()
        with contextlib.closing(connection):
            if self.hook.supports_autocommit:
                self.hook.set_autocommit(connection, False)
            with contextlib.closing(connection.cursor()) as cursor:
                if self.dialect.begin is not None:
                    cursor.execute(self.dialect.begin)
                try:
                    yield cursor
                    connection.commit()
                except BaseException:
                    with contextlib.suppress(Exception):  # the failure itself is what counts
                        connection.rollback()
                    raise

    # -- the table as it is -------------------------------------------------------------------------------

    def missing(self) -> list[Column] | None:
        """Return the columns that are missing, None when there is no table.

        :raises TableMismatchError: when it cannot take the rows.
        """
        from sqlalchemy import inspect

        engine = self.hook.get_sqlalchemy_engine()
        try:
            return self._check(inspect(engine))  # the hook's own inspector remembers what it has seen
        finally:
            engine.dispose()

    def _check(self, inspector: Inspector) -> list[Column] | None:
        if not inspector.has_table(self.name, schema=self.schema):
            if not self.create_table:
                raise TableMismatchError(f"table: there is no {self.full_name}, and create_table is False")
            return None
        there = {found["name"]: found for found in inspector.get_columns(self.name, schema=self.schema)}
        missing = [column for column in self.columns if column.name not in there]
        if missing and not self.add_columns:
            names = ", ".join(column.name for column in missing)
            raise TableMismatchError(
                f"table: {self.full_name} has no {names}; add them, or set add_columns=True"
            )
        if lost := [name for name in self.key if name in {column.name for column in missing}]:
            raise TableMismatchError(f"table: {self.full_name} has no {', '.join(lost)}, which is its key")
        for column in self.columns:
            if column.name in there and not _fits(column, there[column.name]["type"]):
                raise TableMismatchError(
                    f"table: {self.full_name}.{column.name} is {there[column.name]['type']}, which holds no "
                    f"{column.type}; {self.dialect.types[column.type]} does"
                )
        own = {column.name for column in self.columns}
        for name, other in there.items():
            if name not in own and not other["nullable"] and other.get("default") is None:
                raise TableMismatchError(
                    f"table: {self.full_name}.{name} may not be null, and is not known here"
                )
        if self.mode == "merge" and self.dialect.upsert is not None:
            self._check_key(inspector)
        return missing

    def _check_key(self, inspector: Inspector) -> None:
        name, schema = self.name, self.schema
        keys: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(name, schema).get("constrained_columns") or [],
            *(unique["column_names"] for unique in inspector.get_unique_constraints(name, schema)),
            *(index["column_names"] for index in inspector.get_indexes(name, schema) if index["unique"]),
        ]
        if not any(set(key) == set(self.key) for key in keys):
            raise TableMismatchError(
                f"table: {self.full_name} has no primary key or unique index over {', '.join(self.key)}, "
                "which a merge needs"
            )

    def _prepare(self, cursor: Any, missing: list[Column] | None) -> None:
        """Create the table, or add the columns that it does not have."""
        quote = self.dialect.quote
        if missing is None:
            columns = [self.dialect.column(column, in_key=column.name in self.key) for column in self.columns]
            key = ", ".join(quote(name) for name in self.key)
            definitions = f"{', '.join(columns)}, PRIMARY KEY ({key})"
            cursor.execute(f"{self.dialect.create} {self.full_name} ({definitions})")
            log.info("Created the table %s", self.full_name)
            return
        for column in missing:
            cursor.execute(f"ALTER TABLE {self.full_name} ADD COLUMN {self.dialect.column(column)}")
            log.info("Added the column %s to %s", column.name, self.full_name)

    # -- rows ---------------------------------------------------------------------------------------------

    def _fill_stage(self, cursor: Any, rows: Iterable[Row], run: datetime) -> int:
        columns = (*self.columns, _PLACE)
        definitions = ", ".join(self.dialect.column(column) for column in columns)
        cursor.execute(f"{self.dialect.temporary} {self._stage} ({definitions})")
        names = ", ".join(self.dialect.quote(column.name) for column in columns)
        counted = _Counted(rows, run if self.mode == "append" else None)
        if can_copy(self.dialect_name, cursor):
            copy(cursor, f"COPY {self._stage} ({names}) FROM STDIN", columns, counted)
        else:
            places = ", ".join([self.hook.placeholder] * len(columns))
            # Names are quoted; the rest is ours.
            statement = f"INSERT INTO {self._stage} ({names}) VALUES ({places})"  # noqa: S608
            insert(cursor, statement, self.dialect, columns, counted)
        return counted.count

    def _apply(self, cursor: Any, run: datetime, *, unique: bool) -> int:
        """Bring the rows from the temporary table into the table; return how many of it were changed."""
        source, changed = self._source(unique=unique), 0
        if self.mode == "replace":
            cursor.execute(f"DELETE FROM {self.full_name}")  # noqa: S608 - quoted
        elif self.mode == "append":
            self._remove(cursor, run)
        elif self.dialect.upsert is None:
            exists = f"EXISTS (SELECT 1 FROM {self._stage} s WHERE {self._same})"  # noqa: S608
            cursor.execute(f"DELETE FROM {self.full_name} WHERE {exists}")  # noqa: S608
        elif self.dialect.upsert == "join":
            joined = f"{self.full_name} JOIN {source} s ON {self._same}"
            cursor.execute(f"UPDATE {joined} SET {self._changes('s')} WHERE {self._differs('s')}")  # noqa: S608
            changed = max(int(cursor.rowcount), 0)
        cursor.execute(self._insertion(source))
        return changed + max(int(cursor.rowcount), 0)

    def _remove(self, cursor: Any, run: datetime) -> None:
        """Remove what the same run has appended before."""
        binds = self.dialect.binds
        bind: Callable[[datetime], Any] = binds.get(RUN.type, lambda moment: moment)
        # Beside a placeholder, PostgreSQL's drivers take a percent sign for one.
        name = self.full_name.replace("%", "%%") if self.dialect_name == "postgresql" else self.full_name
        condition = f"{self.dialect.quote(RUN.name)} = {self.hook.placeholder}"
        cursor.execute(f"DELETE FROM {name} WHERE {condition}", (bind(run),))  # noqa: S608

    def _source(self, *, unique: bool) -> str:
        """Return where the rows come from: of several with the same key, the last one."""
        if unique:
            return self._stage
        quote = self.dialect.quote
        key, place = ", ".join(map(quote, self.key)), quote(_PLACE.name)
        newest = f"ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {place} DESC)"
        names = ", ".join(quote(column.name) for column in self.columns)
        ranked = f"SELECT {names}, {newest} AS newest FROM {self._stage}"  # noqa: S608
        return f"(SELECT {names} FROM ({ranked}) r WHERE r.newest = 1)"  # noqa: S608

    def _insertion(self, source: str) -> str:
        """Return the statement that takes rows into the table."""
        names = [self.dialect.quote(column.name) for column in self.columns]
        statement = (
            f"INSERT INTO {self.full_name} ({', '.join(names)}) "  # noqa: S608 - quoted
            f"SELECT {', '.join(f's.{name}' for name in names)} FROM {source} s WHERE 1 = 1"
        )
        if self.mode != "merge" or self.dialect.upsert is None:
            return statement
        if self.dialect.upsert == "join":
            return f"{statement} AND NOT EXISTS (SELECT 1 FROM {self.full_name} WHERE {self._same})"  # noqa: S608
        key = ", ".join(self.dialect.quote(name) for name in self.key)
        update = f"UPDATE SET {self._changes('excluded')} WHERE {self._differs('excluded')}"
        return f"{statement} ON CONFLICT ({key}) DO {update}"

    @property
    def _rest(self) -> list[str]:
        """The columns beside the key, quoted."""
        return [self.dialect.quote(column.name) for column in self.columns if column.name not in self.key]

    def _changes(self, source: str) -> str:
        own = "" if source == "excluded" else f"{self.full_name}."
        return ", ".join(f"{own}{name} = {source}.{name}" for name in self._rest)

    def _differs(self, source: str) -> str:
        """Return the condition under which a row is written again: one that is as it was is not."""
        unlike = self.dialect.unlike.format
        return " OR ".join(unlike(f"{self.full_name}.{name}", f"{source}.{name}") for name in self._rest)

    @property
    def _same(self) -> str:
        names = map(self.dialect.quote, self.key)
        return " AND ".join(f"{self.full_name}.{name} = s.{name}" for name in names)


class _Counted:
    """The values of rows with their place and their run at the end; counts them."""

    def __init__(self, rows: Iterable[Row], run: datetime | None) -> None:
        self._rows, self._run = rows, run
        self.count = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for row in self._rows:
            self.count += 1
            if self._run is None:
                yield (*row.values(), self.count)
            else:
                yield (*row.values(), self._run, self.count)


def _fits(column: Column, kind: Any) -> bool:
    """Tell whether a column of a table can hold what a stream's column holds.

    :param kind: Its type, as SQLAlchemy sees it. One that SQLAlchemy does not know is trusted.
    """
    names = {cls.__name__ for cls in type(kind).__mro__}
    if "NullType" in names or not names & set().union(*_FITTING.values()):
        return True
    if column.type is ColumnType.TIMESTAMP and getattr(kind, "timezone", None) is False:
        return "postgresql" not in type(kind).__module__
    return bool(names & _FITTING[column.type])
