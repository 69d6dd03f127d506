"""EmnifyToSqlOperator: a stream of emnify into a table of any SQL database that Airflow has a hook for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.arguments import check_early, parse_bool, parse_choice, parse_text
from airflow_provider_emnify.transfers.base import EmnifyStreamOperator
from airflow_provider_emnify.transfers.lineage import Output, output_of_table
from airflow_provider_emnify.transfers.sinks.sql_table import MODES, Mode, SqlTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_emnify.api.streams.catalogue import Interval, Stream
    from airflow_provider_emnify.transfers.interval import Run


def sql_hook(conn_id: str) -> DbApiHook:
    """Return the hook of the database that a connection names.

    :raises ValueError: when it names none, or its provider or this package's extra is missing.
    """
    from airflow_provider_emnify.airflow_names import BaseHook

    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise ValueError("sql_conn_id: install airflow-provider-emnify[sql] to write to databases") from None
    connection = BaseHook.get_connection(conn_id)
    try:
        hook = connection.get_hook()  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a provider raises when it is not there
        raise ValueError(
            f"sql_conn_id: no hook for {conn_id!r} of type {connection.conn_type!r}; install its provider "
            f"({type(error).__name__}: {error})"
        ) from error
    if isinstance(hook, DbApiHook):
        return hook
    raise ValueError(f"sql_conn_id: {conn_id!r} is of type {connection.conn_type!r}, which is no database")


class EmnifyToSqlOperator(EmnifyStreamOperator):
    """Sync a stream of emnify into a table: merged by key, appended, or replaced, in one transaction.

    Rows go into a temporary table while they are read, in constant memory; PostgreSQL gets them with COPY. A
    run that fails leaves the table as it was, and a run that is repeated writes the same rows.

    .. code-block:: python

        EmnifyToSqlOperator(task_id="sims", stream="sims", sql_conn_id="warehouse", mode="replace")
        EmnifyToSqlOperator(task_id="events", stream="events", sql_conn_id="warehouse", schema="iot")

    :param stream: Name of the stream, see ``python -m airflow_provider_emnify.api streams`` (templated).
    :param sql_conn_id: Connection to the database (templated).
    :param table: Name of the table; by default ``emnify_<stream>`` (templated).
    :param schema: Its schema; by default the connection's (templated).
    :param mode: ``"merge"``: rows are added, or changed by their key; what is gone at emnify stays.
        ``"replace"``: the table holds what there is now, or of a stream with an interval what the run
        covers. ``"append"``: every run adds its rows, with the end of its interval in ``_interval_end``; one
        that is repeated replaces its own (templated).
    :param create_table: Create the table if there is none.
    :param add_columns: Add columns that the table does not have; else they are an error that names them.
    :param filters: As for all transfers, see :class:`~.base.EmnifyStreamOperator`; also
        ``interval_start``, ``interval_end``, ``first_interval``, ``late_by``, ``threads``, ``max_calls``,
        ``organisation``, ``deferrable``, ``emnify_conn_id``.
    :returns: ``stream``, ``table``, ``mode``, ``rows`` (that were read), ``changed`` (of the table),
        ``repeated`` (rows that a later one with the same key replaces), ``interval_start``, ``interval_end``.
    :raises ValueError: when the DAG is parsed, for an unknown stream, filter or mode.
    :raises AirflowFailException: for a table that does not match, or an interval that cannot be.

    Vendor page: https://docs.emnify.com/developers/api
    """

    template_fields: Sequence[str] = (
        *EmnifyStreamOperator.template_fields,
        "sql_conn_id",
        "table",
        "schema",
        "mode",
    )

    def __init__(
        self,
        *,
        stream: str,
        sql_conn_id: str,
        table: str | None = None,
        schema: str | None = None,
        mode: Mode | str = "merge",
        create_table: bool = True,
        add_columns: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(stream=stream, **kwargs)
        self.sql_conn_id = sql_conn_id
        self.table = table
        self.schema = schema
        self.mode = mode
        self.create_table = create_table
        self.add_columns = add_columns
        check_early(parse_text, sql_conn_id, "sql_conn_id")
        if table is not None:
            check_early(parse_text, table, "table")
        check_early(parse_choice, mode, MODES, "mode")
        check_early(parse_bool, create_table, "create_table")
        check_early(parse_bool, add_columns, "add_columns")

    def merges(self) -> bool:
        """Tell whether reading a row twice does no harm."""
        return self.mode == "merge"

    def transfer(
        self, stream: Stream, run: Run, window: Interval | None
    ) -> tuple[dict[str, Any], int, list[Output]]:
        """Read the stream into the table."""
        hook = sql_hook(self.sql_conn_id)
        name, schema = self.table or f"emnify_{stream.name}", self.schema or None
        mode: Any = parse_choice(self.mode, MODES, "mode")
        table = SqlTable(
            hook,
            name,
            schema,
            stream.columns,
            stream.key,
            mode=mode,
            create_table=parse_bool(self.create_table, "create_table"),
            add_columns=parse_bool(self.add_columns, "add_columns"),
        )
        with self.rows(stream, window) as rows:
            loaded = table.load(rows, run.end)
        self.log.info(
            "%s: %d rows read, %d of %s changed", stream.name, loaded.rows, loaded.changed, table.full_name
        )
        result = {
            "stream": stream.name,
            "table": name if schema is None else f"{schema}.{name}",
            "mode": mode,
            "rows": loaded.rows,
            "changed": loaded.changed,
            "repeated": loaded.repeated,
            **run.to_json(),
        }
        return result, loaded.rows, [output_of_table(hook, self.sql_conn_id, schema, name, loaded.rows)]
