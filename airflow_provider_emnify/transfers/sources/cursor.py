"""Where the last run of a task ended: a cursor in Airflow's state of the asset (3.3 and later)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.transfers.sources.interval import parse_moment

log = one_line_log(__name__)


class Cursor:
    """The cursor of one task: other tasks that sync the same stream are not as far. No task fails by it.

    :param context: Airflow's context.
    :param asset: The asset whose state holds it.
    :param task: Dag id and task id.
    """

    def __init__(self, context: Any, asset: Any, task: str) -> None:
        number = getattr(context.get("ti"), "map_index", -1)
        mapped = "" if number is None or number < 0 else f".{number}"
        self._key = f"{task}{mapped}.interval_end"
        stores = context.get("asset_state_store")
        try:
            self._store = None if stores is None else stores[asset]
        except KeyError:  # a mapped task: Airflow knows only assets that stand in the DAG
            self._store = None

    def read(self) -> datetime | None:
        """Return where the last run ended, None where that is not known."""
        try:
            return None if self._store is None else parse_moment(self._store.get(self._key), "cursor")
        except Exception as error:  # the cursor helps, and nothing depends on it
            log.warning("Reading the cursor failed: %s", error)
            return None

    def advance(self, to: datetime) -> None:
        """Keep where a run ended; the cursor never goes back."""
        if self._store is None:
            return
        try:
            last = parse_moment(self._store.get(self._key), "cursor")
            if last is None or last < to:
                self._store.set(self._key, to.isoformat())
        except Exception as error:  # the rows are written: the next run finds its way by its predecessor
            log.warning("Storing the cursor failed: %s", error)
