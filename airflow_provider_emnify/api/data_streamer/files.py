"""The files of emnify's Data Streamer: events and usage records as CSV with a header, or as JSON.

A file is read row by row. A bad record is handed out as :class:`Rejected` with its reason: nothing
is dropped, and one bad row does not keep the others back. Columns are known by their names, so that a new
one in the file does no harm.

See https://docs.emnify.com/developers/reference/data-streamer.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

from airflow_provider_emnify.api.data_streamer.csv_records import CsvRecords
from airflow_provider_emnify.api.data_streamer.json_records import Broken, JsonRecords, parse_json
from airflow_provider_emnify.api.data_streamer.record_text import RecordText
from airflow_provider_emnify.api.secrets.names import looks_secret
from airflow_provider_emnify.api.streams import tables
from airflow_provider_emnify.api.streams import usage_tables as usage
from airflow_provider_emnify.api.streams.columns import EXTRA, Column, ColumnType, is_too_deep, levels_of
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.api.types import Row

_REASON = 300  # characters that a reason has


@dataclass(frozen=True)
class RecordKind:
    """What the Data Streamer delivers.

    :param name: ``events`` or ``usage``.
    :param table: What its table is called by default, after ``emnify_``.
    :param fields: Its columns, without ``_extra``.
    :param needed: Columns that every record has: without them it is something else.
    :param marks: Fields that only records of this kind have.
    :param key: The columns that tell records apart.
    """

    name: str
    table: str
    fields: tuple[Column, ...]
    needed: tuple[str, ...]
    marks: frozenset[str]
    key: tuple[str, ...] = ("id",)

    @cached_property
    def convert(self) -> Converter:
        """From a record to a flat row; refuses values that do not fit."""
        return Converter(self.fields, ("msisdn.id",), strict=True)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order, with ``_extra`` at the end."""
        return self.convert.columns

    @cached_property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """From the header of a CSV file to where its value stands in the JSON of the same record.

        Headers are the names on that way: ``operator_country_id`` is ``operator.country.id``.
        """
        leaves = list(self.convert.leaves())
        whole = [(sign.join(path), path) for path, _ in leaves for sign in "_."]
        return dict(reversed([*whole, *((column, path) for path, column in leaves)]))  # the first one counts

    def path_of(self, header: str) -> tuple[str, ...] | None:
        """Return where the value of a column of CSV stands in JSON, None for a column that is not known."""
        return self.headers.get(header) or self.headers.get(header.lower())

    def top_of(self, header: str) -> str:
        """Return the field of either kind that a column of CSV belongs to."""
        paths = (kind.path_of(header) for kind in (self, *RECORD_KINDS.values()))
        return next(filter(None, paths), (header,))[0]

    def is_other(self, fields: Iterable[str]) -> bool:
        """Tell by its fields whether a record is of the other kind."""
        there = set(fields)
        return not there & self.marks and any(there & kind.marks for kind in RECORD_KINDS.values())

    @cached_property
    def objects(self) -> frozenset[tuple[str, ...]]:
        """Where the JSON of a record holds objects and lists, which are texts in CSV."""
        json_columns = {column.name for column in self.columns if column.type is ColumnType.JSON}
        return frozenset(path for path, column in self.convert.leaves() if column in json_columns)


_EVENT_MARKS = frozenset({"timestamp", "event_type", "event_source", "event_severity"})
_USAGE_MARKS = frozenset({"start_timestamp", "end_timestamp", "traffic_type", "volume"})

RECORD_KINDS: dict[str, RecordKind] = {
    "events": RecordKind("events", "events", tables.EVENTS, ("id", "timestamp"), _EVENT_MARKS),
    "usage": RecordKind(
        "usage", "usage_records", usage.USAGE_RECORDS, ("id", "start_timestamp"), _USAGE_MARKS
    ),
}


def get_record_kind(name: Any) -> RecordKind:
    """Return what the Data Streamer delivers, by its name.

    :raises ValueError: if it is neither ``events`` nor ``usage``.
    """
    try:
        return RECORD_KINDS[name]
    except (KeyError, TypeError):
        raise ValueError(f"records: {name!r} is not valid; allowed: {', '.join(RECORD_KINDS)}") from None


@dataclass(frozen=True)
class Rejected:
    """A row that is not a good record.

    :param line: The line of the file where it ends, from 1; or which record of the file it is, where several
        stand in a line.
    :param reason: What is wrong with it.
    :param row: The row as it came.
    """

    line: int
    reason: str
    row: Any


@dataclass(frozen=True)
class OtherKind:
    """A record of the other kind, which a load of that kind takes.

    :param line: As of what is rejected.
    """

    line: int


Record = Row | Rejected | OtherKind


