"""Lists: lazy, in constant memory, the next page fetched while this one is read, and no row lost.

A whole list in ascending id order is read from its last page to its first, so its rows come newest first.
A page number beyond the end answers with the last page, so the first request gives both rows and count. A
row that is deleted meanwhile moves others only towards pages that are still to be read, where they show up
a second time; such a repeat is known by an id that is not below the smallest one seen. Rows that are created
meanwhile have higher ids and belong to the next run.

A filtered list (``q``) can gain rows in its midst, when a device begins to match; that moves rows towards
pages already read. The count tells: when it grew, what was read last is read again, for what moved there. A
row that leaves in the same moment keeps the count as it was, and can hide one that was moved.
A list in another order than the id's (``sort``) is read forward; a row that is repeated on the next page is
dropped, but a row that is deleted while the list is read can hide another one.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

log = logging.getLogger(__name__)

Row = dict[str, Any]
_BEYOND = 1_000_000_000  # a page number that no list reaches: it answers with the last page


@dataclass(frozen=True)
class Page:
    """One page of a list.

    :param rows: Its rows.
    :param number: Which page it is; None when the list has no pages.
    :param pages: How many there are.
    :param total: How many rows there are, as far as the API says so.
    """

    rows: list[Row]
    number: int | None = None
    pages: int = 1
    total: int | None = None

    @classmethod
    def from_headers(cls, rows: Any, headers: Mapping[str, str]) -> Page:
        """Read the paging headers, in any letter case; without them the list has one page."""
        if rows is None:
            rows = []
        if not isinstance(rows, list):
            raise TypeError(f"a list was expected, not {type(rows).__name__}")
        pages = _number(headers.get("X-Total-Pages"))
        number = _number(headers.get("X-Current-Page"))
        total = _number(headers.get("X-Total-Count"))
        if pages is None:
            return cls(rows, total=total)
        return cls(rows, min(number or pages, max(pages, 1)), pages, total)

    @classmethod
    def from_envelope(cls, answer: Any) -> Page:
        """Read the form ``{total, page, page_size, last_page, data}``."""
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise TypeError("an object with data was expected")
        pages = _number(answer.get("last_page")) or 1
        return cls(answer["data"], _number(answer.get("page")), pages, _number(answer.get("total")))


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


class Listing(Iterator[Row]):
    """The rows of a list, one after another; also a context manager, which ends the reading.

    :param fetch: Fetches the page of that number.
    :param newest_first: Read from the last page to the first, in descending id order. False: as it comes.
    :param filtered: Rows can enter in the midst of the list.
    """

    def __init__(
        self, fetch: Callable[[int], Page], *, newest_first: bool = True, filtered: bool = False
    ) -> None:
        self._fetch = fetch
        self._newest_first = newest_first
        self._filtered = filtered
        self._first: Page | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._rows = self._read()

    def __next__(self) -> Row:
        return next(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def pages(self) -> int:
        """How many pages the list has; asks for the first one to be read, and keeps it."""
        return self._begin().pages

    @property
    def total(self) -> int | None:
        """How many rows the list has, as far as the API says so; asks for the first page, and keeps it."""
        return self._begin().total

    def close(self) -> None:
        """End the reading; a page that is under way is let go."""
        self._rows.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> Page:
        if self._first is None:
            self._first = self._fetch(_BEYOND if self._newest_first else 1)
        return self._first

    def _read(self) -> Generator[Row, None, None]:
        try:
            yield from self._read_back() if self._newest_first else self._read_on()
        finally:
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _ahead(self, number: int) -> Future[Page]:
        """Fetch a page while another one is read."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "emnify-page")
        return self._pool.submit(self._fetch, number)

    def _read_back(self) -> Iterator[Row]:
        page = self._begin()
        if page.number is None:
            yield from page.rows
            return
        if not page.rows and page.pages > 1:
            page = self._fetch(page.pages)  # an API that answers beyond the end with nothing, after all
        smallest: int | None = None
        number, total, rows = page.number or 1, page.total, page.rows
        while True:
            following = self._ahead(number - 1) if number > 1 else None
            for row in sorted(rows, key=lambda row: row["id"], reverse=True):
                if smallest is None or row["id"] < smallest:
                    smallest = row["id"]
                    yield row
            if following is None:
                return
            page = following.result()
            rows = page.rows
            if self._filtered and page.total is not None and total is not None and page.total > total:
                rows = [row for one in (page, *self._moved(number, smallest)) for row in one.rows]
            number, total = number - 1, page.total

    def _moved(self, number: int, smallest: int | None) -> list[Page]:
        """Read again the pages from ``number`` on that may hold rows below ``smallest`` now."""
        pages: list[Page] = []
        while True:
            page = self._fetch(number + len(pages))
            pages.append(page)
            reached = smallest is None or any(row["id"] >= smallest for row in page.rows)
            if reached or number + len(pages) > page.pages:
                return pages

    def _read_on(self) -> Iterator[Row]:
        page = self._begin()
        number, before = 1, set[Any]()
        while True:
            last = page.number is None or number >= page.pages
            following = None if last else self._ahead(number + 1)
            ids = {row.get("id") for row in page.rows}
            yield from (row for row in page.rows if row.get("id") is None or row["id"] not in before)
            if following is None:
                return
            page, number, before = following.result(), number + 1, ids
