"""Runs a case of ``each`` once, with an answer replaced or changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowException
from airflow_provider_emnify.api import Credentials, EmnifyClient, EmnifyError, Limits
from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.sandbox.http.answers import MISSING
from tests.masker import forget_secrets
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox.http.answers import Answer
    from tests.faults.case import Case
    from tests.faults.in_process import InProcess

DECLARED = {
    f"{declared.method} {declared.path}": declared
    for resource in RESOURCES.values()
    for declared in operations_of(resource).values()
}
SAYS_WHY = (
    "does not exist",
    "no longer exists",
    "there is no",
    "has no quota",
    "still waiting for",
    "is Deactivated",
    "is not a valid action",
)


@dataclass
class Run:
    """What became of a run."""

    case: Case
    sandbox: InProcess
    result: Any
    error: BaseException | None

    @property
    def is_done(self) -> bool:
        """Whether it succeeded, and the sandbox shows it."""
        return self.error is None and (self.case.done is None or bool(self.case.done(self.sandbox)))

    def complaint(self, call: str, *fields: str) -> str | None:
        """Return what is wrong with how it ended; None for nothing.

        :param call: The call whose answer was bad.
        :param fields: The field of it that was bad, and what that is in: an error that names one says enough.
        """
        if self.error is None:
            return None if self.is_done else f"says it is done, and it is not: {self.result!r}"
        if not isinstance(self.error, (EmnifyError, AirflowException)):
            return f"not an error of emnify or Airflow: {self.error!r}"
        method, path = call.split()
        told = str(self.error)
        names_it = f"{method} {path.partition('{')[0]}" in told or any(
            one.lower() in told.lower() for one in fields
        )
        if names_it or any(phrase in told for phrase in SAYS_WHY):
            return None
        return f"does not name the call: {self.error!r}"


def run(
    case: Case,
    *,
    instead: Callable[[int], Answer | None] | None = None,
    twist: Callable[[int, Answer], Answer] | None = None,
) -> Run:
    """Run a case in a sandbox of its own.

    :param instead: What the n-th request is answered with, which then is not acted on.
    :param twist: What becomes of the answer to the n-th request.
    """
    sandbox = case.sandbox()
    forget_secrets()
    with pytest.MonkeyPatch.context() as patch:
        prepare(case, sandbox, patch)
        task = case.make(sandbox)
        sandbox.seen.clear()
        sandbox.answers.clear()
        sandbox.instead, sandbox.twist = instead or sandbox.instead, twist or sandbox.twist
        try:
            return Run(case, sandbox, task.execute(context()), None)
        except Exception as error:
            return Run(case, sandbox, None, error)


def prepare(case: Case, sandbox: InProcess, patch: pytest.MonkeyPatch) -> None:
    """Have all there that a case needs; from now on every client reaches this sandbox."""
    sandbox.reach(patch)
    patch.setattr("time.sleep", lambda seconds: None)
    credentials = Credentials(application_token=sandbox.application_token)
    with EmnifyClient(credentials, base_url=sandbox.url, limits=Limits("memory")) as client:
        case.prepare(client, sandbox)
    sandbox.clock.advance(1)
    sandbox.state  # noqa: B018 - what is due happens


def says_done(call: str, answer: Answer) -> bool:
    """Tell whether an answer to a write is what emnify promises for one that was done."""
    declared = DECLARED.get(call)
    if declared is None or call.startswith("GET ") or not 200 <= answer.status < 300:
        return False
    body = None if answer.body is MISSING else answer.body
    return declared.shape.complaint(answer.status, answer.headers, body) is None
