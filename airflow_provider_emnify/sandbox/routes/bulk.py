"""The three bulk calls on endpoints: all or nothing, unless a fault says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, wrong
from airflow_provider_emnify.sandbox.http.fields import Field, array, integer, record, validate_items
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.render import created_endpoint
from airflow_provider_emnify.sandbox.world import devices, provisioning

MOST = 2000
_PATH = "/api/v2/endpoint/multi"
_CREATION = {
    **provisioning.SHARED,
    "endpoints": array(record({**provisioning.OWN, "sim": provisioning.NEW_SIM}), required=True),
}
_UPDATE = {
    **{key: record(field.fields or {}) for key, field in provisioning.SHARED.items()},
    **provisioning.OWN,
    "sim": provisioning.CHANGED_SIM,
    "id": integer(required=True),
}


def applied(call: Call, items: list[Any]) -> Iterator[Any]:
    """Yield the items, or as many as a fault lets through."""
    yield from items if call.partial is None else items[: call.partial]


def finished(call: Call) -> None:
    """Answer 500 if a fault has kept items from being applied."""
    if call.partial is not None:
        raise ApiError("InternalServerError", "Internal server error")


def check_size(items: list[Any], most: int | None = MOST) -> None:
    """Answer 422 unless the number of items is within bounds."""
    if not items or (most is not None and len(items) > most):
        raise wrong(f"Expecting 1 to {most or 'any number of'} items, not {len(items)}.")


def _check_unique(numbers: list[int], resource: str) -> None:
    if len(set(numbers)) < len(numbers):
        raise ApiError("Duplicated", f"A {resource} is named more than once.")


def _items(call: Call, fields: Mapping[str, Field]) -> list[Any]:
    items = call.array()
    check_size(items)
    validate_items(items, fields, "Endpoint")
    _check_unique([item["id"] for item in items], "endpoint")
    return items


@serves("POST", _PATH)
def create_endpoints(call: Call) -> Answer:
    """Create endpoints that share profiles and status."""
    state, body = call.state, call.checked(_CREATION, "Endpoints")
    items = body["endpoints"]
    check_size(items)
    provisioning.check_shared(state, body)
    sims = []
    for item in items:
        provisioning.check_address(state, item)
        sims.append(provisioning.new_sim(state, item))
    _check_unique([sim.id for sim, _ in filter(None, sims)], "SIM")
    shared = {key: value for key, value in body.items() if key != "endpoints"}
    created = [
        provisioning.create(state, {**shared, **item}, sim, call.own)
        for item, sim in applied(call, list(zip(items, sims, strict=True)))
    ]
    finished(call)
    return Answer(201, [created_endpoint(state, endpoint) for endpoint in created])


@serves("PATCH", _PATH)
def update_endpoints(call: Call) -> None:
    """Change endpoints, each in its own way."""
    state, items = call.state, _items(call, _UPDATE)
    changes = []
    for item in items:
        endpoint = state.endpoint(item["id"])
        if "ip_address" in item and "ip_address_space" not in item:
            raise wrong("Endpoint - ip_address_space is required with ip_address.", "Required")
        provisioning.check_shared(state, item)
        provisioning.check_address(state, item, endpoint)
        changes.append((endpoint, item, provisioning.changed_sim(state, endpoint, item, bulk=True)))
    _check_unique([sim.id for _, item, (sim, _) in changes if sim and "sim" in item], "SIM")
    for endpoint, item, sim in applied(call, changes):
        provisioning.update(state, endpoint, item, sim)
    finished(call)


@serves("DELETE", _PATH)
def delete_endpoints(call: Call) -> None:
    """Delete endpoints; their SIMs are released and suspended, or deleted if asked."""
    state, items = call.state, _items(call, {"id": integer(required=True)})
    doomed = [state.endpoint(item["id"]) for item in items]
    delete_sims = call.query.get("delete_sims", "false").lower() == "true"
    for endpoint in applied(call, doomed):
        devices.delete_endpoint(state, endpoint, delete_sim=delete_sims)
    finished(call)
