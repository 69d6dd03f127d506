"""Whether what emnify sends is what this version knows: one small read of each list, against its columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import EndpointStatus, Lookup, SimStatus, UserStatus
from airflow_provider_emnify.api.errors import EmnifyError
from airflow_provider_emnify.api.streams.catalogue import STREAMS, Stream
from airflow_provider_emnify.api.streams.readers import method_of
from airflow_provider_emnify.hooks.doctor.account import refused
from airflow_provider_emnify.hooks.doctor.finding import Finding

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient

_ROWS = 5
_NEWER = "report this, or look for a newer version of the provider"
_STATUSES: dict[str, type[Lookup]] = {"endpoints": EndpointStatus, "sims": SimStatus, "users": UserStatus}


def contract(client: EmnifyClient) -> Iterator[Finding]:
    """Read a few rows of each list, and hold them against the columns of its stream."""
    for stream in STREAMS.values():
        if "{" in stream.path or (stream.cursor is not None and not _is_paged(stream)):
            continue  # one call a device, or an interval
        yield _look_at(client, stream)


def _look_at(client: EmnifyClient, stream: Stream) -> Finding:
    what = f"list {stream.name}"
    try:
        answer = client.request("GET", stream.path, params=_few(stream))
    except EmnifyError as error:
        return refused(error, what)
    rows = _rows(answer)
    if not rows:
        if rows is None:
            return Finding(what, "failed", "what it answers is not a list of objects", "report this")
        return Finding(what, "ok", "readable; it is empty")
    return _judge(what, stream, rows)


def _judge(what: str, stream: Stream, rows: list[dict[str, Any]]) -> Finding:
    unknown, missing = set[str](), set(stream.key)
    for row in rows:
        flat = stream.converter(row)
        unknown |= set(flat.get("_extra") or ())
        missing -= {name for name, value in flat.items() if value is not None}
    if missing:
        said = f"its rows have no {', '.join(sorted(missing))}"
        return Finding(what, "failed", said, "emnify may have changed it: report this, a sync of it fails")
    if strange := _unknown_statuses(stream.name, rows):
        said = f"statuses that this version does not know: {', '.join(strange)}"
        return Finding(what, "failed", said, f"{_NEWER}: waits do not know it")
    if unknown:
        shown = ", ".join(sorted(name for name in unknown if re.fullmatch(r"\w{1,60}", name)))
        said = f"fields that this version does not know: {shown}"
        return Finding(what, "warning", said, f"they are kept in _extra; {_NEWER}")
    return Finding(what, "ok", f"readable; {len(rows)} rows looked at")


def _few(stream: Stream) -> dict[str, int]:
    """Return what a list is asked with, so that it gives a few rows; those in one answer give all."""
    if not _is_paged(stream):
        return {}
    return {"page_size" if stream.path.startswith("/api/v2/") else "per_page": _ROWS}


def _is_paged(stream: Stream) -> bool:
    return bool(method_of(stream.call).__dict__["operation"].paged)


def _unknown_statuses(stream: str, rows: list[dict[str, Any]]) -> list[str]:
    if stream not in _STATUSES:
        return []
    known = {str(member.value) for member in _STATUSES[stream]}
    found = {str(status.get("id"))[:60] for row in rows if isinstance(status := row.get("status"), dict)}
    return sorted(name for name in found - known if name != "None")


def _rows(answer: Any) -> list[dict[str, Any]] | None:
    rows = answer.get("data", [answer]) if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows[:_ROWS]):
        return None
    return rows[:_ROWS]
