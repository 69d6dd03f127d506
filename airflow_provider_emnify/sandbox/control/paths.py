"""The paths below ``/_sandbox`` that control a sandbox in another process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity, EventType
from airflow_provider_emnify.sandbox.callbacks import LONGEST_TEXT
from airflow_provider_emnify.sandbox.control.controls import Controls
from airflow_provider_emnify.sandbox.control.log import Entry
from airflow_provider_emnify.sandbox.http.answers import Answer, ApiError, fields_of
from airflow_provider_emnify.sandbox.http.engine import Engine, Request, parse_json
from airflow_provider_emnify.sandbox.http.fields import (
    ANYTHING,
    Field,
    boolean,
    integer,
    number,
    one_of,
    record,
    text,
    validate,
)
from airflow_provider_emnify.sandbox.http.wire import Router
from airflow_provider_emnify.sandbox.world import devices
from airflow_provider_emnify.sandbox.world.clock import event_date
from airflow_provider_emnify.sandbox.world.outcomes import ATTACHMENT_FAILURES, KINDS

PREFIX = "/_sandbox/"
_SHOWN = 25
_Handler = Callable[..., Any]


_CONTROLS: dict[tuple[str, str], tuple[_Handler, Mapping[str, Field]]] = {}
"""What each path does, and the fields of its body."""


def _controls(method: str, path: str, /, **fields: Field) -> Callable[[_Handler], _Handler]:
    """Register a function of the engine, the values in the path, and the fields of the body."""

    def register(handler: _Handler) -> _Handler:
        _CONTROLS[method, PREFIX + path] = handler, fields
        return handler

    return register


def answer_control(engine: Engine, request: Request) -> Answer:
    """Do what a request orders; an order that cannot be carried out is a 400 or 404 that says why."""
    method, path = request.method, request.raw_path
    match = _ROUTER.match(method, path)
    if match is None:
        return Answer(405 if _ROUTER.knows(path) else 404, {"detail": f"there is no {method} {path}"})
    template, values = match
    handler, fields = _CONTROLS[method, template]
    try:
        numbers = {name: int(value) if value.isdecimal() else value for name, value in values.items()}
        body = _checked(request.content, fields, f"{method} {template}")
        return Answer(body=handler(engine, **numbers, **body))
    except (KeyError, ApiError) as error:
        return Answer(404, {"detail": f"there is no {error}"})
    except (TypeError, ValueError) as error:
        return Answer(400, {"detail": str(error)})


def _checked(content: bytes, fields: Mapping[str, Field], name: str) -> dict[str, Any]:
    """Return the fields of a body.

    :raises ValueError: naming each field that is unknown, missing or of the wrong type, and what is allowed.
    """
    body = parse_json(content) if content else {}
    if not isinstance(body, dict):
        raise TypeError(f"{name} - the body must be a JSON object")
    unknown = sorted(body.keys() - fields.keys())
    if unknown:
        allowed = ", ".join(fields) or "none"
        raise ValueError(f"{name} - {', '.join(unknown)}: no such field; allowed: {allowed}")
    try:
        validate(body, fields, name)
    except ApiError as error:
        raise ValueError("; ".join(found["message"] for found in error.errors or ())) from None
    return body


@_controls("GET", "paths")
def _paths(engine: Engine) -> Any:
    """List the control paths: what each does, and the fields that it takes."""
    return [
        {
            "method": method,
            "path": path,
            "does": (handler.__doc__ or "").partition("\n")[0],
            "fields": {name: field.kind for name, field in fields.items()},
        }
        for (method, path), (handler, fields) in _CONTROLS.items()
    ]


@_controls("GET", "counts")
def _counts(engine: Engine) -> Any:
    """Count requests by operation and by status."""
    log = engine.log
    return {
        "counts": dict(log.counts),
        "statuses": {str(status): number for status, number in log.statuses.items()},
        "peaks": dict(log.peaks),
        "requests": log.counts.total(),
        "authentications": log.counts["POST /api/v1/authenticate"],
        "failures": [repr(failure) for failure in engine.failures],
    }


@_controls("GET", "overview")
def _overview(engine: Engine) -> Any:
    """Tell what the page shows: fleet, limits, the last requests, the connection."""
    with engine.lock:
        state, log, now = engine.settle(), engine.log, engine.clock.time()
        endpoints = state.endpoints.values()
        fleet: dict[str, Counter[str]] = {
            "devices": Counter(devices.connectivity(endpoint).value for endpoint in endpoints),
            "endpoints": Counter(endpoint.status.label for endpoint in endpoints),
            "SIMs": Counter(sim.status.label for sim in state.sims.values()),
        }
        return {
            "time": event_date(now),
            "fleet": fleet,
            "first": next(iter(state.endpoints), None),
            "limits": engine.limiter.usage(now),
            "last": [_shown(entry) for entry in islice(reversed(log.entries), _SHOWN)],
            "requests": log.counts.total(),
            "authentications": log.counts["POST /api/v1/authenticate"],
            "faults": len(engine.faults),
            "connection": engine.connection,
        }


def _shown(entry: Entry) -> dict[str, Any]:
    took = None if entry.seconds is None else round(entry.seconds * 1000, 1)
    row = {"at": event_date(entry.at)[11:19], "method": entry.method, "path": entry.target}
    return {**row, "status": entry.status, "milliseconds": took}


@_controls("GET", "log")
def _log(engine: Engine) -> Any:
    """List the recorded requests."""
    return [asdict(entry) for entry in engine.log.entries]


@_controls("GET", "callbacks")
def _callbacks(engine: Engine) -> Any:
    """List what was sent to URLs of the user's, and how each attempt was answered."""
    return [fields_of(one, "method", "body", "statuses") for one in engine.state.outbox.deliveries]


