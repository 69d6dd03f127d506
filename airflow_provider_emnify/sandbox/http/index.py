"""Indexes of large tables, so that a filter does not look at each record: built when one is first needed.

Each keeps a note of the records that have been written since, and takes them in when it is next asked.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any, Generic, TypeVar

from airflow_provider_emnify.sandbox.world.records.table import Record, Table

T = TypeVar("T", bound=Record)
Key = tuple[Any, ...]

MOST_WRITTEN, MOST_PLACES = 1000, 20_000
"""With more written records, or more places to look for them in, an index is built anew."""
MOST_GROUPS = 10_000
_ID = attrgetter("id")


class _Index(Generic[T]):
    def __init__(self, table: Table[T]) -> None:
        self._table = table
        self.written: set[int] = set()
        """The ids of the records that have changed since it was built."""
        table.listen(lambda record: self.written.add(record.id))


class Groups(_Index[T]):
    """The records by what they have in common, for fields with few values.

    :param key: From a record to the values of the fields.
    """

    def __init__(self, table: Table[T], key: Callable[[T], Key]) -> None:
        super().__init__(table)
        self._key = key
        self._groups: dict[Key, list[T]] = {}
        self._build()

    def _build(self) -> None:
        self.written.clear()
        self._groups.clear()
        for record in self._table.values():
            self._groups.setdefault(self._key(record), []).append(record)
            if len(self._groups) > MOST_GROUPS:
                break

    def find(self, fits: Callable[[Key], bool]) -> list[T] | None:
        """Return the records whose key fits, by ascending id; None where the keys are too many."""
        self._update()
        if len(self._groups) > MOST_GROUPS:
            return None
        found = [records for key, records in self._groups.items() if fits(key)]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found), key=_ID)

    def _update(self) -> None:
        if len(self.written) * len(self._groups) > MOST_PLACES:
            self._build()
        written, self.written = self.written, set()
        for number in written:
            for records in self._groups.values():
                place = bisect_left(records, number, key=_ID)
                if place < len(records) and records[place].id == number:
                    del records[place]
            if number in self._table:
                record = self._table[number]
                insort(self._groups.setdefault(self._key(record), []), record, key=_ID)


class Texts(_Index[T]):
    """The records by a text that is another in almost each: all texts in one, which is searched as a whole.

    :param text: From a record to the text of the field, in lower case.
    """

    def __init__(self, table: Table[T], text: Callable[[T], str]) -> None:
        super().__init__(table)
        self._text = text
        self._build()

    def _build(self) -> None:
        self.written.clear()
        self._records = list(self._table.values())
        texts = list(map(self._text, self._records))
        self._starts = array("q", accumulate((len(text) + 1 for text in texts), initial=0))
        self._all = "\0".join(texts)

    def find(self, wanted: str) -> Iterator[T]:
        """Yield the records that may have ``wanted`` in their text; those written since come last.

        Where they are many, the rest of the table is not searched but told.
        """
        if len(self.written) > MOST_WRITTEN:
            self._build()
        place, left = self._all.find(wanted), len(self._records) // 8
        while place >= 0:
            row = bisect_right(self._starts, place) - 1
            left -= 1
            for record in self._records[row : row + 1] if left else self._records[row:]:
                if record.id not in self.written:
                    yield record
            place = self._all.find(wanted, self._starts[row + 1]) if left else -1
        yield from (self._table[number] for number in list(self.written) if number in self._table)
