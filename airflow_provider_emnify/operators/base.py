"""What all operators have in common: the hook, the end of the client, the kinds of failure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.retry import fail_for_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api import EmnifyClient

class OneLineLog:
    """Gives a task a log in which names that came from emnify or a user forge no lines."""

    @property
    def log(self) -> Any:
        """The task's log, under the name that Airflow's own operators have."""
        kind = type(self)
        return one_line_log(f"airflow.task.operators.{kind.__module__}.{kind.__qualname__}")


class EmnifyBaseOperator(OneLineLog, BaseOperator):
    """Base of all operators of this provider.

    A subclass lists its ``template_fields``, checks in ``__init__`` what can be known when the DAG is
    parsed (:func:`check_early`), and does its work in :meth:`perform`. What no retry can mend fails the
    task at once; the rest is left to the task's retries.

    :param emnify_conn_id: The connection to emnify.
    """

    template_fields: Sequence[str] = ("emnify_conn_id",)
    ui_color = "#d8f3ec"

    #: Whether :meth:`perform` finds out by itself what an earlier try has done, so that Airflow may retry
    #: a write whose outcome is unknown.
    looks_first: ClassVar[bool] = False

    def __init__(self, *, emnify_conn_id: str = EmnifyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.emnify_conn_id = emnify_conn_id

    @cached_property
    def hook(self) -> EmnifyHook:
        """The hook, one for an execution."""
        return EmnifyHook(self.emnify_conn_id)

    @property
    def client(self) -> EmnifyClient:
        """The client. Nothing is fetched or sent before something is asked of it."""
        return self.hook.get_conn()

    def execute(self, context: Context) -> Any:
        """Do the work, close the client, and tell Airflow whether a failure is worth a retry."""
        try:
            with fail_for_good(looks_first=self.looks_first):
                return self.perform(context)
        finally:
            hook = self.__dict__.pop("hook", None)
            if hook is not None:
                hook.close()

    def perform(self, context: Context) -> Any:
        """Do the work and return a small value that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")
