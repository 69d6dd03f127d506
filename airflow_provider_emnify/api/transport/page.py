"""One page of a list: its rows, what it says of the pages, and whether that can be."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_emnify.api.types import Row

Key = tuple[int, Any]
BEYOND = 1_000_000_000
"""A page number that no list reaches: it answers with the last page."""


@dataclass(frozen=True)
class Page:
    """One page of a list. What the API does not say, or says absurdly, is None.

    :param rows: Its rows.
    :param number: Which page it is.
    :param pages: How many there are.
    :param total: How many rows there are.
    :param size: How many rows a page has.
    """

    rows: list[Row]
    number: int | None = None
    pages: int | None = None
    total: int | None = None
    size: int | None = None

    @classmethod
    def from_headers(cls, rows: Any, headers: Mapping[str, str]) -> Page:
        """Read the paging headers, in any letter case.

        :raises TypeError: when the answer holds no list.
        """
        if not isinstance(rows, list):
            raise TypeError(f"a list was expected, not {type(rows).__name__}")
        names = ("X-Current-Page", "X-Total-Pages", "X-Total-Count", "X-Count-Per-Page")
        return cls(rows, *(count_of(headers.get(name)) for name in names))

    @classmethod
    def from_envelope(cls, answer: Any) -> Page:
        """Read the form ``{total, page, page_size, last_page, data}``.

        :raises TypeError: when the answer has another form.
        """
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise TypeError("an object with data was expected")
        names = ("page", "last_page", "total", "page_size")
        return cls(answer["data"], *(count_of(answer.get(name)) for name in names))

    def last_number(self, asked: int) -> int | None:
        """Return the number of the last page, if this answer to page ``asked`` says it."""
        if self.pages or (self.pages == 0 and not self.rows):
            return max(self.pages, 1)
        if self.number and self.number < asked:
            return self.number
        return 1 if self.total == len(self.rows) else None

    def fault(self, asked: int, size: int | None = None) -> str | None:
        """Return what cannot be true of this answer, None if it may be.

        :param asked: The number of the page that was asked for.
        :param size: The rows of every page but the last, if that is known.
        """
        count, last = len(self.rows), self.last_number(asked)
        if self.number and self.number not in {asked, min(asked, last or asked)}:
            return f"it is page {self.number}"
        if last is None:
            if not count:
                return "it is empty, and does not say how many rows there are"
            short = self.total is not None and self.total < count
            return f"it has {count} rows, and there are {self.total}" if short else None
        if not count and self.number == asked > last:
            return None  # there was such a page when the one before it was read
        if asked < last:
            return self._fault_within(count, last, self.size if size is None else size)
        return self._fault_at_the_end(count, last, size)

    def _fault_within(self, count: int, last: int, size: int | None) -> str | None:
        pages = -(-self.total // count) if self.total is not None and count else last
        if count and pages == last and size in {None, count}:
            return None
        return f"it has {count} rows, but is one of {last} pages of {size or 'some'} and {self.total} rows"

    def _fault_at_the_end(self, count: int, last: int, size: int | None) -> str | None:
        if self.total is None:
            whole = count > 0
        elif last == 1:
            whole = count == self.total
        else:
            before, rest = divmod(self.total - count, last - 1)
            whole = rest == 0 and before >= count > 0 and size in {None, before}
        if whole and (size is None or count <= size):
            return None
        return f"it has {count} rows, but is the last of {last} pages with {self.total} rows"


def count_of(value: Any) -> int | None:
    """Return a number of rows or pages that can be; None for anything else.

    ``230.0`` is one, and so is ``230, 230``: a header that the API and a gateway both sent.
    """
    said = {part.strip().removesuffix(".0") for part in str(value).split(",")}
    text = said.pop() if len(said) == 1 else ""
    short = text.isascii() and text.isdecimal() and len(text) < len(str(BEYOND))
    return int(text) if short else None


def key_of(row: Any) -> Key:
    """Return what a row is ordered by: its id, also when it comes as text.

    :raises ValueError: when it has none.
    """
    found = row.get("id") if isinstance(row, dict) else None
    if isinstance(found, int) and not isinstance(found, bool):
        return 0, found
    if isinstance(found, str) and (text := found.strip()):
        return (0, int(text)) if text.isascii() and text.isdecimal() else (1, text)
    raise ValueError("a row has no id")


def keys_of(rows: Sequence[Row]) -> list[Key]:
    """Return what rows are ordered by.

    :raises ValueError: when one has no id.
    """
    ids = [row.get("id") if type(row) is dict else None for row in rows]
    return [(0, one) for one in ids] if set(map(type, ids)) == {int} else [key_of(row) for row in rows]


def disorder(rows: Sequence[Row], *, ascending: bool = True) -> str | None:
    """Return why rows cannot be a page of a list.

    :param ascending: It is one in ascending id order; else an id must not stand in it twice, where there are
        ids.
    """
    if not ascending:
        ids = [str(row["id"]) for row in rows if isinstance(row, dict) and row.get("id") is not None]
        return None if len(set(ids)) == len(ids) else "it holds a row twice"
    try:
        keys = keys_of(rows)
    except ValueError as error:
        return str(error)
    if all(below < above for below, above in itertools.pairwise(keys)):
        return None
    return "its ids do not ascend"
