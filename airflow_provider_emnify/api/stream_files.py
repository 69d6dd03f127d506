"""The files of emnify's Data Streamer: events and usage records as CSV with a header, or as JSON.

A file is read row by row. What is no good record is handed out as :class:`Rejected` with its reason: nothing
is dropped, and one bad row does not keep the others back. Columns are known by their names, so that a new
one in the file does no harm.

See https://docs.emnify.com/developers/reference/data-streamer.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import stream_tables as tables
from airflow_provider_emnify.api import stream_usage_tables as usage
from airflow_provider_emnify.api.stream_columns import Column, ColumnType, Converter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

Row = dict[str, Any]

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_LONGEST = 16 * 1024 * 1024  # characters of one value or line


@dataclass(frozen=True)
class RecordKind:
    """What the Data Streamer delivers.

    :param name: ``events`` or ``usage``.
    :param table: What its table is called by default, after ``emnify_``.
    :param fields: Its columns, without ``_extra``.
    :param needed: Columns that every record has: without them it is something else.
    """

    name: str
    table: str
    fields: tuple[Column, ...]
    needed: tuple[str, ...]

    @cached_property
    def convert(self) -> Converter:
        """From a record to a flat row; refuses values that do not fit."""
        return Converter(self.fields, ("msisdn.id",), strict=True)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order, with ``_extra`` at the end."""
        return self.convert.columns

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell records apart."""
        return ("id",)

    @cached_property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """From the header of a CSV file to where its value stands in the JSON of the same record.

        Headers are the names on that way: ``operator_country_id`` is ``operator.country.id``.
        """
        known: dict[str, tuple[str, ...]] = {}
        leaves = list(self.convert.leaves())
        for path, _ in leaves:
            known.setdefault("_".join(path), path)
            known.setdefault(".".join(path), path)
        for path, column in leaves:
            known.setdefault(column, path)
        return known

    @cached_property
    def objects(self) -> frozenset[tuple[str, ...]]:
        """Where the JSON of a record holds objects and lists, which are texts in CSV."""
        json_columns = {column.name for column in self.columns if column.type is ColumnType.JSON}
        return frozenset(path for path, column in self.convert.leaves() if column in json_columns)


RECORD_KINDS: dict[str, RecordKind] = {
    "events": RecordKind("events", "events", tables.EVENTS, ("id", "timestamp")),
    "usage": RecordKind("usage", "usage_records", usage.USAGE_RECORDS, ("id", "start_timestamp")),
}


def get_record_kind(name: Any) -> RecordKind:
    """Return what the Data Streamer delivers, by its name.

    :raises ValueError: if it is neither ``events`` nor ``usage``.
    """
    try:
        return RECORD_KINDS[name]
    except (KeyError, TypeError):
        raise ValueError(f"records: {name!r} is not one of {', '.join(map(repr, RECORD_KINDS))}") from None


@dataclass(frozen=True)
class Rejected:
    """A row that is no good record.

    :param line: Where it ends in the file, from 1.
    :param reason: What is wrong with it.
    :param row: The row as it came.
    """

    line: int
    reason: str
    row: Any


def read_records(file: IO[bytes], kind: RecordKind) -> Iterator[Row | Rejected]:
    """Yield the records of a file: flat rows, and what is none.

    :param file: CSV with a header, JSON lines, or a JSON list; compressed with gzip or not. Which one it is
        is seen from its content.
    :param kind: What it should hold.
    """
    raw_file: Any = file
    plain = BufferedReader(raw_file)  # room to look ahead
    line = 0
    try:
        for line, raw in _raw_rows(_unpacked(plain), kind):
            yield raw if isinstance(raw, Rejected) else _converted(line, raw, kind)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Rejected(line + 1, f"the file is damaged from here on ({error})", None)
    finally:
        plain.detach()  # the file is its owner's to close


def _unpacked(plain: BufferedReader) -> BufferedReader:
    if plain.peek(2)[:2] != _GZIP:
        return plain
    packed: Any = gzip.GzipFile(fileobj=plain)
    return BufferedReader(packed)


def _raw_rows(source: BufferedReader, kind: RecordKind) -> Iterator[tuple[int, Any]]:
    if source.peek(3)[:3] == _MARK:
        source.read(3)
    first = source.peek(1024).lstrip()[:1]
    if first == b"[":
        return _json_list(source)
    if first == b"{":
        return _json_lines(source)
    return _csv_rows(source, kind)


def _json_list(source: BufferedReader) -> Iterator[tuple[int, Any]]:
    """Yield the items of one list. The Data Streamer sends short ones: it is read as a whole."""
    body = source.read()
    try:
        items = json.loads(body)
    except ValueError as error:
        yield 1, Rejected(1, f"no JSON ({error})", body.decode("utf-8", "replace"))
        return
    yield from enumerate(items, 1)


def _json_lines(source: BufferedReader) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(iter(lambda: source.readline(_LONGEST), b""), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except ValueError as error:
            yield number, Rejected(number, f"no JSON ({error})", line.decode("utf-8", "replace").rstrip())


def _csv_rows(source: BufferedReader, kind: RecordKind) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(line.decode("utf-8", "surrogateescape") for line in source)
    header = [name.strip() for name in next(reader, [])]
    places = [kind.headers.get(name, (name,)) for name in header]
    if header and not any(name in kind.headers for name in header):
        yield 1, Rejected(1, "no column of the header is known", header)
        return
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, Rejected(reader.line_num, f"no CSV ({error})", None)
            continue
        if not values:
            continue
        if len(values) != len(header):
            reason = f"{len(values)} values for {len(header)} columns"
            yield reader.line_num, Rejected(reader.line_num, reason, values)
        elif any(not _is_text(value) for value in values):
            shown = [value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in values]
            yield reader.line_num, Rejected(reader.line_num, "not in UTF-8", shown)
        else:
            yield reader.line_num, _nested(places, values, kind)


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def _nested(places: list[tuple[str, ...]], values: list[str], kind: RecordKind) -> Row:
    """Return a row of CSV as the JSON of the same record."""
    raw: Row = {}
    for path, value in zip(places, values, strict=True):
        if not value:
            continue
        part = raw
        for name in path[:-1]:
            part = part.setdefault(name, {})
        part[path[-1]] = _object(value) if path in kind.objects else value
    return raw


def _object(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _converted(line: int, raw: Any, kind: RecordKind) -> Row | Rejected:
    if not isinstance(raw, dict):
        return Rejected(line, "no object", raw)
    try:
        row = kind.convert(raw)
    except ValueError as error:
        return Rejected(line, str(error), raw)
    for name in kind.needed:
        if row[name] is None:
            return Rejected(line, f"it has no {name}", raw)
    return row
