"""Arguments on their way to the wire: filters, references, dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_emnify.api import EndpointStatus, EventSeverity
from airflow_provider_emnify.api.resources.fields import UNSET, filters, given, ref, refs
from airflow_provider_emnify.api.values import moment, parse_day, parse_moment
from tests.api.resources.recorder import Recorder


def q_of(client: Recorder) -> str | None:
    return client.sent[-1].params.get("q")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, None),
        ({"status": EndpointStatus.DISABLED}, "status:1"),
        ({"alert": True, "x": False}, "alert:true,x:false"),
        ({"name": " a b "}, "name:a b"),
        ({"name": "10:30"}, "name:10:30"),
        ({"created": date(2026, 1, 2)}, "created:2026-01-02"),
        ({"from_": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}, "from:2026-01-02T03:04:05Z"),
        ({"type": [1, "2", 3]}, "type:1|2|3"),
        ({"type": [1, None]}, "type:1|null"),
        ({"type": range(1, 4)}, "type:1|2|3"),
        ({"type": iter("ab")}, "type:a|b"),
    ],
)
def test_a_filter_is_written_as_emnify_does(fields: dict[str, Any], text: str | None) -> None:
    assert filters(several={"type"}, **fields) == text


def test_filters_are_added_to_those_of_the_caller() -> None:
    assert filters("tags:a", name="b") == "tags:a,name:b"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "a,b"}, "separator"),
        ({"name": "  "}, "empty"),
        ({"q": 7}, "7 is not a text"),
        ({"q": ["status:1"]}, "is not a text"),
        ({"type": "1|2"}, "as a list"),
        ({"type": ["1|2"]}, "as a list"),
        ({"type": []}, "one to 6"),
        ({"type": [1, 2, 3, 4, 5, 6, 7]}, "one to 6"),
        ({"name": ["a", "b"]}, "one value"),
        ({"name": range(2)}, "one value"),
    ],
)
def test_what_a_filter_cannot_say_is_an_error_that_names_the_field(
    fields: dict[str, Any], message: str
) -> None:
    [name] = fields
    with pytest.raises(ValueError, match=f"{name}: .*{message}"):
        filters(several={"type"}, **fields)


@pytest.mark.parametrize("sort", [["id"], ("id", "name"), {"id": 1}, 7, b"id"])
def test_an_order_that_is_not_a_text_is_an_error_that_says_how_it_is_written(sort: Any) -> None:
    client = Recorder()
    for resource in (client.sims, client.endpoints, client.events):
        with pytest.raises(ValueError, match=r"sort: .* is not a text; give one like '-name,id'"):
            resource.list(sort=sort)
    assert client.sent == []


def test_a_list_is_filtered_by_its_keywords() -> None:
    client = Recorder()
    client.endpoints.list(status="disabled", sim_status=2, service_profile_id=7, q="tags:x")
    assert q_of(client) == "tags:x,status:1,sim_status:2,service_profile:7"
    client.sims.list(assigned=False)
    assert q_of(client) == "endpoint:null"
    client.sims.list()
    assert q_of(client) is None
    client.users.list(username="me@example.org", status="active")
    assert q_of(client) == "status:1,username:me@example.org"


def test_events_are_filtered_by_a_time_range_in_utc() -> None:
    client = Recorder()
    berlin = timezone(timedelta(hours=2))
    client.events.list(
        from_=datetime(2026, 6, 1, 1, 30, tzinfo=berlin),
        until="2026-06-02",
        severity=EventSeverity.WARN,
        type=[1, 2],
        alert=True,
    )
    assert q_of(client) == (
        "from:2026-05-31T23:30:00Z,until:2026-06-02T00:00:00Z,type:1|2,severity:1,alert:true"
    )


@pytest.mark.parametrize("half", [{"from_": "2026-01-01"}, {"until": "2026-01-01"}])
def test_half_a_time_range_is_an_error(half: dict[str, str]) -> None:
    client = Recorder()
    for events in (client.events.list, lambda **kw: client.endpoints.events(1, **kw)):
        with pytest.raises(ValueError, match="only together"):
            events(**half)
    assert client.sent == []


def test_a_list_that_emnify_does_not_sort_by_id_is_sorted_by_id() -> None:
    client = Recorder()
    client.events.list()
    assert client.sent[-1].params["sort"] == "id"
    client.users.list(sort="-created")
    assert client.sent[-1].params["sort"] == "-created"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),
        (date(2026, 1, 2), "2026-01-02T00:00:00Z"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        (" 2026-01-02 ", "2026-01-02T00:00:00Z"),
    ],
)
def test_a_point_in_time_is_sent_in_utc(value: Any, text: str) -> None:
    assert moment(value) == parse_moment(value, "from_") == text
    assert parse_day(value, "start_date") == text[:10]


@pytest.mark.parametrize(
    "value", ["tomorrow", "2026-13-01", "9999-12-31T23:59-01:00", "", 7, ["2026-01-02"], timedelta(1)]
)
def test_what_is_no_date_is_an_error_that_names_the_argument(value: Any) -> None:
    client = Recorder()
    for call in (client.endpoints.daily_stats, client.organisations.hourly_stats):
        with pytest.raises(ValueError, match=r"start_date: .* is not a valid date or time"):
            call(7, start_date=value)
    with pytest.raises(ValueError, match=r"until: .* is not a valid date or time"):
        client.events.list(from_="2026-01-01", until=value)
    assert client.sent == []


def test_references_take_what_a_template_renders_to() -> None:
    assert ref("7", "x_id") == ref(7, "x_id") == ref("[7]", "x_id") == {"id": 7}
    assert refs("[7, 8]", "x_ids") == refs((7, "8"), "x_ids") == [{"id": 7}, {"id": 8}]
    assert refs([], "x_ids") == []
    assert refs(None, "x_ids") is None


@pytest.mark.parametrize("value", ["", "1,2", [], True, -1, "x"])
def test_a_reference_is_one_id(value: Any) -> None:
    with pytest.raises(ValueError, match="x_id"):
        ref(value, "x_id")


def test_only_what_is_given_is_sent() -> None:
    assert given(a=None, b=UNSET, c=0, d=False, e="", f={"id": None}) == {
        "c": 0,
        "d": False,
        "e": "",
        "f": {"id": None},
    }
