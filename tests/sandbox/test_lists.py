"""Paging and events."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.sandbox.world.records.esims import AUDIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

DAY = 86_400


def stamp(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%SZ}"


pytestmark = pytest.mark.fleet(25)


@pytest.fixture
def listed(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def test_pages_come_with_their_headers(listed: Api) -> None:
    page = listed.get("/api/v1/endpoint", page=2, per_page=10)
    assert [row["id"] for row in page.json()] == list(range(1_000_011, 1_000_021))
    assert {name: page.headers[name] for name in page.headers if name.startswith("x-")} == {
        "x-count-per-page": "10",
        "x-current-page": "2",
        "x-total-count": "25",
        "x-total-pages": "3",
    }
    assert page.headers["Link"] == ""


def test_a_page_beyond_the_last_is_the_last(listed: Api) -> None:
    last = listed.get("/api/v1/endpoint", page=3, per_page=10)
    beyond = listed.get("/api/v1/endpoint", page=1_000_000, per_page=10)
    assert len(last.json()) == 5
    assert (beyond.json(), beyond.headers["X-Current-Page"]) == (last.json(), "3")


def test_an_empty_list_is_an_empty_page(api: Api) -> None:
    empty = api.get("/api/v1/endpoint", page=7)
    assert (empty.json(), empty.headers["X-Total-Count"]) == ([], "0")


@pytest.mark.parametrize(
    ("path", "asked", "given"),
    [
        ("/api/v1/endpoint", 5000, 1000),
        ("/api/v1/endpoint", None, 1000),
        ("/api/v1/sim", 5000, 2500),
        ("/api/v1/sim", None, 2000),
        ("/api/v1/event", None, 100),
    ],
)
def test_a_page_size_is_cut_silently(listed: Api, path: str, asked: int | None, given: int) -> None:
    page = listed.get(path, per_page=asked)
    assert (page.status_code, page.headers["X-Count-Per-Page"]) == (200, str(given))


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("params", [{"page": "x"}, {"per_page": "-1"}, {"page": "1.5"}])
def test_a_page_that_is_no_number_is_refused(api: Api, params: dict[str, str]) -> None:
    assert api.get("/api/v1/endpoint", **params).status_code == 400


def test_events_are_kept_for_30_days(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(3, events=290, limits=False)
    api = connect(sandbox)
    assert api.get("/api/v1/event", per_page=500).headers["X-Total-Count"] == "290"
    sandbox.clock.advance(11 * DAY)
    api = connect(sandbox)
    kept = api.get("/api/v1/event", per_page=500).headers["X-Total-Count"]
    assert int(kept) == pytest.approx(190, abs=1)


def test_events_are_filtered_by_time_and_kind(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(3, events=290, limits=False)
    api = connect(sandbox)
    now = sandbox.clock.time()

    def count(q: str) -> int:
        return int(api.get("/api/v1/event", q=q).headers["X-Total-Count"])

    week = f"from:{stamp(now - 7 * DAY)},until:{stamp(now)}"
    assert count(week) == pytest.approx(70, abs=1)
    assert count(f"{week},type:3") + count(f"{week},type:1") + count(f"{week},type:5") == count(week)
    assert count("type:1|3|5") == 290
    assert count("severity:1") == 0
    assert count("source:0,country:Germany") == 290
    assert count("endpoint:Device 1|Device 2|Device 3") == 290


@pytest.mark.parametrize(
    "q",
    [
        "from:2026-01-01T00:00:00Z",
        "from:yesterday,until:2026-01-01T00:00:00Z",
        "type:1|2|3|4|5|6|7",
        "type",
        "a:b",
    ],
)
def test_a_filter_that_cannot_be_is_refused(api: Api, q: str) -> None:
    answer = api.get("/api/v1/event", q=q)
    assert (answer.status_code, answer.json()["error_code"]) == (422, 1301)


def test_events_of_an_unknown_thing_are_none(api: Api) -> None:
    for path in ("/api/v1/endpoint/7/event", "/api/v1/sim/7/event", "/api/v1/user/7/event"):
        answer = api.get(path)
        assert (answer.status_code, answer.json()) == (200, [])


def test_events_come_in_both_recorded_forms_with_quirks(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    api = connect(make_sandbox(1, events=2, quirks=True))
    one, two = api.get("/api/v1/event").json()
    assert (one["alert"], one["event_severity"]["description"], one["event_source"]["name"]) == (
        0,
        "INFO",
        "Network",
    )
    assert time.strptime(one["timestamp"], "%Y-%m-%d %H:%M:%S")
    assert (two["alert"], two["event_severity"]["description"]) == (False, "Info")
    assert two["timestamp"].endswith("Z")


@pytest.mark.parametrize("path", ["endpoint", "sim", "user", "event"])
@pytest.mark.parametrize("name", ["page", "per_page"])
def test_a_number_of_any_length_is_taken(api: Api, path: str, name: str) -> None:
    plain = api.get(f"/api/v1/{path}").json()
    assert api.get(f"/api/v1/{path}", **{name: "9" * 5000}).json() == plain


@pytest.mark.parametrize("field", ["id", "iccid", "iccid_with_luhn"])
@pytest.mark.parametrize("path", ["endpoint", "sim"])
def test_nothing_has_a_number_of_any_length(api: Api, path: str, field: str) -> None:
    assert api.get(f"/api/v1/{path}", q=f"{field}:8988303{'0' * 5000}1").json() == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/user", "created"),
        ("/api/v1/euicc", "modified"),
        ("/api/v1/euicc/3000001/operation", "creation_date"),
        ("/api/v1/euicc/3000001/operation", "expiry_date"),
        ("/api/v1/sim/operation", "creation_date"),
    ],
)
def test_a_moment_is_found_by_its_text(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], path: str, field: str
) -> None:
    sandbox = make_sandbox(euiccs=1, start=1_800_000_000)
    api, lookups = connect(sandbox), sandbox.state.lookups
    audit = next(number for number, name in lookups.euicc_actions.items() if name == AUDIT)
    link = next(iter(lookups.sim_actions))
    api.post("/api/v1/euicc/3000001/operation", [{"action": {"id": audit}}])
    api.post("/api/v1/sim/operation", {"action": {"id": link}, "target": [{"sim": {"id": 2_000_101}}]})
    (row,) = api.get(path, q=f"{field}:20").json()
    assert api.get(path, q=f"{field}:null").json() == []
    assert api.get(path, q=f"{field}:1999", sort=field).json() == []
    assert api.get(path, q="id:" + str(row["id"])).json() == [row]
