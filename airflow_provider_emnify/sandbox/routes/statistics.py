"""Usage and cost: of organisations, Workspaces, endpoints and SIMs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.sandbox.http.answers import wrong
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import CURRENCIES, TRAFFIC_TYPES
from airflow_provider_emnify.sandbox.routes.endpoints import the_endpoint
from airflow_provider_emnify.sandbox.routes.organisations import the_organisation
from airflow_provider_emnify.sandbox.routes.sims import the_sim
from airflow_provider_emnify.sandbox.world import usage
from airflow_provider_emnify.sandbox.world.clock import event_date, parse_date
from airflow_provider_emnify.sandbox.world.usage import Usage

Json = dict[str, Any]
Day = tuple[date, Usage]

_ORGANISATION = "/api/v1/organisation/{org_id_or_my}/stats"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_HOUR = 3600
_MOST_HOURS = 31 * 24
_HALF_A_YEAR = timedelta(days=182)


def _megabytes(octets: int) -> str:
    return f"{octets / 1_000_000:.6f}"


_KINDS: tuple[tuple[str, int, float, Callable[[int], str]], ...] = (
    ("data", 5, 0.0, _megabytes),
    ("sms", 6, 0.05, str),
)
"""Of each kind of traffic: its name, its number, the price of what is sent, and how an amount is written."""


# -- organisations ----------------------------------------------------------------------------------


@serves("GET", "/api/v1/stats/daily")
def my_daily_stats(call: Call) -> Body:
    """List the usage of the caller's organisation by day, this month, with a ``TOTAL`` row among them."""
    today = usage.day_of(call.state.now)
    return _with_total(list(usage.of_organisation(call.state, call.own, today.replace(day=1), today)))


@serves("GET", _ORGANISATION + "/daily")
def organisation_daily_stats(call: Call) -> Body:
    """List the usage of an organisation by day; the end is not included, and goes with a start only."""
    organisation_id = the_organisation(call, "org_id_or_my", status=422)
    today = usage.day_of(call.state.now)
    start, end = _day(call, "start_date"), _day(call, "end_date")
    if end is not None and start is None:
        raise wrong("Statistics - end_date is valid with start_date only.")
    first = start or today.replace(day=1)
    last = end - timedelta(days=1) if end is not None and end > date.min else today
    return _with_total(list(usage.of_organisation(call.state, organisation_id, first, last)))


@serves("GET", _ORGANISATION + "/hourly")
def organisation_hourly_stats(call: Call) -> Body:
    """Give the usage of an organisation by hour, the last three by default; the rows carry no date."""
    organisation_id = the_organisation(call, "org_id_or_my", status=422)
    end = min(_moment(call, "end_date", call.state.now), call.state.now)
    start = max(_moment(call, "start_date", end - 3 * _HOUR), end - _MOST_HOURS * _HOUR)
    first, last = usage.day_of(max(start, 0)), usage.day_of(max(end, 0))
    days = dict(usage.of_organisation(call.state, organisation_id, first, last))
    rows: dict[str, dict[str, list[Any]]] = {kind: {"rx": [], "tx": []} for kind, *_ in _KINDS}
    hour = start - start % _HOUR
    while hour < end:
        moment = datetime.fromtimestamp(hour, UTC)
        part = days.get(moment.date(), Usage()).share(1, 24)
        for kind, _, _, text in _KINDS:
            for direction, row in rows[kind].items():
                row.append([f"{moment:%H:%M}", text(getattr(part, f"{kind}_{direction}"))])
        hour += _HOUR
    return rows


