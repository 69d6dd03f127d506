"""EmnifyToObjectStorageOperator: a stream of emnify into files in S3, GCS, Azure or on a disk."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify import __version__
from airflow_provider_emnify.api.streams.catalogue import get_stream
from airflow_provider_emnify.arguments import check_early, is_known, parse_text
from airflow_provider_emnify.transfers.base import EmnifyStreamOperator, positive
from airflow_provider_emnify.transfers.lineage import Output, output_of_path
from airflow_provider_emnify.transfers.sinks.file_formats import check_format
from airflow_provider_emnify.transfers.sinks.object_store import Staging, Store, local_directory, publish
from airflow_provider_emnify.transfers.sinks.partitions import Partitions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.api.streams.catalogue import Interval, Stream
    from airflow_provider_emnify.transfers.interval import Run

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


def open_store(path: str, conn_id: str | None) -> Store:
    """Return the directory at a path.

    :param path: A URL (``s3://bucket/emnify``, ``file:///data``) or a path on the local disk.
    :param conn_id: Connection to the storage; it can stand in the URL too, ``s3://conn@bucket/emnify``.
    :raises ValueError: when there is no file system for it.
    """
    from airflow_provider_emnify.airflow_names import ObjectStoragePath

    url = path if "://" in path else f"file://{Path(path).absolute()}"
    base = ObjectStoragePath(url, conn_id=conn_id) if conn_id else ObjectStoragePath(url)
    return Store(base)


def check_name(value: Any, field: str) -> str:
    """Return a name that files can begin with.

    :raises ValueError: for one that would lead into another directory, or be taken for something hidden.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError(
        f"{field}: {value!r} is no name; letters, digits, dots, hyphens and underscores make one"
    )


class EmnifyToObjectStorageOperator(EmnifyStreamOperator):
    """Sync a stream of emnify into files: JSON lines, CSV or Parquet, in any storage that Airflow knows.

    Files appear whole or not at all, once every row was read. A run that is repeated for the same interval
    replaces its own files and nothing else. The manifest, ``_manifest-<name>-<interval>.json``, is written
    last: it lists the files with their rows, the interval and the schema.

    .. code-block:: python

        EmnifyToObjectStorageOperator(
            task_id="events",
            stream="events",
            path="s3://aws_default@lake/emnify/events",
            format="parquet",
            partition_by="timestamp:day",
        )

    :param stream: Name of the stream, see ``python -m airflow_provider_emnify.api streams`` (templated).
    :param path: Directory, as a URL or a path on the local disk (templated).
    :param format: ``"jsonl"``, ``"csv"`` or ``"parquet"`` (needs the extra ``parquet``).
    :param compression: For JSON lines and CSV ``"gzip"`` or ``"none"`` (the default); for Parquet
        ``"snappy"`` (the default), ``"zstd"``, ``"gzip"`` or ``"none"``.
    :param partition_by: Columns that make directories, ``"status"`` makes ``status=Enabled/``; times have a
        unit: ``"timestamp:day"`` (``year``, ``month``, ``day``, ``hour``).
    :param max_rows_per_file: Rows that a file may hold; by default all.
    :param name: How the files' names begin; by default the stream's name. Two tasks that write the same
        stream into the same directory need names of their own (templated).
    :param storage_conn_id: Connection to the storage; it can stand in the path too (templated).
    :param filters: As for all transfers, see :class:`~.base.EmnifyStreamOperator`; also
        ``interval_start``, ``interval_end``, ``first_interval``, ``late_by``, ``threads``, ``max_calls``,
        ``organisation``, ``deferrable``, ``emnify_conn_id``.
    :returns: The manifest, with its own path as ``manifest``.
    :raises ValueError: when the DAG is parsed, for an unknown stream, filter, format or column.
    :raises AirflowFailException: for an interval that cannot be.

    Vendor page: https://docs.emnify.com/developers/api
    """

    template_fields: Sequence[str] = (
        *EmnifyStreamOperator.template_fields,
        "path",
        "name",
        "storage_conn_id",
    )

    def __init__(
        self,
        *,
        stream: str,
        path: str,
        format: str = "jsonl",
        compression: str | None = None,
        partition_by: str | Sequence[str] | None = None,
        max_rows_per_file: int | None = None,
        name: str | None = None,
        storage_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(stream=stream, **kwargs)
        self.path = path
        self.format = format
        self.compression = compression
        self.partition_by = partition_by
        self.max_rows_per_file = max_rows_per_file
        self.name = name
        self.storage_conn_id = storage_conn_id
        check_early(parse_text, path, "path")
        if name is not None:
            check_early(check_name, name, "name")
        check_early(check_format, format, compression)
        if max_rows_per_file is not None:
            check_early(positive, max_rows_per_file, "max_rows_per_file")
        if is_known(stream) and is_known(partition_by):
            Partitions(partition_by, get_stream(stream).columns)

    def transfer(
        self, stream: Stream, run: Run, window: Interval | None
    ) -> tuple[dict[str, Any], int, list[Output]]:
        """Read the stream into files and put them in their place."""
        form, compression = check_format(self.format, self.compression)
        store = open_store(parse_text(self.path, "path"), self.storage_conn_id or None)
        stem = f"{check_name(self.name or stream.name, 'name')}-{run.name}"
        limit = self.max_rows_per_file
        with local_directory() as directory:
            staging = Staging(
                directory,
                stem,
                stream.columns,
                form,
                compression,
                partition_by=self.partition_by,
                max_rows=None if limit is None else positive(limit, "max_rows_per_file"),
            )
            with self.rows(stream, window) as rows:
                count = staging.write(rows)
            manifest: dict[str, Any] = {
                "stream": stream.name,
                **run.to_json(),
                "format": self.format,
                "compression": compression,
                "key": list(stream.key),
                "schema": [{"name": one.name, "type": one.type.value} for one in staging.columns],
                "partition_by": [part.name for part in Partitions(self.partition_by, stream.columns).parts],
                "written_at": datetime.now(UTC).isoformat(),
                "written_by": f"airflow-provider-emnify {__version__}",
            }
            name = publish(store, stem, staging.files, manifest)
        self.log.info(
            "%s: %d rows in %d files below %s", stream.name, count, len(manifest["files"]), store.base
        )
        result = {**manifest, "path": str(store.base), "manifest": f"{str(store.base).rstrip('/')}/{name}"}
        return result, count, [output_of_path(store.uri, count, manifest["bytes"])]
