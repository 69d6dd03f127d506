"""Data streams, version 2, and Cloud Connect: attachments by transit gateway and by VPN."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.sandbox.http.answers import (
    Answer,
    ApiError,
    fields_of,
    finding,
    invalid,
    not_found,
    present,
    wrong,
)
from airflow_provider_emnify.sandbox.http.fields import (
    address,
    address_range,
    array,
    code,
    integer,
    number,
    one_of,
    pattern,
    record,
    reference,
    text,
    validate,
)
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world import integrations
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.integrations import (
    ATTACHMENT_TYPES,
    CREDENTIALS,
    FILTER_FIELDS,
    REGIONS,
    STREAM_TYPES,
)
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.records import integrations as records
from airflow_provider_emnify.sandbox.world.records.integrations import Attachment, DataStream
from airflow_provider_emnify.sandbox.world.state import State

Json = dict[str, Any]

_STREAMS = "/api/v2/data_stream"
_STREAM = _STREAMS + "/{data_stream_id}"
_STREAM_FIELDS = {
    "name": text(required=True, shortest=1),
    "destination": record(
        {"connection_type": text(required=True), "format": text(), "credentials": record({}, required=True)},
        required=True,
    ),
    "filters": array(record({})),
    "data_stream_type": reference(),
    "status": reference(),
}
_FILTER = {"field": text(), "or": array(record({}))}
_WEBHOOK = {
    "method": one_of("POST", "PUT", "PATCH"),
    "headers": array(text(longest=10_000)),
    "size": number(least=1, most=10_000, kind="Number from 1 to 10000"),
}
_FILTERS = {*FILTER_FIELDS.values(), "alert"}  # also by id: event_type_id
_SETTABLE = (DataStreamStatus.RUNNING, DataStreamStatus.PAUSED)


@serves("GET", _STREAMS)
def list_streams(call: Call) -> Body:
    """List data streams, not in pages."""
    return [_stream(stream) for stream in call.state.data_streams.values()]


@serves("POST", _STREAMS)
def create_stream(call: Call) -> Answer:
    """Create a data stream, which runs a little later; only the header says its id."""
    state, body = call.state, call.checked(_STREAM_FIELDS, "DataStream")
    _check_stream(call.state, body)
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
    integrations.settle_stream(state, stream, target)
    return Answer(201, headers={"Location": f"{_STREAMS}/{stream.id}"})


@serves("GET", _STREAM)
def get_stream(call: Call) -> Body:
    """Give a data stream, with the credentials of its destination."""
    return _stream(_the_stream(call))


@serves("PATCH", _STREAM)
def update_stream(call: Call) -> Answer:
    """Change a data stream, which settles a little later."""
    stream, body = _the_stream(call), call.checked(_STREAM_FIELDS, "DataStream", partial=True)
    _check_stream(call.state, body)
    target = _status(call.state, body) or stream.target
    if stream.deleting:
        raise not_found("DataStream", stream.id)
    for key in ("name", "destination", "filters", "relation_resolution"):
        if key in body:
            setattr(stream, key, body[key])
    if "data_stream_type" in body:
        stream.type_id = int(body["data_stream_type"]["id"])
    integrations.settle_stream(call.state, stream, target)
    return Answer(202, {})


@serves("DELETE", _STREAM)
def delete_stream(call: Call) -> Answer:
    """Delete a data stream, which disappears a little later."""
    integrations.delete_stream(call.state, _the_lasting_stream(call))
    return Answer(202, {})


@serves("POST", _STREAM + "/restart")
def restart_stream(call: Call) -> Answer:
    """Start a data stream again, which runs a little later."""
    integrations.settle_stream(call.state, _the_lasting_stream(call), DataStreamStatus.RUNNING)
    return Answer(202, {})


def _the_stream(call: Call) -> DataStream:
    return call.one(call.state.data_streams, "data_stream_id", "DataStream")


def _the_lasting_stream(call: Call) -> DataStream:
    stream = _the_stream(call)
    if stream.deleting:
        raise ApiError("NotAllowed", f"Data stream {stream.id} is being deleted.", status=409)
    return stream


def _check_stream(state: State, body: Json) -> None:
    """Answer 422 unless destination, filters and type are of a kind that there is."""
    if "destination" in body:
        kind, given = body["destination"]["connection_type"], body["destination"]["credentials"]
        if kind not in CREDENTIALS:
            raise wrong(f"DataStream - connection_type is one of {', '.join(CREDENTIALS)}, not {kind}.")
        missing = [name for name in CREDENTIALS[kind] if not isinstance(given.get(name), str)]
        if missing:
            texts = (f"DataStream - credentials - {name} is required." for name in missing)
            raise invalid(*(finding("Required", text) for text in texts))
        if kind == "RestAPI":
            validate(given, _WEBHOOK, "DataStream - credentials")
    for one in body.get("filters", ()):
        _check_filter(one)
    if "data_stream_type" in body:
        state.existing(STREAM_TYPES, body["data_stream_type"]["id"], "DataStreamType")


def _check_filter(one: Json) -> None:
    """Answer 422 unless a filter has a field that there is and a value, or is a group of such (``or``)."""
    validate(one, _FILTER, "DataStream - filters")
    for below in one.get("or", ()):
        _check_filter(below)
    if "or" in one:
        return
    for key in ("field", "value"):
        if key not in one:
            raise wrong(f"DataStream - filters - {key} is required.", "Required")
    if one["field"].removesuffix("_id") not in _FILTERS:
        raise wrong(f"DataStream - there is no filter field {one['field']}.")


def _status(state: State, body: Json) -> DataStreamStatus | None:
    if "status" not in body:
        return None
    return DataStreamStatus(state.existing(_SETTABLE, body["status"]["id"], "DataStreamStatus"))


def _stream(stream: DataStream) -> Json:
    return {
        **fields_of(stream, "id", "name", "destination", "filters"),
        "data_stream_type": {"id": stream.type_id, "description": STREAM_TYPES[stream.type_id]},
        "relation_resolution": stream.relation_resolution,
        "status": described(stream.status),
    }


# -- Cloud Connect ----------------------------------------------------------------------------------


_ATTACHMENTS = "/api/v1/cnc/breakout"
_ATTACHMENT = _ATTACHMENTS + "/{cloudconnect_attachment_id}"
_MOST_RANGES = 3


_SHARED = {"name": text(required=True, shortest=1), "description": text()}
_TRANSIT_GATEWAY = {
    **_SHARED,
    "type": pattern("'1'", r"1", required=True),
    "region": text(required=True),
    "vpc_cidr": array(address_range(), required=True),
    "aws_account_id": pattern("12 digits", r"\d{12}", required=True),
}
_VPN = {
    **_SHARED,
    "type": code(integrations.VPN, integrations.VPN_BGP, required=True),
    "region": text(),
    "public_ip": address(required=True),
    "psk": pattern("8 to 64 letters, digits, . and _, the first not 0", r"(?!0)[A-Za-z0-9._]{8,64}"),
    "asn": integer(),
    "on_prem_cidr": array(address_range(), required=True),
    "inside_cidr": array(address_range()),
}


@serves("GET", _ATTACHMENTS)
def list_attachments(call: Call) -> Body:
    """List attachments; deactivated ones only when they are asked for."""
    status, kind = _number(call, "status", records.STATUSES), _number(call, "type", ATTACHMENT_TYPES)
    return [
        _attachment(attachment)
        for attachment in call.state.attachments.values()
        if (attachment.status == status if status else attachment.status != records.DEACTIVATED)
        and kind in {None, attachment.type}
    ]


@serves("POST", _ATTACHMENTS + "/tgw")
def create_transit_gateway(call: Call) -> Answer:
    """Create an attachment by transit gateway; only the header says its id."""
    body = call.checked(_TRANSIT_GATEWAY, "Attachment", status=400)
    if not body["vpc_cidr"]:
        raise wrong("Attachment - vpc_cidr is empty.", status=400)
    return _create(call, body, integrations.TRANSIT_GATEWAY, body["region"], {})


@serves("POST", _ATTACHMENTS + "/vpn")
def create_vpn(call: Call) -> Answer:
    """Create an attachment by VPN; only the header says its id."""
    body = call.checked(_VPN, "Attachment", status=400)
    if not 0 < len(body["on_prem_cidr"]) <= _MOST_RANGES:
        raise wrong(f"Attachment - on_prem_cidr has 1 to {_MOST_RANGES} ranges.", status=400)
    psk = body.get("psk") or f"psk.{call.state.random.getrandbits(96):024x}"
    call.accounts.issued.append(psk)
    tunnel = {
        "outside_address": "192.0.2.10",
        "inside_cidr": (body.get("inside_cidr") or ["169.254.10.0/30"])[0],
        "public_ip": body["public_ip"],
        "psk": psk,
        "metrics": {"tunnel_state": "UP", "bytes_in": {}, "bytes_out": {}},
    }
    if "asn" in body:
        tunnel["asn"] = body["asn"]
    return _create(call, body, int(body["type"]["id"]), body.get("region", REGIONS[0]), tunnel)


@serves("GET", _ATTACHMENT)
def get_attachment(call: Call) -> Body:
    """Give an attachment, in an array; an active VPN with its tunnel and the key of it."""
    attachment = _the_attachment(call)
    row = _attachment(attachment)
    if attachment.tunnel and attachment.status == records.ACTIVE:
        row["tunnel_information"] = attachment.tunnel
    return [row]


@serves("DELETE", _ATTACHMENT)
def delete_attachment(call: Call) -> Body:
    """Delete an attachment that is neither deactivated nor rolling back."""
    attachment = _the_attachment(call)
    if attachment.status in {records.DEACTIVATED, records.ROLLING_BACK}:
        status = records.STATUSES[attachment.status]
        raise ApiError("BadRequest", f"Attachment {attachment.id} cannot be deleted: it is {status}.")
    if attachment.status != records.DEACTIVATING:
        integrations.disconnect(call.state, attachment)
    return {}


@serves("PATCH", _ATTACHMENT)
def retry_attachment(call: Call) -> Body:
    """Offer a transit gateway again that was not accepted in time."""
    attachment = _the_attachment(call)
    pending = attachment.status == records.AWS_ACTIVATION
    if not pending or attachment.offer_ends is None or attachment.offer_ends > call.state.now:
        raise ApiError("NotFound", f"Attachment {attachment.id} has no offer that has expired.")
    integrations.connect(call.state, attachment)
    return {}


@serves("GET", "/api/v1/cnc/breakout_type/{breakout_type_id}/available_region")
def available_regions(call: Call) -> Body:
    """List the regions for attachments of a type."""
    call.known(ATTACHMENT_TYPES, "breakout_type_id", "BreakoutType")
    return [{"attachment_region": region, "device_breakout_region": region} for region in REGIONS]


def _number(call: Call, name: str, known: dict[int, str]) -> int | None:
    given = call.query.get(name)
    if not given:
        return None
    if given not in map(str, known):
        raise ApiError("BadRequest", f"{name} is one of {', '.join(map(str, known))}, not {given}.")
    return int(given)


def _create(call: Call, body: Json, kind: int, region: str, tunnel: Json) -> Answer:
    if region not in REGIONS:
        raise wrong(f"Attachment - region is one of {', '.join(REGIONS)}, not {region}.", status=400)
    state = call.state
    attachment = Attachment(
        state.next_id("attachment"),
        body["name"],
        kind,
        region,
        body.get("description", ""),
        call.state.now,
        call.caller.id if call.caller else 0,
        tunnel=tunnel,
    )
    state.attachments[attachment.id] = attachment
    integrations.connect(state, attachment)
    return Answer(201, headers={"Location": f"{_ATTACHMENTS}/{attachment.id}"})


def _the_attachment(call: Call) -> Attachment:
    return call.one(call.state.attachments, "cloudconnect_attachment_id", "Attachment")


def _attachment(attachment: Attachment) -> Json:
    row = {
        **fields_of(attachment, "id", "name", "description", "user_id"),
        "creation_date": date(attachment.created),
        "status": {"id": attachment.status, "description": records.STATUSES[attachment.status]},
        "type": {"id": attachment.type, "description": ATTACHMENT_TYPES[attachment.type]},
        "region": attachment.region,
        "accept_attachment_expiry_date": date(attachment.offer_ends),
        "termination_date": date(attachment.terminated),
    }
    return present(row)