@_controls("POST", "clock", advance=number(required=True, least=0, kind="a number of seconds, at least 0"))
def _clock(engine: Engine, advance: float) -> Any:
    """Move the clock on."""
    engine.clock.advance(advance)
    engine.settle()
    return {"time": engine.clock.time()}


@_controls(
    "POST",
    "faults",
    method=text(nullable=True),
    path=text(nullable=True, longest=10_000),
    status=integer(nullable=True),
    body=ANYTHING,
    headers=record({}),
    delay=number(least=0, kind="a number of seconds, at least 0"),
    drop=one_of("before", "after", nullable=True),
    truncate=integer(nullable=True),
    partial=integer(nullable=True),
    acted=boolean(),
    times=integer(nullable=True),
    skip=integer(),
    probability=number(least=0, most=1, kind="a number from 0 to 1"),
)
def _add_fault(engine: Engine, **fault: Any) -> Any:
    """Put a fault in force; the fields are those of ``Fault``."""
    engine.faults.add(**fault)
    return {"faults": len(engine.faults)}


@_controls("DELETE", "faults")
def _clear_faults(engine: Engine) -> Any:
    """Take all faults out of force."""
    engine.faults.clear()
    return {"faults": 0}


@_controls("POST", "tokens/revoke")
def _revoke_tokens(engine: Engine) -> Any:
    """Make every issued auth token invalid."""
    return {"revoked": engine.accounts.revoke()}


@_controls(
    "POST",
    "outcomes",
    kind=one_of(*KINDS, required=True),
    of=ANYTHING,
    message=text(nullable=True),
    reason=integer(),
    status=one_of(*ATTACHMENT_FAILURES),
    times=integer(nullable=True),
)
def _add_outcome(engine: Engine, **outcome: Any) -> Any:
    """Let something fail; the fields are those of ``Outcome``."""
    engine.state.outcomes.add(**outcome)
    return {"outcomes": len(engine.state.outcomes)}


@_controls("DELETE", "outcomes")
def _clear_outcomes(engine: Engine) -> Any:
    """Let everything succeed again."""
    engine.state.outcomes.clear()
    return {"outcomes": 0}


def _acts(path: str, action: _Handler, /, **fields: Field) -> None:
    """Serve a method of :class:`Controls`."""

    def handler(engine: Engine, **arguments: Any) -> Any:
        return {"done": action(Controls(engine), **arguments)}

    handler.__doc__ = action.__doc__
    _controls("POST", path, **fields)(handler)


_acts(
    "endpoints",
    Controls.add_endpoints,
    number=Field("a whole number, at least 1", lambda value: type(value) is int and value >= 1),
    activate=boolean(),
)
_acts("endpoints/{endpoint_id}/block", Controls.block, blocked=boolean())
_acts("endpoints/{endpoint_id}/power", Controls.power, on=boolean(required=True))
_acts(
    "endpoints/{endpoint_id}/consume",
    Controls.consume,
    volume=number(required=True, least=0, kind="a number of MB or SMS, at least 0"),
    kind=one_of("data", "sms"),
)
_acts(
    "endpoints/{endpoint_id}/sms",
    Controls.send_sms,
    text=text(required=True, shortest=1, longest=LONGEST_TEXT),
    dest_address=text(shortest=1),
)
_acts(
    "events",
    Controls.raise_event,
    endpoint_id=integer(),
    description=text(shortest=1),
    kind=one_of(*map(int, EventType)),
    severity=one_of(*map(int, EventSeverity)),
)
_acts(
    "sim_batches",
    Controls.add_batch,
    bic=text(required=True, shortest=1),
    quantity=integer(),
    registrable=boolean(),
    registered=boolean(),
)
_acts("euiccs", Controls.add_euicc, iot=boolean())
_acts("users/{user}/activate", Controls.activate_user)
_ROUTER = Router(_CONTROLS)
