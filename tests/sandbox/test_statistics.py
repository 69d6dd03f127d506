"""Usage adds up, comes in emnify's odd forms, and is the same whenever it is asked for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

START = datetime(2024, 5, 15, 12, tzinfo=UTC)
DAILY = "/api/v1/organisation/my/stats/daily"
HOURLY = "/api/v1/organisation/my/stats/hourly"


pytestmark = pytest.mark.fleet(3, start=START.timestamp())


@pytest.fixture
def usage(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def test_the_start_is_included_and_the_end_is_not(usage: Api) -> None:
    rows = usage.get(DAILY, start_date="2024-05-01", end_date="2024-05-04").json()
    assert sorted(row["date"] for row in rows) == ["2024-05-01", "2024-05-02", "2024-05-03", "TOTAL"]
    assert rows[-1]["date"] != "TOTAL" != rows[0]["date"]
    volume = rows[0]["data"]["volume"]
    assert isinstance(volume, str)
    total = next(row for row in rows if row["date"] == "TOTAL")
    days = [float(row["data"]["volume"]) for row in rows if row is not total]
    assert float(total["data"]["volume"]) == pytest.approx(sum(days))
    assert usage.get(DAILY, start_date="2024-05-01", end_date="2024-05-04").json() == rows


def test_this_month_is_told_by_default_and_an_end_needs_a_start(usage: Api) -> None:
    assert len(usage.get(DAILY).json()) == 15 + 1
    assert usage.get("/api/v1/stats/daily").json() == usage.get(DAILY).json()
    assert usage.get(DAILY, end_date="2024-05-04").status_code == 422


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("day", ["20240501", "2024-13-01", "soon"])
def test_a_day_that_is_none_is_refused(usage: Api, day: str) -> None:
    assert usage.get(DAILY, start_date=day).status_code == 422


def test_the_endpoints_add_up_to_the_organisation(usage: Api) -> None:
    days = {"start_date": "2024-05-01", "end_date": "2024-05-10"}
    per_endpoint = [
        usage.get(f"/api/v1/endpoint/{number}/stats/daily", **days).json()
        for number in (1_000_001, 1_000_002, 1_000_003)
    ]
    assert [row["date"] for row in per_endpoint[0]][-1] == "2024-05-10"
    rows = usage.get(DAILY, start_date="2024-05-01", end_date="2024-05-11").json()
    total = next(row for row in rows if row["date"] == "TOTAL")["data"]["volume"]
    volumes = [row["data"]["volume"] for endpoint in per_endpoint for row in endpoint]
    assert float(total) == pytest.approx(sum(volumes))
    sim = usage.get("/api/v1/sim/2000101/stats/daily", **days).json()
    assert sim == per_endpoint[0]
    assert usage.get("/api/v1/sim/2000001/stats/daily").json() == []


def test_today_grows_and_yesterday_does_not(fleet: Sandbox, usage: Api) -> None:
    before = usage.get("/api/v1/endpoint/1000001/stats/daily").json()
    fleet.clock.advance(3600)
    after = usage.get("/api/v1/endpoint/1000001/stats/daily").json()
    assert before[:-1] == after[:-1]
    assert before[-1]["data"]["volume"] < after[-1]["data"]["volume"]


def test_hours_carry_no_date(fleet: Sandbox, usage: Api) -> None:
    told = usage.get(HOURLY).json()
    assert [row[0] for row in told["data"]["rx"]][:3] == ["09:00", "10:00", "11:00"]
    assert isinstance(told["data"]["rx"][0][1], str)
    assert set(told) == {"data", "sms"}
    span = {"start_date": "2024-05-13", "end_date": "2024-05-15"}
    hours = [row[0] for row in usage.get(HOURLY, **span).json()["sms"]["tx"]]
    assert hours == [f"{hour:02}:00" for hour in range(24)] * 2
    moments = {
        "start_date": (START - timedelta(hours=30)).isoformat(),
        "end_date": (START - timedelta(hours=28)).isoformat(),
    }
    assert [row[0] for row in usage.get(HOURLY, **moments).json()["data"]["tx"]] == ["06:00", "07:00"]


def test_months_and_counts(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], usage: Api
) -> None:
    told = usage.get("/api/v1/organisation/my/stats").json()
    assert (told["current_month"]["data"]["month"], told["last_month"]["sms"]["month"]) == (
        "2024-05",
        "2024-04",
    )
    assert told["sim"] == {"issued": 100, "factory_mode": 0, "active": 3, "suspended": 0, "total": 103}
    assert isinstance(told["current_month"]["data"]["volume"], float)
    quirky = connect(make_sandbox(3, quirks=True)).get("/api/v1/organisation/my/stats").json()
    assert isinstance(quirky["current_month"]["data"]["volume"], str)
    assert quirky["sim"]["active"] == "3"


def test_an_organisation_that_is_not_ones_own_is_refused(usage: Api) -> None:
    for path in ("stats", "stats/daily", "stats/hourly"):
        assert usage.get(f"/api/v1/organisation/101/{path}").status_code == 422
    assert usage.get("/api/v1/organisation/100/stats").status_code == 200


def test_workspaces_are_told_one_by_one(fleet: Sandbox, connect: Callable[..., Api]) -> None:
    from tests.sandbox.telling import ADMIN

    api = connect(fleet, ADMIN)
    path, days = "/api/v2/workspace/stats/daily", {"start_date": "2024-05-01", "end_date": "2024-05-02"}
    first, second = api.get(path, **days).json()
    assert (first["id"], second["id"], second["days"]) == (100, 101, [])
    assert [day["date"] for day in first["days"]] == ["2024-05-01", "2024-05-02"]
    assert [row["id"] for row in api.get(path, workspace_ids="101").json()] == [101]
    assert api.get(path, workspace_ids="7").status_code == 422


def test_a_large_fleet_is_summed_fast(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    api = connect(make_sandbox(20_000, limits=False, start=START.timestamp()))
    began = time.process_time()
    assert api.get(DAILY, start_date="2024-01-01").status_code == 200
    assert time.process_time() - began < 2
