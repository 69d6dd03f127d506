"""What of a plan is left to do: the fleet as it is now, held against what the plan has seen and wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.endpoint_body import is_deleted
from airflow_provider_emnify.api.resources.few import find_in_list
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.operators.fleet.plan import Entry, shown
from airflow_provider_emnify.operators.fleet.rows import Device, State, is_so, key_of

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient


class DriftError(ValueError):
    """A device has changed since the plan was made, in what the plan touches."""


def left_to_do(entry: Entry, device: Device | None) -> State:
    """Return what of an entry is not so yet, by field; of a deletion the device's id.

    :param device: The device as it is now; None when there is none.
    :raises DriftError: when it is neither as it was nor as it shall be.
    """
    if device is None:
        if entry.action == "change":
            raise DriftError("it no longer exists")
        return {} if entry.action == "delete" else entry.after
    is_to_get_it = "iccid" in entry.after and device.sim_id is None
    if entry.sim_id not in {None, device.sim_id} and not is_to_get_it:
        raise DriftError(f"it has SIM {shown(device.sim_id)} now, and had {entry.sim_id} in the plan")
    if entry.action == "delete":
        return {"id": device.id}
    left: State = {}
    for name, wanted in entry.after.items():
        now, before = device.state[name], entry.before.get(name)
        if name == "tags":  # others than those that it adds or removes are not its business
            tags = {*now, *wanted} - ({*(before or ())} - {*wanted})
            if tags != {*now}:
                left[name] = tuple(sorted(tags))
        elif not is_so(name, device.state, wanted):
            is_on_the_way = name == "sim_status" and (
                is_to_get_it or (before, now) == ("factory_test", "activated")
            )
            if not is_so(name, device.state, before) and not is_on_the_way:
                raise DriftError(f"{name} is {shown(now)} now, and was {shown(before)} in the plan")
            left[name] = wanted
    return left


def find_rows(client: EmnifyClient, entries: Iterable[Entry], key: str) -> Iterator[tuple[str, Row]]:
    """Yield the endpoints that entries mean, each with its :func:`mark`, in the fewest requests.

    :param key: The column by which the plan knows devices.
    """
    wanted = {mark(entry, key): entry for entry in entries}
    found = find_in_list([*wanted], list_all=client.endpoints.list, ids_of=lambda row: marks(row, key))
    if found is not None:
        yield from found
        return
    for name, entry in wanted.items():
        yield from ((name, row) for row in _look(client, entry, key) if name in marks(row, key))


def mark(entry: Entry, key: str) -> str:
    """Return by what the device of an entry is found: its id, or else its SIM, or else the key."""
    if entry.endpoint_id is not None:
        return f"id {entry.endpoint_id}"
    column = "iccid" if "iccid" in entry.after else key
    return f"{column} {key_of(column, entry.after[column])}"


def marks(row: Row, key: str) -> list[str]:
    """Return by what an endpoint can be found; nothing of one that is deleted."""
    if is_deleted(row):
        return []
    device = Device.of(row)
    known = {column: device.key(column) for column in ("id", "iccid", key)}
    return [f"{column} {value}" for column, value in known.items() if value is not None]


def _look(client: EmnifyClient, entry: Entry, key: str) -> Iterable[Row]:
    """Read the endpoints that one entry could mean."""
    if entry.endpoint_id is not None:
        try:
            return [client.endpoints.get(entry.endpoint_id)]
        except EmnifyNotFoundError:
            return []
    column = "iccid" if "iccid" in entry.after else key
    value = str(entry.after[column])
    by_filter: dict[str, Any] = {column: value} if "," not in value else {}
    return client.endpoints.list(**by_filter)
