"""Names of schemas, tables and columns: what a database would cut, or take for another one, is refused."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emnify.transfers.sinks.sql_dialects import Dialect

_UNLIMITED = 9999  # what SQLAlchemy says of a dialect that it has no limit for


def check_names(dialect: Dialect, names: list[tuple[str, str]], longest: int) -> None:
    """Refuse names that the database does not keep as they are.

    :param dialect: The database.
    :param names: What is named (``table``, ``schema``, ``column``), and its name.
    :param longest: How long a name may be; 0, or what SQLAlchemy has for it: no limit.
    :raises ValueError: naming what is named, its name and the limit.
    """
    for field, name in names:
        try:
            size = len(name.encode())
        except UnicodeEncodeError:
            raise ValueError(
                f"{field}: {name!r} holds half of a character, which no database keeps"
            ) from None
        size, unit = (size, "bytes") if dialect.counts_bytes else (len(name), "characters")
        if 0 < longest < _UNLIMITED and size > longest:
            raise ValueError(
                f"{field}: {name!r} has {size} {unit}, and this database keeps {longest}; give a shorter name"
            )
        if field == "table" and dialect.reserved and name.lower().startswith(dialect.reserved):
            raise ValueError(f"{field}: {name!r}: names with {dialect.reserved!r} are the database's own")
        if dialect.plain_plane and (name.endswith(" ") or max(name, default="") > "\uffff"):
            raise ValueError(
                f"{field}: {name!r} ends with a space or holds a character beyond U+FFFF, which this "
                "database does not keep in names"
            )


def check_table_name(inspector: Any, name: str, schema: str | None) -> None:
    """Refuse a name that the database takes for that of another table, and what is no table.

    :param inspector: SQLAlchemy's inspector; it says that there is something of this name.
    :raises ValueError: saying what is there.
    """
    views = list(inspector.get_view_names(schema=schema))
    if hasattr(inspector, "get_materialized_view_names"):
        with contextlib.suppress(NotImplementedError):  # most databases have none
            views += inspector.get_materialized_view_names(schema=schema)
    if name in views:
        raise ValueError(f"table: {name!r} is a view, which cannot be loaded into; name a table")
    tables = list(inspector.get_table_names(schema=schema))
    if name in tables:
        return
    for other in (*tables, *views):
        if other.casefold() == name.casefold():
            raise ValueError(
                f"table: there is {other!r}, which the database takes for {name!r}; name it like that"
            )
