"""JSON records one after another: a line each, in lists, or with nothing at all between them.

Amazon's Firehose writes objects without a line end, and whole files are sometimes one list. Either is read
record by record, so that memory does not grow with the file, and a broken record costs itself alone: the next
one is looked for behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from airflow_provider_emnify.api.data_streamer.record_text import LONGEST, RecordText, is_text, shown

_BETWEEN = re.compile(r"[\s,\ufeff\x1e]*")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_NEXT = re.compile(r'\n(?=[ \t]{0,1}\{)|\}\s*(?=\{")')  # where a record begins, whatever was before it
_SCALAR = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\n{\[\],]+', re.DOTALL)
_SHOWN = 1000  # characters of a record that is too long


@dataclass(frozen=True)
class Broken:
    """What could not be read as a record: why, and what it says."""

    reason: str
    row: Any


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)


def parse_json(text: str) -> Any:
    """Return JSON from text.

    :raises ValueError: for what is none, and for numbers that are not finite.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class JsonRecords:
    """The records of a file.

    :param source: The text of the file.
    :param is_record: Tells a record, when one is found behind a broken one.
    """

    def __init__(self, source: RecordText, is_record: Callable[[Any], bool]) -> None:
        self._source, self._is_record = source, is_record
        self._text, self._at, self._ended = "", 0, False
        self._lines, self._records, self._open = 1, 0, 0

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield each record, with the number of the line where it ends, or which one of the file it is."""
        while self._skip_between():
            first = self._text[self._at]
            if first in "[]":
                self._open += 1 if first == "[" else -1
                self._at += 1
            elif first == "{":
                yield from self._object()
            else:
                yield from self._scalar()
        if self._open > 0:
            yield self._number(""), Broken("no JSON (the list has no end: the file was cut)", None)

    def _more(self) -> bool:
        """Read on; a record that is long gets twice as much each time."""
        wanted, pieces = len(self._text) - self._at, [self._text[self._at :]]
        size = 0
        while size <= wanted and not self._ended:
            pieces.append(self._source.read())
            self._ended = not pieces[-1]
            size += len(pieces[-1])
        self._text, self._at = "".join(pieces), 0
        return size > 0

    def _skip_between(self) -> bool:
        while True:
            end = self._end_of(_BETWEEN)
            self._lines += self._text.count("\n", self._at, end)
            self._at = end
            if self._at < len(self._text):
                return True
            if self._ended or not self._more():
                return False

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at

    def _object(self) -> Iterator[tuple[int, Any]]:
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                found = self._end_of_broken()
                reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
                if found is None:
                    if len(self._text) - self._at > LONGEST:
                        yield from self._too_long()
                        return
                    if not self._ended and self._more():
                        continue
                    found = len(self._text)
                    self._open = 0  # that the list has no end is said by this record
                yield from self._broken(found, reason)
                return
            if is_text(text := self._text[self._at : end]):
                yield self._take(end), value
            else:
                yield self._take(end), Broken("no JSON (not in UTF-8)", shown(text))
            return

    def _broken(self, end: int, reason: str) -> Iterator[tuple[int, Any]]:
        """Yield what is broken, and a whole record that it ends with."""
        text = self._text[self._at : end]
        rescued, begin = None, len(text.rstrip())
        for found in re.finditer(r'\{"', text[1:]):
            try:
                value, stop = _DECODER.raw_decode(text, found.start() + 1)
            except (ValueError, RecursionError):
                continue
            if not text[stop:].strip() and self._is_record(value):
                rescued, begin = value, found.start() + 1
                break
        yield self._take(self._at + begin), Broken(f"no JSON ({reason})", shown(text[:begin].rstrip()))
        if rescued is not None:
            yield self._take(self._at + len(text) - begin), rescued

    def _end_of_broken(self) -> int | None:
        """Return where a broken object ends: by its own brackets, or because another record begins."""
        depth, end = 0, None
        for token in _TOKEN.finditer(self._text, self._at):
            sign = token[0]
            if sign == '"':
                break  # the text is cut within it
            depth += (sign in "{[") - (sign in "}]")
            if depth <= 0:
                end = token.end()
                break
        begin = _NEXT.search(self._text, self._at + 1, end or len(self._text))
        return end if begin is None else begin.end()

    def _too_long(self) -> Iterator[tuple[int, Any]]:
        """Leave out a record that is too long, up to where another one begins."""
        text = self._text[self._at : self._at + _SHOWN]
        reason = f"longer than {LONGEST:,} characters; only its beginning is kept"
        while (found := _NEXT.search(self._text, self._at + 1)) is None:
            self._lines += self._text.count("\n", self._at, max(self._at, len(self._text) - _SHOWN))
            self._at = max(self._at, len(self._text) - _SHOWN)
            if self._ended or not self._more():
                break
        yield self._take(found.end() if found else len(self._text)), Broken(reason, shown(text))

    def _scalar(self) -> Iterator[tuple[int, Any]]:
        while (end := self._end_of(_SCALAR)) == len(self._text) and not self._ended:
            if end - self._at >= LONGEST:
                break
            self._more()
        text = self._text[self._at : end].strip()
        number = self._take(end)
        try:
            value = parse_json(text)
        except ValueError as error:
            yield number, Broken(f"no JSON ({error})", shown(text))
            return
        if self._ended and end == len(self._text) and self._open > 0:
            self._open = 0
            yield number, Broken("no JSON (the file was cut)", shown(text))
        else:
            yield number, value

    def _take(self, end: int) -> int:
        text = self._text[self._at : end]
        self._at = end
        self._records += 1
        return self._number(text)

    def _number(self, text: str) -> int:
        number = max(self._lines + text.rstrip().count("\n"), self._records)
        self._lines += text.count("\n")
        return number
