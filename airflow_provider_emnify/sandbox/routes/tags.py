"""Tags: the organisation's, and those of endpoints."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, wrong
from airflow_provider_emnify.sandbox.http.fields import array, check_count, integer, record, reference, text
from airflow_provider_emnify.sandbox.http.query import number_in
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import TAG_COLORS
from airflow_provider_emnify.sandbox.routes.endpoints import tag_row, the_endpoint
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Tag
from airflow_provider_emnify.sandbox.world.state import State

_TAGS = "/api/v2/tags"
_OF_ENDPOINT = "/api/v2/endpoint/{endpoint_id}/tags"
_BULK = "/api/v2/bulk-operations"
_PAGE, _MOST = 50, 1000
_FIELDS = {"name": text(required=True, shortest=1), "color": reference()}
_ITEMS = {
    "items": array(
        record({"endpoint": reference(required=True), "tags": array(reference(), required=True)}),
        required=True,
    )
}


@serves("GET", _TAGS)
def list_tags(call: Call) -> Body:
    """List tags, in an envelope of their own; ``name`` is looked for anywhere in the name, in any case."""
    wanted = call.query.get("name", "").lower()
    tags = [tag for tag in call.state.tags.values() if wanted in tag.name.lower()]
    size = min(number_in(call, "page_size", _PAGE), _MOST)
    last = max(1, math.ceil(len(tags) / size))
    page = min(number_in(call, "page", 1), last)
    return {
        "total": len(tags),
        "page": page,
        "page_size": size,
        "last_page": last,
        "data": _rows(call.state, tags[(page - 1) * size : page * size]),
    }


@serves("POST", _TAGS)
def create_tag(call: Call) -> Answer:
    """Create a tag; its colour is any unless one is given."""
    state, body = call.state, call.checked(_FIELDS, "Tag")
    _check_name(state, body["name"])
    color = _color(state, body) or state.random.choice(list(TAG_COLORS))
    tag = Tag(state.next_id("tag"), body["name"], color)
    state.tags[tag.id] = tag
    return Answer(201, tag_row(tag))


@serves("PATCH", _TAGS + "/{tag_id}")
def update_tag(call: Call) -> None:
    """Change a tag."""
    tag, body = _the_tag(call), call.checked(_FIELDS, "Tag", partial=True)
    if "name" in body:
        _check_name(call.state, body["name"], tag)
    tag.color_id = _color(call.state, body) or tag.color_id
    tag.name = body.get("name", tag.name)
    call.state.endpoints.forget()  # they are found by the names of their tags


@serves("DELETE", _TAGS + "/{tag_id}")
def delete_tag(call: Call) -> None:
    """Delete a tag; endpoints lose it."""
    _delete(call.state, _the_tag(call).id)


@serves("POST", _BULK + "/tag/delete-tags")
def delete_tags(call: Call) -> Body:
    """Delete tags; endpoints lose them."""
    body = call.checked({"tags": array(reference(), required=True)}, "Tags")
    check_count(body["tags"])
    doomed = [call.state.existing(call.state.tags, tag["id"], "Tag") for tag in body["tags"]]
    for number in call.applied(dict.fromkeys(doomed)):
        _delete(call.state, number)
    return {}


@serves("GET", _OF_ENDPOINT)
def list_endpoint_tags(call: Call) -> Body:
    """List the tags of an endpoint."""
    state = call.state
    return _rows(state, [state.tags[number] for number in the_endpoint(call).tag_ids])


@serves("POST", _OF_ENDPOINT)
def assign_tag(call: Call) -> Answer:
    """Assign a tag to an endpoint."""
    endpoint, body = the_endpoint(call), call.checked({"id": integer(required=True)}, "Tag")
    number = call.state.existing(call.state.tags, body["id"], "Tag")
    _check_unassigned(endpoint, number)
    endpoint.tag_ids += (number,)
    return Answer(201)


@serves("DELETE", _OF_ENDPOINT + "/{tag_id}")
def unassign_tag(call: Call) -> Body:
    """Take a tag from an endpoint."""
    endpoint = the_endpoint(call)
    number = call.known(endpoint.tag_ids, "tag_id", "Tag")
    _unassign(endpoint, number)
    return {}


@serves("POST", _BULK + "/endpoint/add-tags")
def add_tags(call: Call) -> Body:
    """Give endpoints tags: all, or none if one is assigned already."""
    pairs = _pairs(call)
    for endpoint, number in pairs:
        _check_unassigned(endpoint, number)
    if len({(endpoint.id, number) for endpoint, number in pairs}) < len(pairs):
        raise ApiError("Duplicated", "A tag is named more than once for an endpoint.")
    for endpoint, number in call.applied(pairs):
        endpoint.tag_ids += (number,)
    return {}


@serves("POST", _BULK + "/endpoint/remove-tags")
def remove_tags(call: Call) -> Body:
    """Take tags from endpoints: all, or none if one is not assigned."""
    pairs = _pairs(call)
    for endpoint, number in pairs:
        if number not in endpoint.tag_ids:
            raise wrong(f"Tag {number} is not assigned to endpoint {endpoint.id}.", "InvalidReference")
    for endpoint, number in call.applied(pairs):
        _unassign(endpoint, number)
    return {}


def _pairs(call: Call) -> list[tuple[Endpoint, int]]:
    state, body = call.state, call.checked(_ITEMS, "Tags")
    check_count(body["items"])
    pairs = []
    for item in body["items"]:
        endpoint = state.endpoints[state.existing(state.endpoints, item["endpoint"]["id"], "Endpoint")]
        pairs += [(endpoint, state.existing(state.tags, tag["id"], "Tag")) for tag in item["tags"]]
    return pairs


def _check_unassigned(endpoint: Endpoint, number: int) -> None:
    if number in endpoint.tag_ids:
        raise ApiError("Duplicated", f"Tag {number} is assigned to endpoint {endpoint.id} already.")


def _unassign(endpoint: Endpoint, number: int) -> None:
    endpoint.tag_ids = tuple(other for other in endpoint.tag_ids if other != number)


def _the_tag(call: Call) -> Tag:
    return call.one(call.state.tags, "tag_id", "Tag")


def _check_name(state: State, name: str, own: Tag | None = None) -> None:
    if any(tag.name == name and tag is not own for tag in state.tags.values()):
        raise ApiError("Duplicated", f"There is a tag with the name {name} already.")


def _color(state: State, body: dict[str, Any]) -> int | None:
    return state.existing(TAG_COLORS, body["color"]["id"], "TagColor") if "color" in body else None


def _delete(state: State, number: int) -> None:
    del state.tags[number]
    for endpoint in state.endpoints.values():
        if number in endpoint.tag_ids:
            _unassign(endpoint, number)


def _rows(state: State, tags: Iterable[Tag]) -> list[dict[str, Any]]:
    used = Counter(number for endpoint in state.endpoints.values() for number in endpoint.tag_ids)
    return [{**tag_row(tag), "resource_count": used[tag.id]} for tag in tags]
