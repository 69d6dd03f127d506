"""What emnify offers everywhere alike, and the lists of it: countries, operators, limits, statuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_emnify.api.enums import (
    DataStreamStatus,
    EndpointStatus,
    EventType,
    SimStatus,
    UserStatus,
)
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world import integrations
from airflow_provider_emnify.sandbox.world.lookups import (
    GERMANY,
    MFA_KEY_STATUSES,
    MFA_KEY_TYPES,
    ROLES,
    described,
    entries,
)

Row = dict[str, Any]


def _table(columns: Iterable[str], *rows: tuple[Any, ...]) -> dict[int, Row]:
    """Rows by id, which comes first in each."""
    return {row[0]: dict(zip(columns, row, strict=True)) for row in rows}


COUNTRIES: dict[int, Row] = _table(
    tuple(GERMANY),
    (13, "Austria", 43, 232, "at", 47.3, 13.3),
    (67, "France", 33, 208, "fr", 46.0, 2.0),
    tuple(GERMANY.values()),
    (188, "Spain", 34, 214, "es", 40.0, -4.0),
    (215, "United States", 1, 310, "us", 38.0, -97.0),
    (216, "United States (311)", 1, 311, "us", 38.0, -97.0),
)
_EXTRA_COUNTRIES = frozenset({216})
"""Countries that are there a second time, for another MCC."""


def _operator(number: int, name: str, country_id: int, mnc: str, tapcode: str) -> Row:
    country = COUNTRIES[country_id]
    return {
        "id": number,
        "name": name,
        "country_name": country["name"],
        "name_and_country": f"{name} / {country['name']}",
        "country": country,
        "mnc": [{"id": number, "mnc": mnc}],
        "tapcode": [{"id": number, "tapcode": tapcode}],
    }


OPERATORS: dict[int, Row] = {
    row["id"]: row
    for row in (
        _operator(1, "Telekom", 74, "01", "DEUD1"),
        _operator(2, "O2", 74, "03", "DEUE2"),
        _operator(3, "Vodafone", 74, "02", "DEUD2"),
        _operator(4, "Orange", 67, "01", "FRAF1"),
        _operator(5, "A1", 13, "01", "AUTPT"),
        _operator(6, "Movistar", 188, "07", "ESPTE"),
        _operator(7, "T-Mobile", 215, "260", "USAW6"),
    )
}

TRAFFIC_TYPES = _table(("id", "description", "unit"), (5, "Data", "MB"), (6, "SMS", "SMS"))
SERVICES = _table(
    ("id", "description", "teleservice_code", "used_with_vlr", "used_with_sgsn", "traffic_type"),
    (21, "MT SMS", 33, False, True, TRAFFIC_TYPES[6]),
    (22, "MO SMS", 34, False, True, TRAFFIC_TYPES[6]),
    (38, "Data", 0, False, True, TRAFFIC_TYPES[5]),
)
PERIODS = _table(("id", "time_units", "unit"), (1, 1, "day"), (2, 1, "month"))
TRAFFIC_LIMITS = _table(
    ("id", "volume", "period", "service"),
    (1, 104_857_600, PERIODS[2], {"id": 38}),
    (2, 1_073_741_824, PERIODS[2], {"id": 38}),
    (3, 100, PERIODS[2], {"id": 21}),
    (4, 10, PERIODS[1], {"id": 22}),
)
"""Limits of service profiles: bytes, or SMS."""

TAG_COLORS = _table(
    ("id", "hex_color", "description"),
    (1, "#1976d2", "Blue"),
    (2, "#388e3c", "Green"),
    (3, "#fbc02d", "Yellow"),
    (4, "#f57c00", "Orange"),
    (5, "#d32f2f", "Red"),
    (6, "#7b1fa2", "Purple"),
    (7, "#616161", "Grey"),
)
CURRENCIES = _table(("id", "code", "symbol"), (1, "EUR", "€"), (2, "USD", "$"))
_OCTETS = ("id", "octets", "description")
BREAKOUT_REGIONS: dict[int, str] = dict(enumerate(integrations.REGIONS, 1))
ESME_INTERFACE_TYPES: dict[int, str] = {0: "Local", 1: "SMPP", 2: "REST", 3: "Web UI"}
RAT_TYPES: dict[int, str] = {1: "3G", 2: "2G", 6: "4G", 8: "NB-IoT", 9: "LTE-M", 10: "5G"}

_LISTS: dict[str, Iterable[Row]] = {
    "/api/v1/breakout_region": [
        {"id": number, "name": name, "ip_address": f"192.0.2.{number}"}
        for number, name in BREAKOUT_REGIONS.items()
    ],
    "/api/v1/cnc/breakout_type": entries(integrations.ATTACHMENT_TYPES),
    "/api/v1/cnc/pricing": [
        {"id": number, "breakout_type_id": number, "amount": 100.0 + 50 * number, "currency": {"id": 1}}
        for number in integrations.ATTACHMENT_TYPES
    ],
    "/api/v1/currency": CURRENCIES.values(),
    "/api/v1/data_blocksize": _table(_OCTETS, (1, "1024", "1 kB"), (2, "102400", "100 kB")).values(),
    "/api/v1/data_throttle": _table(_OCTETS, (1, "8000", "64 kbit/s"), (2, "16000", "128 kbit/s")).values(),
    "/api/v1/endpoint/status": map(described, EndpointStatus),
    "/api/v1/esme_interface_type": entries(ESME_INTERFACE_TYPES),
    "/api/v1/event/type": map(described, EventType),
    "/api/v1/operator": OPERATORS.values(),
    "/api/v1/organisation/status": entries({0: "Activation pending", 1: "Active", 2: "Suspended"}),
    "/api/v1/rat_type": entries(RAT_TYPES),
    "/api/v1/service": SERVICES.values(),
    "/api/v1/service_level": entries({1: "Basic", 2: "Premium"}, "name"),
    "/api/v1/sim/status": map(described, SimStatus),
    "/api/v1/traffic_limit": TRAFFIC_LIMITS.values(),
    "/api/v1/user/mfa/status": entries(MFA_KEY_STATUSES),
    "/api/v1/user/mfa/type": entries(MFA_KEY_TYPES),
    "/api/v1/user/role": entries(ROLES, "name"),
    "/api/v1/user/status": map(described, UserStatus),
    "/api/v2/data_stream/filter_field_type": entries(integrations.FILTER_FIELDS),
    "/api/v2/data_stream/status": map(described, DataStreamStatus),
    "/api/v2/data_stream/type": entries(integrations.STREAM_TYPES),
    "/api/v2/tag-colors": TAG_COLORS.values(),
}
_OF_ESIMS = {
    "/api/v1/euicc/operation/action": "euicc_actions",
    "/api/v1/euicc/operation/status": "euicc_operation_statuses",
    "/api/v1/euicc/profile/status": "profile_statuses",
    "/api/v1/euicc/status": "euicc_statuses",
    "/api/v1/sim/operation/action": "sim_actions",
    "/api/v1/sim/operation/status": "sim_operation_statuses",
}
"""The lists whose ids the seed makes, by their names in ``Lookups``."""


def _serve(path: str, rows: list[Row]) -> None:
    serves("GET", path)(lambda call: rows)


def _serve_lookup(path: str, name: str) -> None:
    serves("GET", path)(lambda call: entries(getattr(call.state.lookups, name)))


for _path, _rows in _LISTS.items():
    _serve(_path, list(_rows))
for _path, _name in _OF_ESIMS.items():
    _serve_lookup(_path, _name)


@serves("GET", "/api/v1/country")
def countries(call: Call) -> Body:
    """List countries, whose numbers are strings there; with ``geographic``, each once."""
    once = call.query.get("geographic", "").lower() == "true"
    return [
        {"id": number, "name": row["name"]}
        | {key: str(row[key]) for key in ("country_code", "mcc", "iso_code")}
        for number, row in COUNTRIES.items()
        if not (once and number in _EXTRA_COUNTRIES)
    ]


@serves("GET", "/api/v1/service/{service_id}/traffic_limit")
def service_traffic_limits(call: Call) -> Body:
    """List the traffic limits of a service."""
    service = {"id": call.known(SERVICES, "service_id", "Service")}
    limits = [dict(row) for row in TRAFFIC_LIMITS.values()]
    return [row for row in limits if row.pop("service") == service]
