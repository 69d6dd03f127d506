"""Files of emnify's Data Streamer into SQL databases and object storages, each file once.

The Data Streamer delivers events and usage records of whole fleets without a single request. What it has put
into a bucket is loaded from there: each file once, whatever fails in between; what is no good record is set
aside with its reason, and counted.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify import __version__
from airflow_provider_emnify.api.data_streamer.files import RecordKind, get_record_kind
from airflow_provider_emnify.api.streams.columns import integer, text, timestamp
from airflow_provider_emnify.arguments import check_early, is_known, parse_bool, parse_text
from airflow_provider_emnify.transfers.base import positive
from airflow_provider_emnify.transfers.lineage import (
    Output,
    output_of_path,
    output_of_table,
)
from airflow_provider_emnify.transfers.object_storage import open_store
from airflow_provider_emnify.transfers.sinks.file_formats import check_format
from airflow_provider_emnify.transfers.sinks.object_store import Staging, Store, local_directory, publish
from airflow_provider_emnify.transfers.sinks.partitions import Partitions
from airflow_provider_emnify.transfers.sinks.sql_table import SqlTable
from airflow_provider_emnify.transfers.sources.data_stream_base import (
    Count,
    EmnifyDataStreamFilesOperator,
    SourceFile,
)
from airflow_provider_emnify.transfers.sql import sql_hook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


Row = dict[str, Any]

FILES_TABLE = "emnify_loaded_files"
FILES_AT_ONCE = 100
"""Files that one transaction takes."""

_FILES_COLUMNS = (
    text("path"),
    text("target"),
    text("fingerprint"),
    integer("rows"),
    integer("rejected"),
    timestamp("loaded_at"),
)


class EmnifyDataStreamFilesToSqlOperator(EmnifyDataStreamFilesOperator):
    """Load files of the Data Streamer into a table, each file once.

    Records are merged by their id, so usage and events stand in the same tables that other files, or
    :class:`~.sql.EmnifyToSqlOperator` with the stream ``events``, fill. Which files are loaded is kept in the
    table ``emnify_loaded_files``, in the same transaction as their records.

    .. code-block:: python

        EmnifyDataStreamFilesToSqlOperator(
            task_id="usage",
            path="s3://aws_default@stream/usage/",
            records="usage",
            sql_conn_id="warehouse",
        )

    :param path: Directory with the files, as a URL or a path on the local disk (templated).
    :param records: ``"usage"`` or ``"events"`` (templated).
    :param sql_conn_id: Connection to the database (templated).
    :param table: Name of the table; by default ``emnify_usage_records`` or ``emnify_events`` (templated).
    :param schema: Its schema; by default the connection's (templated).
    :param create_table: Create the table if there is none.
    :param add_columns: Add columns that the table does not have; else they are an error that names them.
    :param pattern: As for both transfers of files, see :class:`EmnifyDataStreamFilesOperator`; also
        ``storage_conn_id``, ``rejected_path``, ``organisation``.
    :returns: ``files`` (that were new), ``rows``, ``rejected``, ``other_kind`` (left to a load of that kind),
        ``changed`` (of the table), ``table``.
    :raises ValueError: when the DAG is parsed, for records that there are not.
    :raises AirflowFailException: for a table that does not match.

    Vendor page: https://docs.emnify.com/developers/reference/data-streamer
    """

    template_fields: Sequence[str] = (
        *EmnifyDataStreamFilesOperator.template_fields,
        "sql_conn_id",
        "table",
        "schema",
    )

    def __init__(
        self,
        *,
        path: str,
        sql_conn_id: str,
        records: str = "usage",
        table: str | None = None,
        schema: str | None = None,
        create_table: bool = True,
        add_columns: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(path=path, records=records, **kwargs)
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.schema = schema
        self.create_table = create_table
        self.add_columns = add_columns
        check_early(parse_text, sql_conn_id, "sql_conn_id")
        check_early(parse_bool, create_table, "create_table")
        check_early(parse_bool, add_columns, "add_columns")

    def load(self, kind: RecordKind, source: Store, files: list[SourceFile]) -> tuple[Row, list[Output]]:
        """Load files into the table, a hundred in a transaction."""
        hook = sql_hook(self.sql_conn_id)
        name, schema = self.table or f"emnify_{kind.table}", self.schema or None
        table = SqlTable(
            hook,
            name,
            schema,
            kind.columns,
            kind.key,
            create_table=parse_bool(self.create_table, "create_table"),
            add_columns=parse_bool(self.add_columns, "add_columns"),
        )
        ledger = SqlTable(hook, FILES_TABLE, schema, _FILES_COLUMNS, ("path", "target"))
        known = self._known(ledger, name, source.path(""))
        new = [file for file in files if known.get(file.path) != file.fingerprint]
        result: Row = {"files": len(new), "rows": 0, "rejected": 0, "other_kind": 0, "changed": 0}
        result["table"] = name
        for batch in _batches(new, FILES_AT_ONCE):
            for count, changed in self._load_batch(kind, source, batch, table, ledger):
                result["rows"] += count.rows
                result["rejected"] += count.rejected
                result["other_kind"] += count.other_kind
                result["changed"] += changed
        return result, [output_of_table(hook, self.sql_conn_id, schema, name, result["rows"])]

    def _known(self, ledger: SqlTable, target: str, root: str) -> dict[str, str]:
        """Return what was loaded of this directory: from the path of a file to its fingerprint."""
        if ledger.missing() is None:
            return {}
        quote, place = ledger.dialect.quote, ledger.hook.placeholder
        columns = ", ".join(quote(name) for name in ("path", "fingerprint"))
        condition = f"{quote('target')} = {place} AND {quote('path')} LIKE {place} ESCAPE '!'"
        statement = f"SELECT {columns} FROM {ledger.full_name} WHERE {condition}"  # noqa: S608 - quoted
        below = re.sub(r"([!%_])", r"!\1", root) + "%"
        with ledger.transaction() as cursor:
            cursor.execute(statement, (target, below))
            return {row[0]: row[1] for row in map(tuple, cursor.fetchall())}

    def _load_batch(
        self, kind: RecordKind, source: Store, batch: list[SourceFile], table: SqlTable, ledger: SqlTable
    ) -> Iterator[tuple[Count, int]]:
        counts = [Count() for _ in batch]
        now = datetime.now(UTC)
        with local_directory() as directory:
            asides = [directory / str(number) for number in range(len(batch))]
            records = itertools.chain.from_iterable(
                self._records(source, file, kind, count, aside)
                for file, count, aside in zip(batch, counts, asides, strict=True)
            )
            missing, missing_in_ledger = table.missing(), ledger.missing()
            with table.transaction() as cursor:
                loaded = table.load_within(cursor, records, now, missing)
                for file, aside in zip(batch, asides, strict=True):
                    self._set_aside(file, aside)
                entries: list[Row] = [
                    {
                        "path": file.path,
                        "target": table.name,
                        "fingerprint": file.fingerprint,
                        "rows": count.rows,
                        "rejected": count.rejected,
                        "loaded_at": now,
                    }
                    for file, count in zip(batch, counts, strict=True)
                ]
                ledger.load_within(cursor, entries, now, missing_in_ledger)
        for number, count in enumerate(counts):
            yield count, loaded.changed if number == 0 else 0


class EmnifyDataStreamFilesToObjectStorageOperator(EmnifyDataStreamFilesOperator):
    """Bring files of the Data Streamer into another form in an object storage, each file once.

    Every file makes files of its own, whole or not at all, and a manifest that tells where they come from and
    that it is done.

    .. code-block:: python

        EmnifyDataStreamFilesToObjectStorageOperator(
            task_id="usage",
            path="s3://aws_default@stream/usage/",
            target_path="s3://aws_default@lake/usage/",
            format="parquet",
            partition_by="start_timestamp:day",
        )

    :param path: Directory with the files, as a URL or a path on the local disk (templated).
    :param target_path: Directory for what is made of them (templated).
    :param records: ``"usage"`` or ``"events"`` (templated).
    :param format: ``"jsonl"``, ``"csv"`` or ``"parquet"``; with ``compression``, ``partition_by`` and
        ``max_rows_per_file`` as for :class:`~.object_storage.EmnifyToObjectStorageOperator`.
    :param target_conn_id: Connection to that storage; it can stand in the path too (templated).
    :param pattern: As for both transfers of files, see :class:`EmnifyDataStreamFilesOperator`; also
        ``storage_conn_id``, ``rejected_path``, ``organisation``.
    :returns: ``files`` (that were new), ``rows``, ``rejected``, ``other_kind`` (left to a load of that kind),
        ``path``.
    :raises ValueError: when the DAG is parsed, for records, a format or a column that there are not.

    Vendor page: https://docs.emnify.com/developers/reference/data-streamer
    """

    template_fields: Sequence[str] = (
        *EmnifyDataStreamFilesOperator.template_fields,
        "target_path",
        "target_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        *,
        path: str,
        target_path: str,
        records: str = "usage",
        format: str = "parquet",
        compression: str | None = None,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        target_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(path=path, records=records, **kwargs)
        self.target_path = target_path
        self.format = format
        self.compression = compression
        self.partition_by = partition_by
        self.max_rows_per_file = max_rows_per_file
        self.target_conn_id = target_conn_id
        check_early(parse_text, target_path, "target_path")
        check_early(check_format, format, compression)
        if max_rows_per_file is not None:
            check_early(positive, max_rows_per_file, "max_rows_per_file")
        if is_known(records) and is_known(partition_by):
            Partitions(partition_by, get_record_kind(records).columns)

    def load(self, kind: RecordKind, source: Store, files: list[SourceFile]) -> tuple[Row, list[Output]]:
        """Load files one by one, each as a whole."""
        target = open_store(parse_text(self.target_path, "target_path"), self.target_conn_id or None)
        result: Row = {"files": 0, "rows": 0, "rejected": 0, "other_kind": 0, "path": str(target.base)}
        for file in files:
            stem = f"{kind.table}-{hashlib.sha256(file.path.encode()).hexdigest()[:16]}"
            done = target.read_json(f"_manifest-{stem}.json")
            if isinstance(done, dict) and done.get("fingerprint") == file.fingerprint:
                continue
            count = self._load_file(kind, source, file, target, stem)
            result["files"] += 1
            result["rows"] += count.rows
            result["rejected"] += count.rejected
            result["other_kind"] += count.other_kind
        return result, [output_of_path(target.uri, result["rows"], None)]

    def _load_file(
        self, kind: RecordKind, source: Store, file: SourceFile, target: Store, stem: str
    ) -> Count:
        form, compression = check_format(self.format, self.compression)
        limit = self.max_rows_per_file
        count = Count()
        with local_directory() as directory:
            staging = Staging(
                directory,
                stem,
                kind.columns,
                form,
                compression,
                partition_by=self.partition_by,
                max_rows=None if limit is None else positive(limit, "max_rows_per_file"),
            )
            aside = directory / "rejected"
            staging.write(self._records(source, file, kind, count, aside))
            self._set_aside(file, aside)
            manifest: Row = {
                "records": kind.name,
                "source": file.path,
                "fingerprint": file.fingerprint,
                "rejected": count.rejected,
                "format": self.format,
                "compression": compression,
                "key": list(kind.key),
                "schema": [{"name": one.name, "type": one.type.value} for one in staging.columns],
                "written_at": datetime.now(UTC).isoformat(),
                "written_by": f"airflow-provider-emnify {__version__}",
            }
            publish(target, stem, staging.files, manifest)
        return count


def _batches(files: Iterable[SourceFile], size: int) -> Iterator[list[SourceFile]]:
    left = iter(files)
    while batch := list(itertools.islice(left, size)):
        yield batch
