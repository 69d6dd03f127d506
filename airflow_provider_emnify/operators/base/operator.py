"""The base of all operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.errors import EmnifyError, EmnifyNotFoundError
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.arguments import shorten
from airflow_provider_emnify.hooks.task import EmnifyTask


class EmnifyBaseOperator(EmnifyTask, BaseOperator):
    """Base of all operators of this provider.

    A subclass declares its arguments (:mod:`~airflow_provider_emnify.arguments`), and does its work in
    ``execute``. A permanent error fails the task at once; the rest is left to the task's retries.

    :param emnify_conn_id: The connection to emnify.
    """

    ui_color = "#d8f3ec"

    def log_change(self, doing: str, change: Sequence[object], total: int, rest: str) -> None:
        """Log what is about to be changed, and how many of those that were given need no change.

        :param doing: What is done to what: ``Setting endpoints to Disabled``.
        :param change: What is changed.
        :param total: How many were given.
        :param rest: What those are that are left alone: ``have this status already``.
        """
        left = total - len(change)
        self.log.info("%s: %d of %d (%s), %d %s", doing, len(change), total, shorten(change), left, rest)

    def delete_one(
        self,
        look: Callable[[], Row | None],
        wanted: int | str,
        what: str,
        delete: Callable[[int], object],
    ) -> list[int]:
        """Delete what an id or a name means; what does not exist (any more) is done.

        So is what is not there when emnify refuses to delete it: another run has deleted it, or this one has
        and the answer was lost.

        :param look: Returns it; None, or an EmnifyNotFoundError, when there is none.
        :param wanted: The id or the name.
        :param what: What it is, for messages.
        :param delete: Deletes it, by its id.
        :returns: The id of what is gone, in a list; an empty one for a name that none has.
        """
        gone = [int(wanted)] if str(wanted).isdecimal() else []
        try:
            row = look()
            if row is not None:
                gone = [int(row["id"])]
                self.log.info("Deleting %s %s (%s)", what, gone[0], row.get("username", row.get("name")))
                try:
                    delete(gone[0])
                except EmnifyError as refused:
                    is_clear = refused.transient or isinstance(refused, EmnifyNotFoundError)
                    if is_clear or (look() or {}).get("id") == row["id"]:
                        raise
                return gone
        except EmnifyNotFoundError:
            pass
        self.log.info("There is no %s %s: nothing to delete", what, wanted)
        return gone
