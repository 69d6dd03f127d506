"""The columns ``_loaded_at`` and ``_run_id``: when a row was written, and by which run of the DAG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.streams.columns import Batch, Column, text, timestamp

LOADED_AT, RUN_ID = timestamp("_loaded_at"), text("_run_id")
LOAD_COLUMNS = (LOADED_AT, RUN_ID)


def load_values(context: Context) -> dict[Column, Any]:
    """Return what each row of a run has in these columns: when it begins to load, and its id."""
    return {LOADED_AT: datetime.now(UTC), RUN_ID: context.get("run_id")}


def with_values(batches: Iterable[Batch], values: Sequence[Any]) -> Iterator[Batch]:
    """Add columns to rows, each with one value for all of them."""
    for batch in batches:
        size = len(batch[0])
        yield [*batch, *([value] * size for value in values)]
