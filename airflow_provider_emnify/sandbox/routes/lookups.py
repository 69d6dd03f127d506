"""Lists that are the same for everybody, and the few of an organisation that never change here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.errors import not_found
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes import catalogue

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def _entries(lookup: Mapping[int, str], key: str = "description") -> Answer:
    return Answer(body=[{"id": number, key: name} for number, name in lookup.items()])


@serves("GET", "/api/v1/country")
def countries(call: Call) -> Answer:
    """List countries; with ``geographic``, each once."""
    once = call.query.get("geographic", "").lower() == "true"
    return Answer(
        body=[
            {
                "id": number,
                "name": row["name"],
                "country_code": str(row["country_code"]),
                "mcc": str(row["mcc"]),
                "iso_code": row["iso_code"],
            }
            for number, row in catalogue.COUNTRIES.items()
            if not (once and number in catalogue.EXTRA_COUNTRIES)
        ]
    )


@serves("GET", "/api/v1/currency")
def currencies(call: Call) -> Answer:
    """List currencies."""
    return Answer(body=list(catalogue.CURRENCIES.values()))


@serves("GET", "/api/v1/data_blocksize")
def data_blocksizes(call: Call) -> Answer:
    """List the sizes of the blocks that data is billed in."""
    return Answer(body=list(catalogue.BLOCKSIZES.values()))


@serves("GET", "/api/v1/data_throttle")
def data_throttles(call: Call) -> Answer:
    """List the speeds that data is throttled to."""
    return Answer(body=list(catalogue.THROTTLES.values()))


@serves("GET", "/api/v1/esme_interface_type")
def esme_interface_types(call: Call) -> Answer:
    """List the interfaces for SMS."""
    return _entries(catalogue.ESME_INTERFACE_TYPES)


@serves("GET", "/api/v1/rat_type")
def rat_types(call: Call) -> Answer:
    """List radio access technologies."""
    return _entries(catalogue.RAT_TYPES)


@serves("GET", "/api/v1/service_level")
def service_levels(call: Call) -> Answer:
    """List service levels."""
    return _entries(catalogue.SERVICE_LEVELS, "name")


@serves("GET", "/api/v1/organisation/status")
def organisation_statuses(call: Call) -> Answer:
    """List the statuses of organisations."""
    return _entries(catalogue.ORGANISATION_STATUSES)


@serves("GET", "/api/v1/service")
def services(call: Call) -> Answer:
    """List services."""
    return Answer(body=[_service(number) for number in catalogue.SERVICES])


@serves("GET", "/api/v1/traffic_limit")
def traffic_limits(call: Call) -> Answer:
    """List traffic limits."""
    return Answer(
        body=[
            {**_limit(number), "service": {"id": row["service_id"]}}
            for number, row in catalogue.TRAFFIC_LIMITS.items()
        ]
    )


@serves("GET", "/api/v1/service/{service_id}/traffic_limit")
def service_traffic_limits(call: Call) -> Answer:
    """List the traffic limits of a service."""
    service = call.id("service_id", "Service")
    if service not in catalogue.SERVICES:
        raise not_found("Service", service)
    limits = catalogue.TRAFFIC_LIMITS.items()
    return Answer(body=[_limit(number) for number, row in limits if row["service_id"] == service])


@serves("GET", "/api/v1/ip_address_space")
def ip_address_spaces(call: Call) -> Answer:
    """List the address spaces of the organisation."""
    used = len(call.state.endpoints)
    return Answer(
        body=[
            {
                "id": number,
                "ip_address_space": space,
                "ip_address_version": 4,
                "used_count": used,
                "available_count": 2**24 - used,
            }
            for number, space in call.state.ip_address_spaces.items()
        ]
    )


@serves("GET", "/api/v1/dns")
def dns_configurations(call: Call) -> Answer:
    """List name servers."""
    return Answer(
        body=[{"id": 1, "primary": "192.0.2.53", "secondary": "192.0.2.54", "ip_address_version": 4}]
    )


def _service(number: int) -> Json:
    row = catalogue.SERVICES[number]
    return {
        "id": number,
        "description": row["description"],
        "teleservice_code": row["teleservice_code"],
        "used_with_vlr": not row["sgsn"],
        "used_with_sgsn": row["sgsn"],
        "traffic_type": catalogue.TRAFFIC_TYPES[row["traffic_type"]],
    }


def _limit(number: int) -> Json:
    row = catalogue.TRAFFIC_LIMITS[number]
    return {"id": number, "volume": row["volume"], "period": catalogue.PERIODS[row["period_id"]]}
