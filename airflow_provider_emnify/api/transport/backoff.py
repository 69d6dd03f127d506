"""How long to wait before a request is sent again."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.errors import EmnifyError

if TYPE_CHECKING:
    import tenacity

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds of backoff
LONGEST_RETRY_AFTER = 900.0
"""Seconds that are waited before retries, all in all for one request; past that it is an error."""

_LONGEST_TOLD = 31_536_000.0  # seconds; what asks for more means no time at all


def asked_wait(state: tenacity.RetryCallState) -> float | None:
    """Return the seconds that the last answer asked to wait."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, EmnifyError) else None


def backoff(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait before the next try: what was asked for, or exponential with full jitter."""
    asked = asked_wait(state)
    left = max(0.0, LONGEST_RETRY_AFTER - state.idle_for)
    if asked is not None:
        return min(left, asked + random.uniform(0, _FIRST_WAIT))  # noqa: S311 - spreads callers, hides nothing
    most = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (state.attempt_number - 1))
    return min(left, random.uniform(0, most))  # noqa: S311 - spreads callers, hides nothing


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the answer asks to wait; a date is held against the answer's own clock."""
    said = {part.strip() for part in (headers.get("Retry-After") or "").split(", ")}
    value = said.pop() if len(said) == 1 else (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"[+-]?\d+(\.\d*)?", value, re.ASCII):
        return min(max(float(value), 0.0), _LONGEST_TOLD)
    until, now = http_date(value), http_date(headers.get("Date") or "")
    if until is None:
        return None
    return min(max((until - (now or datetime.now(UTC))).total_seconds(), 0.0), _LONGEST_TOLD)


def http_date(text: str) -> datetime | None:
    """Return the moment of a date as HTTP writes them; one without a zone, or with ``-0000``, is in UTC."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
