"""Sandboxes to begin with, by name: how each is set up, and what happens in it before it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_emnify.api.enums import EndpointStatus
from airflow_provider_emnify.sandbox.sandbox import Sandbox
from airflow_provider_emnify.sandbox.world import devices


@dataclass(frozen=True)
class Scenario:
    """A sandbox to begin with.

    :param about: What it is for.
    :param settings: Arguments of the sandbox.
    :param begin: Called with the sandbox before it serves.
    """

    about: str
    settings: Mapping[str, Any]
    begin: Callable[[Sandbox], object] = lambda sandbox: None


def _flaky(sandbox: Sandbox) -> None:
    """One request in twenty fails, and as many each are slow and lose their answer."""
    often: dict[str, Any] = {"probability": 0.05, "times": None, "path": r"^/api/v\d/(?!authenticate)"}
    sandbox.faults.add(status=503, **often)
    sandbox.faults.add(delay=2, **often)
    sandbox.faults.add(drop="after", **often)


def _block_some(sandbox: Sandbox) -> None:
    for endpoint_id in list(sandbox.state.endpoints)[::4]:
        sandbox.block(endpoint_id)


def _leave_idle(sandbox: Sandbox) -> None:
    """A third of the endpoints is disabled and a third is off; their SIMs stay activated."""
    state = sandbox.state
    for number, endpoint in enumerate(list(state.endpoints.values())):
        if number % 3 == 0:
            devices.set_endpoint_status(state, endpoint, EndpointStatus.DISABLED)
        elif number % 3 == 1:
            sandbox.power(endpoint.id, on=False)


SCENARIOS: dict[str, Scenario] = {
    "small": Scenario("ten devices that are online, and some events", {"endpoints": 10, "events": 50}),
    "fleet-10k": Scenario("ten thousand devices", {"endpoints": 10_000, "events": 2000}),
    "flaky": Scenario("requests that fail, are slow or lose their answer", {"endpoints": 20}, _flaky),
    "blocked-devices": Scenario("every fourth device is blocked", {"endpoints": 20}, _block_some),
    "idle-sims": Scenario(
        "activated SIMs in endpoints that are disabled or off", {"endpoints": 24}, _leave_idle
    ),
    "esim": Scenario("ten eUICCs, whose operations take a while", {"euiccs": 10, "operations_after": 20.0}),
}
