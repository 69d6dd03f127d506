"""Indexes of large tables, so that a filter does not look at each record: built when one is first needed.

Each keeps a note of the records that have been written since, and takes them in when it is next asked.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from operator import attrgetter
from typing import Generic, TypeVar

from airflow_provider_emnify.sandbox.world.records.table import Record, Table

T = TypeVar("T", bound=Record)

MOST_WRITTEN = 1000
"""With more written records an index is built anew."""
MOST_KEPT = 20
"""How many indexes a table keeps; the oldest goes when there are more."""
_ID = attrgetter("id")


class _Index(Generic[T]):
    def __init__(self, table: Table[T]) -> None:
        self._table = table
        self.written: set[int] = set()
        """The ids of the records that have changed since it was built."""


class Found(_Index[T]):
    """The records that pass a test, by ascending id.

    :param test: Tells of a record whether it passes.
    """

    def __init__(self, table: Table[T], test: Callable[[T], bool]) -> None:
        super().__init__(table)
        self._test = test
        self._records = list(filter(test, table.values()))

    def find(self) -> list[T]:
        """Return the records."""
        written, self.written = self.written, set()
        if len(written) > MOST_WRITTEN:
            self._records = list(filter(self._test, self._table.values()))
            return self._records
        for number in written:
            place = bisect_left(self._records, number, key=_ID)
            if place < len(self._records) and self._records[place].id == number:
                del self._records[place]
            if number in self._table and self._test(self._table[number]):
                self._records.insert(place, self._table[number])
        return self._records


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

        Where they are many, the rest of the table is not searched.
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
