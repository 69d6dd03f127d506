"""Rows into files: JSON lines, CSV and Parquet, in constant memory.

A table: to write another format, add a row. The files of the same rows are the same, byte by byte.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_emnify.api.streams.columns import DECIMALS, DIGITS, Batch, Column, ColumnType, iso

Form = Callable[[Any], Any]

ROW_GROUP = 10_000
"""Rows that a Parquet file is written by; as many are in memory."""

_QUANTUM = Decimal(1).scaleb(-DECIMALS)
_DECIMAL = Context(prec=DIGITS + DECIMALS)


def formed(forms: Sequence[Form | None], batch: Batch, null: Any = None) -> list[Sequence[Any]]:
    """Return columns with each value in another form.

    :param forms: The form of each column's values; None: as they are.
    :param null: What stands for None where there is a form.
    """
    return [
        values
        if form is None
        else [null] * len(values)
        if values[0] is None
        and values.count(None) == len(values)  # to compare a Decimal with None takes long
        else [null if value is None else form(value) for value in values]
        for form, values in zip(forms, batch, strict=True)
    ]


class _Text:
    """Text into a file, compressed or not."""

    def __init__(self, path: Path, compression: str | None) -> None:
        self._raw = path.open("wb")
        self._gzip: gzip.GzipFile | None = None
        if compression is not None:
            # Without a time and a name of its own, the same rows make the same file.
            self._gzip = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", mtime=0, compresslevel=6)

    def write_text(self, text: str) -> None:
        """Add text."""
        (self._gzip or self._raw).write(text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Finish the file."""
        if self._gzip is not None:
            self._gzip.close()
        self._raw.close()


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _number(value: Decimal) -> str:
    if not value:
        return "0"
    number = float(value)
    is_whole = number.is_integer() and value == value.to_integral_value()
    return repr(int(value) if is_whole else number)


class JsonLines(_Text):
    """An object a line. Decimals are numbers, times ISO 8601 in UTC."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        super().__init__(path, compression)
        members = [
            f"{_json(column.name)}:%s".replace("%", "%%", column.name.count("%")) for column in columns
        ]
        self._line = f"{{{','.join(members)}}}\n".__mod__
        self._forms = [_JSON_FORMS[column.type] for column in columns]

    def write(self, batch: Batch) -> None:
        """Add rows."""
        self.write_text("".join(map(self._line, zip(*formed(self._forms, batch, "null"), strict=True))))


_JSON_FORMS: dict[ColumnType, Form] = {
    ColumnType.INTEGER: repr,
    ColumnType.DECIMAL: _number,
    ColumnType.BOOLEAN: lambda yes: "true" if yes else "false",
    ColumnType.TEXT: json.encoder.encode_basestring,
    ColumnType.TIMESTAMP: lambda moment: f'"{iso(moment)}"',
    ColumnType.DATE: lambda day: f'"{day}"',
    ColumnType.JSON: _json,
}


class Csv(_Text):
    """A header and a line a row. Nothing stands for null; objects and lists are JSON."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        super().__init__(path, compression)
        self._forms = [_CSV_FORMS.get(column.type) for column in columns]
        self._write_rows([[column.name for column in columns]])

    def write(self, batch: Batch) -> None:
        """Add rows."""
        self._write_rows(zip(*formed(self._forms, batch), strict=True))

    def _write_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        lines: list[str] = []
        to_lines: Any = SimpleNamespace(write=lines.append)
        # Before Python 3.13 a text with a "\r" is in quotes only where lines end with it.
        csv.writer(to_lines, lineterminator="\r\n").writerows(rows)
        self.write_text("".join([f"{line[:-2]}\n" for line in lines]))


_CSV_FORMS: dict[ColumnType, Form] = {
    ColumnType.BOOLEAN: _JSON_FORMS[ColumnType.BOOLEAN],
    ColumnType.DECIMAL: lambda number: format(number, "f"),
    ColumnType.TIMESTAMP: iso,
    ColumnType.JSON: _json,
}