@serves("GET", _ORGANISATION)
def organisation_monthly_stats(call: Call) -> Body:
    """Give the usage of an organisation in this month and the last, and what it has."""
    state = call.state
    organisation_id = the_organisation(call, "org_id_or_my", status=422)
    days = partial(usage.of_organisation, state, organisation_id)
    months = {
        name: {kind: {**volumes, "month": f"{first:%Y-%m}"} for kind, volumes in usage_of.items()}
        for name, first, usage_of in _months(state.now, days)
    }
    counts = Counter(sim.status for sim in state.sims.values() if sim.organisation_id == organisation_id)
    body: Json = {
        **months,
        "sim": {
            "issued": counts[SimStatus.ISSUED],
            "factory_mode": counts[SimStatus.FACTORY_TEST],
            "active": counts[SimStatus.ACTIVATED],
            "suspended": counts[SimStatus.SUSPENDED],
            "total": counts.total() - counts[SimStatus.DELETED],
        },
        "service_profiles": len(state.service_profiles),
        "tariff_profiles": len(state.tariff_profiles),
        "users": sum(organisation_id in user.memberships for user in state.users.values()),
        "active_chargeable_sims": counts[SimStatus.ACTIVATED],
        "hosting_fees": 0.0,
        "inclusive_volume": {"unpooled": 0.0, "pooled": 500.0},
        "prepaid_balance": {
            "amount": 0.0,
            "currency": CURRENCIES[1],
            "last_updated": event_date(call.state.now),
        },
    }
    return _as_strings(body) if state.settings.quirks else body


@serves("GET", "/api/v2/workspace/stats/daily")
def workspace_daily_stats(call: Call) -> Body:
    """List the usage of the caller's Workspaces by day."""
    user = call.state.caller
    seen = sorted(user.memberships) if user else [call.own]
    wanted = [part.strip() for part in call.query.get("workspace_ids", "").split(",") if part.strip()]
    for part in wanted:
        if part not in map(str, seen):
            raise wrong(f"Workspace {part} is not found or not accessible.", "InvalidReference")
    today = usage.day_of(call.state.now)
    end = _day(call, "end_date")
    start = _day(call, "start_date") or (end.replace(day=1) if end else today - _HALF_A_YEAR)
    rows = []
    for number in map(int, dict.fromkeys(wanted) or seen):
        days = list(usage.of_organisation(call.state, number, start, end or today))
        rows_of_days = [{"date": str(day), **_workspace(amount)} for day, amount in days]
        rows.append({"id": number, "days": rows_of_days, "total": _workspace(_sum(days))})
    return rows


# -- endpoints and SIMs -----------------------------------------------------------------------------


@serves("GET", "/api/v1/endpoint/{endpoint_id}/stats")
def endpoint_stats(call: Call) -> Body:
    """Give the usage of an endpoint in this month, the last, and the last hour."""
    state = call.state
    months = _months(state.now, partial(usage.of_endpoint, state, the_endpoint(call)))
    return {**{name: usage_of for name, _, usage_of in months}, "last_hour": _last_hour(state.now)}


@serves("GET", "/api/v1/endpoint/{endpoint_id}/stats/daily")
def endpoint_daily_stats(call: Call) -> Body:
    """List the usage of an endpoint by day, both dates included."""
    return _daily(usage.of_endpoint(call.state, the_endpoint(call), *_range(call)))


@serves("GET", "/api/v1/sim/{sim_id}/stats")
def sim_stats(call: Call) -> Body:
    """Give the usage of a SIM in this month, the last, and the last hour, in an array."""
    sim, now, body = the_sim(call), call.state.now, {}
    for name, first, usage_of in _months(now, partial(_of_sim, call)):
        for volumes in usage_of.values():
            number = volumes["traffic_type"]["id"]
            volumes |= {
                "sim_id": sim.id,
                "month": str(first),
                "traffic_type_id": number,
                "currency_id": volumes["currency"]["id"],
                "last_updated": event_date(now),
                "id": int(f"{sim.id}{first:%Y%m}{number}"),
            }
        body[name] = usage_of
    return [{**body, "last_hour": _last_hour(now)}]


@serves("GET", "/api/v1/sim/{sim_id}/stats/daily")
def sim_daily_stats(call: Call) -> Body:
    """List the usage of a SIM by day, both dates included."""
    return _daily(_of_sim(call, *_range(call)))


