"""Whatever the headers say: a listing is whole or refused. A server that is any size, and lies in any way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api import EmnifyError, EmnifyServerError
from airflow_provider_emnify.api.transport.paging import Listing, Page
from tests.api.support import AUTHENTICATE, URL, listed, make_client, make_token

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests_mock as rm

HEADERS = ("X-Current-Page", "X-Total-Pages", "X-Total-Count", "X-Count-Per-Page")
LOST = [frozenset(some) for size in range(5) for some in itertools.combinations(HEADERS, size)]


class Server:
    """A list in pages, and what goes wrong with its answers.

    :param spoil: Given the place of an answer among all, page number, rows and headers: what is sent.
    """

    def __init__(self, ids: list[Any], size: int, spoil: Callable[..., tuple[Any, dict[str, str]]]) -> None:
        self.ids, self.size, self.spoil, self.asked = ids, size, spoil, 0

    def __call__(self, asked: int) -> Page:
        pages = -(-len(self.ids) // self.size)
        number = max(min(asked, pages), 1)
        rows = [{"id": key} for key in self.ids[(number - 1) * self.size : number * self.size]]
        said = (number, pages, len(self.ids), self.size)
        headers = dict(zip(HEADERS, map(str, said), strict=True))
        place, self.asked = self.asked, self.asked + 1
        assert place < 400, "it never ends"
        body, headers = self.spoil(place, number, rows, headers)
        return Page.from_headers(body, headers)


def whole_or_refused(server: Server, there: set[int], **options: Any) -> None:
    try:
        seen = [int(row["id"]) for row in Listing(server, **options)]
    except EmnifyServerError:
        return
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


def without(lost: frozenset[str], headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in lost}


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: "-".join(sorted(lost)) or "none")
@pytest.mark.parametrize("where", [{0}, {1}, {2}, set(range(400))], ids=["first", "second", "third", "all"])
@pytest.mark.parametrize("rows", [1, 230, 300])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_list_is_whole_without_headers(
    lost: frozenset[str], where: set[int], rows: int, newest_first: bool
) -> None:
    server = Server(
        list(range(1, rows + 1)),
        100,
        lambda place, _, body, said: (body, without(lost, said) if place in where else said),
    )
    seen = sorted(row["id"] for row in Listing(server, newest_first=newest_first))
    assert seen == list(range(1, rows + 1))


@pytest.mark.parametrize("more", [-1, 1, 20])
@pytest.mark.parametrize("lost", [(), ("X-Total-Pages",), ("X-Count-Per-Page",), ("X-Current-Page",)])
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_list_of_another_length_than_is_counted_is_refused(
    more: int, lost: tuple[str, ...], newest_first: bool
) -> None:
    def spoil(_: int, __: int, rows: Any, said: dict[str, str]) -> tuple[Any, dict[str, str]]:
        return rows, without(frozenset(lost), {**said, "X-Total-Count": str(250 + more)})

    with pytest.raises(EmnifyServerError):
        list(Listing(Server(list(range(1, 251)), 100, spoil), newest_first=newest_first))


@settings(max_examples=400)
@given(
    rows=st.integers(1, 40),
    size=st.integers(1, 9),
    lost=st.lists(st.sampled_from(LOST), max_size=30),
    gone=st.lists(st.lists(st.integers(0, 40), max_size=3), max_size=30),
)
def test_any_page_size_header_loss_and_deletions(
    rows: int, size: int, lost: list[frozenset[str]], gone: list[list[int]]
) -> None:
    there = set(range(1, rows + 1))
    new = itertools.count(rows + 1)

    def spoil(place: int, _: int, body: Any, said: dict[str, str]) -> tuple[Any, dict[str, str]]:
        for victim in gone[place] if place < len(gone) else ():
            if victim < len(server.ids):
                there.discard(server.ids.pop(victim))
                server.ids.append(next(new))
        return body, without(lost[place % len(lost)], said) if lost else said

    server = Server(list(range(1, rows + 1)), size, spoil)
    whole_or_refused(server, there)


FAULTS: dict[str, Callable[[int, list[Any], dict[str, str]], tuple[Any, dict[str, str]]]] = {
    "empty": lambda _, rows, said: ([], said),
    "empty and bare": lambda _, rows, said: ([], {}),
    "one row short": lambda _, rows, said: (rows[:-1], said),
    "cut": lambda _, rows, said: (rows[:7], said),
    "doubled": lambda _, rows, said: ([*rows, *rows], said),
    "reversed": lambda _, rows, said: (rows[::-1], said),
    "without ids": lambda _, rows, said: ([{"name": "x"} for _ in rows], said),
    "one twice": lambda _, rows, said: ([*rows[:-1], rows[0]], said),
    "no objects": lambda _, rows, said: ([1 for _ in rows], said),
    "another page's number": lambda n, rows, said: (
        rows,
        {**said, "X-Current-Page": str(n + 1 if n < 3 else 1)},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_fault_that_passes_is_read_over(fault: str, place: int) -> None:
    server = Server(
        list(range(1, 251)),
        100,
        lambda at, number, rows, said: FAULTS[fault](number, rows, said) if at == place else (rows, said),
    )
    assert [row["id"] for row in Listing(server)] == list(range(250, 0, -1))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("which", [1, 2, 3])
def test_a_fault_that_lasts_is_an_error(fault: str, which: int) -> None:
    server = Server(
        list(range(1, 251)),
        100,
        lambda _, number, rows, said: FAULTS[fault](number, rows, said) if number == which else (rows, said),
    )
    with pytest.raises(EmnifyServerError, match="could not be read as a whole"):
        list(Listing(server))


ABSURD = [
    "",
    "0",
    "-1",
    "1",
    "2",
    "1e3",
    "NaN",
    "inf",
    "many",
    str(10**9),
    str(10**30),
    "9" * 5000,
    "٣",
    "3.0",
]


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: value[:12] or "empty")
@pytest.mark.parametrize(
    "names", [names for names in LOST if names], ids=lambda names: "-".join(sorted(names))
)
@pytest.mark.parametrize("newest_first", [True, False])
def test_absurd_headers_never_make_a_short_list_nor_an_endless_one(
    value: str, names: frozenset[str], newest_first: bool
) -> None:
    server = Server(
        list(range(1, 251)), 100, lambda _, __, rows, said: (rows, {**said, **dict.fromkeys(names, value)})
    )
    whole_or_refused(server, set(range(1, 251)), newest_first=newest_first)
    assert server.asked < 60


@pytest.mark.parametrize("form", [str, lambda key: key if key % 3 else str(key)], ids=["text", "mixed"])
def test_ids_may_be_text(form: Callable[[int], Any]) -> None:
    server = Server([form(key) for key in range(990, 3490)], 1000, lambda _, __, rows, said: (rows, said))
    assert [int(row["id"]) for row in Listing(server)] == list(range(3489, 989, -1))


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: "-".join(sorted(lost)) or "none")
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("rows", [200, 230])
def test_a_server_that_ignores_the_page_is_refused(
    lost: frozenset[str], newest_first: bool, rows: int
) -> None:
    first = [{"id": key} for key in range(1, 101)]
    server = Server(
        list(range(1, rows + 1)),
        100,
        lambda _, __, ___, said: (first, without(lost, {**said, "X-Current-Page": "1"})),
    )
    with pytest.raises(EmnifyServerError):
        list(Listing(server, newest_first=newest_first))


@pytest.mark.parametrize("lost", LOST, ids=lambda lost: "-".join(sorted(lost)) or "none")
@pytest.mark.parametrize("rows", [1, 3, 6, 7])
def test_a_list_that_becomes_empty_while_it_is_read_is_refused_or_whole(
    lost: frozenset[str], rows: int
) -> None:
    there = set(range(1, rows + 1))
    for empty_from, counts, filtered in itertools.product(range(1, 6), ("as before", "0"), (False, True)):

        def spoil(
            place: int,
            _: int,
            body: Any,
            headers: dict[str, str],
            empty: int = empty_from,
            said: str = counts,
        ) -> tuple[Any, dict[str, str]]:
            if place < empty:
                return body, without(lost, headers)
            gone = {name: "0" for name in ("X-Total-Count", "X-Total-Pages") if said == "0"}
            return [], without(lost, {**headers, **gone})

        whole_or_refused(
            Server(sorted(there), 3, spoil),
            set() if counts == "0" else there,
            newest_first=True,
            filtered=filtered,
        )


def test_a_listing_that_is_left_early_does_not_complain() -> None:
    server = Server(list(range(1, 251)), 100, lambda _, n, rows, said: ([], said) if n < 3 else (rows, said))
    with Listing(server) as listing:
        assert len(list(itertools.islice(listing, 50))) == 50


# Over HTTP


@pytest.mark.parametrize(
    "path", ["/api/v1/endpoint", "/api/v1/sim", "/api/v1/user", "/api/v1/event", "/api/v1/euicc"]
)
def test_the_order_by_id_is_asked_for(requests_mock: rm.Mocker, path: str) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    headers = {"X-Total-Count": "1", "X-Total-Pages": "1", "X-Current-Page": "1"}
    found = requests_mock.get(URL + path, json=[{"id": 1}], headers=headers)
    assert list(listed(path)) == [{"id": 1}]
    assert found.last_request.qs["sort"] == ["id"]


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b"7", b'"x"', b"[1]", b'[{"name": "x"}]', b"[]"])
@pytest.mark.parametrize("path", ["/api/v1/endpoint", "/api/v2/tags"])
def test_an_answer_that_is_no_list_of_rows_is_an_error(
    requests_mock: rm.Mocker, path: str, body: bytes
) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    requests_mock.get(URL + path, content=body)
    with pytest.raises(EmnifyError):
        list(listed(path, envelope=path.endswith("tags")))


@pytest.mark.parametrize(
    "broken",
    [{"data": []}, {"last_page": 1}, {"total": 9}, {"page": 7}, {"data": [{"id": 3}]}, {"last_page": 10**30}],
    ids=str,
)
def test_an_envelope_is_whole_or_refused(requests_mock: rm.Mocker, broken: dict[str, Any]) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})

    def answer(request: Any, _: Any) -> dict[str, Any]:
        page = max(min(int(request.qs["page"][0]), 3), 1)
        data = [{"id": n} for n in range((page - 1) * 2, min(page * 2, 5))]
        return {"total": 5, "page": page, "page_size": 2, "last_page": 3, "data": data, **broken}

    requests_mock.get(URL + "/api/v2/tags", json=answer)
    try:
        rows = list(listed("/api/v2/tags", envelope=True, per_page=2))
    except EmnifyServerError:
        return
    assert rows == [{"id": n} for n in range(5)]


def test_a_list_that_is_not_paged_but_counts_more_is_refused(requests_mock: rm.Mocker) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    path = URL + "/api/v1/service_profile"
    requests_mock.get(path, json=[{"id": 1}], headers={"X-Total-Count": "230"})
    with pytest.raises(EmnifyServerError, match="1 of 230"):
        list(make_client().service_profiles.list())
    requests_mock.get(path, content=b"")
    with pytest.raises(EmnifyServerError):
        list(make_client().service_profiles.list())


# Without headers, and over HTTP: what shows whether there are more rows

LISTS_OF_ONE_THING = [
    ("/api/v1/endpoint/{endpoint_id}/event", {"endpoint_id": 7}),
    ("/api/v1/sim/{sim_id}/event", {"sim_id": 7}),
    ("/api/v1/user/{user_id}/event", {"user_id": 7}),
    ("/api/v1/euicc/{euicc_id}/operation", {"euicc_id": 7}),
    ("/api/v1/sim/operation", None),
    ("/api/v1/sim", None),
]
ANY_LIST = pytest.mark.parametrize(
    ("path", "of"), LISTS_OF_ONE_THING, ids=[path for path, _ in LISTS_OF_ONE_THING]
)


def serve(
    requests_mock: rm.Mocker, path: str, of: dict[str, int] | None, ids: list[Any], most: int, obeys: str
) -> Any:
    """Serve a list without any header: ``most`` rows a page, and what of ``page`` and ``per_page`` counts."""

    def answer(request: Any, _: Any) -> list[dict[str, Any]]:
        asked = {name: int(values[0]) for name, values in request.qs.items() if values[0].isdecimal()}
        size = min(asked.get("per_page", most), most) if "per_page" in obeys else most
        number = asked["page"] if "page" in obeys.split() else 1
        number = max(min(number, -(-len(ids) // size)), 1)
        return [{"id": key} for key in ids[(number - 1) * size : number * size]]

    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return requests_mock.get(URL + path.format(**(of or {})), json=answer)


@ANY_LIST
@pytest.mark.parametrize("sort", [None, "-id"])
@pytest.mark.parametrize("rows", [1, 2, 3, 60, 99, 100, 101, 230, 300])
def test_without_headers_a_list_is_whole(
    requests_mock: rm.Mocker, path: str, of: dict[str, int] | None, rows: int, sort: str | None
) -> None:
    serve(requests_mock, path, of, list(range(1, rows + 1)), 100, "page per_page")
    found = [row["id"] for row in listed(path, path_params=of, sort=sort)]
    assert sorted(found) == list(range(1, rows + 1))


@ANY_LIST
@pytest.mark.parametrize("rows", [2, 100])
@pytest.mark.parametrize("per_page", [None, 2, 1000])
def test_without_headers_a_full_page_may_be_all(
    requests_mock: rm.Mocker, path: str, of: dict[str, int] | None, rows: int, per_page: int | None
) -> None:
    serve(requests_mock, path, of, list(range(rows)), 100, "page per_page")
    found = [row["id"] for row in listed(path, path_params=of, per_page=per_page)]
    assert sorted(found) == list(range(rows))


@ANY_LIST
@pytest.mark.parametrize(("most", "obeys"), [(100, ""), (50, ""), (100, "per_page"), (7, "per_page")])
@pytest.mark.parametrize("sort", [None, "-id"])
def test_without_headers_a_server_that_ignores_the_page_is_refused(
    requests_mock: rm.Mocker,
    path: str,
    of: dict[str, int] | None,
    most: int,
    obeys: str,
    sort: str | None,
) -> None:
    serve(requests_mock, path, of, list(range(230)), most, obeys)
    with pytest.raises(EmnifyServerError, match="could not be read as a whole"):
        list(listed(path, path_params=of, sort=sort))


@ANY_LIST
def test_an_empty_answer_without_headers_is_all_only_where_an_unknown_id_gets_it(
    requests_mock: rm.Mocker, path: str, of: dict[str, int] | None
) -> None:
    found = serve(requests_mock, path, of, [], 100, "page per_page")
    if path.endswith("}/event"):
        assert list(listed(path, path_params=of)) == []
        assert found.call_count == 2
    else:
        with pytest.raises(EmnifyServerError, match="could not be read as a whole"):
            list(listed(path, path_params=of))


@ANY_LIST
def test_an_empty_answer_that_passes_is_read_over(
    requests_mock: rm.Mocker, path: str, of: dict[str, int] | None
) -> None:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    headers = {"X-Total-Count": "1", "X-Total-Pages": "1", "X-Current-Page": "1"}
    answers: list[Any] = [{"json": []}, {"json": [{"id": 1}], "headers": headers}]
    requests_mock.get(URL + path.format(**(of or {})), answers)
    assert list(listed(path, path_params=of)) == [{"id": 1}]
