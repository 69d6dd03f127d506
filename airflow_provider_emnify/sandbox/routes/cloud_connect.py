"""Cloud Connect: attachments by transit gateway and by VPN."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, present, wrong
from airflow_provider_emnify.sandbox.http.fields import (
    address,
    address_range,
    array,
    code,
    integer,
    pattern,
    text,
)
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world import cloud_connect as connect
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.cloud_connect import REGIONS, TYPES
from airflow_provider_emnify.sandbox.world.records import integrations as records
from airflow_provider_emnify.sandbox.world.records.integrations import Attachment

_PATH = "/api/v1/cnc/breakout"
_ONE = _PATH + "/{cloudconnect_attachment_id}"
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
    "type": code(connect.VPN, connect.VPN_BGP, required=True),
    "region": text(),
    "public_ip": address(required=True),
    "psk": pattern("8 to 64 letters, digits, . and _, the first not 0", r"(?!0)[A-Za-z0-9._]{8,64}"),
    "asn": integer(),
    "on_prem_cidr": array(address_range(), required=True),
    "inside_cidr": array(address_range()),
}


@serves("GET", _PATH)
def list_attachments(call: Call) -> Body:
    """List attachments; deactivated ones only when they are asked for."""
    status, kind = _number(call, "status", records.STATUSES), _number(call, "type", TYPES)
    return [
        _row(attachment)
        for attachment in call.state.attachments.values()
        if (attachment.status == status if status else attachment.status != records.DEACTIVATED)
        and kind in {None, attachment.type}
    ]


@serves("POST", _PATH + "/tgw")
def create_transit_gateway(call: Call) -> Answer:
    """Create an attachment by transit gateway; only the header says its id."""
    body = call.checked(_TRANSIT_GATEWAY, "Attachment", status=400)
    if not body["vpc_cidr"]:
        raise wrong("Attachment - vpc_cidr is empty.", status=400)
    return _create(call, body, connect.TRANSIT_GATEWAY, body["region"], {})


@serves("POST", _PATH + "/vpn")
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


@serves("GET", _ONE)
def get_attachment(call: Call) -> Body:
    """Give an attachment, in an array; an active VPN with its tunnel and the key of it."""
    attachment = _the_attachment(call)
    row = _row(attachment)
    if attachment.tunnel and attachment.status == records.ACTIVE:
        row["tunnel_information"] = attachment.tunnel
    return [row]


@serves("DELETE", _ONE)
def delete_attachment(call: Call) -> Body:
    """Delete an attachment that is neither deactivated nor rolling back nor classic."""
    attachment = _the_attachment(call)
    over = attachment.status in {records.DEACTIVATED, records.ROLLING_BACK}
    if over or attachment.type in connect.CLASSIC:
        status = records.STATUSES[attachment.status]
        raise ApiError("BadRequest", f"Attachment {attachment.id} cannot be deleted: it is {status}.")
    if attachment.status != records.DEACTIVATING:
        connect.deactivate(call.state, attachment)
    return {}


@serves("PATCH", _ONE)
def retry_attachment(call: Call) -> Body:
    """Offer a transit gateway again that was not accepted in time."""
    attachment = _the_attachment(call)
    pending = attachment.status == records.AWS_ACTIVATION
    if not pending or attachment.offer_ends is None or attachment.offer_ends > call.now:
        raise ApiError("NotFound", f"Attachment {attachment.id} has no offer that has expired.")
    connect.begin(call.state, attachment)
    return {}


@serves("GET", "/api/v1/cnc/breakout_type/{breakout_type_id}/available_region")
def available_regions(call: Call) -> Body:
    """List the regions for attachments of a type."""
    call.known(TYPES, "breakout_type_id", "BreakoutType")
    return [{"attachment_region": region, "device_breakout_region": region} for region in REGIONS]


def _number(call: Call, name: str, known: dict[int, str]) -> int | None:
    given = call.query.get(name)
    if not given:
        return None
    if given not in map(str, known):
        raise ApiError("BadRequest", f"{name} is one of {', '.join(map(str, known))}, not {given}.")
    return int(given)


def _create(call: Call, body: dict[str, Any], kind: int, region: str, tunnel: dict[str, Any]) -> Answer:
    if region not in REGIONS:
        raise wrong(f"Attachment - region is one of {', '.join(REGIONS)}, not {region}.", status=400)
    state = call.state
    attachment = Attachment(
        state.next_id("attachment"),
        body["name"],
        kind,
        region,
        body.get("description", ""),
        call.now,
        call.caller.id if call.caller else 0,
        tunnel=tunnel,
    )
    state.attachments[attachment.id] = attachment
    connect.begin(state, attachment)
    return Answer(201, headers={"Location": f"{_PATH}/{attachment.id}"})


def _the_attachment(call: Call) -> Attachment:
    return call.one(call.state.attachments, "cloudconnect_attachment_id", "Attachment")


def _row(attachment: Attachment) -> dict[str, Any]:
    row = {
        "id": attachment.id,
        "name": attachment.name,
        "description": attachment.description,
        "user_id": attachment.user_id,
        "creation_date": date(attachment.created),
        "status": {"id": attachment.status, "description": records.STATUSES[attachment.status]},
        "type": {"id": attachment.type, "description": TYPES[attachment.type]},
        "region": attachment.region,
        "accept_attachment_expiry_date": date(attachment.offer_ends),
        "termination_date": date(attachment.terminated),
    }
    return present(row)
