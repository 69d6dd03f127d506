"""EmnifyToSqlOperator: a stream of emnify into a table of any SQL database that Airflow has a hook for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.arguments import Argument, one_of
from airflow_provider_emnify.transfers.sinks.modes import MODES, Mode
from airflow_provider_emnify.transfers.sinks.sql import ToSql, sql_hook
from airflow_provider_emnify.transfers.sources.stream import FromStream

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EmnifyToSqlOperator", "sql_hook"]


class EmnifyToSqlOperator(ToSql, FromStream):
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
    :param filters: As for all transfers, see :class:`~.sources.stream.FromStream`; also
        ``interval_start``, ``interval_end``, ``first_interval``, ``late_by``, ``threads``, ``max_calls``,
        ``organisation``, ``deferrable``, ``emnify_conn_id``.
    :returns: ``stream``, ``table``, ``mode``, ``rows`` (that were read), ``changed`` (of the table),
        ``repeated`` (rows that a later one with the same key replaces), ``interval_start``, ``interval_end``.
    :raises ValueError: when the DAG is parsed, for an unknown stream, filter or mode.
    :raises AirflowFailException: for a table that does not match, or an interval that cannot be.

    Vendor page: https://docs.emnify.com/developers/api
    """

    template_fields: Sequence[str] = (*FromStream.template_fields, *ToSql.template_fields, "mode")

    mode = Argument(one_of(*MODES))

    def __init__(self, *, mode: Mode | str = "merge", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mode = mode
