"""A device as it is: what of an endpoint of emnify a plan compares and changes."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.transport.answers import number, part, parts
from airflow_provider_emnify.operators.fleet.rows import IMEI_DIGITS, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emnify.api.types import Row

State = dict[str, Any]
"""Fields with their values, as the source of a plan has them."""


@dataclass(slots=True)
class Device:
    """An endpoint with its SIM.

    :param id: Id of the endpoint.
    :param sim_id: Id of its SIM.
    :param state: Its fields.
    """

    id: int
    sim_id: int | None
    state: State

    @classmethod
    def of(cls, row: Row) -> Device:
        """Return the device that emnify's row shows."""
        sim = part(row, "sim")
        return cls(
            int(row["id"]),
            number(sim, "id"),
            {
                "id": int(row["id"]),
                "name": row.get("name"),
                "status": _name(EndpointStatus, status_of(row)),
                "iccid": None if sim.get("iccid") is None else str(sim["iccid"]),
                "sim_status": _name(SimStatus, status_of(sim)),
                "imei": None if row.get("imei") is None else str(row["imei"]),
                "imei_lock": bool(row.get("imei_lock")),
                "ip_address": row.get("ip_address"),
                "ip_address_space_id": number(part(row, "ip_address_space"), "id"),
                "service_profile_id": number(part(row, "service_profile"), "id"),
                "tariff_profile_id": number(part(row, "tariff_profile"), "id"),
                "tags": tuple(sorted(intern(str(tag.get("name"))) for tag in parts(row, "tag_assignments"))),
            },
        )

    def key(self, column: str) -> str | None:
        """Return by what the device is known in a source; None for one that has nothing there."""
        value = self.state[column]
        return None if value is None else key_of(column, value)


def sim_status_of(row: Row) -> str | None:
    """Return the status of a SIM, as sources write it."""
    return _name(SimStatus, status_of(row))


def is_so(field: str, state: Mapping[str, Any], wanted: Any) -> bool:
    """Tell whether a field has a value already."""
    there = state.get(field)
    if field == "imei" and there is not None and wanted is not None:
        return bool(there[:IMEI_DIGITS] == wanted[:IMEI_DIGITS])
    return bool(there == wanted)


def _name(statuses: type[EndpointStatus] | type[SimStatus], value: int | None) -> str | None:
    return statuses(value).name.lower() if value in {int(status) for status in statuses} else None
