"""Files of emnify's Data Streamer into SQL databases and object storages, each file once.

The Data Streamer delivers events and usage records of whole fleets without a single request. What it has put
into a bucket is loaded from there: each file once, whatever fails in between; a bad record is set
aside with its reason, and counted.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.arguments import Argument, optional, parse_text
from airflow_provider_emnify.transfers.sinks.files import ToFiles
from airflow_provider_emnify.transfers.sinks.sql import ToSql
from airflow_provider_emnify.transfers.sources.data_stream_files import FromDataStreamFiles


class EmnifyDataStreamFilesToSqlOperator(ToSql, FromDataStreamFiles):
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
    :param records: ``"usage"`` (default) or ``"events"`` (templated).
    :param sql_conn_id: Connection to the database (templated).
    :param table: Name of the table; by default ``emnify_usage_records`` or ``emnify_events`` (templated).
    :param schema: Its schema; by default the connection's (templated).
    :param create_table: Create the table if there is none (default True).
    :param add_columns: Add columns that the table does not have (default False: they are an error that names
        them).
    :param pattern: As for both transfers of files, see
        :class:`~.sources.data_stream_files.FromDataStreamFiles`; also
        ``storage_conn_id``, ``rejected_path``, ``organisation``, ``load_columns``.
    :returns: ``files`` (that were new), ``rows``, ``rejected``, ``other_kind`` (left to a load of that kind),
        ``changed`` (of the table), ``table``.
    :raises ValueError: when the DAG is parsed, for records that there are not.
    :raises AirflowFailException: for a table that does not match.

    Vendor page: https://docs.emnify.com/developers/reference/data-streamer
    """

    def __init__(self, *, path: str, sql_conn_id: str, **kwargs: Any) -> None:
        self.init_task(locals())


class EmnifyDataStreamFilesToObjectStorageOperator(ToFiles, FromDataStreamFiles):
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
    :param records: ``"usage"`` (default) or ``"events"`` (templated).
    :param format: ``"jsonl"``, ``"csv"`` or ``"parquet"`` (default); with ``compression``, ``partition_by``
        and ``max_rows_per_file`` as for :class:`~.object_storage.EmnifyToObjectStorageOperator`.
    :param target_conn_id: Connection to that storage; it can stand in the path too (templated).
    :param pattern: As for both transfers of files, see
        :class:`~.sources.data_stream_files.FromDataStreamFiles`; also
        ``storage_conn_id``, ``rejected_path``, ``organisation``, ``load_columns``.
    :returns: ``files`` (that were new), ``rows``, ``rejected``, ``other_kind`` (left to a load of that kind),
        ``path``.
    :raises ValueError: when the DAG is parsed, for records, a format or a column that there are not.

    Vendor page: https://docs.emnify.com/developers/reference/data-streamer
    """

    target_fields = ("target_path", "target_conn_id")

    target_path = Argument(parse_text)
    target_conn_id = Argument(optional(parse_text))

    def __init__(
        self,
        *,
        path: str,
        target_path: str,
        format: str = "parquet",
        target_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
