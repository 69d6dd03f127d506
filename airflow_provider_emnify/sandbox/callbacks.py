"""What emnify sends by itself: SMS of devices, delivery receipts, events and usage of data streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus, SmsStatus
from airflow_provider_emnify.sandbox.http.answers import fields_of
from airflow_provider_emnify.sandbox.http.callbacks import Delivery
from airflow_provider_emnify.sandbox.routes.events import PARTS, plain_event
from airflow_provider_emnify.sandbox.world.clock import date, event_date
from airflow_provider_emnify.sandbox.world.lookups import described
from airflow_provider_emnify.sandbox.world.messaging import split
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Event, Sms
from airflow_provider_emnify.sandbox.world.records.integrations import DataStream
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State

SHORT_CODE = "12345"
LONGEST_TEXT = 10_000
_USAGE, _EVENT = 1, 2


def connect(state: State) -> None:
    """Send what happens to the user's URLs from now on."""
    state.on_event = partial(_stream_event, state)
    state.on_sms_end = partial(_send_receipt, state)


def device_sends(state: State, endpoint: Endpoint, text: str, dest_address: str = SHORT_CODE) -> list[int]:
    """Let a device send an SMS, a long one in parts, and return their ids."""
    sim = state.sim_of(endpoint)
    if sim is None:
        raise ValueError(f"endpoint {endpoint.id} has no SIM that could send an SMS")
    reference = state.next_id("sms reference") & 0xFF
    ids = []
    for payload, dcs, udh in split(text, reference):
        sms = Sms(
            *(state.next_id("sms"), endpoint.id, sim.id, state.now, payload, state.now),
            source_address=sim.msisdn,
            dest_address=dest_address,
            udh=udh,
            dcs=dcs,
            status=SmsStatus.DELIVERED,
            final=state.now,
            from_device=True,
        )
        state.sms[sms.id] = sms
        state.sms_of.setdefault(endpoint.id, []).append(sms)
        _call(state, "POST", sms, {})
        ids.append(sms.id)
    return ids


def use_data(state: State, endpoint: Endpoint, volume: float) -> None:
    """Tell data streams of usage that a device has had, in MB."""
    sim = state.sim_of(endpoint)
    record = {
        "id": state.next_id("usage record"),
        "traffic_type": {"id": 5, "description": "Data"},
        "start_timestamp": event_date(state.now),
        "end_timestamp": event_date(state.now),
        "organisation": state.organisation_row(ORGANISATION_ID),
        "endpoint": {"id": endpoint.id, "name": endpoint.name},
        "sim": None if sim is None else {"id": sim.id, "iccid": sim.iccid},
        "volume": {"total": volume, "rx": 0.0, "tx": volume},
        "cost": 0.0,
        "currency": {"id": 1, "code": "EUR"},
    }
    for stream in _running(state, _USAGE):
        _stream(state, stream, record)


def _call(state: State, method: str, sms: Sms, more: Mapping[str, Any]) -> None:
    profile = state.service_profiles[state.endpoints[sms.endpoint_id].service_profile_id]
    callback = state.api_callbacks.get((profile.get("api_callback") or {}).get("id"))
    secret = state.api_secrets.get((profile.get("api_secret") or {}).get("id"))
    if callback is None:
        return
    text: Callable[[int], int | str] = str if state.settings.quirks and sms.id % 2 else int
    body = {
        "id": text(sms.id),
        "endpoint": {"id": text(sms.endpoint_id), "name": state.endpoints[sms.endpoint_id].name},
        "organisation": state.organisation_row(ORGANISATION_ID),
        **fields_of(sms, "source_address", "dest_address", "payload"),
        "dcs": text(sms.dcs),
        "pid": text(0),
        "submit_date": date(sms.submitted),
        **({"udh": sms.udh} if sms.udh else {}),
        **more,
    }
    state.outbox.put(Delivery(method, callback["url"], body, secret=secret["secret"] if secret else None))


def _send_receipt(state: State, sms: Sms) -> None:
    if sms.endpoint_id in state.endpoints:
        delivered = {} if sms.delivered is None else {"delivery_date": date(sms.delivered)}
        _call(state, "PATCH", sms, {"status": described(sms.status), **delivered})


def _stream_event(state: State, event: Event) -> None:
    record = {**plain_event(state, event), **fields_of(event, *PARTS)}
    for stream in _running(state, _EVENT):
        chosen = [one for one in stream.filters if "or" not in one and one["field"].startswith("event_type")]
        wanted = [one["value"] if isinstance(one["value"], list) else [one["value"]] for one in chosen]
        if not wanted or any(str(int(event.type)) in map(str, values) for values in wanted):
            _stream(state, stream, record)


def _running(state: State, type_id: int) -> list[DataStream]:
    return [
        stream
        for stream in state.data_streams.values()
        if stream.type_id == type_id
        and stream.status is DataStreamStatus.RUNNING
        and stream.destination["connection_type"] == "RestAPI"
    ]


def _stream(state: State, stream: DataStream, record: dict[str, Any]) -> None:
    how = stream.destination["credentials"]
    pairs = (one.partition(":") for one in how.get("headers", ()))
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    delivery = Delivery(how.get("method", "POST"), how["url"], record, headers)
    size = int(how.get("size", 3000))
    if size == 1:
        state.outbox.put(delivery)
    else:
        state.outbox.gather(stream.id, delivery, size)
