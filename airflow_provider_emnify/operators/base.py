"""EmnifyBaseOperator: the base of all operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.task import EmnifyTask

if TYPE_CHECKING:
    from collections.abc import Sequence


class EmnifyBaseOperator(EmnifyTask, BaseOperator):
    """Base of all operators of this provider.

    A subclass lists its ``template_fields``, declares its arguments
    (:mod:`~airflow_provider_emnify.arguments`), and does its work in ``execute``. A permanent error fails the
    task at once; the rest is left to the task's retries.

    :param emnify_conn_id: The connection to emnify.
    """

    template_fields: Sequence[str] = ("emnify_conn_id",)
    ui_color = "#d8f3ec"

    def __init__(self, *, emnify_conn_id: str = EmnifyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.emnify_conn_id = emnify_conn_id
