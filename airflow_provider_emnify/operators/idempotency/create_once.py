"""Idempotent writes: what is created or added once, although its task may run again or twice at a time.

An operator makes an :class:`Attempt` when its ``execute`` begins, and gives :func:`create_once` a lock and
three functions:

.. code-block:: python

    attempt = Attempt(self, context)
    stream, created = create_once(
        attempt,
        lock=("data streams", name),  # who creates the same waits for it; None where emnify refuses a second
        look=lambda: [*self.client.data_streams.list()],  # what is there
        decide=lambda rows, may_be_ours: next((row for row in rows if row["name"] == name), None),
        create=lambda rows: self.client.data_streams.create(name=name, **settings),
        always_look=True,
    )

``decide`` gets what ``look`` returned, and a function that tells of a row whether an earlier attempt, an
overlapping run or this very call may have created it. It returns what is there instead of a new one, or
None. Something that is known by its name (``always_look``) counts whoever has created it; whether an earlier
attempt of this task did is ``attempt.created(row)``. Something that looks like any other (an SMS, an
extension) counts only when it ``may_be_ours``; then no look is needed in the ordinary case: there is none in
the first attempt, unless another task held the lock meanwhile. When the answer to ``create`` is lost, there
is one more look. An EmnifyUnknownOutcomeError says that it found nothing; the next attempt looks again.

What cannot be recognised at all is called with :func:`at_most_once`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException
from airflow_provider_emnify.api import EmnifyError, EmnifyPartialError, EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.transport.recover import recover, without_recovery
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.arguments import cut
from airflow_provider_emnify.operators.idempotency.attempt import (
    CLOCKS_MAY_DIFFER,
    Attempt,
    is_since,
    unknown_outcome,
)

if TYPE_CHECKING:
    from airflow_provider_emnify.api.locks import Lock

__all__ = ["Attempt", "at_most_once", "create_once", "unknown_outcome"]

Found = TypeVar("Found")

_CALLED = "emnify_call"
_NOTHING_DONE = -1


def create_once(
    attempt: Attempt,
    *,
    lock: tuple[str, object] | None,
    look: Callable[[], Rows],
    decide: Callable[[Rows, Callable[[Row], bool]], Found | None],
    create: Callable[[Rows], Found],
    always_look: bool = False,
    each_run: bool = False,
) -> tuple[Found, bool]:
    """Create something, unless it is there.

    :param attempt: The attempt of the task instance.
    :param lock: Name and key of the lock that all tasks take which create the same; None where emnify itself
        refuses a second.
    :param look: Reads what is there: rows, with their ``id`` where they have one.
    :param decide: Returns which of the rows is meant, None when there is none.
    :param create: Creates it; is given the rows, none without a look.
    :param always_look: Whether what others have created long ago counts too.
    :param each_run: Whether each run adds one: what an overlapping run has created is not ours then. The
        journal has a note of each that is added.
    :returns: What is there now, and whether it was created just now.
    :raises EmnifyUnknownOutcomeError: when the answer was lost and another look does not find it.
    """
    locked: AbstractContextManager[Lock | None]
    locked = nullcontext() if lock is None else attempt.operator.client.lock(*lock)
    with locked as held:
        overlapped = not each_run and held is not None and held.held_since(attempt.begun)
        # Of a task that has just ended, an SMS like this one can be there: a lost one is not taken for it.
        a_while_ago = attempt.begun - CLOCKS_MAY_DIFFER.total_seconds()
        recently = held is not None and held.held_since(a_while_ago)
        adds = lock if each_run else None
        before = attempt.since if adds is None or attempt.may_have_added(adds) else None
        rows = look() if always_look or recently or before is not None else None
        if rows is not None:
            since = min([*filter(None, [before, attempt.began_at if overlapped else None])], default=None)
            found = decide(rows, lambda row: is_since(row, since))
            if found is not None:
                return found, False
        attempt.acts()
        if adds is not None:
            attempt.adds(adds)
        try:
            with without_recovery():
                return create(rows or []), True
        except EmnifyUnknownOutcomeError as lost:
            there = None if rows is None else {str(row.get("id")) for row in rows if "id" in row}

            def is_new(row: Mapping[str, Any]) -> bool:
                return is_since(row, attempt.began_at) if there is None else str(row.get("id")) not in there

            found = recover(lambda: decide(look(), is_new), lost)
            if found is None:
                raise
            attempt.operator.log.info("The answer was lost; what was created has been found")
            return found, True


def at_most_once(attempt: Attempt, call: Callable[[], Found], *, what: str, check: str) -> Found:
    """Make a call that leaves nothing to recognise it by, unless it may have been made already.

    On Airflow 3.3 and later the journal has a note of it: an attempt that finds the note of one before fails,
    unless that one is known to have done nothing. Before 3.3 nothing is kept: then only the first attempt
    makes the call. A person who clears the task has it made again. Of two tasks that share a lock
    (``rate_limit_store``) and make the same call at once, the second fails.

    :param attempt: The attempt of the task instance.
    :param call: Makes the call.
    :param what: What is called with what: who calls the same waits for it. Messages have its beginning.
    :param check: How to find out whether it was done.
    :raises AirflowFailException: when an earlier attempt or another task may have made the call (an
        :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError`), or when it is not done and no other
        attempt could make it.
    :raises AirflowException: when there is a journal, and it takes no note of this call: it is not made.
    """
    journal = attempt.journal
    shown = cut(what)
    noted = journal.get(_CALLED)
    if noted == attempt.max_tries if journal.exists else attempt.is_retry:
        raise unknown_outcome(
            "an earlier attempt of this task may have made this call, and ended before it could say so: "
            f"{shown}. It is not made again. Check at emnify whether it was done ({check}). If it was, mark "
            "this task as successful; if it was not, clear it"
        )
    journal.note(_CALLED, attempt.max_tries)
    if journal.failed:
        raise AirflowException(
            f"Airflow's task state store failed, so another attempt would not know of this call: {shown}. It "
            "was not made; the next attempt makes it"
        )
    try:
        with attempt.operator.client.lock("calls", what) as held:
            if held.held_since(attempt.begun):
                raise unknown_outcome(
                    f"another task has made the same call at this moment: {shown}. This one has not. Check "
                    f"at emnify whether it was done ({check}). If once is enough, mark this task as "
                    "successful; if it is to be done again, clear it. Give the task max_active_tis_per_dag=1 "
                    "for its runs to make it one after the other"
                )
            return call()
    except EmnifyError as error:
        if not error.transient:
            raise  # which ends the task
        if isinstance(error, EmnifyPartialError) and error.done:
            error.transient = False  # another attempt would do again what is done
            raise
        journal.note(_CALLED, _NOTHING_DONE)
        if not journal.exists:
            raise AirflowFailException(
                f"{error}. It was not done. Airflow has no note of that for another attempt (before 3.3 it "
                "keeps none), so there is none: clear this task to try again"
            ) from error
        raise
