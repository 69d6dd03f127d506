"""How streams are read: lists, windows of time, and one call a device.

Each function here returns a reader: it takes a :class:`Reading` and yields emnify's own rows, a page or the
answer of a device at a time. Nothing is collected: a reader holds a few of them, however large the fleet is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from operator import attrgetter
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import EmnifyServerError, IncompleteListError
from airflow_provider_emnify.api.resources import RESOURCES, Operation
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.columns import to_date
from airflow_provider_emnify.api.transport.answers import moment_in
from airflow_provider_emnify.api.types import Row

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.resources.signature import Signature

log = one_line_log(__name__)


MOST_EVENTS = 10_000
"""Events that one listing may hold; a window with more is cut in two, so that no page limit is met."""

_SECOND = timedelta(seconds=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_TRIES = 3
_CHUNK = 1000  # rows
_MOST_IN_MEMORY = 256 * 1024  # characters of a list that is read before it is handed out


@dataclass(frozen=True)
class Interval:
    """A span of time, without its end.

    :param start: Its first moment, aware.
    :param end: The moment after its last one, aware.
    :raises ValueError: when it is empty, reversed, or has no time zone.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"interval: {self} has no time zone")
        if self.start >= self.end:
            raise ValueError(f"interval: {self} ends before it begins")

    def __str__(self) -> str:
        return f"{self.start.isoformat()} to {self.end.isoformat()}"

    def days(self) -> list[date]:
        """Return the days that end in it: whole days, and each of them in one of successive intervals."""
        first = self.start.astimezone(UTC).date()
        last = self.end.astimezone(UTC).date() - _DAY
        return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]

    def hours(self) -> Interval | None:
        """Return the hours that end in it: whole hours, and each in one of successive intervals."""
        start, end = (
            moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            for moment in (self.start, self.end)
        )
        return Interval(start, end) if start < end else None


@dataclass
class Reading:
    """One reading of a stream.

    :param client: Sends the requests.
    :param interval: What time it covers; None for a snapshot.
    :param filters: Filters of the list that it reads, as keywords.
    :param threads: How many devices are asked for at a time, at most.
    :param max_calls: Bound for the calls of a stream that is read device by device.
    :param estimated: Called with what it costs, before the first device is asked for.
    :param rows: How many rows there are, once that is known.
    :param pages: How many pages they come in, or answers of devices, once that is known.
    :param page: How many of these were read so far.
    """

    client: EmnifyClient
    interval: Interval | None = None
    filters: Row = field(default_factory=dict)
    threads: int = 4
    max_calls: int = 10_000
    estimated: Callable[[Any], None] | None = None
    rows: int | None = None
    pages: int | None = None
    page: int = 0

    @property
    def span(self) -> Interval:
        """The interval of a stream that needs one."""
        if self.interval is None:
            raise ValueError("interval: this stream covers one; give its start and end")
        return self.interval

    @property
    def organisation_id(self) -> Any:
        """The id of the organisation that the rows are about."""
        known = self.client.token_info().get("organisation_id")
        return self.client.organisations.my().get("id") if known is None else known


Reader = Callable[[Reading], Iterator[list[Row]]]


def call_of(client: Any, name: str) -> Callable[..., Any]:
    """Return a call of the client by its name, ``endpoints.list``."""
    call: Callable[..., Any] = attrgetter(name)(client)
    return call


def method_of(name: str) -> Callable[..., Any]:
    """Return the method of a resource by the name of its call, ``endpoints.list``."""
    resource, method = name.split(".")
    found: Callable[..., Any] = getattr(RESOURCES[resource], method)
    return found


def path_of(name: str) -> str:
    """Return the path of the operation that a call stands for."""
    operation: Operation = method_of(name).__dict__["operation"]
    return operation.path


def signature_of(name: str) -> Signature:
    """Return the signature of the method that a call stands for."""
    signature: Signature = method_of(name).__dict__["signature"]
    return signature


def listed(call: str, **arguments: Any) -> Reader:
    """Read a list; ``api/transport/paging.py`` says what is promised while it changes."""

    def read(reading: Reading) -> Iterator[list[Row]]:
        with call_of(reading.client, call)(**reading.filters, **arguments) as listing:
            reading.rows, reading.pages = listing.total, listing.pages
            yield from listing.in_pages()

    return read


def counted(call: str, **arguments: Any) -> Reader:
    """Read a list that cannot be read backwards; again, when its length shows that it changed.

    Its rows are handed out once all of them are there; until then a temporary file holds them.
    """

    def read(reading: Reading) -> Iterator[list[Row]]:
        for _ in range(_TRIES):
            with SpooledTemporaryFile(_MOST_IN_MEMORY, "w+", encoding="utf-8") as spool:
                try:
                    with call_of(reading.client, call)(**reading.filters, **arguments) as listing:
                        for row in listing:  # writelines() would look at the size when all is in memory
                            spool.write(f"{json.dumps(row)}\n")
                except IncompleteListError as error:
                    log.info("%s; reading it again", error)
                    continue
                spool.seek(0)
                rows = map(json.loads, spool)
                while page := list(islice(rows, _CHUNK)):
                    yield page
                return
        raise EmnifyServerError(f"{call}: the list changed during each of {_TRIES} readings", status=None)

    return read


# -- events ---------------------------------------------------------------------------------------------


