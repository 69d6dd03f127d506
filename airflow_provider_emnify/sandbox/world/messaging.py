"""SMS to devices: what fits into one, and its way to the device."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_emnify.api.enums import Connectivity, SmsStatus
from airflow_provider_emnify.sandbox.http.answers import ApiError, no_reference, wrong
from airflow_provider_emnify.sandbox.world.clock import DAY, parse_date
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Sim, Sms
from airflow_provider_emnify.sandbox.world.state import State

ALPHANUMERIC = 208
ADDRESS_TYPES: dict[int, str] = {145: "International", 161: "National", ALPHANUMERIC: "Alphanumeric"}
LONGEST_NAME = 11
FINAL = frozenset({SmsStatus.DELIVERED, SmsStatus.FAILED, SmsStatus.EXPIRED, SmsStatus.CANCELED})

_OCTETS = 140
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_BITS = {"GSM": 7, "8 bit": 8, "UCS-2": 16}
_LIFE = DAY
_REACHABLE = frozenset({Connectivity.ATTACHED, Connectivity.ONLINE})


def check(body: Mapping[str, Any], now: float) -> None:
    """Answer 422 unless the text fits into one SMS and the sender is one.

    :param body: A body whose fields have the right types.
    """
    _check_sender(body)
    header = _header(body.get("udh"))
    coding = int(body.get("dcs") or 0)
    if not 0 <= coding <= 255:  # noqa: PLR2004 - an octet
        raise wrong("Sms - dcs has invalid format: expecting a Number from 0 to 255.")
    size, bits = _size(body["payload"], coding), _BITS[_alphabet(coding)]
    most = (_OCTETS - len(header)) * 8 // bits
    if size > most:
        raise wrong(f"Sms - payload has {size} characters; one SMS with dcs {coding} takes {most}.")
    expiry = body.get("expiry_date")
    if expiry is not None and (parse_date(expiry) or 0) <= now:
        raise wrong("Sms - expiry_date must be in the future.")


def _check_sender(body: Mapping[str, Any]) -> None:
    sender, kind = body.get("source_address"), (body.get("source_address_type") or {}).get("id")
    if kind is not None and kind not in ADDRESS_TYPES:
        raise no_reference("SourceAddressType", kind)
    if sender is None:
        return
    if kind == ALPHANUMERIC:
        if not 0 < len(sender) <= LONGEST_NAME:
            raise wrong(f"Sms - source_address has at most {LONGEST_NAME} characters.")
        if _septets(sender) is None:
            raise wrong("Sms - source_address has characters that are not in the GSM alphabet.")
    elif not re.fullmatch(r"\+?[0-9]+", sender):
        raise wrong(f"Sms - source_address is not a number: source_address_type {ALPHANUMERIC} is for names.")


def _header(udh: str | None) -> bytes:
    if not udh:
        return b""
    try:
        header = bytes.fromhex(udh)
    except ValueError:
        raise wrong("Sms - udh has invalid format: expecting hexadecimal digits.") from None
    if len(header) != header[0] + 1 or len(header) > _OCTETS:
        raise wrong(f"Sms - udh has invalid format: its first octet says {header[0]} octets follow.")
    return header


def _size(payload: str, coding: int) -> int:
    """Return how many characters of the alphabet a text takes, or answer 422."""
    alphabet = _alphabet(coding)
    if alphabet == "GSM":
        if (size := _septets(payload)) is None:
            raise wrong("Sms - payload has characters that are not in the GSM alphabet; dcs 8 takes them.")
        return size
    encoding, octets = ("utf-16-be", 2) if alphabet == "UCS-2" else ("utf-8", 1)
    return len(payload.encode(encoding, "surrogatepass")) // octets


def _alphabet(coding: int) -> str:
    if coding >= 0xF0:  # noqa: PLR2004 - a coding group of 3GPP TS 23.038
        return "8 bit" if coding & 0b100 else "GSM"
    return {0b01: "8 bit", 0b10: "UCS-2"}.get(coding >> 2 & 0b11, "GSM")


def _septets(text: str) -> int | None:
    if not _BASIC.union(_EXTENDED).issuperset(text):
        return None
    return len(text) + sum(character in _EXTENDED for character in text)


def split(text: str, reference: int) -> list[tuple[str, int, str | None]]:
    """Return what a device sends for a text: payload, data coding scheme and header of each part."""
    dcs, whole, most = (8, 70, 67) if _septets(text) is None else (0, 160, 153)
    if _size(text, dcs) <= whole:
        return [(text, dcs, None)]
    parts = [""]
    for character in text:
        if _size(parts[-1] + character, dcs) > most:
            parts.append("")
        parts[-1] += character
    head = f"050003{reference:02X}{len(parts):02X}"
    return [(part, dcs, f"{head}{number:02X}") for number, part in enumerate(parts, 1)]


def send(state: State, endpoint: Endpoint, sim: Sim, body: Mapping[str, Any]) -> Sms:
    """Take in an SMS that has been checked, and let it go its way."""
    kind = (body.get("source_address_type") or {}).get("id")
    sms = Sms(
        state.next_id("sms"),
        endpoint.id,
        sim.id,
        state.now,
        body["payload"],
        parse_date(body.get("expiry_date")) or state.now + _LIFE,
        source_address=body.get("source_address"),
        source_address_type=int(kind) if kind is not None else 145,
        dest_address=body.get("dest_address"),
        udh=body.get("udh"),
        dcs=int(body.get("dcs") or 0),
    )
    state.sms[sms.id] = sms
    state.sms_of.setdefault(endpoint.id, []).append(sms)
    state.agenda.after(state.settings.sms_delivered_after / 3, lambda: _go_on(state, sms))
    state.agenda.at(sms.expires, lambda: _end(state, sms, SmsStatus.EXPIRED))
    return sms


def cancel(state: State, sms: Sms) -> None:
    """Cancel an SMS, or answer 422 if it is over already."""
    if sms.status in FINAL:
        raise ApiError("NotAllowed", f"SMS {sms.id} cannot be canceled: it is {sms.status.label.lower()}.")
    _end(state, sms, SmsStatus.CANCELED)


def deliver_buffered(state: State, endpoint: Endpoint) -> None:
    """Send on what waits for a device that can be reached again."""
    for sms in state.sms_of.get(endpoint.id, ()):
        if sms.status is SmsStatus.BUFFERED:
            _go_on(state, sms)


def _go_on(state: State, sms: Sms) -> None:
    """Bring an SMS a step further: onto its way, or to the device; into the buffer while this is away."""
    if sms.status in FINAL:
        return
    endpoint = state.endpoints.get(sms.endpoint_id)
    if endpoint is None or endpoint.blocked or endpoint.connectivity not in _REACHABLE:
        sms.status, sms.attempted = SmsStatus.BUFFERED, state.now
        sms.retries += 1
    elif sms.status is not SmsStatus.IN_PROGRESS:
        sms.status = SmsStatus.IN_PROGRESS
        state.agenda.after(state.settings.sms_delivered_after * 2 / 3, lambda: _go_on(state, sms))
    else:
        sms.attempted = state.now
        failure = state.outcomes.take("sms", sms.endpoint_id)
        if failure is None:
            sms.delivered = state.now
        else:
            sms.error = failure.message
        _end(state, sms, SmsStatus.DELIVERED if failure is None else SmsStatus.FAILED)


def _end(state: State, sms: Sms, status: SmsStatus) -> None:
    if sms.status not in FINAL:
        sms.status, sms.final = status, state.now
        if state.on_sms_end is not None:
            state.on_sms_end(sms)
