"""What emnify sends by itself: SMS from devices, delivery receipts, records of data streams.

Whatever comes in is checked here: who has signed it, and whether it is what emnify sends. See
https://docs.emnify.com/developers/integrations for emnify's own description.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_emnify.api.data_streamer.files import RECORD_KINDS
from airflow_provider_emnify.api.data_streamer.json_records import parse_json
from airflow_provider_emnify.api.sms_text import PartHeader, parse_udh
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row

Kind = Literal["sms", "sms-receipts", "events", "usage"]

ALGORITHMS = ("HS256", "HS384", "HS512")
LEEWAY = 60.0  # seconds by which emnify's clock and that of the API server may differ
LONGEST_PAYLOAD = 5_000  # characters of one SMS; the network takes 160

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]{1,19}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no database takes these in a text


class NotEmnifyError(ValueError):
    """What came is not what emnify sends; the message says why."""


@dataclass(frozen=True)
class Message:
    """One thing that emnify has sent.

    :param kind: ``sms``, ``sms-receipts``, ``events`` or ``usage``.
    :param id: What tells it from others of its kind.
    :param body: What it says, in emnify's words, fit for any database.
    :param organisations: Ids of the organisations that it belongs to.
    :param part: Which part of a long SMS it is; None for a whole one.
    :param records: Those of a bulk list, as they came.
    """

    kind: Kind
    id: str
    body: Row
    organisations: tuple[int, ...] = ()
    part: PartHeader | None = None
    records: tuple[Any, ...] = field(default=(), repr=False)


def verify_jwt(authorization: str | None, secrets: Sequence[str]) -> bool:
    """Tell whether the header ``Authorization`` has a JWT that one of the secrets has signed.

    HMAC algorithms alone are taken; ``exp`` and ``nbf`` are looked at where they are there, with a leeway of
    a minute. Every secret is tried, so that the time which this takes says nothing of them.

    :param authorization: The header; None where there is none.
    :param secrets: The API secrets, more than one while they are rotated.
    """
    import jwt

    found = _BEARER.fullmatch(authorization or "")
    if found is None:
        return False
    options: Any = {"verify_aud": False, "verify_iss": False, "verify_iat": False, "verify_sub": False}
    good = False
    for secret in secrets:
        try:
            jwt.decode(found[1], secret, algorithms=[*ALGORITHMS], options=options, leeway=LEEWAY)
        except Exception:  # noqa: S112 - whatever a hostile token brings about, it is not valid
            continue
        good = True
    return good


def is_one_of(given: str, secrets: Iterable[str]) -> bool:
    """Tell in constant time whether a text is one of the secrets."""
    return any([hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets])  # noqa: C419 - each


def parse_sms(content: bytes) -> Message:
    """Return the SMS that a device has sent.

    Its ``text`` is what it says; of a long one, what this part says.

    :raises NotEmnifyError: for anything else.
    """
    body = _object(_parse(content))
    number = _number(body, "id")
    text, header = body.pop("payload", None), body.get("udh")
    if not isinstance(text, str):
        raise NotEmnifyError("payload: it is missing, or no text")
    if len(text) > LONGEST_PAYLOAD:
        raise NotEmnifyError(f"payload: {len(text)} characters; an SMS has at most {LONGEST_PAYLOAD}")
    _number(part(body, "endpoint"), "id", "endpoint.id")
    for name in ("dcs", "pid"):
        if isinstance(body.get(name), str) and _DIGITS.fullmatch(body[name]):
            body[name] = int(body[name])
    body["text"] = text
    return Message("sms", str(number), body, _organisations([body]), parse_udh(header))


def parse_receipt(content: bytes) -> Message:
    """Return a delivery receipt: the SMS with its status. Each status of an SMS is one of its own.

    :raises NotEmnifyError: for anything else.
    """
    body = _object(_parse(content))
    number = _number(body, "id")
    status = body.get("status")
    state = status.get("id", status.get("description")) if isinstance(status, dict) else status
    if isinstance(state, bool) or not isinstance(state, (int, str)) or state == "":
        raise NotEmnifyError("status: it is missing, or of another form")
    return Message("sms-receipts", f"{number}/{state}", body, _organisations([body]))


def parse_records(content: bytes) -> Message | None:
    """Return a record of a data stream, or the list of them that comes in bulk; None for an empty list.

    A list is known by the ids in it. What is no record in it stays: who loads it sets that aside.

    :raises NotEmnifyError: for anything else.
    """
    found = _parse(content)
    if isinstance(found, dict):
        kind = _kind_of(found)
        if kind is None:
            raise NotEmnifyError("it is neither an event nor a usage record")
        number = _number(found, "id")
        if kind == "events":
            event_type = found.get("event_type")
            found["type"] = event_type.get("description") if isinstance(event_type, dict) else event_type
        return Message(kind, str(number), found, _organisations([found]))
    if not isinstance(found, list):
        raise NotEmnifyError("it is neither a JSON object nor a list")
    if not found:
        return None
    records = [one for one in found if isinstance(one, dict)]
    kind = next(filter(None, map(_kind_of, records)), None)
    if kind is None:
        raise NotEmnifyError("no item of the list is an event or a usage record")
    ids = ",".join(sorted(str(one.get("id") or json.dumps(one, sort_keys=True)) for one in records))
    body = {"kind": kind, "count": len(found)}
    return Message(kind, ids, body, _organisations(records), records=tuple(found))


def _parse(content: bytes) -> Any:
    try:
        return _clean(parse_json(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise NotEmnifyError("it is not in UTF-8") from None
    except RecursionError:
        raise NotEmnifyError("it is nested too deeply") from None
    except ValueError as error:
        raise NotEmnifyError(f"it is not JSON: {str(error)[:200]}") from None


def _clean(value: Any) -> Any:
    """Return JSON without the characters that a database refuses."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", name): _clean(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise NotEmnifyError("it is not a JSON object")
    return value


def _number(body: Row, name: str, shown: str | None = None) -> int:
    """Return an id, which may have come as a text, and make a number of it."""
    value = body.get(name)
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = body[name] = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise NotEmnifyError(f"{shown or name}: it is missing, or no id")
    return value


def _kind_of(record: Mapping[str, Any]) -> Kind | None:
    fields = {name for name, value in record.items() if value not in (None, "")}
    kinds: tuple[Kind, ...] = ("usage", "events")
    return next((kind for kind in kinds if fields & RECORD_KINDS[kind].marks), None)


def _organisations(bodies: Iterable[Row]) -> tuple[int, ...]:
    """Return the ids of the organisations that are named, each once."""
    found: dict[int, None] = {}
    for body in bodies:
        with suppress(NotEmnifyError):
            found[_number(part(body, "organisation"), "id")] = None
    return tuple(found)
