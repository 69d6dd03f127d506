"""EmnifyToSqlOperator: a stream of emnify into a table of any SQL database that Airflow has a hook for."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.streams.catalogue import get_stream
from airflow_provider_emnify.api.values import is_nothing
from airflow_provider_emnify.arguments import (
    Argument,
    is_known,
    optional,
    parse_choice,
    parse_count,
    parse_mapping,
)
from airflow_provider_emnify.transfers.sinks.losses import (
    DELETIONS,
    MODES,
    Deletions,
    Losses,
    Mode,
    parse_shrink,
)
from airflow_provider_emnify.transfers.sinks.sql import ToSql, sql_hook
from airflow_provider_emnify.transfers.sources.stream import FromStream

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
    :param mode: ``"merge"`` (default): rows are added, or changed by their key; what is gone at emnify stays.
        ``"replace"``: the table holds what there is now, or of a stream with an interval what the run
        covers. ``"append"``: every run adds its rows, with the end of its interval in ``_interval_end``; one
        that is repeated replaces its own, as does another task for the same interval: each needs a table of
        its own (templated).
    :param deletions: In mode ``"merge"``, what becomes of rows that are gone at emnify: ``"keep"`` (the
        default) leaves them; ``"mark"`` sets their column ``deleted_at`` (UTC), and clears it when they come
        back; ``"delete"`` deletes them. For streams that are one whole list, without filters, whose table
        nothing else fills (templated).
    :param max_shrink: How much smaller a run that replaces, marks or deletes may leave the table: a share
        from 0.0 to 1.0 as a float, or a number of rows as an int; by default any. A table that is empty, or
        not there yet, may take anything (templated).
    :param min_rows: How many rows such a run has to leave, at least (templated).
    :param create_table: Create the table if there is none (default True).
    :param add_columns: Add columns that the table does not have (default False: they are an error that names
        them).
    :param filters: As for all transfers, see :class:`~.sources.stream.FromStream`; also
        ``interval_start``, ``interval_end``, ``first_interval``, ``late_by``, ``threads``, ``max_calls``,
        ``last_seen``, ``organisation``, ``load_columns``, ``deferrable``, ``emnify_conn_id``.
    :returns: ``stream``, ``table``, ``mode``, ``rows`` (that were read), ``changed`` (of the table),
        ``repeated`` (rows that a later one with the same key replaces), ``deleted`` (rows that were marked or
        deleted, where ``deletions`` says so), ``interval_start``, ``interval_end``.
    :raises ValueError: when the DAG is parsed, for an unknown stream, filter or mode, and for deletions of
        what is not a whole list.
    :raises AirflowFailException: for a table that does not match, an interval that cannot be, and more losses
        than are allowed; the table is as it was then.

    Vendor page: https://docs.emnify.com/developers/api
    """

    mode = Argument(parse_choice(*MODES))
    deletions = Argument(parse_choice(*DELETIONS))
    max_shrink = Argument(optional(parse_shrink))
    min_rows = Argument(optional(parse_count))

    def __init__(
        self,
        *,
        stream: str,
        sql_conn_id: str,
        mode: Mode | str = "merge",
        deletions: Deletions | str = "keep",
        max_shrink: float | str | None = None,
        min_rows: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        self._check_losses()

    def losses(self) -> Losses:
        """Return what a run may take away from the table."""
        self._check_losses()
        deletions: Any = self.deletions
        return Losses(deletions, self.max_shrink, self.min_rows)

    def _check_losses(self) -> None:
        """Refuse what cannot be, as far as it is known."""
        if not is_known(self.deletions):
            return
        if self.deletions != "keep":
            self._check_whole_list()
        elif is_known(self.mode) and self.mode != "replace":
            for name in ("max_shrink", "min_rows"):
                if is_known(value := getattr(self, name)) and not is_nothing(value):
                    raise ValueError(
                        f"{name}: {value!r} has no effect, since mode {self.mode!r} removes no rows; use "
                        "mode='replace', or mode='merge' with deletions='mark' or deletions='delete'"
                    )

    def _check_whole_list(self) -> None:
        """Refuse deletions where a row that was not read may still be there."""
        what = f"deletions: {self.deletions!r}"
        if is_known(self.mode) and self.mode != "merge":
            raise ValueError(f"{what} is for mode='merge'; mode {self.mode!r} does not look for what is gone")
        if is_known(self.stream):
            stream = get_stream(self.stream)
            if stream.cursor is not None or stream.devices is not None or stream.key != ("id",):
                raise ValueError(
                    f"{what} is for streams that are one whole list, and {stream.name} is none: what is not "
                    "read may still be there"
                )
        if is_known(self.filters) and parse_mapping(self.filters, "filters"):
            raise ValueError(f"{what} takes no filters: what a filter leaves out may still be there")