def events(reading: Reading, part: Interval | None = None) -> Iterator[list[Row]]:
    """Read the events of the interval, or of a part of it, the newest first, each once.

    emnify takes a range of whole seconds, and does not say whether its end belongs to it: a second more is
    asked for on both sides, and what lies outside is dropped.
    """
    span = part or reading.span
    with reading.client.events.list(
        from_=span.start.replace(microsecond=0) - _SECOND,
        until=span.end + _SECOND,
        per_page=1000,
        **reading.filters,
    ) as listing:
        total = listing.total
        if reading.rows is None:
            reading.rows = total
        if total is None or total <= MOST_EVENTS or span.end - span.start <= 2 * _SECOND:
            yield from ([row for row in page if _lies_in(row, span)] for page in listing.in_pages())
            return
    middle = (span.start + (span.end - span.start) / 2).replace(microsecond=0)
    yield from events(reading, Interval(middle, span.end))
    yield from events(reading, Interval(span.start, middle))


def _lies_in(row: Row, span: Interval) -> bool:
    moment = moment_in(row, "timestamp")
    return moment is None or span.start <= moment < span.end  # better in one run too many: its key tells


def filled(answer: Row, call: str) -> Row:
    """Return what was answered about one thing.

    :param call: The call, for the message.
    :raises EmnifyServerError: when nothing stands in it: that is no way to say that there is nothing.
    """
    if answer:
        return answer
    raise EmnifyServerError("unexpected answer: an empty object", method="GET", path=path_of(call))


# -- usage ----------------------------------------------------------------------------------------------


def organisation_daily(reading: Reading) -> Iterator[list[Row]]:
    """Read the usage of the organisation by day."""
    if days := reading.span.days():
        found = reading.client.organisations.daily_stats("my", start_date=days[0], end_date=days[-1] + _DAY)
        yield of_days(found, days, organisation_id=reading.organisation_id)


def organisation_monthly(reading: Reading) -> Iterator[list[Row]]:
    """Read the usage of the organisation in this month and the last; its counts belong to this month."""
    stats = filled(reading.client.organisations.monthly_stats("my"), "organisations.monthly_stats")
    counts = {name: value for name, value in stats.items() if name not in {"current_month", "last_month"}}
    organisation = {"organisation_id": reading.organisation_id}
    this = datetime.now(UTC).date().replace(day=1)
    last = (this - _DAY).replace(day=1)
    for name, default, more in (("current_month", this, counts), ("last_month", last, {})):
        usage = stats.get(name)
        if usage or more:
            yield [{**more, **organisation, **(usage or {}), "month": _month(usage or {}, default)}]


def _month(usage: Row, default: date) -> date:
    """Return the first day of the month that the usage says, ``2024-05``; else the one it must be."""
    for part in (usage, *usage.values()):
        said = str(part.get("month") or "") if isinstance(part, dict) else ""
        try:
            return date(int(said[:4]), int(said[5:7]), 1)
        except ValueError:
            continue
    return default


def organisation_hourly(reading: Reading) -> Iterator[list[Row]]:
    """Read the usage of the organisation by hour.

    emnify's rows are ``["HH:mm", volume]``, without a date: no more than a day is asked for at a time, in
    which each hour exists once.
    """
    span = reading.span.hours()
    if span is None:
        return
    organisation_id = reading.organisation_id
    begin = span.start
    while begin < span.end:
        end = min(begin + _DAY, span.end)
        found = reading.client.organisations.hourly_stats("my", start_date=begin, end_date=end)
        stats = filled(found, "organisations.hourly_stats")
        hours: dict[datetime, Row] = {}
        for kind in ("data", "sms"):
            for direction in ("rx", "tx"):
                for said, volume in (stats.get(kind) or {}).get(direction) or ():
                    hour = _hour(said, begin)
                    if hour is not None and hour < end:
                        hours.setdefault(hour, {}).setdefault(kind, {})[direction] = volume
        yield [
            {"organisation_id": organisation_id, "hour": hour, **usage}
            for hour, usage in sorted(hours.items())
        ]
        begin = end


def _hour(said: str, begin: datetime) -> datetime | None:
    """Return the moment of ``HH:mm`` in the day that begins at ``begin``; None for ``TOTAL`` and the like."""
    hour, colon, minute = str(said).partition(":")
    if not colon or not hour.isdecimal() or not minute.isdecimal():
        return None
    moment = begin.replace(hour=int(hour) % 24, minute=0)
    return moment if moment >= begin else moment + _DAY


def workspace_daily(reading: Reading) -> Iterator[list[Row]]:
    """Read the usage of every Workspace that can be seen, by day."""
    days = reading.span.days()
    if not days:
        return
    found = reading.client.workspaces.daily_stats(start_date=days[0], end_date=days[-1], **reading.filters)
    for workspace in found if isinstance(found, list) else [found or {}]:
        yield of_days(workspace.get("days") or (), days, workspace_id=workspace.get("id"))


def of_days(rows: Iterable[Row], days: list[date], **ids: Any) -> list[Row]:
    """Return the rows of these days; a ``TOTAL`` row has no date, and is none of them."""
    wanted = frozenset(days)

    def is_wanted(row: Row) -> bool:
        try:
            return to_date(row.get("date")) in wanted
        except ValueError:
            return False

    return [{**row, **ids} for row in rows if is_wanted(row)]
