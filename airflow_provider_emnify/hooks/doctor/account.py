"""The account: whether the credentials are accepted, what they may read, the clocks, the limits in use."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.errors import (
    EmnifyAuthenticationError,
    EmnifyConnectionError,
    EmnifyError,
    EmnifyPermissionError,
    first_line,
)
from airflow_provider_emnify.hooks.doctor.finding import Finding

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.hooks.connection import ConnectionSettings

_CLOCK = 30.0  # seconds by which clocks may differ
_NEARLY = 0.8  # share of a limit from which on it is worth a warning
_SHARED_BY = {
    "host": "all processes of one user of this machine, no other container or host",
    "memory": "one task alone",
}


def token(client: EmnifyClient) -> Finding:
    """Exchange the credentials for an auth token."""
    try:
        client.authenticate()
    except EmnifyError as error:
        return Finding("authentication", "failed", first_line(error), _remedy(error))
    info = client.token_info()
    left = info.get("seconds_left")
    lasts = "an unknown time" if left is None else f"{left / 3600:.1f} hours"
    whose = f"organisation {info.get('organisation')} ({info.get('organisation_id')})"
    return Finding("authentication", "ok", f"{whose}, an auth token for {lasts}")


def _remedy(error: EmnifyError) -> str:
    if isinstance(error, EmnifyAuthenticationError):
        return "put a valid application token into the password (portal, Integrations > Application tokens)"
    if isinstance(error, EmnifyConnectionError):
        return "check the host of the connection, and firewall and proxy of this machine"
    return "try again later; if it stays, see whether the host of the connection is emnify's"


def clock(client: EmnifyClient) -> Finding:
    """Compare this machine's clock with the time at which the auth token says it was made."""
    issued = client.token_info().get("issued_at")
    if issued is None:
        return Finding("clock", "ok", "the auth token does not say when it was issued")
    off = abs(time.time() - datetime.fromisoformat(str(issued)).timestamp())
    if off <= _CLOCK:
        return Finding("clock", "ok", f"within {_CLOCK:.0f} s of emnify's")
    said = f"{off:.0f} s from emnify's (less, where the token was shared and is older)"
    remedy = "switch time synchronisation on: intervals of syncs and events follow this machine's clock"
    return Finding("clock", "warning", said, remedy)


def limits(client: EmnifyClient, settings: ConnectionSettings) -> Iterator[Finding]:
    """Tell who shares the rate limits, and how much of them is used."""
    kind = settings.rate_limit_store.partition(":")[0]
    try:
        store, used = client.transport.limits_used()
    except Exception as error:  # whatever a store raises
        remedy = (
            "see 'Rate limits' in the documentation; until it works each process counts alone, "
            "at a quarter of the limits"
        )
        yield Finding("rate limit store", "failed", f"{kind}: {first_line(error)}", remedy)
        return
    shared_by = _SHARED_BY.get(kind, "all workers that name this Redis")
    yield Finding("rate limit store", "ok", f"{store}, shared by {shared_by}")
    for limit, count in used:
        near = count >= limit.calls * _NEARLY and limit.scope == "address"
        yield Finding(
            f"limit {limit.name}",
            "warning" if near else "ok",
            f"{count} of {limit.calls} calls in {limit.seconds:g} s",
            "share auth tokens (token_cache: host)" if near and limit.name == "authenticate" else "",
        )


def refused(error: EmnifyError, what: str) -> Finding:
    """Say that something may not be read, or cannot be."""
    if isinstance(error, EmnifyPermissionError):
        said = "the credentials may not read it (403)"
        return Finding(what, "warning", said, "only if you need it: ask for a role")
    return Finding(what, "failed", first_line(error))