def _of_sim(call: Call, first: date, last: date) -> Iterable[Day]:
    """The usage of a SIM is that of the endpoint that it is in."""
    endpoint = call.state.endpoint_of(the_sim(call))
    return () if endpoint is None else usage.of_endpoint(call.state, endpoint, first, last)


# -- dates ------------------------------------------------------------------------------------------


def _day(call: Call, name: str) -> date | None:
    given = call.query.get(name)
    if not given:
        return None
    try:
        if not _DATE.fullmatch(given):
            raise ValueError(given)
        return date.fromisoformat(given)
    except ValueError:
        raise wrong(f"Statistics - {name} has invalid format: expecting YYYY-MM-DD.") from None


def _moment(call: Call, name: str, default: float) -> float:
    given = call.query.get(name)
    when = parse_date(given) if given else default
    if when is None:
        raise wrong(f"Statistics - {name} has invalid format: expecting a date.")
    return when


def _range(call: Call) -> tuple[date, date]:
    today = usage.day_of(call.state.now)
    return _day(call, "start_date") or today.replace(day=1), _day(call, "end_date") or today


def _months(
    now: float, days: Callable[[date, date], Iterable[Day]]
) -> Iterator[tuple[str, date, dict[str, Json]]]:
    """Yield name, first day and usage of the last month and of this one."""
    today = usage.day_of(now)
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    for name, begin, end in (("last_month", before.replace(day=1), before), ("current_month", first, today)):
        yield name, begin, _volumes(_sum(days(begin, end)))


# -- rows -------------------------------------------------------------------------------------------


def _sum(days: Iterable[Day]) -> Usage:
    return sum((amount for _, amount in days), Usage())


def _volumes(amount: Usage) -> dict[str, Json]:
    volumes: dict[str, Json] = {}
    for kind, number, price, text in _KINDS:
        rx, tx = getattr(amount, f"{kind}_rx"), getattr(amount, f"{kind}_tx")
        volumes[kind] = {
            "volume": float(text(rx + tx)),
            "volume_rx": float(text(rx)),
            "volume_tx": float(text(tx)),
            "cost": round(tx * price, 2),
            "currency": CURRENCIES[1],
            "traffic_type": TRAFFIC_TYPES[number],
        }
    return volumes


def _daily(days: Iterable[Day]) -> list[Json]:
    return [{"date": str(day), **_volumes(amount)} for day, amount in days if amount]


def _with_total(days: list[Day]) -> list[Json]:
    """Rows with strings for numbers, and the ``TOTAL`` row in their midst."""
    rows = [_organisation_row(str(day), amount) for day, amount in days]
    rows.insert(len(rows) // 2, _organisation_row("TOTAL", _sum(days)))
    return rows


def _organisation_row(name: str, amount: Usage) -> Json:
    row: Json = {"date": name}
    for kind, volumes in _volumes(amount).items():
        row[kind] = {
            **{key: str(volumes[key]) for key in ("volume", "volume_rx", "volume_tx", "cost")},
            "currency": volumes["currency"],
            "currency_id": str(volumes["currency"]["id"]),
            "traffic_type": volumes["traffic_type"],
            "traffic_type_id": str(volumes["traffic_type"]["id"]),
        }
    return row


def _workspace(amount: Usage) -> Json:
    return {f"{kind}_volume": volumes for kind, volumes in _volumes(amount).items()}


def _last_hour(now: float) -> Json:
    minutes = [f"{datetime.fromtimestamp(now - 60 * ago, UTC):%H:%M}" for ago in range(59, -1, -1)]
    return {kind: {way: [[minute, 0] for minute in minutes] for way in ("rx", "tx")} for kind, *_ in _KINDS}


def _as_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: part if key == "id" else _as_strings(part) for key, part in value.items()}
    return str(value) if isinstance(value, (int, float)) else value
