"""Which span of time a run covers: what it is given, its data interval, or what follows the last success."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.catalogue import Interval, Stream
from airflow_provider_emnify.api.streams.columns import to_timestamp
from airflow_provider_emnify.api.values import is_nothing

log = one_line_log(__name__)


@dataclass(frozen=True)
class Run:
    """One run of a transfer.

    :param start: Where its interval begins; None for a snapshot whose run has no interval.
    :param end: Where its interval ends; of a run without one, the moment that it is for. It is the same
        whenever the run is tried again.
    """

    start: datetime | None
    end: datetime

    @property
    def name(self) -> str:
        """Its name in files: sorts by time, and is the same for the same interval."""
        moments = [moment for moment in (self.start, self.end) if moment is not None]
        return "-".join(f"{moment:%Y%m%dT%H%M%S}Z" for moment in moments)

    def to_json(self) -> dict[str, str | None]:
        """Return it as it stands in a manifest and in an asset event."""
        start = None if self.start is None else self.start.isoformat()
        return {"interval_start": start, "interval_end": self.end.isoformat()}


def parse_moment(value: Any, field: str) -> datetime | None:
    """Return a point in time in UTC from what an argument or a template says; None for nothing.

    :param value: A datetime, or ISO 8601 text; without a zone, UTC is meant.
    :param field: Name of the argument, for the message.
    :raises ValueError: for anything else.
    """
    text = str(value)  # also of what stands for a datetime, such as pendulum's
    if is_nothing(text):
        return None
    try:
        return to_timestamp(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{field}: {value!r} is not a valid date or time; give one in ISO 8601") from None


def parse_span(value: Any, field: str) -> timedelta:
    """Return a length of time from seconds or a timedelta.

    :raises ValueError: for anything else, and for less than nothing.
    """
    try:
        span = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError):
        span = timedelta(-1)
    if span < timedelta(0):
        raise ValueError(f"{field}: {value!r} is not a valid number of seconds; give 0 or more")
    return span


def check_order(start: datetime | None, end: datetime | None, now: datetime | None) -> None:
    """Refuse an interval that is reversed or ends in the future.

    :param now: What lies behind it is the future; None: any end will do.
    :raises ValueError: saying which.
    """
    if start is not None and end is not None and start >= end:
        raise ValueError(f"interval_start, interval_end: {start} is not before {end}")
    if end is not None and now is not None and end > now:
        raise ValueError(f"interval_end: {end} is in the future (it is {now})")


def run_of(
    stream: Stream,
    context: Any,
    *,
    start: Any = None,
    end: Any = None,
    first: timedelta = timedelta(days=1),
    cursor: datetime | None = None,
) -> Run:
    """Return the run that a task is part of.

    :param stream: What it syncs.
    :param context: Airflow's context.
    :param start: Where the interval begins, if it is given.
    :param end: Where it ends, if it is given.
    :param first: How far back a run looks that has no interval, no predecessor and no cursor.
    :param cursor: Where the last run ended, if that is known.
    :raises ValueError: when the interval is reversed or in the future.
    """
    given_start, given_end = parse_moment(start, "interval_start"), parse_moment(end, "interval_end")
    run_start = given_start or _moment_in(context, "data_interval_start")
    run_end = given_end or _moment_in(context, "data_interval_end") or _run_moment(context)
    if given_start is None and run_start is not None and run_start >= run_end:
        run_start = None
    if run_start is None and stream.cursor is not None:
        run_start = _follow(stream, context, run_end, first, cursor)
    check_order(run_start, run_end, datetime.now(UTC))
    return Run(run_start, run_end)


def _follow(
    stream: Stream, context: Any, end: datetime, first: timedelta, cursor: datetime | None
) -> datetime:
    """Return where a run begins whose data interval is empty: where the last one ended."""
    last = _moment_in(context, "prev_data_interval_end_success")
    for source, said in (("the cursor", cursor), ("the last successful run", last)):
        if said is not None and said < end:
            log.info(
                "This run has no data interval of its own: %s from %s on, by %s", stream.name, said, source
            )
            return said
    begin = end - first
    log.info("This run has neither a data interval nor a predecessor: %s from %s on", stream.name, begin)
    return begin


def _moment_in(context: Any, name: str) -> datetime | None:
    return parse_moment(context.get(name), name)


def _run_moment(context: Any) -> datetime:
    """Return the moment that a run is for which has no data interval: stable over its retries."""
    names = ("logical_date", "run_after", "start_date")
    found = (parse_moment(getattr(context.get("dag_run"), name, None), name) for name in names)
    return next(filter(None, found), None) or datetime.now(UTC)


def window_of(stream: Stream, run: Run, overlap: timedelta) -> Interval | None:
    """Return the span of time to read; None for a snapshot.

    :param overlap: How much of what lies before the run's interval is read again, for what came late.
    """
    if stream.cursor is None or run.start is None:
        return None
    start = run.start - overlap
    if overlap and stream.kept is not None:
        start = min(run.start, max(start, datetime.now(UTC) - stream.kept + timedelta(minutes=1)))
    return Interval(start, run.end)
