"""Reading usage and what needs a call a device; snapshots and tags in the least requests and memory."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import SimStatus
from airflow_provider_emnify.api.streams import readers as reading
from airflow_provider_emnify.api.streams.catalogue import STREAMS, Interval
from airflow_provider_emnify.api.streams.per_device import Estimate, TooManyCallsError, seconds_for
from airflow_provider_emnify.api.transport.paging import Listing, Page
from tests.api.streams.support import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox


def usage(volume: Any, cost: Any = "0.5", **more: Any) -> dict[str, Any]:
    currency = {"id": 1, "code": "EUR", "symbol": "€"}
    return {
        "volume": volume,
        "volume_rx": volume,
        "volume_tx": "0",
        "cost": cost,
        "currency": currency,
        "traffic_type": {"id": 5, "description": "Data", "unit": "MB"},
        **more,
    }


MAY = Interval(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 3, tzinfo=UTC))
DAYS = [
    {"date": "2024-04-30", "data": usage("9")},
    {"date": "2024-05-01", "data": usage("1.25", currency_id="1", traffic_type_id="5"), "sms": usage("3")},
    {"date": "2024-05-02", "data": usage("2.50")},
    {"date": "TOTAL", "data": usage("12.75")},
    {"date": "2024-05-03", "data": usage("9")},
]


def test_organisation_usage_has_no_total_and_no_day_too_many(sandbox: Sandbox, client: EmnifyClient) -> None:
    path = "/api/v1/organisation/{org_id_or_my}/stats/daily"
    sandbox.faults.add(path=path, status=200, body=DAYS)
    rows = list(STREAMS["organisation_usage_daily"].rows(client, interval=MAY))
    assert [(row["organisation_id"], row["date"]) for row in rows] == [
        (100, date(2024, 5, 1)),
        (100, date(2024, 5, 2)),
    ]
    assert rows[0]["data_volume"] == Decimal("1.25")
    assert rows[0]["sms_volume"] == Decimal(3)
    assert (rows[0]["data_unit"], rows[0]["data_currency"], rows[0]["data_cost"]) == (
        "MB",
        "EUR",
        Decimal("0.5"),
    )
    assert rows[1]["sms_volume"] is None
    assert rows[0]["_extra"] is None
    assert sandbox.log[-1].query == {
        "start_date": "2024-05-01",
        "end_date": "2024-05-03",
    }  # its end is exclusive


def test_an_hourly_row_gets_its_date(sandbox: Sandbox, client: EmnifyClient) -> None:
    span = Interval(datetime(2024, 5, 1, 22, 30, tzinfo=UTC), datetime(2024, 5, 2, 2, 15, tzinfo=UTC))
    body = {
        "data": {
            "rx": [["22:00", "1"], ["23:00", "2"], ["00:00", "3"], ["01:00", "4"], ["TOTAL", "10"]],
            "tx": [["23:00", 0.5]],
        },
        "sms": {"rx": [["01:00", 7]], "tx": []},
    }
    sandbox.faults.add(path="/api/v1/organisation/{org_id_or_my}/stats/hourly", status=200, body=body)
    rows = list(STREAMS["organisation_usage_hourly"].rows(client, interval=span))
    assert [(row["hour"].isoformat(), row["data_volume_rx"], row["data_volume_tx"]) for row in rows] == [
        ("2024-05-01T22:00:00+00:00", Decimal(1), None),
        ("2024-05-01T23:00:00+00:00", Decimal(2), Decimal("0.5")),
        ("2024-05-02T00:00:00+00:00", Decimal(3), None),
        ("2024-05-02T01:00:00+00:00", Decimal(4), None),
    ]
    assert rows[3]["sms_volume_rx"] == Decimal(7)
    assert sandbox.log[-1].query == {
        "start_date": "2024-05-01T22:00:00Z",
        "end_date": "2024-05-02T02:00:00Z",
    }


def test_hours_are_asked_for_a_day_at_a_time(sandbox: Sandbox, client: EmnifyClient) -> None:
    body = {"data": {"rx": [["05:00", "1"]]}}
    path = "/api/v1/organisation/{org_id_or_my}/stats/hourly"
    sandbox.faults.add(path=path, status=200, body=body, times=None)
    rows = list(STREAMS["organisation_usage_hourly"].rows(client, interval=MAY))
    assert [row["hour"] for row in rows] == [
        datetime(2024, 5, 1, 5, tzinfo=UTC),
        datetime(2024, 5, 2, 5, tzinfo=UTC),
    ]


def test_monthly_usage_is_this_month_and_the_last(sandbox: Sandbox, client: EmnifyClient) -> None:
    body = {
        "current_month": {"data": usage(1, month="2024-05"), "sms": usage(2, month="2024-05")},
        "last_month": {"data": usage(3, month="2024-04")},
        "sim": {"issued": 5, "active": 6, "total": 11},
        "users": 2,
        "hosting_fees": 1.5,
        "inclusive_volume": {"pooled": 10.5},
        "prepaid_balance": {
            "amount": 9.5,
            "currency": {"id": 1, "code": "EUR"},
            "last_updated": "2024-05-01",
        },
    }
    sandbox.faults.add(path="/api/v1/organisation/{org_id_or_my}/stats", status=200, body=body)
    this, last = STREAMS["organisation_usage_monthly"].rows(client)
    assert (this["month"], this["data_volume"], this["sms_volume"]) == (
        date(2024, 5, 1),
        Decimal(1),
        Decimal(2),
    )
    assert (this["sims_active"], this["users"], this["prepaid_balance"]) == (6, 2, Decimal("9.5"))
    assert (last["month"], last["data_volume"], last["sims_active"]) == (date(2024, 4, 1), 3, None)
    assert this["_extra"] is None


@pytest.mark.parametrize("many", [False, True])
def test_workspace_usage_is_a_row_for_each_workspace_and_day(
    many: bool, sandbox: Sandbox, client: EmnifyClient
) -> None:
    days = [{"date": row["date"], "data_volume": row["data"]} for row in DAYS if row["date"] != "TOTAL"]
    body: Any = {"id": 100, "days": days, "total": {"data_volume": usage(1)}}
    sandbox.faults.add(path="/api/v2/workspace/stats/daily", status=200, body=[body] if many else body)
    rows = list(STREAMS["workspace_usage_daily"].rows(client, interval=MAY, filters={"workspace_ids": [100]}))
    assert [(row["workspace_id"], row["date"].day, row["data_volume"]) for row in rows] == [
        (100, 1, Decimal("1.25")),
        (100, 2, Decimal("2.50")),
    ]
    assert rows[0]["_extra"] is None


@pytest.mark.parametrize("given", [[100, 101], (100, "101"), [100.0, {"id": 101}], "[100, 101]", "100,101"])
def test_usage_of_several_workspaces_is_one_answer(
    given: Any, sandbox: Sandbox, client: EmnifyClient
) -> None:
    sandbox.faults.add(path="/api/v2/workspace/stats/daily", status=200, body=[])
    rows = STREAMS["workspace_usage_daily"].rows(client, interval=MAY, filters={"workspace_ids": given})
    assert list(rows) == []
    assert sandbox.log[-1].query["workspace_ids"] == "100,101"


REPEATED = [{"date": "2024-05-01", "data": usage(1)}, {"date": "2024-05-01", "data": usage(2)}, *DAYS[1:]]


@pytest.mark.parametrize(
    ("stream", "path", "body"),
    [
        ("organisation_usage_daily", "/api/v1/organisation/{org_id_or_my}/stats/daily", REPEATED),
        ("endpoint_usage_daily", "/api/v1/endpoint/{endpoint_id}/stats/daily", REPEATED),
        ("sim_usage_daily", "/api/v1/sim/{sim_id}/stats/daily", REPEATED),
        ("workspace_usage_daily", "/api/v2/workspace/stats/daily", [{"id": 7, "days": REPEATED}] * 2),
        ("service_profiles", "/api/v1/service_profile", [{"id": 7, "name": name} for name in "ab"]),
        ("tariff_profiles", "/api/v1/tariff_profile", [{"id": 7, "name": name} for name in "ab"]),
    ],
)
def test_of_rows_with_the_same_key_in_an_answer_the_last_one_counts(
    stream: str,
    path: str,
    body: Any,
    make_sandbox: Callable[..., Sandbox],
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox = make_sandbox(endpoints=3, spare_sims=0)
    sandbox.faults.add(path=path, status=200, body=body, times=None)
    with connect(sandbox) as client:
        rows = list(STREAMS[stream].rows(client, interval=MAY))
    keys = [tuple(row[column] for column in STREAMS[stream].key) for row in rows]
    assert len(set(keys)) == len(keys) >= 1
    assert all(row["data_volume"] != 1 for row in rows if "data_volume" in row)
    assert all(row["name"] == "b" for row in rows if "name" in row)
    assert caplog.text.count("of each key the last row counts") == 1


# -- one call a device ------------------------------------------------------------------------------------


def test_usage_of_endpoints_is_asked_for_one_by_one_with_both_dates(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = make_sandbox(endpoints=7)
    sandbox.faults.add(path="/api/v1/endpoint/{endpoint_id}/stats/daily", status=200, body=DAYS, times=None)
    with connect(sandbox) as client:
        rows = list(STREAMS["endpoint_usage_daily"].rows(client, interval=MAY))
    assert len(rows) == 14
    assert sandbox.log[-1].query == {"start_date": "2024-05-01", "end_date": "2024-05-02"}
    assert len({(row["endpoint_id"], row["date"]) for row in rows}) == 14


def test_devices_are_read_with_a_few_threads_and_filtered(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(endpoints=12)
    path = "/api/v1/endpoint/{endpoint_id}/connectivity"
    sandbox.faults.add(path=path, delay=0.01, times=None)
    costs: list[Estimate] = []
    with connect(sandbox) as client:
        rows = list(
            STREAMS["connectivity"].rows(
                client, filters={"name": "Device 1"}, threads=3, estimated=costs.append
            )
        )
    assert {row["endpoint_id"] - 1_000_000 for row in rows} == {1, 10, 11, 12}
    assert 1 < sandbox.peaks[f"GET {path}"] <= 3
    assert costs == [Estimate(devices=4, calls=5, seconds=0)]


def test_too_many_calls_are_refused_before_the_first_device(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(endpoints=12)
    with (
        connect(sandbox) as client,
        pytest.raises(TooManyCallsError, match=r"12 devices, 13 calls.*Data Streamer"),
    ):
        list(STREAMS["connectivity"].rows(client, max_calls=12))
    assert sandbox.requests == 2


def test_a_device_that_is_gone_or_has_nothing_has_no_row(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(endpoints=4)
    with connect(sandbox) as client:
        assert list(STREAMS["data_quotas"].rows(client)) == []
        client.quotas.set_data(1_000_002, volume=5, expiry_date=datetime.now(UTC) + timedelta(days=1))
        (row,) = STREAMS["data_quotas"].rows(client)
    assert (row["endpoint_id"], row["volume"], row["status"]) == (1_000_002, Decimal(5), "ACTIVE")


def test_an_error_of_one_device_ends_the_reading(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(endpoints=40)
    path = "/api/v1/endpoint/{endpoint_id}/connectivity"
    sandbox.faults.add(path=path, status=403, skip=5)
    with connect(sandbox) as client, pytest.raises(Exception, match="403"):
        list(STREAMS["connectivity"].rows(client, threads=2))
    assert sandbox.counts[f"GET {path}"] < 20


@pytest.mark.parametrize(
    ("calls", "path", "seconds"),
    [
        (0, "/api/v1/endpoint/{endpoint_id}/sms", 0),
        (2_000, "/api/v1/endpoint/{endpoint_id}/sms", 0),
        (2_001, "/api/v1/endpoint/{endpoint_id}/sms", 300),
        (10_000, "/api/v1/endpoint/{endpoint_id}/sms", 1200),
        (100, "/api/v1/endpoint/{endpoint_id}/connectivity", 1.5),
    ],
)
def test_the_estimate_follows_the_documented_limits(calls: int, path: str, seconds: float) -> None:
    assert seconds_for(calls, path) == seconds


# -- a fleet that changes ---------------------------------------------------------------------------------


def test_a_fleet_that_changes_while_requests_fail_is_read_row_for_row(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    """Between any two answers devices come and go; two of a hundred requests fail."""
    sandbox = make_sandbox(endpoints=3_000, spare_sims=500, limits=False)
    chance = random.Random(5)
    before = set(sandbox.state.endpoints)

    def change() -> None:
        there = list(sandbox.state.endpoints)
        sandbox.delete_endpoints(chance.sample(there, 15))
        sandbox.add_endpoints(15)

    sandbox.faults.add(status=503, probability=0.02, times=None)
    sandbox.faults.add(path="/api/v1/endpoint", do=change, times=None)
    with connect(sandbox, sleep=lambda _: None) as client:
        stream = STREAMS["endpoints"]
        listing = client.endpoints.list(per_page=100)
        raw = [stream.converter(row) for row in listing]
    stayed = before & set(sandbox.state.endpoints)
    got = [row["id"] for row in raw]
    assert len(got) == len(set(got))
    assert stayed <= set(got)
    for row in raw:
        if row["id"] in stayed:
            endpoint = sandbox.state.endpoints[row["id"]]
            assert (row["name"], row["sim_id"], row["sim_status_id"]) == (
                endpoint.name,
                endpoint.sim_id,
                SimStatus.ACTIVATED,
            )


def test_a_snapshot_takes_the_least_requests(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(spare_sims=5_001, limits=False)
    with connect(sandbox) as client:
        assert sum(1 for _ in STREAMS["sims"].rows(client)) == 5_001
    assert sandbox.counts["GET /api/v1/sim"] == 3


def test_rows_are_read_as_they_are_asked_for(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(spare_sims=20_000, limits=False)
    with connect(sandbox) as client:
        rows = STREAMS["sims"].rows(client)
        assert sandbox.requests == 0
        next(rows)
        rows.close()  # type: ignore[attr-defined]
    assert sandbox.counts["GET /api/v1/sim"] <= 2


def test_tags_are_read_in_constant_memory() -> None:
    rows = 30_000

    def page(number: int) -> Page:
        first = (number - 1) * 1000
        data = [{"id": first + place, "name": f"tag {first + place} {'x' * 200}"} for place in range(1000)]
        return Page(data, number, rows // 1000, rows, 1000)

    client: Any = SimpleNamespace(tags=SimpleNamespace(list=lambda **_: Listing(page, newest_first=False)))
    tracemalloc.start()
    try:
        seen = sum(map(len, reading.counted("tags.list")(reading.Reading(client))))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == rows
    assert most < 8_000_000, "half of what the rows take"
