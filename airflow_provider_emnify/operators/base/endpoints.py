"""The base of operators that act on endpoints."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_emnify.airflow_names import BaseOperatorLink
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import Argument
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base.only_if import OnlyIf
from airflow_provider_emnify.operators.base.operator import EmnifyBaseOperator


class EndpointsOperator(OnlyIf, EmnifyBaseOperator):
    """Base of operators that act on endpoints (devices).

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
        ``only_if`` is that of :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (EmnifyDevicesLink(),)

    endpoint_ids = Argument(parse_ids, default=None)
