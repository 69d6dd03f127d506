"""The wait for an SMS from a device, read from the list of its SMS: where emnify cannot call Airflow.

Each look reads the whole list again, so nothing that arrives late is missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import SmsReply
from airflow_provider_emnify.api.resources.sms import may_be_parts_of_one, submitted_at
from airflow_provider_emnify.api.sms_text import parse_udh
from airflow_provider_emnify.api.transport.answers import number, part
from airflow_provider_emnify.api.types import Id, Row
from airflow_provider_emnify.api.values import parse_moment
from airflow_provider_emnify.api.waits.kinds import Reading, WaitKind

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient

_FROM_DEVICE = 1  # sms_type: MO
_NOT_YET = Reading(SmsReply.NO_REPLY_YET.value, SmsReply.NO_REPLY_YET.label)


def parse_pattern(value: Any, field: str) -> str:
    """Return a regular expression as it is given.

    :raises ValueError: naming the field, for what is none.
    """
    remedy = "give a text"
    try:
        if isinstance(value, str) and value and re.compile(value):
            return value
    except (re.error, RecursionError, OverflowError) as error:
        remedy = f"give one ({error})"
    raise ValueError(f"{field}: {value!r} is not a valid regular expression; {remedy}")


def parse_reply_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return which SMS are waited for: from ``since`` on, with a text that ``matches``.

    :raises ValueError: naming the field that makes no sense.
    """
    if unknown := sorted(filters.keys() - {"since", "matches"}):
        raise ValueError(f"{', '.join(unknown)}: SMS are not filtered by that")
    matches = filters.get("matches")
    since = parse_moment(filters.get("since"), "since")
    return {"since": since, **({} if matches is None else {"matches": parse_pattern(matches, "matches")})}


def read_reply(client: EmnifyClient, key: Id, filters: Mapping[str, Any]) -> Reading:
    """Look for the first SMS of an endpoint that is meant."""
    since, rows = datetime.fromisoformat(filters["since"]), client.sms.list(int(key))
    recent = [row for row in rows if is_from_device(row) and submitted_at(row) >= since]
    found = (text for text in whole_texts(recent) if re.search(filters.get("matches", ""), text))
    text = next(found, None)
    return _NOT_YET if text is None else Reading(SmsReply.REPLIED.value, text)


def is_from_device(row: Row) -> bool:
    """Tell whether an SMS is from a device, and not to it."""
    kind = part(row, "sms_type")
    word = kind.get("description")
    return word.strip().upper() == "MO" if isinstance(word, str) else number(kind, "id") == _FROM_DEVICE


def whole_texts(rows: Iterable[Row]) -> Iterator[str]:
    """Yield the texts of SMS, the oldest first; a long one once all its parts are there."""
    parts: dict[tuple[object, ...], dict[int, Row]] = {}
    for row in sorted(rows, key=submitted_at):
        text, header = row.get("payload"), parse_udh(row.get("udh"))
        if not isinstance(text, str):
            continue
        if header is None:
            yield text
            continue
        key = (str(row.get("source_address")), str(row.get("dest_address")), *header.text)
        held = {place: one for place, one in parts.get(key, {}).items() if may_be_parts_of_one(one, row)}
        parts[key] = {**held, header.number: row}
        if len(parts[key]) == header.total:
            yield "".join(one["payload"] for _, one in sorted(parts.pop(key).items()))


SMS_WAITS: dict[str, WaitKind] = {
    "sms_reply": WaitKind(
        noun="endpoint",
        states=SmsReply,
        read_one=read_reply,
        parse_filters=parse_reply_filters,
    ),
}
