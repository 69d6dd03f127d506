"""Rows into a table as fast as its driver can: PostgreSQL's COPY, else many values at once."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

from airflow_provider_emnify.api.streams.columns import Batch, Column, ColumnType, iso
from airflow_provider_emnify.transfers.sinks.file_formats import formed
from airflow_provider_emnify.transfers.sinks.sql_dialects import Dialect, to_json_text

_CHUNK = 1000  # rows
_BATCHES = 20  # that one COPY takes
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": "\ufffd"})


_FORMATS: dict[ColumnType, Callable[[Any], str]] = {
    ColumnType.INTEGER: str,
    ColumnType.DECIMAL: str,
    ColumnType.BOOLEAN: lambda yes: "t" if yes else "f",
    # Most are numbers and names.
    ColumnType.TEXT: lambda text: text if text.isalnum() else text.translate(_ESCAPES),
    ColumnType.TIMESTAMP: iso,
    ColumnType.DATE: date.isoformat,
    ColumnType.JSON: lambda value: to_json_text(value).translate(_ESCAPES),
}


def can_copy(name: str, cursor: Any) -> bool:
    """Tell whether the driver has COPY: psycopg 2 and 3 do.

    :param name: The dialect.
    :param cursor: A cursor of the driver.
    """
    return name == "postgresql" and (hasattr(cursor, "copy_expert") or hasattr(cursor, "copy"))


def copy(cursor: Any, statement: str, columns: Sequence[Column], batches: Iterable[Batch]) -> None:
    """Send rows with COPY.

    :param statement: ``COPY table (columns) FROM STDIN``.
    :param columns: What the values of a row are.
    :param batches: The rows.
    """
    if hasattr(cursor, "copy_expert"):  # psycopg 2
        batches = iter(batches)
        while chunk := b"".join(_chunks(columns, islice(batches, _BATCHES))):
            cursor.copy_expert(statement, io.BytesIO(chunk))
        return
    with cursor.copy(statement) as sink:  # psycopg 3
        for chunk in _chunks(columns, batches):
            sink.write(chunk)


def _chunks(columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[bytes]:
    forms = [_FORMATS[column.type] for column in columns]
    for batch in batches:
        lines = map("\t".join, zip(*formed(forms, batch, r"\N"), strict=True))
        yield ("\n".join(lines) + "\n").encode("utf-8", "replace")


def insert(
    cursor: Any, statement: str, dialect: Dialect, columns: Sequence[Column], batches: Iterable[Batch]
) -> None:
    """Send rows with ``executemany``.

    :param statement: ``INSERT INTO table (columns) VALUES (placeholders)``.
    :param columns: What the values of a row are.
    :param batches: The rows.
    """
    binds = [dialect.binds.get(column.type) for column in columns]
    for batch in batches:
        rows = zip(*formed(binds, batch), strict=True)
        while chunk := list(islice(rows, _CHUNK)):
            cursor.executemany(statement, chunk)
