"""Rows into files: JSON lines, CSV and Parquet, in constant memory.

A table: to write another format, add a row. The files of the same rows are the same, byte by byte.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_emnify.api.streams.columns import Column, ColumnType

if TYPE_CHECKING:
    from pathlib import Path

Values = Sequence[Any]

ROW_GROUP = 10_000
"""Rows that a Parquet file is written by; as many are in memory."""

_SCALE = 10  # decimals of a cost, the most that emnify has
_QUANTUM = Decimal(1).scaleb(-_SCALE)
_DECIMAL = Context(prec=38)


class Writer(Protocol):
    """Writes one file."""

    def write(self, values: Values) -> None:
        """Add a row, with a value for each column."""

    def close(self) -> None:
        """Finish the file."""


def _plain(value: Any) -> Any:
    """Return what JSON has for a value of ours."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


class _Lines:
    """Text into a file, compressed or not."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self._raw = path.open("wb")
        self._gzip: gzip.GzipFile | None = None
        if compression is not None:
            # Without a time and a name of its own, the same rows make the same file.
            self._gzip = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", mtime=0, compresslevel=6)

    def write(self, text: str) -> None:
        """Add text."""
        (self._gzip or self._raw).write(text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Finish the file."""
        if self._gzip is not None:
            self._gzip.close()
        self._raw.close()


class JsonLines:
    """An object a line. Decimals are numbers, times ISO 8601 in UTC."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        self._file = _Lines(path, compression)
        self._names = [column.name for column in columns]
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode

    def write(self, values: Values) -> None:
        """Add a row."""
        self._file.write(self._encode(dict(zip(self._names, values, strict=True))) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class Csv:
    """A header and a line a row. Nothing stands for null; objects and lists are JSON."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        self._file = _Lines(path, compression)
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow([column.name for column in columns])
        self._forms = [_CSV_FORMS.get(column.type) for column in columns]

    def write(self, values: Values) -> None:
        """Add a row."""
        self._writer.writerow(
            [
                value if form is None or value is None else form(value)
                for form, value in zip(self._forms, values, strict=True)
            ]
        )

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


_CSV_FORMS: dict[ColumnType, Callable[[Any], str]] = {
    ColumnType.BOOLEAN: lambda yes: "true" if yes else "false",
    ColumnType.DECIMAL: lambda number: format(number, "f"),
    ColumnType.TIMESTAMP: lambda moment: moment.isoformat(),
    ColumnType.JSON: lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
}


def _pyarrow(module: str) -> Any:
    """Return a module of pyarrow: it is large, and its types are not known."""
    return import_module(module)


class Parquet:
    """A Parquet file; decimals have ten places, objects and lists are JSON text."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        pa = self._pa = _pyarrow("pyarrow")
        kinds = {
            ColumnType.INTEGER: pa.int64(),
            ColumnType.DECIMAL: pa.decimal128(38, _SCALE),
            ColumnType.BOOLEAN: pa.bool_(),
            ColumnType.TEXT: pa.string(),
            ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
            ColumnType.DATE: pa.date32(),
            ColumnType.JSON: pa.string(),
        }
        self._schema = pa.schema([(column.name, kinds[column.type]) for column in columns])
        parquet = _pyarrow("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression=compression or "none")
        self._forms = [_PARQUET_FORMS.get(column.type) for column in columns]
        self._rows: list[Values] = []

    def write(self, values: Values) -> None:
        """Add a row."""
        self._rows.append(values)
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        arrays = [
            self._pa.array(
                values if form is None else [None if value is None else form(value) for value in values],
                type=field.type,
            )
            for form, values, field in zip(
                self._forms, zip(*self._rows, strict=True), self._schema, strict=True
            )
        ]
        self._rows = []
        self._writer.write_batch(self._pa.RecordBatch.from_arrays(arrays, schema=self._schema))


_PARQUET_FORMS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.DECIMAL: lambda number: number.quantize(_QUANTUM, context=_DECIMAL),
    ColumnType.TEXT: lambda text: text.encode("utf-8", "replace").decode(),
    ColumnType.JSON: lambda value: json.dumps(value, separators=(",", ":")),
}


@dataclass(frozen=True)
class Format:
    """A format of files.

    :param writer: Writes a file of it.
    :param ending: How the names of its files end.
    :param compressions: What it can be compressed with; the first one is the default.
    :param outer: The compression is around the file, and its ending says so.
    """

    writer: Callable[[Path, Sequence[Column], str | None], Writer]
    ending: str
    compressions: tuple[str | None, ...]
    outer: bool = True

    def name_ending(self, compression: str | None) -> str:
        """Return how the name of a file ends."""
        return f"{self.ending}.gz" if self.outer and compression == "gzip" else self.ending


FORMATS: dict[str, Format] = {
    "jsonl": Format(JsonLines, "jsonl", (None, "gzip")),
    "csv": Format(Csv, "csv", (None, "gzip")),
    "parquet": Format(Parquet, "parquet", ("snappy", "zstd", "gzip", None), outer=False),
}


def check_format(name: Any, compression: Any) -> tuple[Format, str | None]:
    """Return a format and its compression.

    :param name: ``jsonl``, ``csv`` or ``parquet``.
    :param compression: One that the format has; None for its default, ``"none"`` for none.
    :raises ValueError: when there is no such format or compression, or its extra is not installed.
    """
    if name not in FORMATS:
        raise ValueError(f"format: {name!r} is not valid; allowed: {', '.join(FORMATS)}")
    chosen = FORMATS[name]
    if name == "parquet" and find_spec("pyarrow") is None:
        raise ValueError("format: 'parquet' needs pyarrow; install airflow-provider-emnify[parquet]")
    if compression is None:
        return chosen, chosen.compressions[0]
    wanted = None if compression == "none" else compression
    if wanted not in chosen.compressions:
        allowed = ", ".join(one or "none" for one in chosen.compressions)
        raise ValueError(f"compression: {compression!r} is not valid for {name}; allowed: {allowed}")
    return chosen, wanted
