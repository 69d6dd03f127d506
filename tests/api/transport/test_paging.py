"""Lists: each row once, also while rows come and go; one page ahead; few requests."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.transport.paging import Listing, Page
from tests.api.support import AUTHENTICATE, URL, listed, make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests_mock as rm


class Fleet:
    """A list of emnify: pages in ascending id order; a page beyond the end answers with the last one.

    :param before_each: Called before each answer with the number of answers so far; may change the rows.
    """

    def __init__(
        self, rows: int, per_page: int = 1000, before_each: Callable[[Fleet, int], None] | None = None
    ) -> None:
        self.ids = list(range(1, rows + 1))
        self.per_page = per_page
        self.before_each = before_each
        self.asked: list[int] = []
        self.threads: set[int] = set()

    def __call__(self, number: int) -> Page:
        if self.before_each:
            self.before_each(self, len(self.asked))
        self.asked.append(number)
        pages = -(-len(self.ids) // self.per_page)
        number = max(min(number, pages), 1)
        ids = self.ids[(number - 1) * self.per_page : number * self.per_page]
        return Page([{"id": key} for key in ids], number, pages, len(self.ids))


def ids(listing: Listing) -> list[int]:
    return [row["id"] for row in listing]


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 25_000])
def test_each_row_once_with_the_least_requests(rows: int) -> None:
    fleet = Fleet(rows)
    assert ids(Listing(fleet)) == list(range(rows, 0, -1))
    assert len(fleet.asked) == max(-(-rows // 1000), 1)


@pytest.mark.parametrize("rows", [0, 1, 999, 1000, 1001, 25_000])
def test_a_sorted_list_is_read_in_its_order(rows: int) -> None:
    fleet = Fleet(rows)
    assert ids(Listing(fleet, newest_first=False)) == list(range(1, rows + 1))
    assert len(fleet.asked) == max(-(-rows // 1000), 1)


# For each answer: which rows go first (as places in the list), and how many new ones come.
CHANGES = st.lists(st.tuples(st.lists(st.integers(0, 60), max_size=5), st.integers(0, 5)), max_size=40)


@settings(max_examples=300)
@given(rows=st.integers(0, 60), per_page=st.integers(1, 9), changes=CHANGES)
def test_no_row_that_was_there_all_the_time_is_lost_or_doubled(
    rows: int, per_page: int, changes: list[tuple[list[int], int]]
) -> None:
    there_all_the_time = set(range(1, rows + 1))
    new = itertools.count(rows + 1)

    def change(fleet: Fleet, asked: int) -> None:
        victims, come = changes[asked] if asked < len(changes) else ([], 0)
        for victim in victims:
            if victim < len(fleet.ids):
                there_all_the_time.discard(fleet.ids.pop(victim))
        fleet.ids.extend(itertools.islice(new, come))

    seen = ids(Listing(Fleet(rows, per_page, change)))
    assert len(seen) == len(set(seen))
    assert there_all_the_time <= set(seen)


@settings(max_examples=300)
@given(
    matching=st.sets(st.integers(1, 79), min_size=1),
    per_page=st.integers(2, 9),
    entering=st.lists(st.lists(st.integers(1, 79), max_size=9, unique=True), max_size=40),
)
def test_rows_that_enter_a_filtered_list_hide_none(
    matching: set[int], per_page: int, entering: list[list[int]]
) -> None:
    fleet = Fleet(0, per_page)
    fleet.ids = sorted(matching)

    def enter(fleet: Fleet, asked: int) -> None:
        # Devices begin to match while the list is read, at most a page of them between two answers.
        some = entering[asked][:per_page] if 0 < asked < len(entering) else []
        fleet.ids = sorted({*fleet.ids, *some})

    fleet.before_each = enter
    seen = ids(Listing(fleet, filtered=True))
    assert len(seen) == len(set(seen))
    assert matching <= set(seen)


def test_the_next_page_is_fetched_while_this_one_is_read() -> None:
    fetched = threading.Semaphore(0)
    fleet = Fleet(3000)

    def fetch(number: int) -> Page:
        page = fleet(number)
        fetched.release()
        return page

    listing = Listing(fetch)
    next(listing)
    assert fetched.acquire(timeout=5)
    assert fetched.acquire(timeout=5), "the second page is asked for as soon as the first is read from"
    assert len(fleet.asked) == 2
    listing.close()


def test_a_listing_that_is_left_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with Listing(Fleet(5000)) as listing:
        next(listing)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_nothing_is_fetched_before_the_first_row_is_asked_for() -> None:
    fleet = Fleet(5000)
    listing = Listing(fleet)
    assert fleet.asked == []
    assert listing.pages == 5
    assert listing.total == 5000
    assert len(fleet.asked) == 1
    assert len(ids(listing)) == 5000
    assert len(fleet.asked) == 5


def test_an_error_on_a_later_page_reaches_the_reader() -> None:
    fleet = Fleet(5000)

    def fetch(number: int) -> Page:
        if number == 3:
            raise EmnifyServerError("no")
        return fleet(number)

    with pytest.raises(EmnifyServerError):
        ids(Listing(fetch))


def test_an_api_that_answers_beyond_the_end_with_nothing_is_read_too() -> None:
    fleet = Fleet(2500)

    def fetch(number: int) -> Page:
        return Page([], 3, 3, 2500) if number > 3 else fleet(number)

    assert len(ids(Listing(fetch))) == 2500


# Over HTTP


def serve(api: rm.Mocker, rows: int, most: int, names: tuple[str, ...]) -> None:
    count_per_page, current, total_count, total_pages = names

    def answer(request: Any, context: Any) -> list[dict[str, int]]:
        per_page = min(int(request.qs.get("per_page", ["100"])[0]), most)
        pages = -(-rows // per_page)
        number = max(min(int(request.qs["page"][0]), pages), 1)
        context.headers.update(
            {
                count_per_page: str(per_page),
                current: str(number),
                total_count: str(rows),
                total_pages: str(pages),
            }
        )
        return [{"id": n + 1} for n in range((number - 1) * per_page, min(number * per_page, rows))]

    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    api.get(URL + "/api/v1/endpoint", json=answer)


@pytest.mark.parametrize(
    "names",
    [
        ("X-Count-Per-Page", "X-Current-Page", "X-Total-Count", "X-Total-Pages"),
        ("x-count-per-page", "x-current-page", "x-total-count", "x-total-pages"),
        ("X-COUNT-PER-PAGE", "X-CURRENT-PAGE", "X-TOTAL-COUNT", "X-TOTAL-PAGES"),
    ],
    ids=["as documented", "lower", "upper"],
)
@pytest.mark.parametrize("sort", [None, "-name"])
def test_paging_headers_are_read_in_any_letter_case(
    requests_mock: rm.Mocker, names: tuple[str, ...], sort: str | None
) -> None:
    serve(requests_mock, 250, 100, names)
    rows = list(listed("/api/v1/endpoint", per_page=100, sort=sort))
    assert sorted(row["id"] for row in rows) == list(range(1, 251))


def test_a_per_page_that_the_server_cuts_loses_nothing(requests_mock: rm.Mocker) -> None:
    serve(requests_mock, 2500, 1000, ("X-Count-Per-Page", "X-Current-Page", "X-Total-Count", "X-Total-Pages"))
    rows = list(listed("/api/v1/endpoint", per_page=100_000))
    assert sorted(row["id"] for row in rows) == list(range(1, 2501))


def test_a_list_without_paging_headers_is_one_page(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    requests_mock.get(URL + "/api/v1/service_profile", json=[{"id": 3}, {"id": 1}])
    assert list(listed("/api/v1/service_profile")) == [{"id": 3}, {"id": 1}]
    assert len(requests_mock.request_history) == 2


def test_a_list_in_an_envelope_is_read_to_its_last_page(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})

    def answer(request: Any, _: Any) -> dict[str, Any]:
        page = int(request.qs["page"][0])
        size = int(request.qs["page_size"][0])
        data = [{"id": n} for n in range((page - 1) * size, min(page * size, 5))]
        return {"total": 5, "page": page, "page_size": size, "last_page": 3, "data": data}

    requests_mock.get(URL + "/api/v2/tags", json=answer)
    rows = list(listed("/api/v2/tags", envelope=True, per_page=2))
    assert rows == [{"id": n} for n in range(5)]


@pytest.mark.parametrize("envelope", [True, False])
def test_a_list_of_another_form_is_an_error(requests_mock: rm.Mocker, envelope: bool) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    requests_mock.get(URL + "/api/v2/tags", json={"what": 1})
    with pytest.raises(EmnifyServerError, match="expected"):
        list(listed("/api/v2/tags", envelope=envelope))
