"""How the tests of fleets plan and apply on the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.operators.fleet import EmnifyApplyFleetOperator, EmnifyPlanFleetOperator
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

FIRST_ENDPOINT, FIRST_SPARE = 1_000_001, 2_000_001


def rows_of(sandbox: Sandbox, **values: Any) -> list[dict[str, Any]]:
    """Return a row for each device that says how it is, and ``values`` of all of them."""
    return [
        {"iccid": sandbox.state.sims[device.sim_id].iccid, "name": device.name, **values}
        for _, device in sorted(sandbox.state.endpoints.items())
    ]


def spare(sandbox: Sandbox, number: int = 0, **values: Any) -> dict[str, Any]:
    """Return a row that makes a device of a free SIM."""
    iccid = sandbox.state.sims[FIRST_SPARE + number].iccid
    return {"iccid": iccid, "service_profile_id": 1, "tariff_profile_id": 1, **values}


@pytest.fixture
def plan(fleet: Sandbox, tmp_path: Path) -> Callable[..., Any]:
    """Make a plan."""

    def make(**arguments: Any) -> Any:
        arguments = {"task_id": "plan", "plan_path": f"{tmp_path}/plan.jsonl", **arguments}
        return EmnifyPlanFleetOperator(**arguments).execute(run(fleet))

    return make


@pytest.fixture
def apply(fleet: Sandbox) -> Callable[..., Any]:
    """Carry a plan out."""

    def carry_out(plan: Any, try_number: int = 1, **arguments: Any) -> Any:
        operator = EmnifyApplyFleetOperator(task_id="apply", plan=plan, **arguments)
        return operator.execute(run(fleet, try_number))

    return carry_out
