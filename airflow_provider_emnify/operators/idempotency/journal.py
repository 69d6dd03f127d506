"""What a task instance remembers from one try to the next, where Airflow keeps it (3.3 and later)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context


class TaskStore:
    """Airflow's store of a task instance. One that fails costs a warning, and then there is none.

    :param context: The task's context.
    :param log: Is told when the store fails.
    :param otherwise: What is done without it, for the warning.
    """

    def __init__(self, context: Context, log: Any, otherwise: str) -> None:
        self._store: Any = context.get("task_state_store")
        self._log = log
        self._otherwise = otherwise

    @property
    def is_there(self) -> bool:
        """Whether anything is kept."""
        return self._store is not None

    def get(self, name: str) -> Any:
        """Return what was kept under a name; None for nothing."""
        if self._store is None:
            return None
        try:
            return self._store.get(name)
        except Exception as error:  # whatever the store is made of
            self._give_up(error)
            return None

    def keep(self, name: str, value: Any) -> None:
        """Keep something for the tries that follow."""
        if self._store is not None:
            try:
                self._store.set(name, value)
            except Exception as error:  # whatever the store is made of
                self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._log.warning("Airflow's task state store failed; %s: %r", self._otherwise, error)
        self._store = None
