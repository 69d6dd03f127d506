"""What endpoints may still use, as tasks: quotas, and extensions of traffic limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import EmnifyNotFoundError
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_moment
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, shorten
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once
from airflow_provider_emnify.operators.quota.base import (
    UNITS,
    QuotaOperator,
    QuotaType,
    parse_quota_type,
    volumes_of,
)


class EmnifySetQuotaOperator(QuotaOperator):
    """Give endpoints (devices) a quota. It replaces the one there is, also what is left of it.

    A later attempt of the task (a retry, or after clearing) leaves alone what an earlier one has set, as
    emnify's events show it: setting it again would fill up what has been used since.

    .. code-block:: python

        EmnifySetQuotaOperator(
            task_id="quota", endpoint_ids=[7, 8], volume=500, expiry_date="{{ data_interval_end | ds }}"
        )

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param volume: What they may use from now on: MB, or a number of SMS (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param expiry_date: When they may use nothing more, in UTC (templated).
    :param threshold_percentage: Percentage left at which there is an event (templated). SMS quotas need it.
    :param threshold_volume: Volume left at which there is an event, in MB or SMS (templated).
    :param auto_refill: Whether emnify fills it up every day with the volume that was added last.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post
    """

    needs_all = True
    expiry_date = Argument(parse_moment)

    def execute(self, context: Context) -> list[int]:
        """Set one after another."""
        ids, volume, attempt = self.endpoint_ids, self.volume, Attempt(self, context)
        what = f"{self.quota_type} quota of {len(ids)} endpoints"
        self.log.info("Setting the %s (%s) to %g %s", what, shorten(ids), volume, UNITS[self.quota_type])

        def set_quota(endpoint_id: int) -> None:
            def decide(events: Rows, may_be_ours: Callable[[Row], bool]) -> bool | None:
                ours = (volumes_of(event) == (volume, volume) and may_be_ours(event) for event in events)
                return any(ours) or None

            def create(_: Rows) -> bool:
                self.write_quota(endpoint_id, volume, volume, {})
                return True

            since = attempt.since or attempt.began_at
            _, is_new = create_once(
                attempt,
                lock=None,
                look=lambda: self.read_assigned(endpoint_id, since),
                decide=decide,
                create=create,
            )
            if not is_new:
                self.log.info("The quota of endpoint %s was set by an earlier attempt", endpoint_id)

        for_each(ids, set_quota, what="set the quota of endpoint")
        return ids


class EmnifyClearQuotaOperator(EndpointsOperator):
    """Remove the quota of endpoints (devices). One that has none (any more) is done.

    **Where the service profile applies quotas, an endpoint without one is blocked.**

    .. code-block:: python

        EmnifyClearQuotaOperator(task_id="no_quota", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them has such a quota now.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/delete-endpoint-data-quota-by-id
    """

    idempotent: ClassVar[bool] = True

    quota_type = Argument(parse_quota_type, templated=False)

    def __init__(
        self, *, endpoint_ids: Ids | None = NOT_GIVEN, quota_type: QuotaType = "data", **kwargs: Any
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Remove one after another."""
        ids = self.endpoint_ids
        self.log.info("Removing the %s quota of %d endpoints: %s", self.quota_type, len(ids), shorten(ids))

        def clear(endpoint_id: int) -> None:
            quotas = self.client.quotas
            try:
                (quotas.delete_data if self.quota_type == "data" else quotas.delete_sms)(endpoint_id)
            except EmnifyNotFoundError as missing:
                self.log.info("Endpoint %s has none (%s)", endpoint_id, missing.message)

        for_each(ids, clear, what="remove the quota of endpoint")
        return ids