class Parquet:
    """A Parquet file; decimals have ten places, objects and lists are JSON text."""

    def __init__(self, path: Path, columns: Sequence[Column], compression: str | None) -> None:
        # Imported here since it is large, and like this since its types are not known.
        pa = self._pa = import_module("pyarrow")
        kinds = {
            ColumnType.INTEGER: pa.int64(),
            ColumnType.DECIMAL: pa.decimal128(DIGITS + DECIMALS, DECIMALS),
            ColumnType.BOOLEAN: pa.bool_(),
            ColumnType.TEXT: pa.string(),
            ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
            ColumnType.DATE: pa.date32(),
            ColumnType.JSON: pa.string(),
        }
        self._schema = pa.schema([(column.name, kinds[column.type]) for column in columns])
        parquet = import_module("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression=compression or "none")
        self._forms = [_PARQUET_FORMS.get(column.type) for column in columns]
        self._columns: list[list[Any]] = [[] for _ in columns]

    def write(self, batch: Batch) -> None:
        """Add rows."""
        for values, more in zip(self._columns, batch, strict=True):
            values.extend(more)
        while len(self._columns[0]) >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        if self._columns[0]:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        group = [values[:ROW_GROUP] for values in self._columns]
        self._columns = [values[ROW_GROUP:] for values in self._columns]
        arrays = [
            self._array(values, field.type)
            for values, field in zip(formed(self._forms, group), self._schema, strict=True)
        ]
        self._writer.write_batch(self._pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def _array(self, values: Sequence[Any], kind: Any) -> Any:
        try:
            return self._pa.array(values, type=kind)
        except UnicodeEncodeError:  # halves of characters
            (values,) = formed([lambda text: text.encode("utf-8", "replace").decode()], [values])
            return self._pa.array(values, type=kind)


_PARQUET_FORMS: dict[ColumnType, Form] = {
    ColumnType.DECIMAL: lambda number: number.quantize(_QUANTUM, context=_DECIMAL),
    ColumnType.JSON: json.JSONEncoder(separators=(",", ":")).encode,
}


Writer = JsonLines | Csv | Parquet


@dataclass(frozen=True)
class Format:
    """A format of files.

    :param writer: Writes a file of it.
    :param endings: How the names of its files end, by what they can be compressed with; the first is the
        default.
    """

    writer: Callable[[Path, Sequence[Column], str | None], Writer]
    endings: Mapping[str | None, str]


FORMATS: dict[str, Format] = {
    "jsonl": Format(JsonLines, {None: "jsonl", "gzip": "jsonl.gz"}),
    "csv": Format(Csv, {None: "csv", "gzip": "csv.gz"}),
    "parquet": Format(Parquet, dict.fromkeys(("snappy", "zstd", "gzip", None), "parquet")),
}


def check_format(name: Any, compression: Any) -> tuple[Format, str | None]:
    """Return a format and its compression.

    :param name: ``jsonl``, ``csv`` or ``parquet``.
    :param compression: One that the format has; None for its default, ``"none"`` for none.
    :raises ValueError: when there is no such format or compression, or its extra is not installed.
    """
    if name not in [*FORMATS]:
        raise ValueError(f"format: {name!r} is not valid; allowed: {', '.join(FORMATS)}")
    if name == "parquet" and find_spec("pyarrow") is None:
        raise ValueError("format: 'parquet' needs pyarrow; install airflow-provider-emnify[parquet]")
    allowed = [one or "none" for one in FORMATS[name].endings]
    wanted = allowed[0] if compression is None else compression
    if wanted not in allowed:
        raise ValueError(
            f"compression: {compression!r} is not valid for {name}; allowed: {', '.join(allowed)}"
        )
    return FORMATS[name], None if wanted == "none" else wanted
