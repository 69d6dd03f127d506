"""Lists that are the same for everybody, and the few of an organisation that never change here."""

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
from airflow_provider_emnify.sandbox.routes import catalogue
from airflow_provider_emnify.sandbox.world import cloud_connect, data_streams
from airflow_provider_emnify.sandbox.world.lookups import (
    MFA_KEY_STATUSES,
    MFA_KEY_TYPES,
    ROLES,
    described,
    entries,
)

Json = dict[str, Any]


def _country(row: Json) -> Json:
    """A country as it stands in the list: its numbers are strings."""
    texts = {key: str(row[key]) for key in ("country_code", "mcc", "iso_code")}
    return {"id": row["id"], "name": row["name"], **texts}


def _service(row: Json) -> Json:
    return {
        "id": row["id"],
        "description": row["description"],
        "teleservice_code": row["teleservice_code"],
        "used_with_vlr": not row["sgsn"],
        "used_with_sgsn": row["sgsn"],
        "traffic_type": catalogue.TRAFFIC_TYPES[row["traffic_type"]],
    }


def _limit(row: Json) -> Json:
    return {"id": row["id"], "volume": row["volume"], "period": catalogue.PERIODS[row["period_id"]]}


_LISTS: dict[str, Iterable[Json]] = {
    "/api/v1/breakout_region": [
        {"id": number, "name": name, "ip_address": f"192.0.2.{number}"}
        for number, name in catalogue.BREAKOUT_REGIONS.items()
    ],
    "/api/v1/cnc/breakout_type": entries(cloud_connect.TYPES),
    "/api/v1/cnc/pricing": [
        {"id": number, "breakout_type_id": number, "amount": 100.0 + 50 * number, "currency": {"id": 1}}
        for number in cloud_connect.TYPES
    ],
    "/api/v1/currency": catalogue.CURRENCIES.values(),
    "/api/v1/data_blocksize": catalogue.BLOCKSIZES.values(),
    "/api/v1/data_throttle": catalogue.THROTTLES.values(),
    "/api/v1/endpoint/status": map(described, EndpointStatus),
    "/api/v1/esme_interface_type": entries(catalogue.ESME_INTERFACE_TYPES),
    "/api/v1/event/type": map(described, EventType),
    "/api/v1/operator": catalogue.OPERATORS.values(),
    "/api/v1/organisation/status": entries(catalogue.ORGANISATION_STATUSES),
    "/api/v1/rat_type": entries(catalogue.RAT_TYPES),
    "/api/v1/service": map(_service, catalogue.SERVICES.values()),
    "/api/v1/service_level": entries(catalogue.SERVICE_LEVELS, "name"),
    "/api/v1/sim/status": map(described, SimStatus),
    "/api/v1/traffic_limit": [
        {**_limit(row), "service": {"id": row["service_id"]}} for row in catalogue.TRAFFIC_LIMITS.values()
    ],
    "/api/v1/user/mfa/status": entries(MFA_KEY_STATUSES),
    "/api/v1/user/mfa/type": entries(MFA_KEY_TYPES),
    "/api/v1/user/role": entries(ROLES, "name"),
    "/api/v1/user/status": map(described, UserStatus),
    "/api/v2/data_stream/filter_field_type": entries(data_streams.FILTER_FIELDS),
    "/api/v2/data_stream/status": map(described, DataStreamStatus),
    "/api/v2/data_stream/type": entries(data_streams.TYPES),
    "/api/v2/tag-colors": catalogue.TAG_COLORS.values(),
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


def _serve(path: str, rows: list[Json]) -> None:
    serves("GET", path)(lambda call: rows)


def _serve_lookup(path: str, name: str) -> None:
    serves("GET", path)(lambda call: entries(getattr(call.state.lookups, name)))


for _path, _rows in _LISTS.items():
    _serve(_path, list(_rows))
for _path, _name in _OF_ESIMS.items():
    _serve_lookup(_path, _name)


@serves("GET", "/api/v1/country")
def countries(call: Call) -> Body:
    """List countries; with ``geographic``, each once."""
    once = call.query.get("geographic", "").lower() == "true"
    rows = catalogue.COUNTRIES.items()
    return [_country(row) for number, row in rows if not (once and number in catalogue.EXTRA_COUNTRIES)]


@serves("GET", "/api/v1/service/{service_id}/traffic_limit")
def service_traffic_limits(call: Call) -> Body:
    """List the traffic limits of a service."""
    service = call.one(catalogue.SERVICES, "service_id", "Service")
    return [_limit(row) for row in catalogue.TRAFFIC_LIMITS.values() if row["service_id"] == service["id"]]
