"""Which failures are worth another try: for operators on any Airflow, and as a retry policy from 3.3 on.

Two ways to the same end:

* :func:`fail_without_retry` is for code in a task: a permanent error becomes an
  ``AirflowFailException``, which fails the task at once on every Airflow. The operators of this provider use
  it.
* :data:`EMNIFY_RETRY_POLICY` is for a whole task on Airflow 3.3 and later. It also waits as long as the API
  asked for, up to 15 minutes. Before 3.3 it is None, so that a DAG with it in its ``default_args`` runs on
  each version.

.. code-block:: python

    @dag(default_args={"retries": 3, "retry_policy": EMNIFY_RETRY_POLICY})
    def fleet(): ...


    @task(retries=3)
    def rename() -> None:
        with fail_without_retry(), EmnifyHook().get_conn() as client:
            client.endpoints.update(7, name="Pump 7")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException
from airflow_provider_emnify.api.errors import (
    EmnifyError,
    EmnifyPartialError,
    EmnifyUnknownOutcomeError,
    one_line,
)
from airflow_provider_emnify.api.transport.backoff import LONGEST_RETRY_AFTER


def is_permanent(error: BaseException) -> bool:
    """Tell whether an error is permanent: another try of the same task would fail the same way.

    :param error: What a call to emnify, or the check of its arguments, raised.
    """
    if isinstance(error, EmnifyError):
        return not error.transient
    return isinstance(error, (AirflowFailException, ValueError))


@contextmanager
def fail_without_retry(*, idempotent: bool = False) -> Iterator[None]:
    """Fail the task without Airflow retries when its failure is permanent.

    :param idempotent: The work finds out by itself what an earlier attempt has done, so that a write with an
        unknown outcome may be retried.
    :raises AirflowFailException: from an :class:`EmnifyError` that is not transient, or a ``ValueError``.
        Its message is one line, whatever names it quotes.
    """
    try:
        yield
    except AirflowException as error:
        _make_one_line(error)
        raise
    except (EmnifyError, ValueError) as error:
        _make_one_line(error)
        if not is_permanent(error) or (idempotent and _is_unknown(error)):
            raise
        raise AirflowFailException(str(error)) from error


def _make_one_line(error: Exception) -> None:
    error.args = tuple(one_line(part) if isinstance(part, str) else part for part in error.args)


def _is_unknown(error: BaseException) -> bool:
    return isinstance(error, EmnifyUnknownOutcomeError) or (
        isinstance(error, EmnifyPartialError) and isinstance(error.__cause__, EmnifyUnknownOutcomeError)
    )


def _bounded(asked: Any) -> float | None:
    """Return a time that an API asked to wait, at most 15 minutes of it; None when it makes no sense."""
    if isinstance(asked, bool) or not isinstance(asked, (int, float)):
        return None
    return max(0.0, min(LONGEST_RETRY_AFTER, asked))  # in this order, NaN is the longest


EMNIFY_RETRY_POLICY: Any = None
"""A retry policy for any task that calls emnify, on Airflow 3.3 and later; None before.

It fails at once on authentication, permission, validation and every other permanent error; waits as long as
the API asked for, but no longer than 15 minutes; retries on server and connection errors; leaves other
exceptions to the task's own settings. It never retries more often than the task's ``retries``.
"""

try:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
except ImportError:  # before Airflow 3.3
    pass
else:
    from datetime import timedelta

    class EmnifyRetryPolicy(RetryPolicy):
        """See :data:`EMNIFY_RETRY_POLICY`."""

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
        ) -> RetryDecision:
            """Decide by the kind of error. Called by Airflow in the worker when a task has failed."""
            del try_number, max_tries, context
            if not isinstance(exception, EmnifyError):
                return RetryDecision.default()
            if is_permanent(exception):
                return RetryDecision.fail(reason=f"not retryable: {exception}")
            seconds = _bounded(getattr(exception, "retry_after", None))
            delay = None if seconds is None else timedelta(seconds=seconds)
            return RetryDecision.retry(delay=delay, reason=f"transient: {exception}")

        def serialize(self) -> dict[str, Any]:
            """Return the policy as plain data: there is nothing to tell."""
            return {"__type": "EmnifyRetryPolicy"}

        @classmethod
        def deserialize(cls, data: dict[str, Any]) -> EmnifyRetryPolicy:
            """Make the policy of :meth:`serialize`'s data."""
            del data
            return cls()

    EMNIFY_RETRY_POLICY = EmnifyRetryPolicy()
