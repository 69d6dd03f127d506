"""What a database says of a table that exists: through SQLAlchemy, and of DuckDB through its own catalogue.

DuckDB has no dialect in SQLAlchemy, and the one that is published reads neither keys nor what its versions
from 2.0 on have.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.providers.common.sql.hooks.sql import DbApiHook

Found = dict[str, Any]

_WITHOUT_TRANSACTIONS = {"MyISAM", "MRG_MyISAM", "Aria", "MEMORY", "CSV", "ARCHIVE"}


@contextlib.contextmanager
def inspector_of(
    hook: DbApiHook, name: str, transaction: Callable[[], AbstractContextManager[Any]]
) -> Iterator[Any]:
    """Open what tells of tables, for as long as the block lasts.

    :param hook: The hook; its own inspector remembers what it has seen.
    :param name: The dialect.
    :param transaction: Begins a transaction.
    """
    if name == "duckdb":
        with transaction() as cursor:
            yield DuckDbInspector(cursor)
        return
    from sqlalchemy import inspect

    engine = hook.get_sqlalchemy_engine()
    try:
        yield inspect(engine)
    finally:
        engine.dispose()


def columns_of(inspector: Any, name: str, schema: str | None) -> list[Found]:
    """Return the columns of a table; on MySQL with the character set that they have from it.

    A column whose type is a domain of PostgreSQL comes with the type that this is made of, and its width,
    which SQLAlchemy does not read.

    :raises ValueError: for a table of MySQL that is not changed as a whole.
    """
    columns: list[Found] = inspector.get_columns(name, schema=schema)
    brand = getattr(getattr(inspector, "dialect", None), "name", None)
    if brand == "postgresql":
        widths = _widths_of_domains(inspector, name, schema)
        for column in columns:
            column["type"] = kind = getattr(column["type"], "data_type", column["type"])
            for attribute, width in widths.get(column["name"], {}).items():
                if hasattr(kind, attribute):
                    setattr(kind, attribute, width)
    if brand in {"mysql", "mariadb"}:
        options = inspector.get_table_options(name, schema=schema)
        if (engine := options.get(f"{brand}_engine")) in _WITHOUT_TRANSACTIONS:
            raise ValueError(f"table: {name} is kept by {engine}, row by row; InnoDB takes all rows or none")
        for column in columns:
            charset = getattr(column["type"], "charset", None)
            column["charset"] = charset or options.get(f"{brand}_default charset")
    return columns


def _widths_of_domains(inspector: Any, name: str, schema: str | None) -> dict[str, dict[str, int | None]]:
    from sqlalchemy import text

    query = text(
        "SELECT column_name, character_maximum_length, numeric_precision, numeric_scale"
        " FROM information_schema.columns"
        " WHERE domain_name IS NOT NULL AND table_name = :name AND table_schema = :schema"
    )
    of = {"name": name, "schema": schema or inspector.default_schema_name}
    with inspector.engine.connect() as connection:
        rows = connection.execute(query, of)
        return {row[0]: dict(zip(("length", "precision", "scale"), row[1:], strict=True)) for row in rows}


def keys_of(inspector: Any, name: str, schema: str | None) -> list[list[str | None]]:
    """Return the columns of each key of a table; an index over some of its rows is none."""
    if isinstance(inspector, DuckDbInspector):
        return inspector.get_keys(name, schema)
    indexes = (
        index
        for index in inspector.get_indexes(name, schema)
        if index["unique"] and not any(key.endswith("_where") for key in index.get("dialect_options") or ())
    )
    return [
        inspector.get_pk_constraint(name, schema).get("constrained_columns") or [],
        *(unique["column_names"] for unique in inspector.get_unique_constraints(name, schema)),
        *(index["column_names"] for index in indexes),
    ]


class DuckDbInspector:
    """Answers of DuckDB, in the form of those of SQLAlchemy's inspector.

    :param cursor: Asks.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def _ask(self, what: str, source: str, schema: str | None, table: str | None = None) -> list[Any]:
        condition = "database_name = current_database() AND schema_name = coalesce(?, current_schema())"
        values = [schema]
        if table is not None:
            condition += " AND table_name = ?"
            values.append(table)
        self._cursor.execute(f"SELECT {what} FROM {source}() WHERE {condition}", values)  # noqa: S608 - ours
        return list(self._cursor.fetchall())

    def has_table(self, name: str, schema: str | None = None) -> bool:
        """Tell whether there is a table or a view, in whatever case its name is written."""
        there = {*self.get_table_names(schema), *self.get_view_names(schema)}
        return name.casefold() in {other.casefold() for other in there}

    def get_table_names(self, schema: str | None = None) -> list[str]:
        """Return the names of all tables."""
        return [name for (name,) in self._ask("table_name", "duckdb_tables", schema)]

    def get_view_names(self, schema: str | None = None) -> list[str]:
        """Return the names of all views."""
        return [name for (name,) in self._ask("view_name", "duckdb_views", schema)]

    def get_columns(self, name: str, schema: str | None = None) -> list[Found]:
        """Return the columns of a table."""
        what = "column_name, data_type, is_nullable, column_default"
        return [
            {"name": column, "type": _type_of(kind), "nullable": nullable, "default": default}
            for column, kind, nullable, default in self._ask(what, "duckdb_columns", schema, name)
        ]

    def get_keys(self, name: str, schema: str | None = None) -> list[list[str | None]]:
        """Return the columns of the primary key, of what else is unique, and of unique indexes."""
        what = "constraint_type, constraint_column_names"
        constraints = self._ask(what, "duckdb_constraints", schema, name)
        indexes = self._ask("is_unique, expressions", "duckdb_indexes", schema, name)
        return [
            *(list(columns) for kind, columns in constraints if kind in {"PRIMARY KEY", "UNIQUE"}),
            *(re.findall(r'[^\[\], "\']+', columns) for unique, columns in indexes if unique),
        ]


def _type_of(kind: str) -> Any:
    """Return SQLAlchemy's type for one of DuckDB's."""
    from sqlalchemy import types

    if size := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", kind):
        return types.Numeric(int(size[1]), int(size[2]))
    made: dict[str, Any] = {
        "HUGEINT": types.Numeric(38, 0),
        "TIMESTAMP WITH TIME ZONE": types.DateTime(timezone=True),
        "DOUBLE": types.Float(),
    }
    named = getattr(types, kind, None) or type(kind, (types.LargeBinary,), {"__str__": lambda _: kind})
    return made.get(kind) or named()
