"""Lists: lazy, in constant memory, the next page fetched while this one is read; whole, or an error.

A whole list in ascending id order is read from its last page to its first, so its rows come newest first.
A page number beyond the end answers with the last page, so the first request gives both rows and count. A
row that is deleted meanwhile moves others only towards pages that are still to be read, where they show up
a second time; such a repeat is known by an id that is not below the smallest one seen. Rows that are created
meanwhile have higher ids and belong to the next run.

A filtered list (``q``) can gain rows in its midst, when a device begins to match; that moves rows towards
pages already read. The count tells: when it grew, what was read last is read again, for what moved there. A
row that leaves in the same moment keeps the count as it was, and can hide one that was moved.
A list in another order than the id's (``sort``) is read forward; a row that is repeated on the next page is
dropped. When its count falls, rows can have moved onto a page that was read: the listing is refused.

Each answer is checked: a page against its own headers, and pages that follow each other against one
another; one that does not fit is asked for again, and is an error if it still does not. Headers that are
missing or impossible are ignored: where the last page is then follows from the pages themselves, because a
page beyond it repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Self

from airflow_provider_emnify.api.errors import IncompleteListError
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.page import BEYOND, Key, Page, disorder, key_of, keys_of
from airflow_provider_emnify.api.types import Row

__all__ = ["Listing", "Page"]

log = one_line_log(__name__)

_TRIES = 3  # for a page that contradicts itself or its neighbours
_ROUND = 50  # all known page sizes are multiples of it: so many rows look like the first page of several


@dataclass
class _Start:
    """Where the reading from the end begins: the last page's number, all rows from it on, and what is known.

    :param size: The rows of every page but the last.
    """

    number: int
    rows: list[Row]
    total: int | None
    size: int | None


class Listing(Iterator[Row]):
    """The rows of a list, one after another; also a context manager, which ends the reading.

    :param fetch: Fetches the page of that number.
    :param newest_first: Read from the last page to the first, in descending id order. False: as it comes.
    :param filtered: Rows can enter in the midst of the list.
    :param paged: False for a list that always comes in one answer.
    :param per_page: How many rows a page were asked for.
    :param fetch_sized: Fetches the page of that number with so many rows a page. It shows whether the API
        obeys ``page`` where no header says so; without it, a page that looks full is refused then.
    :param may_be_empty: A first answer that holds nothing, and says nothing of pages, may be all there is.
    :param name: What is listed, for messages.
    """

    def __init__(
        self,
        fetch: Callable[[int], Page],
        *,
        newest_first: bool = True,
        filtered: bool = False,
        paged: bool = True,
        per_page: int | None = None,
        fetch_sized: Callable[[int, int], Page] | None = None,
        may_be_empty: bool = False,
        name: str = "list",
    ) -> None:
        self._fetch = fetch
        self._newest_first = newest_first and paged
        self._filtered = filtered
        self._paged = paged
        self._per_page = per_page
        self._fetch_sized = fetch_sized
        self._may_be_empty = may_be_empty
        self._name = name
        self._start: _Start | None = None
        self._first: Page | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._pages = self._read()
        self._rows = (row for page in self._pages for row in page)

    def __next__(self) -> Row:
        return next(self._rows)

    def in_pages(self) -> Iterator[list[Row]]:
        """Return the same rows, a page at a time: for who takes all of them."""
        return self._pages

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def pages(self) -> int:
        """How many pages the list has; asks for the first one to be read, and keeps it."""
        return self._end().number if self._newest_first else self._begin().pages or 1

    @property
    def total(self) -> int | None:
        """How many rows the list has, as far as that is known; asks for the first page, and keeps it."""
        return self._end().total if self._newest_first else self._begin().total

    def close(self) -> None:
        """End the reading; a page that is being fetched is discarded."""
        self._rows.close()
        self._pages.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _refuse(self, why: str) -> IncompleteListError:
        return IncompleteListError(f"{self._name}: the list could not be read as a whole: {why}. Try again")

    def _get(self, number: int, size: int | None = None) -> Page:
        """Fetch a page; again when it cannot be right.

        :raises EmnifyServerError: when it is not right in the end either.
        """
        why = None
        for attempt in range(_TRIES):
            page = self._fetch(number)
            why = page.fault(number, size) or disorder(page.rows, ascending=self._newest_first)
            if why is None:
                return page
            if self._may_be_empty and self._first is None and attempt and page == Page([]):
                return Page([], 1, 1, 0)  # twice the same
            log.info("%s: page %d is not right: %s. Asking for it again", self._name, number, why)
            if number == BEYOND and page.pages and not page.rows:
                number = page.pages  # an API that answers beyond the end with nothing, after all
        raise self._refuse(f"emnify counts more than it sends, or contradicts itself: page {number}: {why}")

    def _begin(self) -> Page:
        if self._first is None:
            if self._paged:
                self._first = self._get(BEYOND if self._newest_first else 1)
            else:
                self._first = page = self._fetch(1)
                if (page.total or 0) > len(page.rows) or (page.pages or 1) > 1:
                    raise self._refuse(f"{len(page.rows)} of {page.total or 'more'} rows came at once")
        return self._first

    def _read(self) -> Generator[list[Row], None, None]:
        try:
            if not self._paged:
                yield self._begin().rows
            else:
                yield from self._read_back() if self._newest_first else self._read_on()
        finally:
            pool, self._pool = self._pool, None
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _ahead(self, number: int, size: int | None) -> Future[Page]:
        """Fetch a page while another one is read."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "emnify-page")
        return self._pool.submit(self._get, number, size)

    # -- from the last page to the first --------------------------------------------------------------------

    def _end(self) -> _Start:
        """Find the last page."""
        if self._start is None:
            page = self._begin()
            last = page.last_number(BEYOND)
            if not page.number and last is not None and last > 1:
                page = self._get(last)  # nothing says which one was sent
            if not page.rows:
                self._start = _Start(1, [], 0, None)
            elif last is not None and (page.total is not None or (page.number and page.pages)):
                size = (page.total - len(page.rows)) // (last - 1) if page.total and last > 1 else None
                self._start = _Start(last, page.rows, page.total, size)
            else:
                self._start = self._search(page)
        return self._start

    def _search(self, end: Page) -> _Start:
        """Find the number of the last page without headers: the first page that reaches the last one's rows.

        :param end: The last page.
        """
        begin = key_of(end.rows[0])
        low, high = 0, 1
        size = None
        while self._last_key(page := self._get(high, None)) < begin:
            size = len(page.rows) if size is None else size
            low, high = high, high * 2
            if high > BEYOND:
                raise self._refuse("it has no end")
        while high - low > 1:
            middle = (low + high) // 2
            found = self._get(middle, None)
            if self._last_key(found) < begin:
                low = middle
            else:
                high, page = middle, found
        if high == 1 and end.pages != 1:
            self._check_single(page)
        total = (high - 1) * (size or 0) + len(page.rows) if end.total is None else end.total
        return _Start(high, [*page.rows, *end.rows], total, size)

    def _last_key(self, page: Page) -> Key:
        if not page.rows:
            raise self._refuse("it has become empty while it was read")
        return key_of(page.rows[-1])

    def _read_back(self) -> Iterator[list[Row]]:
        start = self._end()
        number, rows, size, total = start.number, start.rows, start.size, start.total
        smallest: Key | None = None
        seen, steady = 0, True
        while True:
            following = self._ahead(number - 1, size) if number > 1 else None
            fresh = []
            for key, row in sorted(zip(keys_of(rows), rows, strict=True), key=itemgetter(0), reverse=True):
                if smallest is None or key < smallest:
                    smallest = key
                    fresh.append(row)
            seen += len(fresh)
            yield fresh
            if following is None:
                break
            page = self._joined(following.result(), number - 1, size, smallest, total)
            rows = page.rows
            if self._filtered and page.total is not None and total is not None and page.total > total:
                rows = [row for one in (page, *self._moved(number, smallest)) for row in one.rows]
            steady = steady and page.total in {None, total} and self._last_key(page) < (smallest or (2, 0))
            number, total = number - 1, total if page.total is None else page.total
            size = len(page.rows) if size is None and page.last_number(number) != number else size
        if steady and total is not None and seen != total:
            raise self._refuse(f"emnify counts {total} rows and has sent {seen}")

    def _joined(
        self, page: Page, number: int, size: int | None, smallest: Key | None, total: int | None
    ) -> Page:
        """Return page ``number``, of which it is sure that it stands where it should.

        Rows that were read already are on it when others were deleted below them, which the count says. If it
        does not, page and neighbour must still hold different rows: else the API answers with any page.
        """
        for _ in range(_TRIES):
            repeated = sum(smallest is not None and key >= smallest for key in keys_of(page.rows))
            fewer = 0 if page.total is None or total is None else total - page.total
            last = page.last_number(number)
            if repeated <= max(fewer, 0) or (last is not None and last <= number):
                return page
            neighbour = self._get(number + 1)
            gone = (neighbour.last_number(number + 1) or number + 1) <= number
            if gone or not neighbour.rows or key_of(neighbour.rows[0]) > self._last_key(page):
                return page
            page = self._get(number, size)
        raise self._refuse(f"pages {number} and {number + 1} hold the same rows")

    def _moved(self, number: int, smallest: Key | None) -> list[Page]:
        """Read again the pages from ``number`` on that may hold rows below ``smallest`` now."""
        pages: list[Page] = []
        while True:
            page = self._get(number + len(pages))
            pages.append(page)
            reached = smallest is None or any(key_of(row) >= smallest for row in page.rows)
            if reached or number + len(pages) > (page.last_number(BEYOND) or 0):
                return pages

    # -- from the first page to the last --------------------------------------------------------------------

    def _read_on(self) -> Iterator[list[Row]]:
        page = self._begin()
        number, seen, total = 1, 0, page.total
        size = None if page.last_number(1) == 1 else len(page.rows)
        before: set[str] = set()
        begin = _name(page.rows[0]) if page.rows else None
        while True:
            last = page.last_number(number)
            following = (
                None if not page.rows or (last or number + 1) <= number else self._ahead(number + 1, size)
            )
            fresh = [row for row in page.rows if _name(row) not in before]
            seen += len(fresh)
            yield fresh
            if following is None:
                break
            then = following.result()
            if then.total is not None and total is not None and then.total < total:
                raise self._refuse("rows were deleted while it was read in this order")
            is_shorter = (then.last_number(number + 1) or number + 1) <= number
            if then.rows != page.rows and (is_shorter or (then.rows and _name(then.rows[0]) == begin)):
                raise self._refuse(
                    "it became shorter while it was read, or a later page holds the first rows again"
                )
            if then.rows == page.rows:
                if last is not None or then.last_number(number + 1) not in {None, number}:
                    raise self._refuse(f"pages {number} and {number + 1} hold the same rows")
                break  # no header says so, but a page beyond the last repeats it
            page, number, before = then, number + 1, {_name(row) for row in page.rows}
        if total is not None and not total <= seen <= max(total, page.total or 0):
            raise self._refuse(f"emnify counts {total} rows and has sent {seen}")
        if number == 1 and total is None and page.pages is None:
            self._check_single(page)

    def _check_single(self, page: Page) -> None:
        """Refuse a single page without headers that can be the first of several, if ``page`` does nothing.

        That it does something is shown by smaller pages, which differ. An API that obeys neither number nor
        size is believed, unless it sends just as many rows as a page may have.
        """
        count = len(page.rows)
        if count > 1 and self._fetch_sized is not None:
            half = count // 2
            # A page beyond the end repeats the last one; other rows on it are more than these.
            first, beyond = (self._fetch_sized(number, half).rows for number in (1, -(-count // half) + 1))
            if len(first) < count and len(beyond) < count:
                if first and beyond and _name(first[0]) != _name(beyond[0]):
                    if {_name(row) for row in beyond} <= {_name(row) for row in page.rows}:
                        return
                    raise self._refuse(f"no header says so, but there are more than {count} rows")
                raise self._refuse(
                    "no header says how many pages it has, and every page number gets the same page"
                )
        if count and (count in {self._per_page, page.size} or count % _ROUND == 0):
            raise self._refuse(f"nothing says whether there are more than these {count} rows")


def _name(row: Any) -> str:
    """Return what tells a row from others on the neighbouring page."""
    return repr(row.get("id", row)) if isinstance(row, dict) else repr(row)
