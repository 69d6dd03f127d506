"""Streams: each has a key and columns that emnify's answers fill; the catalogue; filters and intervals."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.__main__ import streams
from airflow_provider_emnify.api.resources import RESOURCES
from airflow_provider_emnify.api.streams.catalogue import STREAMS, Interval, Stream, get_stream
from airflow_provider_emnify.api.streams.columns import EXTRA
from tests.api.streams.support import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.openapi import OpenApi

ALL = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


def lately(stream: Stream, days: int = 2) -> Interval | None:
    now = datetime.now(UTC)
    return None if stream.cursor is None else Interval(now - timedelta(days=days), now)


def test_there_are_all_that_are_promised() -> None:
    assert set(STREAMS) == {
        *("endpoints", "sims", "events", "users", "sms", "euiccs", "tags", "service_profiles"),
        *("tariff_profiles", "network_operators", "application_tokens", "data_quotas", "sms_quotas"),
        *("organisation_usage_daily", "organisation_usage_monthly", "organisation_usage_hourly"),
        *("endpoint_usage_daily", "sim_usage_daily", "workspace_usage_daily"),
        *("inclusive_volumes", "connectivity"),
    }


@ALL
def test_each_is_complete(stream: Stream) -> None:
    names = [column.name for column in stream.columns]
    assert len(names) == len(set(names))
    assert names[-1] == EXTRA
    assert set(stream.key) <= set(names)
    assert stream.cursor is None or stream.cursor in names
    assert (stream.cursor is None) == (stream.grain is None)
    assert stream.page.startswith("https://docs.emnify.com/")
    assert all(name == name.lower() and name.replace("_", "").isalnum() for name in names)


@ALL
def test_each_is_in_the_catalogue_with_all_its_columns(stream: Stream) -> None:
    page = streams()
    assert f"## {stream.name}\n" in page
    section = page.split(f"## {stream.name}\n")[1].split("\n## ")[0]
    assert stream.path in section
    assert stream.page in section
    assert all(f"| `{column.name}` | {column.type} |" in section for column in stream.columns)


def test_the_catalogue_is_printed() -> None:
    command = [sys.executable, "-m", "airflow_provider_emnify.api", "streams"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.startswith("| stream | rows |")


def test_an_unknown_stream_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="'simz' is not a valid stream; allowed: endpoints, sims"):
        get_stream("simz")


def _fields(schema: dict[str, Any], above: str = "") -> set[str]:
    """Return the paths of all values that a schema knows."""
    for one in schema.get("oneOf", ()):
        if "properties" in one:
            return _fields(one, above)
    if schema.get("type") == "array":
        return _fields(schema["items"], above) if not above else {above}
    found: set[str] = set()
    for name, below in schema.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        found |= _fields(below, path)
    return found or {above}


LISTS = "endpoints sims events users euiccs service_profiles tariff_profiles inclusive_volumes"
DATES = "created last_updated timestamp production_date activation_date start_date end_date last_audited"


@pytest.mark.parametrize("name", LISTS.split())
def test_every_field_of_the_openapi_has_a_column_or_is_left_out_on_purpose(
    name: str, openapi: OpenApi
) -> None:
    stream = STREAMS[name]
    answer = openapi.document["paths"][stream.path]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    raw: dict[str, Any] = {}
    for path in _fields(schema):
        *above, last = path.split(".")
        part = raw
        for key in above:
            part = part.setdefault(key, {})
        part[last] = [] if path in {"profile", "tag_assignments"} else 1
    left = stream.converter(raw)[EXTRA] or {}
    # 1 is no date, and no object
    known = {*DATES.split(), "last_polled", "last_synced"}
    assert set(left) - known <= {"tariff", "ip_firewall_rule_set", "sim", "inclusive_volume"}


@ALL
@pytest.mark.parametrize("quirks", [False, True])
def test_rows_are_typed_and_keyed_and_nothing_is_left_over(
    quirks: bool, stream: Stream, make_sandbox: Callable[..., Sandbox]
) -> None:
    sandbox = make_sandbox(endpoints=5, events=60, euiccs=3, quirks=quirks, limits=False)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with connect(sandbox) as client:
        client.sms.send(1_000_001, payload="on")
        client.quotas.set_data(1_000_001, volume=5, expiry_date=tomorrow)
        client.quotas.set_sms(1_000_001, volume=5, expiry_date=tomorrow, threshold_percentage=10)
        rows = list(stream.rows(client, interval=lately(stream)))
    assert rows
    keys = [tuple(row[column] for column in stream.key) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(tuple(row) == stream.converter.names for row in rows)
    assert [row[EXTRA] for row in rows if row[EXTRA] is not None][:1] == []


def test_the_two_forms_of_an_event_become_one(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(endpoints=5, events=60, quirks=True)
    rows = list(STREAMS["events"].rows(connect(sandbox), interval=lately(STREAMS["events"], 29)))
    assert {row["id"] % 2 for row in rows} == {0, 1}
    assert {row["source"] for row in rows} == {"Network"}
    assert {row["severity"] for row in rows} == {"Info"}
    assert {row["alert"] for row in rows} == {False}
    assert all(row["timestamp"].tzinfo is UTC for row in rows)


def test_filters_go_to_emnify(sandbox: Sandbox, client: EmnifyClient) -> None:
    sandbox.add_endpoints(3)
    assert len(list(STREAMS["sims"].rows(client, filters={"status": "issued", "assigned": False}))) == 97
    assert sandbox.log[-1].query["q"] == "status:0,endpoint:null"


def test_a_filter_of_a_list_without_q_is_sent_as_it_is(sandbox: Sandbox, client: EmnifyClient) -> None:
    assert list(STREAMS["tags"].rows(client, filters={"name": "pump, north"})) == []
    assert sandbox.log[-1].query["name"] == "pump, north"


def test_filters_are_taken_as_templates_render_them(sandbox: Sandbox, client: EmnifyClient) -> None:
    sandbox.add_endpoints(3)
    filters = {"assigned": "False", "satellite_capable": "None"}
    assert len(list(STREAMS["sims"].rows(client, filters=filters))) == 97
    assert sandbox.log[-1].query["q"] == "endpoint:null"


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": "red"}, "sims has no colour; allowed: id, status"),
        ({"sort": "id"}, "sims has no sort"),
        ({"status": "asleep"}, "'asleep' is not a valid SIM status"),
        ({"iccid": "1,2"}, "separator"),
        ({"statsu": "issued"}, r"sims has no statsu \(did you mean status\?\)"),
        ({"assigned": True}, "assigned: True is not valid; allowed: False"),
        ({"satellite_capable": "perhaps"}, "satellite_capable: 'perhaps' is not valid"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_before_anything_is_sent(
    filters: dict[str, Any], message: str, sandbox: Sandbox, client: EmnifyClient
) -> None:
    with pytest.raises(ValueError, match=f"^filters: .*{message}"):
        STREAMS["sims"].rows(client, filters=filters)
    assert sandbox.requests == 0


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (timedelta(days=-31), timedelta(days=-29), "kept for 30 days"),
        (timedelta(hours=-1), timedelta(hours=1), "ends in the future"),
    ],
)
def test_an_interval_that_cannot_be_read_as_a_whole_is_an_error(
    start: timedelta, end: timedelta, message: str, client: EmnifyClient
) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match=message):
        STREAMS["events"].rows(client, interval=Interval(now + start, now + end))


def test_a_stream_with_a_cursor_needs_an_interval(client: EmnifyClient) -> None:
    with pytest.raises(ValueError, match="events covers one"):
        STREAMS["events"].rows(client)


def test_intervals_are_aware_and_go_forward() -> None:
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="ends before it begins"):
        Interval(moment, moment)
    with pytest.raises(ValueError, match="no time zone"):
        Interval(moment.replace(tzinfo=None), moment)


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2024-05-01T00:00Z", "2024-05-02T00:00Z", ["2024-05-01"]),
        ("2024-05-01T02:00Z", "2024-05-02T02:00Z", ["2024-05-01"]),
        ("2024-05-01T00:00Z", "2024-05-01T23:59Z", []),
        ("2024-05-01T23:00Z", "2024-05-02T00:00Z", ["2024-05-01"]),
        ("2024-05-01T00:00Z", "2024-05-03T12:00Z", ["2024-05-01", "2024-05-02"]),
    ],
)
def test_a_day_belongs_to_the_interval_that_it_ends_in(start: str, end: str, days: list[str]) -> None:
    interval = Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
    assert [str(day) for day in interval.days()] == days


def test_every_operation_of_a_stream_is_one_of_the_client() -> None:
    for stream in STREAMS.values():
        resource, method = stream.call.split(".")
        assert getattr(RESOURCES[resource], method).operation.path == stream.path


def test_a_row_without_key_is_an_error(sandbox: Sandbox, client: EmnifyClient) -> None:
    sandbox.faults.add(path="/api/v1/operator", status=200, body=[{"name": "Nobody"}], times=None)
    with pytest.raises(EmnifyServerError, match="has no usable id"):
        list(STREAMS["network_operators"].rows(client))


def test_application_tokens_come_without_secrets(sandbox: Sandbox, client: EmnifyClient) -> None:
    body = {
        "id": 1,
        "description": "ETL",
        "application_token": "s3cr3t",
        "status": {"id": 0},
        "ip": "0.0.0.0/0",
    }
    sandbox.faults.add(path="/api/v1/application_token", status=200, body=[body])
    (row,) = STREAMS["application_tokens"].rows(client)
    assert row["description"] == "ETL"
    assert "s3cr3t" not in json.dumps(row, default=str)


def test_a_list_that_is_read_forward_is_read_again_when_it_changed(
    sandbox: Sandbox, client: EmnifyClient
) -> None:
    pages = [
        {"total": 3, "page": 1, "page_size": 2, "last_page": 2, "data": [{"id": 1}, {"id": 2}]},
        {"total": 2, "page": 2, "page_size": 2, "last_page": 1, "data": []},  # 1 went, and 3 is on page 1 now
        {"total": 2, "page": 1, "page_size": 2, "last_page": 1, "data": [{"id": 2}, {"id": 3}]},
    ]
    for page in pages:
        sandbox.faults.add(path="/api/v2/tags", status=200, body=page)
    assert [row["id"] for row in STREAMS["tags"].rows(client)] == [2, 3]
