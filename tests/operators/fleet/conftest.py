"""A fleet of ten devices on the sandbox, and how its tests plan and apply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

FIRST_ENDPOINT, FIRST_SPARE = 1_000_001, 2_000_001


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Ten endpoints with activated SIMs, and free SIMs from 2000001 on."""
    sandbox = make_sandbox(10, limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    return sandbox


def rows_of(sandbox: Sandbox, **values: Any) -> list[dict[str, Any]]:
    """Return a row for each device that says how it is, and ``values`` of all of them."""
    return [
        {"iccid": sandbox.state.sims[device.sim_id].iccid, "name": device.name, **values}
        for _, device in sorted(sandbox.state.endpoints.items())
    ]
