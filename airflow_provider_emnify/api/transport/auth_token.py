"""An auth token: a JWT of some hours, its claims, and when to renew it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_LEAD = 120.0  # seconds before its end at which a token is renewed ...
_LEAD_SHARE = 0.1  # ... but never more than this share of its life
_LATEST = 253_402_300_799  # the last second of the year 9999


@dataclass(frozen=True)
class AuthToken:
    """An auth token and when to renew it.

    Its life is counted from its arrival, by a clock that only goes forward: what the worker's clock says
    does not matter.

    :param value: The token itself.
    :param renew_at: Reading of the clock from which it is to be renewed; None: when the API refuses it.
    """

    value: str = field(repr=False)
    renew_at: float | None = None

    @classmethod
    def arrived(cls, value: str, now: float) -> AuthToken:
        """Take a token that arrived just ``now`` (a reading of the clock)."""
        claims = _claims(value)
        ends, began = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
        if ends is None:
            return cls(value)
        # Without a beginning, the only clock to count by is this machine's.
        life = ends - (datetime.now(UTC).timestamp() if began is None else began)
        if life <= 0:
            return cls(value)
        return cls(value, now + life - min(_LEAD, life * _LEAD_SHARE))

    def is_due(self, now: float) -> bool:
        """Tell whether the token is about to end."""
        return self.renew_at is not None and now >= self.renew_at

    @property
    def secrets(self) -> list[str]:
        """The token, and what is secret among its claims."""
        api_key = _claims(self.value).get("api_key")
        return [self.value, str(api_key)] if api_key else [self.value]

    def info(self) -> dict[str, Any]:
        """Return what the token says, free of secrets.

        :returns: ``organisation_id``, ``organisation``, ``application_id`` or ``user_id`` and ``user``,
            ``issued_at`` and ``expires_at`` (ISO 8601, UTC), ``seconds_left`` (by this machine's clock);
            what it does not say is None.
        """
        claims = _claims(self.value)
        ends = _seconds(claims.get("exp"))
        left = None if ends is None else round(ends - datetime.now(UTC).timestamp())
        return {
            "organisation_id": _claim(claims, "org"),
            "organisation": _claim(claims, "orgName"),
            "application_id": _claim(claims, "app"),
            "user_id": _claim(claims, "user"),
            "user": _claim(claims, "userName"),
            "issued_at": _moment(claims.get("iat")),
            "expires_at": _moment(ends),
            "seconds_left": left,
        }


def _claims(token: str) -> dict[str, Any]:
    """What a token says; nothing when it is not a JWT. It is the API that checks the signature, not us."""
    try:
        _, payload, _ = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _claim(claims: dict[str, Any], name: str) -> int | str | None:
    nested = claims.get("esc")
    value = claims.get(f"esc.{name}", nested.get(name) if isinstance(nested, dict) else None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _seconds(value: Any) -> float | None:
    """Return a claim that is a point in time, in seconds since 1970; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= _LATEST else None  # neither infinite nor NaN


def _moment(value: Any) -> str | None:
    seconds = _seconds(value)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
