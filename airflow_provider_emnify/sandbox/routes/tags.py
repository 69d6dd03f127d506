"""Tags of endpoints."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.errors import ApiError, not_found
from airflow_provider_emnify.sandbox.fields import integer, validate
from airflow_provider_emnify.sandbox.routes.endpoints import the_endpoint
from airflow_provider_emnify.sandbox.wire import Answer, Call, serves

_PATH = "/api/v2/endpoint/{endpoint_id}/tags"


@serves("GET", _PATH)
def list_endpoint_tags(call: Call) -> Answer:
    """List the tags of an endpoint."""
    state = call.state
    return Answer(
        body=[
            {
                "id": number,
                "name": state.tags[number].name,
                "resource_count": sum(number in endpoint.tag_ids for endpoint in state.endpoints.values()),
                "tag_color": {"id": state.tags[number].color_id},
            }
            for number in the_endpoint(call).tag_ids
        ]
    )


@serves("POST", _PATH)
def assign_tag(call: Call) -> Answer:
    """Assign a tag to an endpoint."""
    endpoint, body = the_endpoint(call), call.object()
    validate(body, {"id": integer(required=True)}, "Tag")
    number = call.state.existing(call.state.tags, body["id"], "Tag")
    if number in endpoint.tag_ids:
        raise ApiError("Duplicated", f"Tag {number} is assigned already.")
    endpoint.tag_ids += (number,)
    return Answer(201)


@serves("DELETE", _PATH + "/{tag_id}")
def unassign_tag(call: Call) -> Answer:
    """Take a tag from an endpoint."""
    endpoint, number = the_endpoint(call), call.id("tag_id", "Tag")
    if number not in endpoint.tag_ids:
        raise not_found("Tag", number)
    endpoint.tag_ids = tuple(other for other in endpoint.tag_ids if other != number)
    return Answer(200)
