"""Extensions of traffic limits as tasks. Imported as :mod:`airflow_provider_emnify.operators.quota`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api.transport.answers import decimal, number
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.arguments import (
    NOT_GIVEN,
    Argument,
    Ids,
    OneId,
    parse_amount,
    parse_optional_id,
    shorten,
)
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once


class EmnifyExtendTrafficLimitOperator(EndpointsOperator):
    """Let endpoints (devices) use more than their service profile's traffic limit, until its period ends.

    Each run extends. A later attempt (a retry, or after clearing) looks first for an extension of this volume
    and limit since an earlier attempt, and takes it for its own.

    .. code-block:: python

        EmnifyExtendTrafficLimitOperator(task_id="more", endpoint_ids=[7, 8], volume=50_000_000)

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param volume: How much more, in **bytes** (templated).
    :param traffic_limit_id: Which limit, where there are several (templated).
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The id of each endpoint's extension, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and there is no new extension; the next try looks
        again.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/create-endpoint-traffic-limit-extension
    """

    idempotent: ClassVar[bool] = True

    volume = Argument(parse_amount)
    traffic_limit_id = Argument(parse_optional_id)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        volume: float | str | XComArg,
        traffic_limit_id: OneId | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> dict[str, int]:
        """Extend one after another."""
        ids, volume, limit_id = self.endpoint_ids, self.volume, self.traffic_limit_id
        attempt, limits = Attempt(self, context), self.client.traffic_limits
        what = f"traffic limit of {len(ids)} endpoints ({shorten(ids)})"
        self.log.info("Extending the %s by %.0f bytes, until its period ends", what, volume)

        def decide(rows: Rows, may_be_ours: Callable[[Row], bool]) -> Row | None:
            same = (row for row in rows if may_be_ours(row) and decimal(row, "volume") == volume)
            return next((row for row in same if limit_id in {None, number(row, "traffic_limit_id")}), None)

        def extend(endpoint_id: int) -> int:
            extension, is_new = create_once(
                attempt,
                lock=("traffic limit extensions", endpoint_id),
                look=lambda: [*limits.extensions(endpoint_id)],
                decide=decide,
                create=lambda _: limits.extend(endpoint_id, volume=volume, traffic_limit_id=limit_id),
                each_run=True,
            )
            if not is_new:
                self.log.info("An earlier attempt has extended endpoint %s: %s", endpoint_id, extension["id"])
            return int(extension["id"])

        extensions, _ = for_each(ids, extend, what="extend the traffic limit of endpoint")
        return {str(endpoint_id): number for endpoint_id, number in extensions.items()}


class EmnifyClearTrafficLimitExtensionsOperator(EndpointsOperator):
    """Remove all extensions of endpoints' (devices') traffic limits: those of the service profile hold again.

    .. code-block:: python

        EmnifyClearTrafficLimitExtensionsOperator(task_id="limits", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them has an extension now.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/delete-endpoint-traffic-limit-extensions
    """

    idempotent: ClassVar[bool] = True

    def execute(self, context: Context) -> list[int]:
        """Remove them, one endpoint after another."""
        ids, limits = self.endpoint_ids, self.client.traffic_limits
        self.log.info("Removing the traffic limit extensions of %d endpoints: %s", len(ids), shorten(ids))
        for_each(ids, limits.clear_extensions, what="remove the traffic limit extensions of endpoint")
        return ids
