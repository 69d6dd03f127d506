"""Which attempt of which task instance this is, and since when an earlier one may have acted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import AirflowException, AirflowFailException, Context
from airflow_provider_emnify.api import EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.transport.answers import moment_in
from airflow_provider_emnify.operators.idempotency.journal import Journal

if TYPE_CHECKING:
    from airflow_provider_emnify.operators.base import EmnifyBaseOperator

CLOCKS_MAY_DIFFER = timedelta(minutes=1)
"""How far the clocks of emnify, Airflow and a worker may be apart."""

_ACTS_SINCE = "emnify_acts_since"
_NOTES_ADDITIONS = "emnify_notes_additions"
_CREATED = ("created", "creation_date", "created_at", "submit_date")


class Attempt:
    """An attempt of a task instance, made when its ``execute`` begins.

    Airflow counts attempts on when a task is retried or cleared. When an earlier one may have acted is in the
    journal on Airflow 3.3 and later. Before, it is since the run started; or, for a cleared task of a
    finished run (which gets a new start), since the run was due, which for a manual run is when it was asked
    for.

    :param operator: The task.
    :param context: Its context, with ``ti`` and ``dag_run``.
    """

    def __init__(self, operator: EmnifyBaseOperator, context: Context) -> None:
        self.operator = operator
        self.journal = Journal(context, operator.log)
        self.begun = time.monotonic()
        self.began_at = datetime.now(UTC) - CLOCKS_MAY_DIFFER
        instance: Any = context.get("ti")
        self._number = int(getattr(instance, "try_number", 1) or 1)
        self._retries = int(operator.retries or 0)
        #: Clearing a task raises this number, and nothing else does.
        self.max_tries = int(getattr(instance, "max_tries", self._retries))
        #: Whether this is not the first attempt.
        self.is_later = self._number > 1
        noted = {_ACTS_SINCE: self.journal.get(_ACTS_SINCE)} if self.is_later else {}
        self._noted = moment_in(noted, _ACTS_SINCE)
        #: Since when an earlier attempt may have acted; None when there was none.
        self.since = self._noted or (_run_began(context) if self.is_later else None)

    @property
    def is_retry(self) -> bool:
        """Whether this is neither the first attempt, nor the first since someone cleared the task."""
        return self._number > max(self.max_tries - self._retries + 1, 1)

    def created(self, row: Mapping[str, Any] | None) -> bool:
        """Tell whether an earlier attempt may have created what emnify shows: it was created since then."""
        return row is not None and is_since(row, self.since)

    def acts(self) -> None:
        """Note, before the first write, that this attempt acts: its answer may never be seen."""
        if self._noted is None:
            self._noted = self.since or self.began_at
            self.journal.note(_ACTS_SINCE, self._noted.isoformat())

    @cached_property
    def _additions_are_noted(self) -> bool:
        """Whether earlier attempts have noted each addition before they made it; this one does now."""
        were = self.journal.get(_NOTES_ADDITIONS) is not None
        self.journal.note(_NOTES_ADDITIONS, True)
        self._notes_are_trusted = self.is_later or self.journal.exists
        return were

    def may_have_added(self, what: tuple[str, object]) -> bool:
        """Tell whether an earlier attempt may have added something of which each run adds its own.

        :param what: Its lock. Where the journal has no note of it, an earlier attempt has not; without a
            journal, any earlier one may have.
        """
        were = self._additions_are_noted
        noted = self.journal.get(_note_of(what)) is not None
        return self.since is not None and (noted or not were or not self.journal.exists)

    def adds(self, what: tuple[str, object]) -> None:
        """Note, before it is done, that this attempt adds something of which each run adds its own.

        :raises AirflowException: when an attempt that follows would miss the note: nothing is to be added.
        """
        self.journal.note(_note_of(what), True)
        if self.journal.failed and self._notes_are_trusted:
            raise AirflowException(
                f"Airflow's task state store failed, so another attempt would not know what this one adds "
                f"({what[0]} {what[1]}). It was not added; the next attempt adds it"
            )


def _note_of(what: tuple[str, object]) -> str:
    return "_".join(["emnify_adds", *map(str, what)]).replace(" ", "_")


def is_since(row: Mapping[str, Any], moment: datetime | None) -> bool:
    """Tell whether what emnify shows was created since a moment; without a time it was not."""
    created = next((found for name in _CREATED if (found := moment_in(row, name))), None)
    return moment is not None and created is not None and created >= moment


def unknown_outcome(message: str) -> AirflowFailException:
    """Return the error that fails a task without retries when a person has to look.

    :param message: What may have happened, and what to check.
    """
    error = AirflowFailException(message)
    error.__cause__ = EmnifyUnknownOutcomeError(message)
    return error


def _run_began(context: Context) -> datetime | None:
    """Return since when an earlier attempt may have acted, without a journal."""
    run: Any = context.get("dag_run")
    began = [getattr(run, "start_date", None)]
    if int(getattr(run, "clear_number", 0) or 0) > 0:
        due = getattr(run, "run_after", None) or getattr(run, "data_interval_end", None)
        began += [due or getattr(run, "logical_date", None)]
    known = [moment for moment in began if isinstance(moment, datetime)]
    return min(known) - CLOCKS_MAY_DIFFER if known else None
