"""What emnify offers everywhere alike: countries, operators, limits, colours and the like."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.sandbox.world.cloud_connect import REGIONS
from airflow_provider_emnify.sandbox.world.lookups import GERMANY

Row = dict[str, Any]


def _country(number: int, name: str, code: int, mcc: int, iso: str, latitude: float, longitude: float) -> Row:
    return {
        "id": number,
        "name": name,
        "country_code": code,
        "mcc": mcc,
        "iso_code": iso,
        "latitude": latitude,
        "longitude": longitude,
    }


COUNTRIES: dict[int, Row] = {
    row["id"]: row
    for row in (
        _country(13, "Austria", 43, 232, "at", 47.3, 13.3),
        _country(67, "France", 33, 208, "fr", 46.0, 2.0),
        GERMANY,
        _country(188, "Spain", 34, 214, "es", 40.0, -4.0),
        _country(215, "United States", 1, 310, "us", 38.0, -97.0),
        _country(216, "United States (311)", 1, 311, "us", 38.0, -97.0),
    )
}
EXTRA_COUNTRIES = frozenset({216})
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

SERVICES: dict[int, Row] = {
    21: {"id": 21, "description": "MT SMS", "teleservice_code": 33, "sgsn": True, "traffic_type": 6},
    22: {"id": 22, "description": "MO SMS", "teleservice_code": 34, "sgsn": True, "traffic_type": 6},
    38: {"id": 38, "description": "Data", "teleservice_code": 0, "sgsn": True, "traffic_type": 5},
}
TRAFFIC_TYPES: dict[int, Row] = {
    5: {"id": 5, "description": "Data", "unit": "MB"},
    6: {"id": 6, "description": "SMS", "unit": "SMS"},
}
PERIODS: dict[int, Row] = {
    1: {"id": 1, "time_units": 1, "unit": "day"},
    2: {"id": 2, "time_units": 1, "unit": "month"},
}
TRAFFIC_LIMITS: dict[int, Row] = {
    1: {"id": 1, "service_id": 38, "volume": 104_857_600, "period_id": 2},
    2: {"id": 2, "service_id": 38, "volume": 1_073_741_824, "period_id": 2},
    3: {"id": 3, "service_id": 21, "volume": 100, "period_id": 2},
    4: {"id": 4, "service_id": 22, "volume": 10, "period_id": 1},
}
"""Limits of service profiles: bytes, or SMS."""

TAG_COLORS: dict[int, Row] = {
    number: {"id": number, "hex_color": color, "description": name}
    for number, (name, color) in enumerate(
        (
            ("Blue", "#1976d2"),
            ("Green", "#388e3c"),
            ("Yellow", "#fbc02d"),
            ("Orange", "#f57c00"),
            ("Red", "#d32f2f"),
            ("Purple", "#7b1fa2"),
            ("Grey", "#616161"),
        ),
        1,
    )
}

CURRENCIES: dict[int, Row] = {
    1: {"id": 1, "code": "EUR", "symbol": "€"},
    2: {"id": 2, "code": "USD", "symbol": "$"},
}
BLOCKSIZES: dict[int, Row] = {
    1: {"id": 1, "octets": "1024", "description": "1 kB"},
    2: {"id": 2, "octets": "102400", "description": "100 kB"},
}
THROTTLES: dict[int, Row] = {
    1: {"id": 1, "octets": "8000", "description": "64 kbit/s"},
    2: {"id": 2, "octets": "16000", "description": "128 kbit/s"},
}
BREAKOUT_REGIONS: dict[int, str] = dict(enumerate(REGIONS, 1))
ESME_INTERFACE_TYPES: dict[int, str] = {0: "Local", 1: "SMPP", 2: "REST", 3: "Web UI"}
RAT_TYPES: dict[int, str] = {1: "3G", 2: "2G", 6: "4G", 8: "NB-IoT", 9: "LTE-M", 10: "5G"}
SERVICE_LEVELS: dict[int, str] = {1: "Basic", 2: "Premium"}
ORGANISATION_STATUSES: dict[int, str] = {0: "Activation pending", 1: "Active", 2: "Suspended"}
