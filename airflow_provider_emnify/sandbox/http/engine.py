"""The way of a request through the sandbox: route, limits, faults, token, limits of the organisation, act."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emnify.sandbox import routes  # noqa: F401 - registers what is served
from airflow_provider_emnify.sandbox.control.faults import Fault, Faults
from airflow_provider_emnify.sandbox.control.log import Entry, Log, public_headers, without_secrets
from airflow_provider_emnify.sandbox.http.answers import MISSING, Answer, ApiError, shaped
from airflow_provider_emnify.sandbox.http.limits import Limiter
from airflow_provider_emnify.sandbox.http.wire import PUBLIC, ROUTES, Call, Router
from airflow_provider_emnify.sandbox.world.accounts import Accounts, Unauthorized
from airflow_provider_emnify.sandbox.world.clock import Clock
from airflow_provider_emnify.sandbox.world.state import State

logger = logging.getLogger(__name__)

_ROUTER = Router(ROUTES)
_SHOWN_TEXT = 200
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire."""

    method: str
    raw_path: str
    query: Mapping[str, str]
    query_string: str
    headers: Mapping[str, str]
    content: bytes
    address: str


@dataclass(slots=True)
class Visit:
    """A request on its way, with the fault that hits it, or its answer if that is settled already."""

    request: Request
    entry: Entry
    path: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    answer: Answer | None = None
    began: float = field(default_factory=time.perf_counter)


@dataclass(eq=False)
class Engine:
    """Everything behind the wire."""

    clock: Clock
    state: State
    accounts: Accounts
    limiter: Limiter
    faults: Faults
    log: Log
    failures: list[BaseException] = field(default_factory=list)
    """Errors of the sandbox itself; each was answered with 500."""
    connection: str = ""
    """An Airflow connection to the sandbox, once it serves."""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()

    def settle(self) -> State:
        """Let everything happen that is due, and return the state."""
        with self.lock:
            self.state.agenda.run_until(self.clock.time())
            return self.state

    def arrive(self, request: Request) -> Visit:
        """Take a request in: record it, count it against the limits per IP, see whether a fault hits it."""
        with self.lock:
            now = self.clock.time()
            template, path = _ROUTER.match(request.method, request.raw_path) or (None, {})
            entry = Entry(
                request.method,
                request.raw_path,
                template,
                dict(request.query),
                public_headers(request.headers),
                without_secrets(_parse(request.content, shown=True)),
                now,
            )
            self.log.begin(entry)
            visit = Visit(request, entry, path)
            try:
                self._limit("ip", request.address, request.method, template or "", now)
            except ApiError as error:
                visit.answer = error.answer
                return visit
            target = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
            fault = visit.fault = self.faults.hit(request.method, template, target)
            if fault is not None and fault.status is not None and not fault.acted:
                visit.answer = _planned(fault)
            elif fault is not None and fault.drop == "before":
                visit.answer = Answer()
            return visit

    def act(self, visit: Visit) -> Answer:
        """Do what the request asks for, and return the answer."""
        if visit.fault is not None and visit.fault.do is not None:
            visit.fault.do()
        if visit.answer is not None:
            return visit.answer
        with self.lock:
            self.settle()
            try:
                answer = self._act(visit)
            except ApiError as error:
                answer = Answer(error.status, shaped(error, visit.entry.template), error.headers)
            except Unauthorized as error:
                answer = error.answer
            except Exception as error:
                logger.exception("The sandbox failed on %s", visit.entry.key)
                self.failures.append(error)
                answer = ApiError("InternalServerError", f"The sandbox failed: {error!r}").answer
            finally:
                self.state.caller = None
            self.state.agenda.run_until(self.state.now)
        if (fault := visit.fault) is None:
            return answer
        if fault.status is not None:
            return _planned(fault)
        return Answer(answer.status, answer.body, {**answer.headers, **fault.headers})

    def leave(self, visit: Visit, status: int | None) -> None:
        """Record the end of a request."""
        with self.lock:
            self.log.end(visit.entry, status, time.perf_counter() - visit.began)

    def _act(self, visit: Visit) -> Answer:
        request, template = visit.request, visit.entry.template
        if template is None:
            if _ROUTER.knows(request.raw_path):
                raise ApiError("NotFound", f"{request.method} is not supported here.", status=405)
            raise ApiError("NotFound", f"There is nothing at {request.raw_path}.")
        operation, caller = (request.method, template), None
        if operation not in PUBLIC:
            caller = self.accounts.check(request.headers.get("authorization"))
            who = str(caller.organisation_id)
            self._limit("organisation", who, request.method, template, self.state.now)
            self.state.caller = self.accounts.user_of(caller)
        body = _parse(request.content)
        if isinstance(body, ValueError):
            raise ApiError("BadRequest", "The body is not valid JSON.")
        call = Call(
            state=self.state,
            accounts=self.accounts,
            template=template,
            path=visit.path,
            query=request.query,
            body=body,
            address=request.address,
            caller=caller,
            partial=visit.fault.partial if visit.fault else None,
        )
        found = ROUTES[operation](call)
        if isinstance(found, Answer):
            return found
        return Answer(204) if found is None else Answer(body=found)

    def _limit(self, per: str, who: str, method: str, template: str, now: float) -> None:
        broken = self.limiter.take(per, who, method, template, now)
        if broken is not None:
            limit, wait = broken
            headers = {"Retry-After": str(math.ceil(wait))} if self.state.settings.retry_after else {}
            raise ApiError("TooManyRequests", f"Too many requests: {limit.name}.", headers=headers)


def parse_json(content: bytes) -> Any:
    """Return what some JSON means.

    :raises ValueError: if it is none, or nested so deeply that nothing can be done with it.
    """
    try:
        value = json.loads(content)
        _check_depth(value, _DEEPEST)
    except RecursionError:  # also of json itself, for a thousand brackets
        raise ValueError(f"JSON is nested in at most {_DEEPEST} levels") from None
    return value


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise RecursionError
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(part, levels - 1)


def _parse(content: bytes, *, shown: bool = False) -> Any:
    if not content:
        return None if shown else MISSING
    try:
        return parse_json(content)
    except ValueError as error:
        return content[:_SHOWN_TEXT].decode(errors="replace") if shown else error


def _planned(fault: Fault) -> Answer:
    return Answer(fault.status or 200, MISSING if fault.body is None else fault.body, fault.headers)
