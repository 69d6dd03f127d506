"""Rows that say something of each endpoint: how a DAG gives them, and which endpoint of emnify is meant."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.resources.endpoint_body import is_deleted
from airflow_provider_emnify.api.resources.few import FEW, read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.values import parse_id, parse_ids
from airflow_provider_emnify.arguments import parse_optional_id, shorten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.api.resources.fields import Row


def parse_rows(value: Any, field: str, allowed: frozenset[str]) -> list[Row]:
    """Return rows: from dicts, or from the text that a template renders a list of them to.

    :param value: A list of dicts, one dict, or their text in JSON or Python form. Nothing is no rows.
    :param allowed: The keys that a row may have.
    :raises ValueError: naming ``field``, for anything else and for an unknown key.
    """
    if isinstance(value, str):
        value = _parse_text(value, field)
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, Iterable):
        raise ValueError(f"{field}: {value!r} is no list of dicts")  # noqa: TRY004 - as all bad arguments
    rows = []
    for row in value:
        if not isinstance(row, Mapping):
            raise ValueError(f"{field}: {row!r} is no dict")  # noqa: TRY004 - as all bad arguments
        unknown = sorted(set(map(str, row)) - allowed)
        if unknown:
            raise ValueError(
                f"{field}: unknown {', '.join(unknown)} in {dict(row)!r}; "
                f"allowed are {', '.join(sorted(allowed))}"
            )
        rows.append(dict(row))
    return rows


def _parse_text(value: str, field: str) -> Any:
    text = value.strip()
    if text in {"", "None", "null"}:
        return None
    try:
        return json.loads(text)
    except ValueError:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            shown = text if len(text) <= 200 else f"{text[:200]}..."  # noqa: PLR2004 - a readable message
            raise ValueError(f"{field}: {shown!r} is no list of dicts") from None


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


class Existing:
    """Which of the endpoints that are to be created exist already: known by their SIM, else by exact name.

    :param client: Reads them, one by one when there are few, else from the list of all.
    :param rows: What is to be created.
    """

    def __init__(self, client: EmnifyClient, rows: Sequence[Row]) -> None:
        self._client = client
        self._by_sim: dict[int, Row] = {}
        self._by_name: dict[str, list[Row]] = defaultdict(list)
        self._seen: set[int] = set()
        self._newest = 0
        sims = [parse_id(row["sim_id"], "sim_id") for row in rows if row.get("sim_id") is not None]
        names = {str(row["name"]) for row in rows if row.get("sim_id") is None}
        if len(sims) <= FEW:
            for sim_id in sims:
                self._read_sim(sim_id)
        if _can_be_filtered_by(names):
            for name in names:
                self._take_names(client.endpoints.list(name=name), names)
        elif names:
            self._take_names(self._read_list(sims), names)
            return
        if len(sims) > FEW:
            for _ in self._read_list(sims):
                pass

    def take(self, row: Row) -> Row | None:
        """Return the endpoint that a row would create, if it exists. Each is given out once.

        :raises ValueError: when the SIM is on an endpoint of another name.
        """
        name = row.get("name")
        sim_id = parse_optional_id(row.get("sim_id"), "sim_id")
        if sim_id is None:
            there = self._by_name[str(name)]
            return there.pop(0) if there else None
        found = self._by_sim.get(sim_id)
        if found is not None and name is not None and found.get("name") != name:
            raise ValueError(
                f"endpoints: SIM {sim_id} is on endpoint {found['id']} {found.get('name')!r}, and not on one "
                f"named {name!r}; nothing was created. Release the SIM or correct the row"
            )
        return found

    def newcomers(self, created: Mapping[int, str]) -> list[tuple[int, int, str]]:
        """Look once more, for endpoints of the same names that others have created since the first look.

        :param created: The names of those that were created here for rows without a SIM, by id.
        :returns: For each such endpoint its id, the id of one of this name that was created here, and the
            name.
        """
        own: dict[str, int] = {}
        for endpoint_id, name in created.items():
            own[name] = min(endpoint_id, own.get(name, endpoint_id))
        return [
            (int(row["id"]), own[row["name"]], row["name"])
            for row in self._since_the_first_look(own.keys())
            if row.get("name") in own
            and int(row["id"]) not in created
            and int(row["id"]) not in self._seen
            and not is_deleted(row)
        ]

    def _since_the_first_look(self, names: Collection[str]) -> Iterator[Row]:
        endpoints = self._client.endpoints
        if _can_be_filtered_by(names):
            for name in names:
                yield from endpoints.list(name=name)
        else:
            yield from takewhile(lambda row: int(row["id"]) > self._newest, endpoints.list())

    def _read_sim(self, sim_id: int) -> None:
        try:
            endpoint = self._client.sims.get(sim_id).get("endpoint") or {}
        except EmnifyNotFoundError:
            raise ValueError(f"endpoints: there is no SIM {sim_id}; nothing was created") from None
        if endpoint.get("id") is not None:
            self._by_sim[sim_id] = self._client.endpoints.get(int(endpoint["id"]))

    def _read_list(self, sims: Sequence[int]) -> Iterable[Row]:
        wanted = set(sims)
        for row in self._client.endpoints.list():  # the newest first
            self._newest = max(self._newest, int(row["id"]))
            sim_id = part(row, "sim").get("id")
            if sim_id in wanted and not is_deleted(row):
                self._by_sim[sim_id] = row
            yield row

    def _take_names(self, rows: Iterable[Row], names: set[str]) -> None:
        for row in rows:
            if row.get("name") in names and not is_deleted(row):
                self._seen.add(int(row["id"]))
                self._by_name[row["name"]].insert(
                    0, row
                )  # lists come newest first; the oldest is taken first


def _can_be_filtered_by(names: Collection[str]) -> bool:
    """Tell whether endpoints of these names are had with less than a list of all."""
    return len(names) <= FEW and not any("," in name for name in names)


def row_label(row: Mapping[str, Any]) -> str:
    """Return how a message names an endpoint that has no id yet."""
    name, sim_id = row.get("name"), row.get("sim_id")
    return " ".join(filter(None, (repr(name) if name else "", f"SIM {sim_id}" if sim_id is not None else "")))


def endpoint_ids(value: Any) -> list[int]:
    """Return the ids that an operator's ``endpoint_ids`` means."""
    return parse_ids(value, "endpoint_ids")
