"""What an event sensor makes of a list of events that waits share, which goes back further than its own."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emnify.api.transport.answers import is_id
from airflow_provider_emnify.api.waits.event_filter import EventFilter
from airflow_provider_emnify.api.waits.events import ANY, find_events, parse_endpoints
from tests.api.support import Column


def event(number: int, minute: int, endpoint_id: int = 7) -> dict[str, Any]:
    moment = f"2030-01-01T10:{minute:02}:00.000Z"
    return {"id": number, "timestamp": moment, "description": "Blocked.", "endpoint": {"id": endpoint_id}}


@pytest.mark.parametrize(("since", "first"), [(0, 1), (10, 1), (11, 2), (20, 2)])
def test_what_happened_before_its_own_beginning_does_not_count(since: int, first: int) -> None:
    filters = {"since": f"2030-01-01T10:{since:02}:00+00:00"}
    found = find_events([event(1, 10), event(2, 20)], [7], filters)
    assert found[7].label.startswith(f"Blocked. (event {first}, ")


def test_where_all_came_before_there_is_none_yet() -> None:
    found = find_events([event(1, 10), event(2, 20, 8)], [7], {"since": "2030-01-01T10:15:00+00:00"})
    assert found[7].label == "NO EVENT YET"


def test_endpoints_types_and_tags_are_taken_from_columns() -> None:
    assert parse_endpoints(Column([7, 8]), "endpoint_ids") == [7, 8]
    assert [parse_endpoints(one, "endpoint_ids") for one in (ANY, [ANY], (ANY,))] == [[ANY]] * 3
    found = EventFilter.make(event_type=Column([11, 12]), tags=Column(["pump"]), severity=Column(["warn"]))
    assert found == EventFilter.make(event_type=[11, 12], tags="pump", severity="warn")


@pytest.mark.parametrize(("text", "is_one"), [("9" * 18, True), ("9" * 19, False), ("89" * 10, False)])
def test_more_digits_than_a_number_of_64_bits_has_are_no_id(text: str, is_one: bool) -> None:
    assert is_id(text, int) is is_one
