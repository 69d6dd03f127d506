"""FromStream: the source of the transfers that read a stream from emnify's API."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from time import sleep
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context, conf
from airflow_provider_emnify.api.streams.catalogue import Interval, Stream, get_stream
from airflow_provider_emnify.api.streams.columns import Batch
from airflow_provider_emnify.api.streams.readers import Reading
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.arguments import Argument, is_known, optional, parse_count, parse_mapping
from airflow_provider_emnify.transfers.base import Dataset, EmnifyTransferOperator, Part, Row
from airflow_provider_emnify.transfers.garbage import rare_collections
from airflow_provider_emnify.transfers.progress import Progress
from airflow_provider_emnify.transfers.sources.cursor import Cursor
from airflow_provider_emnify.transfers.sources.interval import (
    Run,
    check_order,
    parse_moment,
    parse_span,
    run_of,
    window_of,
)


class FromStream(EmnifyTransferOperator):
    """Source of the transfers that read a stream.

    :param stream: Name of the stream, see ``python -m airflow_provider_emnify.api streams`` (templated).
    :param filters: What to filter it by, as a dict (templated). A filtered list promises less while it
        changes; see the docs on lists.
    :param interval_start: Where the interval begins, for a stream with a cursor; by default that of the
        run (templated).
    :param interval_end: Where it ends, not in the future; by default that of the run (templated).
    :param first_interval: How far back to look, in seconds or as a timedelta, in a run that has no data
        interval, no successful predecessor and no cursor; by default a day. Cron schedules of Airflow 3 have
        no data interval unless ``[scheduler] create_cron_data_intervals`` is set: a run then begins where the
        last one ended.
    :param late_by: How late rows can appear or change, in seconds or as a timedelta; the stream's own by
        default. What is merged is read again for as long before the interval. Else events are read when so
        much time has passed since the interval's end.
    :param threads: For a stream with a call a device: how many at a time (default 4).
    :param max_calls: For such a stream: refuse when it takes more calls than these (templated). Default
        10,000.
    :param last_seen: For the stream ``endpoints``: add a column ``last_seen_at``, the time (UTC) of the last
        event that a device on the network caused (it registered, or began, changed or ended a data session).
        It reads the organisation's events of the last 30 days first, and holds a number a device, of at most
        1,000,000. Empty: no such event in 30 days, though it may be attached all the while. Default False.
    :param deferrable: Wait for late events in the triggerer. Default: ``[operators] default_deferrable``.
    :param organisation: As for all transfers, see :class:`~.base.EmnifyTransferOperator`; also
        ``load_columns``, ``emnify_conn_id``.
    """

    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json"}
    dataset_field = "stream"

    stream = Argument(lambda value, _: get_stream(value).name)
    filters = Argument(parse_mapping, default=None)
    interval_start = Argument(parse_moment, default=None)
    interval_end = Argument(parse_moment, default=None)
    first_interval = Argument(parse_span, default=timedelta(days=1), templated=False)
    late_by = Argument(optional(parse_span), default=None, templated=False)
    threads = Argument(parse_count, default=4, templated=False)
    max_calls = Argument(parse_count, default=10_000)
    last_seen = Argument(parse_bool, default=False, templated=False)
    deferrable = Argument(
        parse_bool,
        default=conf.getboolean("operators", "default_deferrable", fallback=False),
        templated=False,
    )

    def check_arguments(self) -> None:
        """Check the stream with its filters, and the order of the interval, as far as they are known."""
        if is_known(self.stream):
            stream = self._stream
            if is_known(self.filters):
                stream.parse_filters(parse_mapping(self.filters, "filters"))
        super().check_arguments()
        given = (self.interval_start, self.interval_end)
        if is_known(given):
            start, end = (parse_moment(moment, "interval") for moment in given)
            check_order(start, end, now=None)

    @property
    def _stream(self) -> Stream:
        return get_stream(self.stream, last_seen=parse_bool(self.last_seen, "last_seen"))

    @property
    def dataset(self) -> Dataset:
        """The stream."""
        stream = self._stream
        return Dataset(stream.name, stream.columns, stream.key)

    def execute(self, context: Context) -> Any:
        """Find out what the run covers, wait for late events, and load it."""
        stream, sink = self._stream, self.open_sink(context)
        cursor = Cursor(context, self._asset, f"{self.dag_id}.{self.task_id}")
        run = run_of(
            stream,
            context,
            start=self.interval_start,
            end=self.interval_end,
            first=self.first_interval,
            cursor=cursor.read(),
        )
        late_by = stream.late_by if self.late_by is None else self.late_by
        overlap = late_by if sink.merges else timedelta(0)
        if stream.grain == "moment" and not overlap:
            self.wait_until(run.end + late_by)
        progress = Progress(self.log, stream.name, stream.devices or "page")
        with rare_collections():
            loaded = sink.load(StreamPart(self, stream, run, window_of(stream, run, overlap), progress))
        output = sink.output(loaded["rows"])
        progress.finish(output.uri, self.client.stats)
        self.emit(context, {"rows": loaded["rows"], **run.to_json()}, output)
        if stream.cursor is not None:
            cursor.advance(run.end)
        return {"stream": stream.name, **run.to_json(), **sink.about, **loaded}

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """Go on after the wait for late events."""
        return self.execute(context)

    def wait_until(self, moment: datetime) -> None:
        """Wait until a moment when late events are there: in the triggerer if it is deferrable, else here."""
        seconds = (moment - datetime.now(UTC)).total_seconds()
        if seconds <= 0:
            return
        self.log.info("Waiting for events that come late, until %s", moment)
        if not self.deferrable:
            sleep(seconds)
            return
        from airflow_provider_emnify.airflow_names import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=seconds)), method_name="execute_complete")


@dataclass
class StreamPart(Part):
    """What one run reads of a stream: its name is the same for the same interval, whose end is its own."""

    task: FromStream
    stream: Stream
    run: Run
    window: Interval | None
    progress: Progress

    def __post_init__(self) -> None:
        self.name, self.end = self.run.name, self.run.end

    def batches(self) -> Generator[Batch, None, None]:
        """Read the stream."""
        task, log_cost = self.task, partial(self.task.log.info, "%s: %s", self.stream.name)
        reading = Reading(task.client, self.window, task.filters, task.threads, task.max_calls, log_cost)
        batches: Any = self.stream.batches(reading)
        with contextlib.closing(batches):
            for batch in batches:
                yield batch
                self.progress.all_rows, self.progress.all_parts = reading.rows, reading.pages
                self.progress.add(len(batch[0]), reading.page - self.progress.parts)

    def about(self) -> Row:
        """Return the stream and the interval."""
        return {"stream": self.stream.name, **self.run.to_json()}
