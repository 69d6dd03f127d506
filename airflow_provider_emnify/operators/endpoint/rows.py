"""Rows that say something of each endpoint: how a DAG gives them, and which endpoint of emnify is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import EndpointStatus
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.bulk import read_ref
from airflow_provider_emnify.api.resources.endpoint_body import is_deleted
from airflow_provider_emnify.api.resources.few import listing_if_cheaper, read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import is_nothing, parse_literal
from airflow_provider_emnify.arguments import cut, shorten, status_in

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient

parse_status = status_in(EndpointStatus.ENABLED, EndpointStatus.DISABLED)
"""Return the status that an endpoint can be given."""


def parse_rows(value: Any, field: str, fields: Mapping[str, Callable[[Any, str], Any]]) -> list[Row]:
    """Return rows: from dicts, or from the text that a template renders a list of them to.

    :param value: A list of dicts, one dict, or their text in JSON or Python form. Nothing is an empty list.
    :param fields: What parses each key that a row may have.
    :raises ValueError: naming ``field``, for anything else and for an unknown key.
    """
    given = parse_literal(value) if isinstance(value, str) else value
    if is_nothing(given):
        return []
    if isinstance(given, Mapping):
        given = [given]
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ValueError(f"{field}: {cut(repr(value))} is not a list of dicts; give one dict for each")  # noqa: TRY004 - as all bad arguments
    rows = []
    for row in given:
        if not isinstance(row, Mapping):
            raise ValueError(f"{field}: {cut(repr(row))} is not a dict; give one dict for each")  # noqa: TRY004 - as all bad arguments
        unknown, allowed = sorted(set(map(str, row)) - fields.keys()), ", ".join(sorted(fields))
        if unknown:
            raise ValueError(f"{field}: unknown {', '.join(unknown)} in {dict(row)!r}; allowed: {allowed}")
        rows.append({name: fields[name](item, f"{field}: {name}") for name, item in row.items()})
    return rows


def read_endpoints(client: EmnifyClient, ids: Sequence[int]) -> dict[int, Row]:
    """Return those endpoints that exist and are not deleted, by id, in the lesser number of requests."""
    found = read_rows(ids, get=client.endpoints.get, list_all=client.endpoints.list)
    return {key: row for key, row in found.items() if not is_deleted(row)}


def read_all_endpoints(client: EmnifyClient, ids: Sequence[int]) -> dict[int, Row]:
    """Return the endpoints by id.

    :raises ValueError: naming those that do not exist, before anything is changed.
    """
    found = read_endpoints(client, ids)
    missing = [key for key in ids if key not in found]
    if missing:
        raise ValueError(f"endpoint_ids: there is no endpoint {shorten(missing)}; nothing was changed")
    return found


def read_existing(client: EmnifyClient, rows: Sequence[Row]) -> Rows:
    """Return the endpoints that exist with the SIMs or the names of rows that are to be created.

    They are read one by one or from the list of all, whichever takes fewer requests.

    :raises ValueError: for a SIM that does not exist.
    """
    sims = {row["sim_id"] for row in rows if "sim_id" in row}
    names = {row["name"] for row in rows if "sim_id" not in row}
    is_listed = any("," in name for name in names)  # which no filter can hold
    list_all = client.endpoints.list
    listing = list_all() if is_listed else listing_if_cheaper([*sims, *names], list_all)
    if listing is None:
        found = [row for sim_id in sims for row in _of_sim(client, sim_id)]
        found += [row for name in names for row in list_all(name=name)]
    else:
        found = [row for row in listing if row.get("name") in names or part(row, "sim").get("id") in sims]
    return [row for row in found if not is_deleted(row)]


def match_existing(rows: Sequence[Row], endpoints: Sequence[Row]) -> list[Row | None]:
    """Return the endpoint that each row would create, None where there is none. Each is given out once.

    :param endpoints: Those that exist; of one name, the oldest is taken first.
    :raises ValueError: when a SIM is on an endpoint of another name.
    """
    oldest_first = [row for _, row in sorted({int(row["id"]): row for row in endpoints}.items())]
    by_sim = {part(row, "sim").get("id"): row for row in oldest_first}
    by_name: dict[Any, list[Row]] = defaultdict(list)
    for row in reversed(oldest_first):
        by_name[row.get("name")].append(row)
    found: list[Row | None] = []
    for row in rows:
        name, sim_id = row.get("name"), row.get("sim_id")
        there = by_sim.get(sim_id) if sim_id is not None else None
        if sim_id is None and by_name[name]:
            there = by_name[name].pop()
        if sim_id is not None and there is not None and name is not None and there.get("name") != name:
            raise ValueError(
                f"endpoints: SIM {sim_id} is on endpoint {there['id']} {there.get('name')!r}, and not on one "
                f"named {name!r}; nothing was created. Release the SIM or correct the row"
            )
        found.append(there)
    return found


def _of_sim(client: EmnifyClient, sim_id: int) -> Rows:
    try:
        endpoint_id = read_ref(client.sims.get(sim_id), "endpoint")
    except EmnifyNotFoundError:
        raise ValueError(f"endpoints: there is no SIM {sim_id}; nothing was created") from None
    return [] if endpoint_id is None else [client.endpoints.get(endpoint_id)]


def row_label(row: Mapping[str, Any]) -> str:
    """Return how a message names an endpoint that has no id yet."""
    name, sim_id = row.get("name"), row.get("sim_id")
    return " ".join(filter(None, (repr(name) if name else "", f"SIM {sim_id}" if sim_id is not None else "")))
