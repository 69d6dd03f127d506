"""Data streams, version 2."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, finding, invalid, not_found, wrong
from airflow_provider_emnify.sandbox.http.fields import array, record, reference, text
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world import data_streams
from airflow_provider_emnify.sandbox.world.data_streams import CREDENTIALS, FILTER_FIELDS, TYPES
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.records.integrations import DataStream
from airflow_provider_emnify.sandbox.world.state import State

_PATH = "/api/v2/data_stream"
_ONE = _PATH + "/{data_stream_id}"
_FIELDS = {
    "name": text(required=True, shortest=1),
    "destination": record(
        {"connection_type": text(required=True), "format": text(), "credentials": record({}, required=True)},
        required=True,
    ),
    "filters": array(record({"field": text(), "or": array(record({}))})),
    "data_stream_type": reference(),
    "status": reference(),
}
_FILTERS = {*FILTER_FIELDS.values(), "alert"}  # also by id: event_type_id
_SETTABLE = (DataStreamStatus.RUNNING, DataStreamStatus.PAUSED)


@serves("GET", _PATH)
def list_streams(call: Call) -> Body:
    """List data streams, not in pages."""
    return [_row(stream) for stream in call.state.data_streams.values()]


@serves("POST", _PATH)
def create_stream(call: Call) -> Answer:
    """Create a data stream, which runs a little later; only the header says its id."""
    state, body = call.state, call.checked(_FIELDS, "DataStream")
    _check(call.state, body)
    stream = DataStream(
        state.next_id("data stream"),
        body["name"],
        body["destination"],
        body.get("filters", []),
        int(body.get("data_stream_type", {}).get("id", 1)),
        body.get("relation_resolution"),
    )
    target = _status(call.state, body) or DataStreamStatus.RUNNING
    state.data_streams[stream.id] = stream
    state.outbox.watch()
    data_streams.settle(state, stream, target)
    return Answer(201, headers={"Location": f"{_PATH}/{stream.id}"})


@serves("GET", _ONE)
def get_stream(call: Call) -> Body:
    """Give a data stream, with the credentials of its destination."""
    return _row(_the_stream(call))


@serves("PATCH", _ONE)
def update_stream(call: Call) -> Answer:
    """Change a data stream, which settles a little later."""
    stream, body = _the_stream(call), call.checked(_FIELDS, "DataStream", partial=True)
    _check(call.state, body)
    target = _status(call.state, body) or stream.target
    if stream.deleting:
        raise not_found("DataStream", stream.id)
    for key in ("name", "destination", "filters", "relation_resolution"):
        if key in body:
            setattr(stream, key, body[key])
    if "data_stream_type" in body:
        stream.type_id = int(body["data_stream_type"]["id"])
    data_streams.settle(call.state, stream, target)
    return Answer(202, {})


@serves("DELETE", _ONE)
def delete_stream(call: Call) -> Answer:
    """Delete a data stream, which disappears a little later."""
    stream = _the_stream(call)
    _check_there(stream)
    data_streams.delete(call.state, stream)
    return Answer(202, {})


@serves("POST", _ONE + "/restart")
def restart_stream(call: Call) -> Answer:
    """Start a data stream again, which runs a little later."""
    stream = _the_stream(call)
    _check_there(stream)
    data_streams.settle(call.state, stream, DataStreamStatus.RUNNING)
    return Answer(202, {})


def _the_stream(call: Call) -> DataStream:
    return call.one(call.state.data_streams, "data_stream_id", "DataStream")


def _check_there(stream: DataStream) -> None:
    if stream.deleting:
        raise ApiError("NotAllowed", f"Data stream {stream.id} is being deleted.", status=409)


def _check(state: State, body: dict[str, Any]) -> None:
    """Answer 422 unless destination, filters and type are of a kind that there is."""
    if "destination" in body:
        kind, given = body["destination"]["connection_type"], body["destination"]["credentials"]
        if kind not in CREDENTIALS:
            raise wrong(f"DataStream - connection_type is one of {', '.join(CREDENTIALS)}, not {kind}.")
        missing = [name for name in CREDENTIALS[kind] if not isinstance(given.get(name), str)]
        if missing:
            texts = (f"DataStream - credentials - {name} is required." for name in missing)
            raise invalid(*(finding("Required", text) for text in texts))
    for one in body.get("filters", ()):
        _check_filter(one)
    if "data_stream_type" in body:
        state.existing(TYPES, body["data_stream_type"]["id"], "DataStreamType")


def _check_filter(one: dict[str, Any]) -> None:
    """Answer 422 unless a filter has a field that there is and a value, or is a group of such (``or``)."""
    for below in one.get("or", ()):
        _check_filter(below)
    if "or" in one:
        return
    for key in ("field", "value"):
        if key not in one:
            raise wrong(f"DataStream - filters - {key} is required.", "Required")
    if one["field"].removesuffix("_id") not in _FILTERS:
        raise wrong(f"DataStream - there is no filter field {one['field']}.")


def _status(state: State, body: dict[str, Any]) -> DataStreamStatus | None:
    if "status" not in body:
        return None
    return DataStreamStatus(state.existing(_SETTABLE, body["status"]["id"], "DataStreamStatus"))


def _row(stream: DataStream) -> dict[str, Any]:
    return {
        "id": stream.id,
        "name": stream.name,
        "destination": stream.destination,
        "filters": stream.filters,
        "data_stream_type": {"id": stream.type_id, "description": TYPES[stream.type_id]},
        "relation_resolution": stream.relation_resolution,
        "status": described(stream.status),
    }
