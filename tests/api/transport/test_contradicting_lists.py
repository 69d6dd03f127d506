"""Answers that contradict each other, or themselves, in ways that a count alone does not show."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.transport.paging import Listing, Page
from tests.api.support import AUTHENTICATE, URL, make_client, make_token
from tests.api.transport.test_whole_lists import HEADERS, LOST, Server, whole_or_refused, without

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests_mock as rm

NUMBER, PAGES, TOTAL, SIZE = HEADERS
Said = dict[str, str]


def serve_first(said: Callable[[int, Said], Said]) -> Server:
    """Serve 25 rows, of which a page beyond the end is the first one."""
    server = Server(list(range(1, 26)), 10, lambda _, number, rows, headers: (rows, said(number, headers)))
    return _Wrapping(server.ids, server.size, server.spoil)


class _Wrapping(Server):
    def __call__(self, asked: int) -> Page:
        return super().__call__(asked if asked <= -(-len(self.ids) // self.size) else 1)

    def sized(self, asked: int, size: int) -> Page:
        return _Wrapping(self.ids, size, self.spoil)(asked)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("count", ["25, 25", "25.0", "25 , 25", " 25 "])
@pytest.mark.parametrize("gone", [0, 3, 24])
def test_a_count_that_is_said_twice_or_as_a_decimal_counts(count: str, gone: int, newest_first: bool) -> None:
    ids = [key for key in range(1, 26) if key != gone + 1]
    server = Server(ids, 25, lambda _, __, rows, said: (rows, {**said, TOTAL: count}))
    with pytest.raises(EmnifyServerError, match="24"):
        list(Listing(server, newest_first=newest_first))


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: "-".join(sorted(lost)) or "none")
@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[1:], ids=str)
@pytest.mark.parametrize("size", [1, 3])
def test_pages_that_do_not_follow_each_other_by_id_are_refused(
    order: tuple[int, ...], size: int, lost: frozenset[str]
) -> None:
    ids = [block * size + place for block in order for place in range(size)]
    server = Server(ids, size, lambda _, __, rows, said: (rows, without(lost, said)))
    whole_or_refused(server, set(ids))


@pytest.mark.parametrize("number", [None, "0", "-1", "1, 2"])
@pytest.mark.parametrize("pages", ["3", None, "many"])
@pytest.mark.parametrize("total", ["25", None, "-1"])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("rows", [25, 30])
def test_a_page_beyond_the_end_that_is_the_first_one_hides_no_row(
    number: str | None, pages: str | None, total: str | None, newest_first: bool, rows: int
) -> None:
    given = {NUMBER: number, PAGES: pages, TOTAL: total and total.replace("25", str(rows))}

    def said(_: int, headers: Said) -> Said:
        return {k: v for k, v in {**headers, **given}.items() if v is not None}

    server = serve_first(said)
    server.ids[25:] = range(26, rows + 1)
    whole_or_refused(server, set(range(1, rows + 1)), newest_first=newest_first, fetch_sized=server.sized)


@pytest.mark.parametrize("rows", [3, 4, 5, 9, 11, 13])
def test_a_first_page_without_headers_is_not_all_where_pages_beyond_it_have_others(rows: int) -> None:
    server = serve_first(lambda _, __: {})
    server.size = rows
    whole_or_refused(server, set(range(1, 26)), fetch_sized=server.sized)


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(
    "said", [{}, {TOTAL: ""}, {PAGES: "", TOTAL: "x"}, dict.fromkeys(HEADERS, "")], ids=str
)
def test_a_row_twice_on_a_page_is_refused(said: Said, newest_first: bool) -> None:
    server = Server(
        list(range(1, 26)), 10, lambda _, __, rows, headers: ([*rows, rows[0]], {**headers, **said})
    )
    with pytest.raises(EmnifyServerError, match="could not be read as a whole"):
        list(Listing(server, newest_first=newest_first))


@pytest.mark.parametrize("less", [1, 2])
@pytest.mark.parametrize("total", [None, "", "1,000"])
def test_a_page_behind_the_last_one_that_is_counted_is_refused(less: int, total: str | None) -> None:
    def spoil(_: int, __: int, rows: Any, headers: Said) -> tuple[Any, Said]:
        said = {**headers, PAGES: str(int(headers[PAGES]) - less), TOTAL: total}
        return rows, {k: v for k, v in said.items() if v is not None}

    whole_or_refused(Server(list(range(1, 31)), 10, spoil), set(range(1, 31)))


@pytest.mark.parametrize("off", [1, 2, 7])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_with_the_numbers_of_others_are_refused(off: int, newest_first: bool) -> None:
    def spoil(_: int, number: int, rows: Any, headers: Said) -> tuple[Any, Said]:
        return rows, {NUMBER: str(number + off), TOTAL: headers[TOTAL]}

    server = Server(list(range(1, 26)), 10, spoil)
    whole_or_refused(server, set(range(1, 26)), newest_first=newest_first)


@pytest.mark.parametrize("pages", ["0", "0.0", "0, 0"])
@pytest.mark.parametrize("total", ["25", None])
@pytest.mark.parametrize("newest_first", [True, False])
def test_no_pages_at_all_is_absurd_where_there_are_rows(
    pages: str, total: str | None, newest_first: bool
) -> None:
    def spoil(_: int, __: int, rows: Any, headers: Said) -> tuple[Any, Said]:
        said = {**headers, PAGES: pages, TOTAL: total}
        return rows, {k: v for k, v in said.items() if v is not None}

    whole_or_refused(Server(list(range(1, 26)), 10, spoil), set(range(1, 26)), newest_first=newest_first)


@pytest.mark.parametrize(
    "lost", [name for name in LOST if TOTAL not in name], ids=lambda lost: str(sorted(lost))
)
def test_a_list_that_goes_round_in_its_order_is_refused(lost: frozenset[str]) -> None:
    def spoil(place: int, _: int, rows: Any, headers: Said) -> tuple[Any, Said]:
        return rows[: len(rows) - place % 2], without(lost | {PAGES}, headers)  # never twice the same

    server = Server(list(range(1, 10)), 9, spoil)
    whole_or_refused(server, set(range(1, 10)), newest_first=False)


@pytest.mark.parametrize(
    "said", [{PAGES: "3"}, {PAGES: "3", TOTAL: "1"}, {TOTAL: "2"}, {TOTAL: "2, 2"}], ids=str
)
def test_a_list_in_one_answer_that_tells_of_more_is_refused(requests_mock: rm.Mocker, said: Said) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    requests_mock.get(URL + "/api/v1/service_profile", json=[{"id": 1}], headers=said)
    with pytest.raises(EmnifyServerError, match="came at once"):
        list(make_client().service_profiles.list())
