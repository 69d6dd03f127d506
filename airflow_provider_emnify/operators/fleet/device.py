"""A device as it is: what of an endpoint of emnify a plan compares and changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.api.errors import EmnifyServerError
from airflow_provider_emnify.api.resources.bulk import read_ref, read_status
from airflow_provider_emnify.api.transport.answers import part, parts
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.operators.fleet.rows import IMEI_DIGITS, key_of

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
        """Return the device that emnify's row shows.

        :raises EmnifyServerError: when it does not say that; another attempt may get another answer.
        """
        sim, sim_id = part(row, "sim"), read_ref(row, "sim")
        refs = ("ip_address_space", "service_profile", "tariff_profile")
        return cls(
            int(row["id"]),
            sim_id,
            {
                "id": int(row["id"]),
                "name": _text(row, "name"),
                "status": read_status(EndpointStatus, row).name.lower(),
                "iccid": None if sim_id is None else _text(sim, "iccid"),
                "sim_status": None if sim_id is None else sim_status_of(sim),
                "imei": _text(row, "imei"),
                "imei_lock": bool(row.get("imei_lock")),
                "ip_address": _text(row, "ip_address"),
                **{f"{name}_id": read_ref(row, name) for name in refs},
                "tags": tuple(
                    sorted(intern(str(_text(tag, "name"))) for tag in parts(row, "tag_assignments"))
                ),
            },
        )

    def key(self, column: str) -> str | None:
        """Return by what the device is known in a source; None for one that has nothing there."""
        value = self.state[column]
        return None if value is None else key_of(column, value)


def sim_status_of(row: Row) -> str:
    """Return the status of a SIM, as sources write it."""
    return read_status(SimStatus, row).name.lower()


def is_so(field: str, state: Mapping[str, Any], wanted: Any) -> bool:
    """Tell whether a field has a value already."""
    there = state.get(field)
    if field == "imei" and there is not None and wanted is not None:
        return bool(there[:IMEI_DIGITS] == wanted[:IMEI_DIGITS])
    return bool(there == wanted)


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise EmnifyServerError(f"the {name} of {row.get('id')} is unusable: {value!r}")
