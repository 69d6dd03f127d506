"""What the transfers have in common: the stream, its interval, assets, lineage, the cursor."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import conf
from airflow_provider_emnify.api.streams.catalogue import Estimate, Interval, Stream, get_stream
from airflow_provider_emnify.arguments import check_early, is_known
from airflow_provider_emnify.assets import asset_uri, emnify_asset
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.transfers.interval import (
    Run,
    check_order,
    parse_moment,
    parse_span,
    run_of,
    window_of,
)
from airflow_provider_emnify.transfers.lineage import Output, openlineage, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_emnify.airflow_names import Context

_CURSOR = "interval_end"

Row = dict[str, Any]


class EmnifyStreamOperator(EmnifyBaseOperator):
    """Base of the transfers of a stream.

    :param stream: Name of the stream, see ``python -m airflow_provider_emnify.api streams`` (templated).
    :param filters: What to filter it by, as a dict (templated). A filtered list promises less while it
        changes; see the docs on lists.
    :param interval_start: Where the interval begins, for a stream with a cursor; by default that of the
        run (templated).
    :param interval_end: Where it ends, not in the future; by default that of the run (templated).
    :param first_interval: How far back to look, in seconds or as a timedelta, in a run that has no data
        interval, no successful predecessor and no cursor. Cron schedules of Airflow 3 have no data
        interval unless ``[scheduler] create_cron_data_intervals`` is set: a run then begins where the last
        one ended.
    :param late_by: How late rows can appear or change, in seconds or as a timedelta; the stream's own by
        default. What is merged is read again for as long before the interval. Else events are read when so
        much time has passed since the interval's end.
    :param threads: For a stream with a call a device: how many at a time.
    :param max_calls: For such a stream: refuse when it takes more calls than these.
    :param organisation: What stands for the organisation in the asset's URI; by default the connection's id.
    :param deferrable: Wait for late events in the triggerer.
    :param emnify_conn_id: The connection to emnify.
    """

    template_fields: Sequence[str] = (
        "emnify_conn_id",
        "stream",
        "filters",
        "interval_start",
        "interval_end",
        "max_calls",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    ui_color = "#cfe8fc"

    def __init__(
        self,
        *,
        stream: str,
        filters: dict[str, Any] | None = None,
        interval_start: datetime | str | None = None,
        interval_end: datetime | str | None = None,
        first_interval: timedelta | float = timedelta(days=1),
        late_by: timedelta | float | None = None,
        threads: int = 4,
        max_calls: int | str = 10_000,
        organisation: int | str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.stream = stream
        self.filters = filters
        self.interval_start = interval_start
        self.interval_end = interval_end
        self.first_interval = first_interval
        self.late_by = late_by
        self.threads = threads
        self.max_calls = max_calls
        self.organisation = organisation
        self.deferrable = deferrable
        self._check()
        self._outputs: list[Output] = []
        if is_known(stream) and is_known(self.emnify_conn_id):
            self.outlets = [*self.outlets, emnify_asset(stream, self._organisation)]

    def _check(self) -> None:
        """Refuse what can be known to be wrong when the DAG is parsed."""
        check_early(get_stream, self.stream)
        if is_known(self.stream) and is_known(self.filters):
            get_stream(self.stream).check_filters(parse_filters(self.filters))
        known = is_known(self.interval_start) or isinstance(self.interval_start, datetime)
        if known and (is_known(self.interval_end) or isinstance(self.interval_end, datetime)):
            start = parse_moment(self.interval_start, "interval_start")
            end = parse_moment(self.interval_end, "interval_end")
            if start is not None and end is not None and start >= end:
                check_order(start, end)
        parse_span(self.first_interval, "first_interval")
        if self.late_by is not None:
            parse_span(self.late_by, "late_by")
        check_early(positive, self.threads, "threads")
        check_early(positive, self.max_calls, "max_calls")

    def merges(self) -> bool:
        """Tell whether reading a row twice does no harm."""
        return False

    def execute(self, context: Context) -> Any:
        """Find out what the run covers, wait for late events, and do the work."""
        stream = get_stream(self.stream)
        run = run_of(
            stream,
            context,
            start=self.interval_start,
            end=self.interval_end,
            first=parse_span(self.first_interval, "first_interval"),
            cursor=self._cursor(context),
        )
        late_by = stream.late_by if self.late_by is None else parse_span(self.late_by, "late_by")
        overlap = late_by if self.merges() else timedelta(0)
        if stream.grain == "moment" and not overlap:
            self._wait_until(run.end + late_by)
        result, rows, outputs = self.transfer(stream, run, window_of(stream, run, overlap))
        self._emit(context, stream, run, rows, outputs)
        return result

    def transfer(
        self, stream: Stream, run: Run, window: Interval | None
    ) -> tuple[dict[str, Any], int, list[Output]]:
        """Do the work; return what the task returns, the number of rows, and what was written."""
        raise NotImplementedError(f"{type(self).__name__} has no transfer()")

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Go on after the wait for late events."""
        del event
        return self.execute(context)

    @contextlib.contextmanager
    def rows(self, stream: Stream, window: Interval | None) -> Iterator[Iterator[Row]]:
        """Read the stream; whatever is under way ends with the block."""
        rows = stream.rows(
            self.client,
            interval=window,
            filters=parse_filters(self.filters),
            threads=positive(self.threads, "threads"),
            max_calls=positive(self.max_calls, "max_calls"),
            estimated=self._say,
        )
        with contextlib.closing(rows):  # type: ignore[type-var] # a generator
            yield rows

    @property
    def _organisation(self) -> int | str:
        if self.organisation is not None:
            return self.organisation
        return re.sub(r"[^\w.-]", "-", self.emnify_conn_id, flags=re.ASCII)

    def _say(self, cost: Estimate) -> None:
        self.log.info("%s: %s", self.stream, cost)

    def _wait_until(self, moment: datetime) -> None:
        seconds = (moment - datetime.now(UTC)).total_seconds()
        if seconds <= 0:
            return
        self.log.info("Waiting for events that come late, until %s", moment)
        if not self.deferrable:
            sleep(seconds)
            return
        from airflow_provider_emnify.airflow_names import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=seconds)), method_name="execute_complete")

    def _cursor(self, context: Any) -> str | None:
        """Return where the last run ended, where Airflow keeps that (3.3 and later)."""
        store = self._store(context)
        try:
            return None if store is None else store.get(self._cursor_key(context))
        except Exception as error:  # the cursor helps, and nothing depends on it
            self.log.warning("Could not read the cursor: %s", error)
            return None

    def _cursor_key(self, context: Any) -> str:
        """Return under what the cursor is kept: other tasks that sync the same stream are not as far."""
        number = getattr(context.get("ti"), "map_index", -1)
        mapped = "" if number is None or number < 0 else f".{number}"
        return f"{self.dag_id}.{self.task_id}{mapped}.{_CURSOR}"

    def _store(self, context: Any) -> Any:
        stores = context.get("asset_state_store")
        if stores is None:
            return None
        try:
            return stores[emnify_asset(self.stream, self._organisation)]
        except KeyError:  # a mapped task: Airflow knows only assets that stand in the DAG
            return None

    def _emit(self, context: Any, stream: Stream, run: Run, rows: int, outputs: list[Output]) -> None:
        """Tell Airflow what was read and written: asset event, lineage, cursor."""
        uri = asset_uri(stream.name, self._organisation)
        self._outputs = outputs
        written = [output.uri for output in outputs]
        asset = emnify_asset(stream.name, self._organisation)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = {"rows": rows, **run.to_json(), "written": written}
        report(self.hook, [uri], written)
        store = self._store(context)
        if store is None or stream.cursor is None:
            return
        try:
            key = self._cursor_key(context)
            last = parse_moment(store.get(key), "cursor")
            if last is None or last < run.end:
                store.set(key, run.end.isoformat())
        except Exception as error:  # the rows are written: the next run finds its way by its predecessor
            self.log.warning("Could not keep the cursor: %s", error)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return inputs and outputs for OpenLineage: called by its provider, if that is installed."""
        del task_instance
        uri = asset_uri(self.stream, self._organisation)
        return openlineage(uri, get_stream(self.stream).columns, self._outputs)


def parse_filters(value: Any) -> Row:
    """Return filters from a dict, or from what a template renders to.

    :raises ValueError: for anything else.
    """
    try:
        found = json.loads(value or "{}") if isinstance(value, str) else value or {}
    except ValueError:
        found = None
    if isinstance(found, Mapping):
        return dict(found)
    raise ValueError(f"filters: {value!r} is no dict")


def positive(value: Any, field: str) -> int:
    """Return a whole number above 0, also from what a template renders to.

    :raises ValueError: naming the field and the value.
    """
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{field}: {value!r} is no number") from None
    if number < 1:
        raise ValueError(f"{field}: {value!r} is less than 1")
    return number
