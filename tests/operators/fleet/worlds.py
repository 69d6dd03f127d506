"""Small fleets as plain data: what emnify would show of them, and what a plan makes of them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.operators.fleet.plan import Plan, make_plan
from airflow_provider_emnify.operators.fleet.rows import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Row = dict[str, Any]
TODAY = date(2030, 6, 15)
TAGS = ("berlin", "pump", "roof")
PROFILES = {
    "service_profile": {"Default": (1,), "Fast": (2,)},
    "tariff_profile": {"Basic": (1,), "Big": (2,)},
}


def iccid(number: int) -> str:
    return f"8988303{number:012d}"


def imei(number: int) -> str:
    return f"35{number:012d}01"


def sim(number: int, status: str = "issued", endpoint_id: int | None = None) -> Row:
    """Return a SIM as emnify lists it."""
    row: Row = {"id": number, "iccid": iccid(number), "status": {"id": int(SimStatus.parse(status))}}
    return row if endpoint_id is None else {**row, "endpoint": {"id": endpoint_id}}


def endpoint(number: int, sim_: Row | None = None, **fields: Any) -> Row:
    """Return an endpoint as emnify lists it."""
    tags = fields.pop("tags", ())
    return {
        "id": number,
        "name": fields.get("name", f"Device {number}"),
        "status": {"id": int(EndpointStatus.parse(fields.get("status", "enabled")))},
        "service_profile": {"id": fields.get("service_profile_id", 1)},
        "tariff_profile": {"id": fields.get("tariff_profile_id", 1)},
        "imei": fields.get("imei"),
        "imei_lock": fields.get("imei_lock", False),
        "ip_address": fields.get("ip_address", f"10.0.0.{number}"),
        "ip_address_space": {"id": 1},
        "sim": sim_,
        "tag_assignments": [{"id": TAGS.index(name) + 1, "name": name} for name in tags],
    }


def names_of(kind: str) -> Mapping[str, tuple[int, ...]]:
    return {**PROFILES, "tags": {name: (number,) for number, name in enumerate(TAGS, 1)}}[kind]


def plan_of(
    source: Sequence[Mapping[str, Any]],
    fleet: Iterable[Row] = (),
    sims: Iterable[Row] = (),
    *,
    key: str = "iccid",
    today: date = TODAY,
    **more: Any,
) -> Plan:
    """Make a plan of a source as a user writes it."""
    meaning = Meaning(key, today, names_of)
    known = {row["iccid"]: row for row in sims}
    rows = [meaning.read(row, number) for number, row in enumerate(source, 1)]
    return make_plan(
        rows, fleet, lambda wanted: {one: known[one] for one in wanted if one in known}, key=key, **more
    )


def carry_out(plan: Plan, fleet: Sequence[Row], sims: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return fleet and SIMs as they are after a plan: what emnify would do."""
    endpoints = {row["id"]: {**row, "sim": row["sim"] and {**row["sim"]}} for row in fleet}
    cards = {row["id"]: {**row} for row in sims}
    cards |= {row["sim"]["id"]: row["sim"] for row in endpoints.values() if row["sim"]}
    for entry in plan.entries:
        if entry.action == "delete":
            gone = endpoints.pop(entry.endpoint_id)
            cards.pop((gone["sim"] or {}).get("id"), None)
        elif entry.action != "refuse":
            _change(entry.endpoint_id, entry.sim_id, entry.after, endpoints, cards)
    holders = {row["sim"]["id"]: row["id"] for row in endpoints.values() if row["sim"]}
    return (
        [*endpoints.values()],
        [{**row, "endpoint": {"id": holders[key]} if key in holders else None} for key, row in cards.items()],
    )


def _change(
    number: int | None, sim_id: int | None, after: Row, endpoints: dict[int, Row], cards: dict[int, Row]
) -> None:
    if number is None:
        number = max(endpoints, default=0) + 1
        endpoints[number] = endpoint(number, name=None)
    row = endpoints[number]
    if row["sim"] and row["sim"]["status"]["id"] == SimStatus.FACTORY_TEST and "status" in after:
        row["sim"]["status"] = {"id": int(SimStatus.ACTIVATED)}
    for name, value in after.items():
        if name == "iccid":
            row["sim"] = cards[sim_id]  # type: ignore[index]
        elif name == "tags":
            row["tag_assignments"] = [{"id": TAGS.index(tag) + 1, "name": tag} for tag in value]
        elif name == "status":
            row["status"] = {"id": int(EndpointStatus.parse(value))}
        elif name.endswith("_id"):
            row[name.removesuffix("_id")] = {"id": value}
        elif name != "sim_status":
            row[name] = value
    if "sim_status" in after:
        row["sim"]["status"] = {"id": int(SimStatus.parse(after["sim_status"]))}
