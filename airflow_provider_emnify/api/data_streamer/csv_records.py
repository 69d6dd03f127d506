"""Rows of CSV with a header, one after another. A quote without its other half costs its own row alone."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from airflow_provider_emnify.api.data_streamer.json_records import Broken
from airflow_provider_emnify.api.data_streamer.record_text import LONGEST, RecordText, is_text, shown


class CsvRecords:
    """The rows of a file.

    :param source: The text of the file.
    :param delimiters: What may stand between values: the first of these that is in the header.
    """

    def __init__(self, source: RecordText, delimiters: str = ",") -> None:
        self._lines = _Lines(source)
        if csv.field_size_limit() < LONGEST:
            csv.field_size_limit(LONGEST)
        head = source.peek().lstrip().partition("\n")[0]
        self._reader = csv.reader(
            self._lines, delimiter=next((one for one in delimiters if one in head), ","), strict=True
        )
        header = next((row for row in iter(self._next, None) if row), [])
        self.header = [shown(name.strip().removeprefix("\ufeff")) for name in header]

    def _next(self) -> list[str] | None:
        self._lines.begin_row()
        return next(self._reader, None)

    def __iter__(self) -> Iterator[tuple[int, list[str] | Broken]]:
        """Yield the values of each row, with the number of the line where it ends."""
        width = len(self.header)
        while True:
            try:
                values = self._next()
            except csv.Error as error:
                yield self._set_aside(f"no CSV ({error})", None)
                continue
            if values is None:
                return
            if not any(map(str.strip, values)) or [value.strip("\ufeff ") for value in values] == self.header:
                continue  # nothing; or the header again, where files were joined
            if len(values) != width:
                yield self._set_aside(f"{len(values)} values for {width} columns", values)
            elif not all(map(is_text, values)):
                yield self._lines.number, Broken("not in UTF-8", [shown(value) for value in values])
            else:
                yield self._lines.number, values

    def _set_aside(self, reason: str, values: list[str] | None) -> tuple[int, Broken]:
        """Set the first line of a row aside, and read those behind it again."""
        taken = self._lines.taken
        if len(taken) > 1 or values is None:
            row = shown(taken[0].rstrip("\r\n")) if taken else None
            self._lines.put_back(taken[1:])
            return self._lines.number, Broken(reason, row)
        return self._lines.number, Broken(reason, [shown(value) for value in values])


class _Lines:
    """The lines of a file, some of which can be put back."""

    def __init__(self, source: RecordText) -> None:
        self._unread = _lines_of(source)
        self._ready: deque[str] = deque()
        self.taken: list[str] = []
        self._length = 0
        self.number = 0

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken, self._length = [], 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ready.popleft() if self._ready else next(self._unread)
        self.taken.append(line)
        self.number += 1
        self._length += len(line)
        if self._length > LONGEST:
            raise csv.Error(f"longer than {LONGEST:,} characters")
        return line

    def put_back(self, lines: list[str]) -> None:
        self._ready.extendleft(reversed(lines))
        self.number -= len(lines)


def _lines_of(source: RecordText) -> Iterator[str]:
    rest = ""
    while piece := source.read():
        *lines, rest = (rest + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
        if len(rest) > LONGEST:
            yield rest
            rest = ""
    if rest:
        yield rest
