"""SMS to endpoints: send, list, follow, cancel."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import SmsStatus
from airflow_provider_emnify.sandbox.http.answers import Answer, fields_of, present, wrong
from airflow_provider_emnify.sandbox.http.fields import integer, moment, record, text
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.endpoints import the_endpoint
from airflow_provider_emnify.sandbox.world import messaging
from airflow_provider_emnify.sandbox.world.clock import date
from airflow_provider_emnify.sandbox.world.records.fleet import Sms
from airflow_provider_emnify.sandbox.world.state import State

_PATH = "/api/v1/endpoint/{endpoint_id}/sms"
_FIELDS = {
    "payload": text(required=True, longest=1600),
    "source_address": text(longest=21),
    "source_address_type": record({"id": integer()}),
    "dest_address": text(),
    "udh": text(),
    "dcs": integer(),
    "expiry_date": moment(),
}


@serves("POST", _PATH)
def send_sms(call: Call) -> Answer:
    """Send an SMS; only the header says its id."""
    endpoint, body = the_endpoint(call), call.checked(_FIELDS, "Sms")
    messaging.check(body, call.state.now)
    sim = call.state.sim_of(endpoint)
    if sim is None:
        raise wrong(f"Endpoint {endpoint.id} has no SIM that an SMS could be sent to.")
    sms = messaging.send(call.state, endpoint, sim, body)
    return Answer(201, headers={"Location": f"/api/v1/endpoint/{endpoint.id}/sms/{sms.id}"})


@serves("GET", _PATH)
def list_sms(call: Call) -> Body:
    """List the SMS of an endpoint, not in pages."""
    return [_row(call.state, sms) for sms in call.state.sms_of.get(the_endpoint(call).id, ())]


@serves("GET", _PATH + "/{sms_id}")
def get_sms(call: Call) -> Body:
    """Give an SMS."""
    row = _row(call.state, _the_sms(call))
    if row["gsm_map_error"] is None:
        del row["gsm_map_error"]
    return row


@serves("DELETE", _PATH + "/{sms_id}")
def cancel_sms(call: Call) -> Body:
    """Cancel an SMS that is not delivered yet."""
    messaging.cancel(call.state, _the_sms(call))
    return {}


def _the_sms(call: Call) -> Sms:
    own = {sms.id: sms for sms in call.state.sms_of.get(the_endpoint(call).id, ())}
    return call.one(own, "sms_id", "Sms")


def _row(state: State, sms: Sms) -> dict[str, Any]:
    """An SMS. With ``quirks``, every second one has strings for its numbers."""
    sim = state.sims[sms.sim_id]
    label = "Delivery attempt pending" if sms.status is SmsStatus.PENDING else sms.status.label
    row: dict[str, Any] = {
        "id": sms.id,
        "submit_date": date(sms.submitted),
        "expiry_date": date(sms.expires),
        "retry_date": None,
        "retry_count": sms.retries,
        "gsm_map_error": sms.error,
        "dcs": sms.dcs,
        "pid": 0,
        "endpoint": {"id": sms.endpoint_id, "name": state.endpoints[sms.endpoint_id].name},
        "sim_id": str(sim.id),
        **fields_of(sim, "iccid", "msisdn", "imsi"),
        "payload": sms.payload,
        "status": {"id": int(sms.status), "description": label},
        "sms_type": {"id": 1, "description": "MO"} if sms.from_device else {"id": 2, "description": "MT"},
        "source_address_type": {
            "id": sms.source_address_type,
            "description": messaging.ADDRESS_TYPES[sms.source_address_type],
        },
    }
    more = {
        **fields_of(sms, "source_address", "dest_address", "udh"),
        "last_delivery_attempt": date(sms.attempted),
        "delivery_date": date(sms.delivered),
        "final_date": date(sms.final),
        "msc": None if sms.attempted is None else "491720000095",
    }
    row |= present(more)
    if state.settings.quirks and sms.id % 2:
        row["id"], row["retry_count"] = str(sms.id), str(sms.retries)
        row["status"]["id"] = str(int(sms.status))
    return row
