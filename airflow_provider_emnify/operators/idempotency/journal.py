"""The journal of a task instance: what one attempt notes for the next (Airflow 3.3 and later)."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.airflow_names import Context


class Journal:
    """Airflow's task state store. One that fails costs a warning, and then there is none.

    :param context: The task's context.
    :param log: The task's log.
    """

    def __init__(self, context: Context, log: Any) -> None:
        self._store: Any = context.get("task_state_store")
        self._log = log
        #: Whether the store has failed, so that nothing is known of earlier attempts.
        self.failed = False

    @property
    def exists(self) -> bool:
        """Whether anything is kept."""
        return self._store is not None

    def get(self, name: str) -> Any:
        """Return what was noted under a name; None for nothing."""
        if self._store is None:
            return None
        try:
            return self._store.get(name)
        except Exception as error:  # whatever the store is made of
            self._degrade(error)
            return None

    def note(self, name: str, value: Any) -> None:
        """Keep a plain value for the attempts that follow."""
        if self._store is not None:
            try:
                self._store.set(name, value)
            except Exception as error:  # whatever the store is made of
                self._degrade(error)

    def _degrade(self, error: Exception) -> None:
        self._log.warning("Airflow's task state store failed; going on without it: %r", error)
        self._store, self.failed = None, True
