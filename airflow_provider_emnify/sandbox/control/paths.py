"""The paths below ``/_sandbox`` that control a sandbox in another process."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emnify.sandbox.control.controls import Controls
from airflow_provider_emnify.sandbox.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from airflow_provider_emnify.sandbox.http.engine import Engine


def add_controls(app: FastAPI, engine: Engine) -> None:
    """Add the control paths to an application."""
    _add_observations(app, engine)
    _add_orders(app, engine)
    _add_actions(app, Controls(engine))


def _add_observations(app: FastAPI, engine: Engine) -> None:
    @app.get("/_sandbox/counts")
    async def counts() -> dict[str, Any]:
        """Requests by operation and by status."""
        log = engine.log
        return {
            "counts": dict(log.counts),
            "statuses": {str(status): number for status, number in log.statuses.items()},
            "peaks": dict(log.peaks),
            "requests": log.counts.total(),
            "authentications": log.counts["POST /api/v1/authenticate"],
            "failures": [repr(failure) for failure in engine.failures],
        }

    @app.get("/_sandbox/log")
    async def log() -> list[dict[str, Any]]:
        """The recorded requests."""
        return [asdict(entry) for entry in engine.log.entries]


def _add_orders(app: FastAPI, engine: Engine) -> None:
    from fastapi import Body, HTTPException

    @app.post("/_sandbox/clock")
    async def clock(advance: float = Body(embed=True)) -> dict[str, float]:
        """Move the clock on."""
        try:
            engine.clock.advance(advance)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        engine.settle()
        return {"time": engine.clock.time()}

    @app.post("/_sandbox/faults")
    async def add_fault(fault: dict[str, Any] = Body()) -> dict[str, int]:  # noqa: B008 - how FastAPI takes a body
        """Put a fault in force; the fields are those of ``Fault``."""
        try:
            engine.faults.add(**fault)
        except (TypeError, ValueError) as error:
            raise HTTPException(422, str(error)) from None
        return {"faults": len(engine.faults)}

    @app.delete("/_sandbox/faults")
    async def clear_faults() -> dict[str, int]:
        """Take all faults out of force."""
        engine.faults.clear()
        return {"faults": 0}

    @app.post("/_sandbox/tokens/revoke")
    async def revoke_tokens() -> dict[str, int]:
        """Make every issued auth token invalid."""
        return {"revoked": engine.accounts.revoke()}

    @app.post("/_sandbox/outcomes")
    async def add_outcome(outcome: dict[str, Any] = Body()) -> dict[str, int]:  # noqa: B008
        """Let something fail; the fields are those of ``Outcome``."""
        try:
            engine.state.outcomes.add(**outcome)
        except (TypeError, ValueError) as error:
            raise HTTPException(422, str(error)) from None
        return {"outcomes": len(engine.state.outcomes)}

    @app.delete("/_sandbox/outcomes")
    async def clear_outcomes() -> dict[str, int]:
        """Let everything succeed again."""
        engine.state.outcomes.clear()
        return {"outcomes": 0}


def _add_actions(app: FastAPI, controls: Controls) -> None:
    from fastapi import Body, HTTPException

    def act(action: Callable[[], Any]) -> dict[str, Any]:
        try:
            done = action()
        except (KeyError, ApiError) as error:
            raise HTTPException(404, f"there is no {error}") from None
        except (TypeError, ValueError) as error:
            raise HTTPException(422, str(error)) from None
        return {"done": done}

    @app.post("/_sandbox/endpoints")
    async def add_endpoints(
        number: int = Body(1, embed=True, ge=1), activate: bool = Body(False, embed=True)
    ) -> dict[str, Any]:
        """Add endpoints; the answer has their ids."""
        return act(lambda: controls.add_endpoints(number, activate=activate))

    @app.post("/_sandbox/endpoints/{endpoint_id}/block")
    async def block(endpoint_id: int, blocked: bool = Body(True, embed=True)) -> dict[str, Any]:
        """Block an endpoint as a traffic limit does, or lift the block."""
        return act(lambda: controls.block(endpoint_id, blocked=blocked))

    @app.post("/_sandbox/endpoints/{endpoint_id}/power")
    async def power(endpoint_id: int, on: bool = Body(embed=True)) -> dict[str, Any]:
        """Switch a device on or off."""
        return act(lambda: controls.power(endpoint_id, on=on))

    @app.post("/_sandbox/endpoints/{endpoint_id}/consume")
    async def consume(
        endpoint_id: int, volume: float = Body(embed=True), kind: Literal["data", "sms"] = Body("data")
    ) -> dict[str, Any]:
        """Use some of an endpoint's quota; the answer says what is left."""
        return act(lambda: controls.consume(endpoint_id, volume, kind))

    @app.post("/_sandbox/sim_batches")
    async def add_batch(batch: dict[str, Any] = Body()) -> dict[str, Any]:  # noqa: B008
        """Add a SIM batch; the fields are those of ``Sandbox.add_batch``."""
        return act(lambda: controls.add_batch(**batch))

    @app.post("/_sandbox/euiccs")
    async def add_euicc(iot: bool = Body(True, embed=True)) -> dict[str, Any]:
        """Add an eUICC; the answer has its id."""
        return act(lambda: controls.add_euicc(iot=iot))

    @app.post("/_sandbox/users/{user}/activate")
    async def activate_user(user: str) -> dict[str, Any]:
        """Activate a user's account; the user is an id or a username."""
        return act(lambda: controls.activate_user(user))
