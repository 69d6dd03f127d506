"""EmnifyToObjectStorageOperator: a stream of emnify into files in S3, GCS, Azure or on a disk."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.arguments import Argument, matching, optional, parse_text
from airflow_provider_emnify.transfers.sinks.files import ToFiles
from airflow_provider_emnify.transfers.sources.stream import FromStream


class EmnifyToObjectStorageOperator(ToFiles, FromStream):
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
    :param format: ``"jsonl"`` (default), ``"csv"`` or ``"parquet"`` (needs the extra ``parquet``).
    :param compression: For JSON lines and CSV ``"gzip"`` or ``"none"`` (the default); for Parquet
        ``"snappy"`` (the default), ``"zstd"``, ``"gzip"`` or ``"none"``.
    :param partition_by: Columns that make directories, ``"status"`` makes ``status=Enabled/``; times have a
        unit: ``"timestamp:day"`` (``year``, ``month``, ``day``, ``hour``).
    :param max_rows_per_file: Rows that a file may hold; by default all.
    :param name: How the files' names begin; by default the stream's name. Two tasks that write the same
        stream into the same directory need names of their own (templated).
    :param storage_conn_id: Connection to the storage; it can stand in the path too (templated).
    :param filters: As for all transfers, see :class:`~.sources.stream.FromStream`; also
        ``interval_start``, ``interval_end``, ``first_interval``, ``late_by``, ``threads``, ``max_calls``,
        ``last_seen``, ``organisation``, ``load_columns``, ``deferrable``, ``emnify_conn_id``.
    :returns: The manifest, with its own path as ``manifest``.
    :raises ValueError: when the DAG is parsed, for an unknown stream, filter, format or column.
    :raises AirflowFailException: for an interval that cannot be.

    Vendor page: https://docs.emnify.com/developers/api
    """

    target_fields = ("path", "storage_conn_id")

    path = Argument(parse_text)
    name = Argument(  # that leads into no other directory, and is taken for nothing hidden
        optional(matching(r"[A-Za-z0-9][\w.-]*", "name; give letters, digits, dots, hyphens and underscores"))
    )
    storage_conn_id = Argument(optional(parse_text))

    def __init__(
        self,
        *,
        stream: str,
        path: str,
        format: str = "jsonl",
        name: str | None = None,
        storage_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
