"""What the fleets of tests have in common: how they are prepared, and connections to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import EndpointStatus
from airflow_provider_emnify.api.enums import Connectivity

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox


WITH_EVENTS: dict[str, Any] = {"endpoints": 25, "spare_sims": 10, "events": 60, "quirks": True}
"""A fleet with something to load; ``pytest.mark.fleet(**WITH_EVENTS)``."""


def connection(sandbox: Sandbox, **extra: Any) -> str:
    """Return a connection to a sandbox, with more extras than the sandbox's own has."""
    own = json.loads(sandbox.airflow_connection)
    return json.dumps({**own, "extra": {**(own.get("extra") or {}), **extra}})


def ids_of(sandbox: Sandbox) -> list[int]:
    """Return the ids of its endpoints."""
    return sorted(sandbox.state.endpoints)


def enabled(sandbox: Sandbox) -> None:
    """Enable every endpoint."""
    for endpoint in sandbox.state.endpoints.values():
        endpoint.status = EndpointStatus.ENABLED


def disabled(sandbox: Sandbox) -> None:
    """Disable every endpoint."""
    for endpoint in sandbox.state.endpoints.values():
        endpoint.status = EndpointStatus.DISABLED


def offline(sandbox: Sandbox) -> None:
    """Take every endpoint off the network, for good."""
    for endpoint in sandbox.state.endpoints.values():
        endpoint.connectivity = Connectivity.OFFLINE


def a_minute_later(sandbox: Sandbox) -> None:
    """Let a minute pass, in which devices come online."""
    sandbox.clock.advance(60)