def read_records(file: IO[bytes], kind: RecordKind) -> Iterator[Record]:
    """Yield the records of a file: flat rows, what is none, and what is of the other kind.

    :param file: CSV with a header, or JSON: a record a line, in lists, or with nothing between them;
        compressed with gzip or not. Which one it is is seen from its content.
    :param kind: What it should hold.
    """
    source = RecordText(file)
    last = 0
    try:
        rows = _json_rows(source, kind) if _is_json(source.peek(), kind) else _csv_rows(source, kind)
        for last, record in rows:  # noqa: B007 - used below
            yield record
        if source.damage is not None:
            yield Rejected(last + 1, source.damage, None)
    finally:
        source.detach()


def _is_json(text: str, kind: RecordKind) -> bool:
    """Tell by its beginning whether a file holds JSON, whose first record may be broken."""
    header = text.partition("\n")[0].split(",")
    return text[:1] in {"{", "["} or (
        '{"' in text and not any(kind.path_of(name.strip(' "\r')) for name in header)
    )


def _json_rows(source: RecordText, kind: RecordKind) -> Iterator[tuple[int, Record]]:
    for number, raw in JsonRecords(source, _is_record):
        if isinstance(raw, dict):
            is_other = kind.is_other(name for name, value in raw.items() if value is not None and value != "")
            yield number, OtherKind(number) if is_other else _converted(number, raw, kind)
        elif not isinstance(raw, Broken):
            yield number, Rejected(number, "no object", raw)
        elif source.damage is not None:  # it was cut there
            yield number, Rejected(number, source.damage, raw.row)
            source.damage = None
        else:
            yield number, Rejected(number, raw.reason, raw.row)


def _is_record(value: Any) -> bool:
    return isinstance(value, dict) and all(
        any(name in value for name in names) for names in (("id",), ("timestamp", "start_timestamp"))
    )


def _csv_rows(source: RecordText, kind: RecordKind) -> Iterator[tuple[int, Record]]:
    try:
        records = CsvRecords(source)
    except csv.Error as error:
        yield 1, Rejected(1, f"no CSV ({error})", None)
        return
    if not records.header:
        return
    if not any(kind.path_of(name) for name in records.header):
        yield 1, Rejected(1, "no column of the header is known", records.header)
        return
    columns = _Columns(records.header, kind)
    for number, values in records:
        if isinstance(values, Broken):
            yield number, Rejected(number, values.reason, values.row)
        else:
            yield number, columns.record(number, values)


class _Columns:
    """The columns of a CSV file: where each value stands in the JSON of the same record.

    Headers differ by generation. The one that says the whole way to a value (``endpoint_name``) goes before
    one that is short for it (``endpoint``); what no column is known for is kept in ``_extra``.
    """

    def __init__(self, header: list[str], kind: RecordKind) -> None:
        self._kind = kind
        paths = [(place, kind.path_of(name) or ()) for place, name in enumerate(header)]
        whole = [one for one in paths if header[one[0]].lower() in {"_".join(one[1]), ".".join(one[1])}]
        places = {path: place for place, path in reversed([*whole, *paths]) if path}
        self._known = sorted((place, path) for path, place in places.items())
        self._others = [(place, header[place]) for place, path in paths if places.get(path) != place]
        self._marks = [(place, kind.top_of(name)) for place, name in enumerate(header)]

    def record(self, number: int, values: list[str]) -> Record:
        """Return the record of a row."""
        if self._kind.is_other(mark for place, mark in self._marks if values[place]):
            return OtherKind(number)
        raw: Row = {}
        for place, path in self._known:
            if not (value := values[place]):
                continue
            part = raw
            for name in path[:-1]:
                part = part.setdefault(name, {})
            part[path[-1]] = _object(value) if path in self._kind.objects else value
        more: Row = {}
        for place, name in self._others:
            if values[place]:
                free = name if name not in more else f"{name}_{place + 1}"
                more[free] = values[place]
        return _converted(number, raw, self._kind, more)


def _object(value: str) -> Any:
    try:
        return parse_json(value)
    except ValueError:
        return value


def _converted(number: int, raw: Row, kind: RecordKind, more: Row | None = None) -> Record:
    """Return the flat row of a record.

    :param more: What stands beside it that no column is known for.
    """
    try:
        row = kind.convert(raw)
        if more and (kept := {name: value for name, value in more.items() if not looks_secret(name, value)}):
            row[EXTRA] = {**kept, **(row[EXTRA] or {})}
        reason = next((f"it has no {name}" for name in kind.needed if row[name] is None), None)
    except RecursionError:
        reason = "it is nested too deeply"
    except Exception as error:  # whatever a record holds, it must not keep the others back
        reason = str(error)
    if reason is None:
        return row
    shown = raw if not more else {**raw, EXTRA: more}
    if is_too_deep(levels_of(shown)):
        return Rejected(number, reason[:_REASON], "nested too deeply to be shown")
    return Rejected(number, reason[:_REASON], shown)
