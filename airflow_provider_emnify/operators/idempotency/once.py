"""Calls that must not be made twice, by a task that Airflow may run again."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException
from airflow_provider_emnify.api import EmnifyError, EmnifyPartialError
from airflow_provider_emnify.arguments import shorten
from airflow_provider_emnify.operators.idempotency.attempts import unknown_for_good
from airflow_provider_emnify.operators.idempotency.concurrent_runs import runs_that_do_the_same
from airflow_provider_emnify.operators.idempotency.journal import TaskStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.operators.base import EmnifyBaseOperator

_STORED = "emnify_call"
_NOTHING_DONE = -1
_LONGEST = 500  # characters of a call that a message shows


@contextmanager
def at_most_once(operator: EmnifyBaseOperator, context: Context, call: str, check: str) -> Iterator[None]:
    """Make a call that nobody can tell from another one like it, unless another one may have made it.

    Airflow 3.3 and later keep a note of it: a try that finds the note of one before fails, unless that one
    is known to have done nothing. Before 3.3 nothing is kept: then only the first try makes the call. A
    person who clears the task has it made again.

    Two tasks that are to make the same call take turns, and the second fails when the first has ended while
    it was waiting. Those that share no store of turns, but are runs of the same task, are known to Airflow:
    then the later one fails, and both when they begin at the same moment.

    :param operator: The task.
    :param context: Its context.
    :param call: What is called with what, to the letter; messages have its beginning.
    :param check: How to find out whether it was done.
    :raises AirflowFailException: when an earlier try or another task may have made the call (an
        :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError`), or when it is not done and no other
        try could make it.
    :raises AirflowException: when Airflow keeps notes, and no note of this call can be kept: it is not made.
    """
    begun = time.monotonic()
    store = TaskStore(context, operator.log, "the call is not made")
    keeps_notes = store.is_there
    shown = call if len(call) <= _LONGEST else f"{call[:_LONGEST]}..."
    # Clearing a task raises this number, and nothing else does.
    most_tries = int(getattr(context.get("ti"), "max_tries", operator.retries or 0))
    noted = store.get(_STORED)
    if noted == most_tries if keeps_notes else _was_retried(operator, context, most_tries):
        raise unknown_for_good(
            "an earlier try of this task may have made this call, and ended before it could say so: "
            f"{shown}. It is not made again. Check at emnify whether it was done ({check}). If it was, mark "
            "this task as successful; if it was not, clear it"
        )
    store.keep(_STORED, most_tries)
    if keeps_notes and not store.is_there:
        raise AirflowException(
            f"Airflow's task state store failed, so another try would not know of this call: {shown}. It was "
            "not made; the next try makes it"
        )
    try:
        with operator.client.lock("calls", call) as lock:
            if lock.held_since(begun):
                raise _made_elsewhere("another task has made", shown, check)
            if runs := runs_that_do_the_same(context, call, operator.log):
                raise _made_elsewhere(f"this task in {shorten(runs)} makes", shown, check)
            yield
    except EmnifyError as error:
        if not error.transient:
            raise  # which ends the task
        if isinstance(error, EmnifyPartialError) and error.done:
            error.transient = False  # another try would do again what is done
            raise
        store.keep(_STORED, _NOTHING_DONE)
        if not store.is_there:
            raise AirflowFailException(
                f"{error}. It was not done. Airflow has no note of that for another try (before 3.3 it keeps "
                "none), so there is none: clear this task to try again"
            ) from error
        raise


def _made_elsewhere(who: str, call: str, check: str) -> AirflowFailException:
    return unknown_for_good(
        f"{who} the same call at this moment: {call}. This one has not. Check at emnify whether it was "
        f"done ({check}). If once is enough, mark this task as successful; if it is to be done again, clear "
        "it. Give the task max_active_tis_per_dag=1 for its runs to make it one after the other"
    )


def _was_retried(operator: EmnifyBaseOperator, context: Context, most_tries: int) -> bool:
    """Tell whether this is neither the first try, nor the first since someone cleared the task."""
    first = most_tries - int(operator.retries or 0) + 1
    return int(getattr(context.get("ti"), "try_number", 1) or 1) > max(first, 1)
