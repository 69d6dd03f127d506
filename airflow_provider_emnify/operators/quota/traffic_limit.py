"""Extensions of traffic limits as tasks. Imported as :mod:`airflow_provider_emnify.operators.quota`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api.transport.answers import decimal, number
from airflow_provider_emnify.arguments import check_early, parse_amount, parse_optional_id, shorten
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.batch import for_each
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.idempotency.attempt import earlier_tries_since, identity, parse_moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.resources.fields import Row

_MARKS = 1000  # bytes, which tell whose extension it is


class EmnifyExtendTrafficLimitOperator(EmnifyBaseOperator):
    """Let endpoints (devices) use more than their service profile's traffic limit, until its period ends.

    An extension has up to 1,000 bytes more than asked for, which tell whose it is. A first try extends. A
    later one (a retry, or after clearing) looks first for this task's own: of that volume and limit, created
    since the DAG run started, or was due, where a task of a finished run was cleared. Two runs at the same
    time each extend, as asked.

    .. code-block:: python

        EmnifyExtendTrafficLimitOperator(task_id="more", endpoint_ids=[7, 8], volume=50_000_000)

    :param endpoint_ids: One id or many (templated).
    :param volume: How much more, in **bytes** (templated); a little more is given.
    :param traffic_limit_id: Which limit, where there are several (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The id of each endpoint's extension, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and there is no new extension; the next try looks
        again.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/create-endpoint-traffic-limit-extension
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids", "volume", "traffic_limit_id")
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any,
        volume: float | str,
        traffic_limit_id: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(parse_amount, volume, "volume")
        check_early(parse_optional_id, traffic_limit_id, "traffic_limit_id")
        self.endpoint_ids = endpoint_ids
        self.volume = volume
        self.traffic_limit_id = traffic_limit_id

    def execute(self, context: Context) -> dict[str, int]:
        """Extend one after another."""
        ids, volume = parse_endpoint_ids(self.endpoint_ids), parse_amount(self.volume, "volume")
        limit_id = parse_optional_id(self.traffic_limit_id, "traffic_limit_id")
        marked = round(volume) + 1 + identity(context, 16) % _MARKS
        since = earlier_tries_since(context)
        self.log.info(
            "Extending the traffic limit of %d endpoints (%s) by %d bytes, until its period ends",
            len(ids),
            shorten(ids) or "none",
            marked,
        )
        limits = self.client.traffic_limits
        extensions: dict[str, int] = {}

        def extend(endpoint_id: int) -> None:
            there = limits.extensions(endpoint_id) if since is not None else ()
            mine = next((row for row in there if _is_same(row, marked, limit_id, since)), None)
            if mine is not None:
                self.log.info("Extension %s of endpoint %s is an earlier try's", mine["id"], endpoint_id)
            else:
                mine = limits.extend(endpoint_id, volume=marked, traffic_limit_id=limit_id)
            extensions[str(endpoint_id)] = int(mine["id"])

        for_each(ids, extend, what="extend the traffic limit of endpoint")
        return extensions


def _is_same(row: Row, volume: float, limit_id: int | None, since: datetime | None) -> bool:
    created = parse_moment(row.get("created_at"))
    return (
        since is not None
        and created is not None
        and created >= since
        and decimal(row, "volume") == volume
        and (limit_id is None or number(row, "traffic_limit_id") == limit_id)
    )


class EmnifyClearTrafficLimitExtensionsOperator(EmnifyBaseOperator):
    """Remove all extensions of endpoints' (devices') traffic limits: those of the service profile hold again.

    .. code-block:: python

        EmnifyClearTrafficLimitExtensionsOperator(task_id="limits", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated).
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them has an extension now.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/delete-endpoint-traffic-limit-extensions
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids")
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(self, *, endpoint_ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        self.endpoint_ids = endpoint_ids

    def execute(self, context: Context) -> list[int]:
        """Remove them, one endpoint after another."""
        del context
        ids = parse_endpoint_ids(self.endpoint_ids)
        self.log.info(
            "Removing the traffic limit extensions of %d endpoints: %s", len(ids), shorten(ids) or "none"
        )
        limits = self.client.traffic_limits
        for_each(ids, limits.clear_extensions, what="remove the traffic limit extensions of endpoint")
        return ids
