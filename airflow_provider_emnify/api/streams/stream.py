"""Stream: one thing that can be synced, its columns, its key, its filters, and the reading of it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emnify.api.errors import EmnifyServerError
from airflow_provider_emnify.api.limits.documented import limit_class
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.api.streams.readers import (
    Interval,
    Reader,
    Reading,
    method_of,
    path_of,
    signature_of,
)
from airflow_provider_emnify.api.types import Row

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.streams.columns import Batch, Column
    from airflow_provider_emnify.api.streams.per_device import Estimate

log = one_line_log(__name__)


_AT_ONCE = 200  # rows: so few that the processor's cache holds them
_NO_FILTERS = frozenset({"self", "sort", "per_page", "from_", "until", "start_date", "end_date"})


@dataclass(frozen=True)
class Stream:
    """Something that can be synced.

    :param name: Its name, which is also what its table is called by default.
    :param about: What its rows are.
    :param fields: Its columns, without ``_extra``.
    :param key: The columns that tell its rows apart.
    :param call: The call that it is read with, ``sims.list``.
    :param read: Reads it.
    :param how: How it is read, in words.
    :param filters_of: The call whose keywords it can be filtered by.
    :param cursor: The column that says what time a row belongs to; None for a snapshot.
    :param grain: What an interval consists of: moments, or whole hours or days.
    :param late_by: How long after the fact a row can still appear or change.
    :param kept: How long emnify keeps it.
    :param devices: What it needs a call each for: ``endpoint`` or ``sim``.
    :param ignored: Fields that say nothing new.
    :param small: All of its rows can be held at once.
    """

    name: str
    about: str
    fields: tuple[Column, ...]
    key: tuple[str, ...]
    call: str
    read: Reader
    how: str = "pages, from the last to the first"
    filters_of: str | None = None
    cursor: str | None = None
    grain: Literal["moment", "hour", "day"] | None = None
    late_by: timedelta = timedelta(0)
    kept: timedelta | None = None
    devices: Literal["endpoint", "sim"] | None = None
    ignored: tuple[str, ...] = ()
    small: bool = False

    @cached_property
    def converter(self) -> Converter:
        """From emnify's rows to flat ones."""
        return Converter(self.fields, self.ignored)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order, with ``_extra`` at the end."""
        return self.converter.columns

    @property
    def path(self) -> str:
        """The path of the operation that it is read with."""
        return path_of(self.call)

    @property
    def page(self) -> str:
        """The page of emnify about that operation."""
        found = re.search(r"See (https://\S+)", inspect.getdoc(method_of(self.call)) or "")
        return found[1] if found else ""

    @property
    def limit(self) -> str:
        """The limit that its calls count towards."""
        return limit_class("GET", self.path)

    @cached_property
    def filters(self) -> tuple[str, ...]:
        """What it can be filtered by."""
        parameters = () if self.filters_of is None else signature_of(self.filters_of).parameters
        return tuple(name for name in parameters if name not in _NO_FILTERS)

    def parse_filters(self, filters: Mapping[str, Any]) -> Row:
        """Return filters, those that a template rendered to text as what the list takes. Nothing is sent.

        :raises ValueError: for a filter that there is not, or a value that it cannot have.
        """
        if unknown := [name for name in filters if name not in self.filters]:
            near = difflib.get_close_matches(unknown[0], self.filters, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            allowed = ", ".join(self.filters) or "none"
            raise ValueError(f"filters: {self.name} has no {', '.join(unknown)}{meant}; allowed: {allowed}")
        if not filters or self.filters_of is None:
            return {}
        signature = signature_of(self.filters_of)
        parsed = signature.parse_texts(filters, "filters")
        check = signature.filters if "q" in signature.parameters else signature.query
        try:
            check(parsed)
        except ValueError as error:
            raise ValueError(f"filters: {error}") from None
        return parsed

    def check_interval(self, interval: Interval) -> None:
        """Refuse an interval that cannot be read as a whole.

        :raises ValueError: when it lies in the future, or before what emnify keeps.
        """
        now = datetime.now(UTC)
        if interval.end > now:
            raise ValueError(f"interval: {interval} ends in the future (it is {now.isoformat()})")
        if self.kept is not None and interval.start < now - self.kept:
            raise ValueError(
                f"interval: {self.name} are kept for {self.kept.days} days, and {interval} begins before "
                f"{(now - self.kept).isoformat()}: what is older is gone"
            )

    def rows(
        self,
        client: EmnifyClient,
        *,
        interval: Interval | None = None,
        filters: Mapping[str, Any] | None = None,
        threads: int = 4,
        max_calls: int = 10_000,
        estimated: Callable[[Estimate], None] | None = None,
    ) -> Iterator[Row]:
        """Return its rows, lazily and in constant memory: a value for each column, None where there is none.

        :param client: Sends the requests.
        :param interval: The span of time, for a stream with a cursor; a snapshot does not look at it.
        :param filters: What to filter by; :attr:`filters` lists what there is.
        :param threads: For a stream that needs a call a device: how many at a time.
        :param max_calls: For such a stream: more calls than these are refused.
        :param estimated: For such a stream: called with what it costs before it begins.
        :raises TooManyCallsError: when a stream would need more than ``max_calls``.
        :raises ValueError: for a filter or an interval that cannot be.
        :raises EmnifyError: when a request fails.
        """
        reading = Reading(client, interval, dict(filters or {}), threads, max_calls, estimated)
        names, batches = self.converter.names, self.batches(reading)
        return (
            dict(zip(names, values, strict=True)) for batch in batches for values in zip(*batch, strict=True)
        )

    def batches(self, reading: Reading) -> Iterator[Batch]:
        """Return the same rows as columns, some at a time.

        :raises ValueError: for a filter or an interval that cannot be; and what :meth:`rows` raises.
        """
        if reading.threads < 1:
            raise ValueError(f"threads: {reading.threads!r} is not a valid number; give 1 or more")
        if self.cursor is not None:
            if reading.interval is None:
                raise ValueError(f"interval: {self.name} covers one; give its start and end")
            self.check_interval(reading.interval)
        reading.filters = self.parse_filters(reading.filters)
        return self._batches(reading)

    def _batches(self, reading: Reading) -> Iterator[Batch]:
        pages: Iterator[list[Row]] = self.read(reading)
        if self.small:
            pages = iter([[row for page in pages for row in page]])
        places, repeated = [self.converter.names.index(column) for column in self.key], 0
        is_answer = self.small or self.devices is not None  # in which a key counts once
        for page in pages:
            reading.page += 1
            size = len(page) if is_answer else _AT_ONCE
            for start in range(0, len(page), size or 1):
                batch = self.converter.batch(page[start : start + size])
                keys = [batch[place] for place in places]
                for column, values in zip(self.key, keys, strict=True):
                    if None in values:
                        raise EmnifyServerError(
                            f"{self.name}: emnify sent a row without {column}", status=None
                        )
                if is_answer:
                    last = {key: place for place, key in enumerate(zip(*keys, strict=True))}
                    if len(last) < len(page):
                        repeated += len(page) - len(last)
                        batch = [[values[place] for place in last.values()] for values in batch]
                yield batch
        if repeated:
            log.warning(
                "%s: %d rows have the key (%s) of a later one; of each key the last row counts",
                *(self.name, repeated, ", ".join(self.key)),
            )
