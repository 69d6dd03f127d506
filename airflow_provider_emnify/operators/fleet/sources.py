"""Where rows come from that say how a fleet shall be: SQL, or a file of CSV, JSON lines or Parquet."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_emnify.api.data_streamer.csv_records import CsvRecords
from airflow_provider_emnify.api.data_streamer.json_records import Broken, JsonRecords
from airflow_provider_emnify.api.data_streamer.record_text import RecordText
from airflow_provider_emnify.operators.fleet.rows import check_columns

if TYPE_CHECKING:
    from airflow_provider_emnify.transfers.sinks.object_store import Store

    Given = dict[str, Any] | Broken
    Reader = Callable[[IO[bytes], str], Iterator[tuple[int, Given]]]

_AT_ONCE = 10_000  # rows that are fetched together


def rows_of_query(sql_conn_id: str, sql: str, key: str) -> Iterator[tuple[int, Given]]:
    """Yield the rows of a query with their numbers.

    :raises ValueError: for a column that is none, or without the key's.
    """
    from airflow_provider_emnify.transfers.sinks.sql import sql_hook

    connection: Any = sql_hook(sql_conn_id).get_conn()
    with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        names = [str(column[0]).lower() for column in cursor.description or ()]
        check_columns(names, key)
        number = 0
        while rows := cursor.fetchmany(_AT_ONCE):
            for number, row in enumerate(rows, number + 1):  # noqa: B020 - it goes on where it was
                yield number, dict(zip(names, row, strict=True))


def rows_of_file(path: str, conn_id: str | None, key: str) -> Iterator[tuple[int, Given]]:
    """Yield the rows of a file with their numbers; of CSV and JSON these are those of its lines.

    :param path: A URL or a path on the local disk; its ending says what it is.
    :param conn_id: Connection to its storage.
    :raises ValueError: for a column that is none, or without the key's, and for a file that is damaged.
    """
    read = reader_of(path)
    store, name = file_at(path, conn_id)
    with store.open(store.path(name)) as file:
        yield from read(file, key)


def file_at(path: str, conn_id: str | None) -> tuple[Store, str]:
    """Return the directory of a file, and its name there."""
    from airflow_provider_emnify.transfers.sinks.object_store import open_store

    directory, _, name = path.rpartition("/")
    return open_store(directory or ("/" if path.startswith("/") else "."), conn_id), name


def _csv(file: IO[bytes], key: str) -> Iterator[tuple[int, Given]]:
    text = RecordText(file)
    try:
        records = CsvRecords(text, ",;\t")
        names = [name.lower() for name in records.header]
        check_columns(names, key)
        for number, values in records:
            if isinstance(values, Broken):
                yield number, values
            else:
                yield number, dict(zip(names, values, strict=True))
        _refuse_damage(text)
    except csv.Error as error:
        raise ValueError(f"path: it is not CSV ({error})") from None
    finally:
        text.detach()


def _json(file: IO[bytes], key: str) -> Iterator[tuple[int, Given]]:
    text = RecordText(file)
    try:
        for number, given in JsonRecords(text, lambda row: isinstance(row, dict)):
            row = given
            if isinstance(given, dict):
                check_columns([*map(str.lower, given)], None)
                row = {name.lower(): value for name, value in given.items()}
            yield number, row if isinstance(row, dict | Broken) else Broken("no object", row)
        _refuse_damage(text)
    finally:
        text.detach()


def _parquet(file: IO[bytes], key: str) -> Iterator[tuple[int, Given]]:
    table: Any = import_module("pyarrow.parquet").ParquetFile(file)
    names = [name.lower() for name in table.schema_arrow.names]
    check_columns(names, key)
    number = 0
    for batch in table.iter_batches(batch_size=_AT_ONCE):
        rows = batch.rename_columns(names).to_pylist()
        for number, row in enumerate(rows, number + 1):  # noqa: B020 - it goes on where it was
            yield number, row


def _refuse_damage(text: RecordText) -> None:
    """Refuse a file of which only the beginning can be read: what is not in it would count as gone."""
    if text.damage is not None:
        raise ValueError(f"path: {text.damage}")


_READERS: dict[str, Reader] = {
    "csv": _csv,
    "jsonl": _json,
    "ndjson": _json,
    "json": _json,
    "parquet": _parquet,
}


def reader_of(path: str) -> Reader:
    """Return what reads a file, by its ending.

    :raises ValueError: for an ending that is none of these, or when its extra is not installed.
    """
    ending = path.removesuffix(".gz").rpartition(".")[2].lower()
    if ending not in _READERS:
        endings = ", ".join(f".{known}" for known in _READERS)
        raise ValueError(
            f"path: {path!r} is not a valid file; allowed endings: {endings} (those of text also with .gz)"
        )
    if ending == "parquet" and find_spec("pyarrow") is None:
        raise ValueError("path: Parquet needs pyarrow; install airflow-provider-emnify[parquet]")
    return _READERS[ending]
