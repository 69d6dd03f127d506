"""Rows into a table as fast as its driver can: PostgreSQL's COPY, else many values at once."""

from __future__ import annotations

from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.streams.columns import ColumnType, iso
from airflow_provider_emnify.transfers.sinks.file_formats import formed
from airflow_provider_emnify.transfers.sinks.sql_dialects import to_json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airflow_provider_emnify.api.streams.columns import Batch, Column
    from airflow_provider_emnify.transfers.sinks.sql_dialects import Dialect

_CHUNK = 1000  # rows
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\x00": "\ufffd"})


def _text(value: str) -> str:
    return value if value.isalnum() else value.translate(_ESCAPES)  # most are numbers and names


def _json(value: Any) -> str:
    return to_json_text(value).translate(_ESCAPES)


def _boolean(value: bool) -> str:
    return "t" if value else "f"


_FORMATS: dict[ColumnType, Callable[[Any], str]] = {
    ColumnType.INTEGER: str,
    ColumnType.DECIMAL: str,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TEXT: _text,
    ColumnType.TIMESTAMP: iso,
    ColumnType.DATE: date.isoformat,
    ColumnType.JSON: _json,
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
    chunks = _chunks(columns, batches)
    if not hasattr(cursor, "copy_expert"):  # psycopg 3
        with cursor.copy(statement) as sink:
            for chunk in chunks:
                sink.write(chunk)
        return
    source = _Source(chunks)
    try:
        cursor.copy_expert(statement, source)
    except Exception:
        if source.error is not None:  # psycopg 2 tells only that reading failed
            raise source.error from None
        raise


def _chunks(columns: Sequence[Column], batches: Iterable[Batch]) -> Iterator[bytes]:
    forms = [_FORMATS[column.type] for column in columns]
    for batch in batches:
        lines = map("\t".join, zip(*formed(forms, batch, r"\N"), strict=True))
        yield ("\n".join(lines) + "\n").encode("utf-8", "replace")


class _Source:
    """The chunks as a file that can be read, for psycopg 2."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        if size < 0 or size >= len(self._rest):
            given, self._rest = self._rest, b""
        else:
            given, self._rest = self._rest[:size], self._rest[size:]
        return given


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
