"""Quotas: the data and SMS that an endpoint may still use."""

from __future__ import annotations

from typing import Any

from airflow_provider_emnify.api.enums import QuotaStatus
from airflow_provider_emnify.api.resources.operation import Call, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Moment, Row, TextId


def _status(value: Any) -> Row:
    """Return a status as quotas have it: by a text, unlike all others of emnify."""
    return {"id": str(int(QuotaStatus.parse(value)))}


class Quotas(Resource):
    """The quotas of endpoints, as ``client.quotas``.

    Where a service profile applies quotas, an endpoint without one is blocked.
    """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/quota/data")
    def get_data(self, endpoint_id: Id) -> Row:
        """Return the data quota of an endpoint; ``volume`` is what is left of it, in MB.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/quota/data", answer="acknowledgement")
    def set_data(
        self,
        call: Call,
        endpoint_id: Id,
        *,
        volume: float,
        expiry_date: Moment,
        status: QuotaStatus | str | int = QuotaStatus.ACTIVE,
        action_on_exhaustion_id: TextId = 1,
        auto_refill: bool | None = None,
        threshold_percentage: float | None = None,
        threshold_volume: float | None = None,
        last_volume_added: float | None = None,
    ) -> None:
        """Set the data quota of an endpoint. It replaces the one there is: to add, read, add and set.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post

        :param endpoint_id: Id of the endpoint.
        :param volume: What it may use from now on, in MB.
        :param expiry_date: When it may use nothing more, in UTC.
        :param status: ``active``, ``exhausted`` or ``expired``.
        :param action_on_exhaustion_id: 1 blocks the endpoint, the only one that emnify still has.
        :param auto_refill: Whether to fill it up every day with the volume that was added last.
        :param threshold_percentage: Percentage left at which there is an event.
        :param threshold_volume: Volume left at which there is an event, in MB.
        :param last_volume_added: The volume that was added last, in MB.
        """
        call.request(json=call.fields(status=_status, auto_refill=int))

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}/quota/data")
    def delete_data(self, endpoint_id: Id) -> None:
        """Remove the data quota of an endpoint, which is blocked where its service profile applies quotas.

        See https://docs.emnify.com/developers/api/endpoint/delete-endpoint-data-quota-by-id

        :param endpoint_id: Id of the endpoint.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/quota/sms")
    def get_sms(self, endpoint_id: Id) -> Row:
        """Return the SMS quota of an endpoint; ``volume`` is the number of SMS left.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-sms-by-endpoint-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/quota/sms", answer="acknowledgement")
    def set_sms(
        self,
        call: Call,
        endpoint_id: Id,
        *,
        volume: float,
        expiry_date: Moment,
        threshold_percentage: float,
        status: QuotaStatus | str | int = QuotaStatus.ACTIVE,
        action_on_exhaustion_id: TextId = 1,
        auto_refill: bool | None = None,
        threshold_volume: float | None = None,
        last_volume_added: float | None = None,
    ) -> None:
        """Set the SMS quota of an endpoint. It replaces the one there is: to add, read, add and set.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-sms-by-endpoint-id-post

        :param endpoint_id: Id of the endpoint.
        :param volume: How many SMS it may send from now on.
        :param expiry_date: When it may send nothing more, in UTC.
        :param threshold_percentage: Percentage left at which there is an event.
        :param status: ``active``, ``exhausted`` or ``expired``.
        :param action_on_exhaustion_id: 1 blocks the endpoint, the only one that emnify still has.
        :param auto_refill: Whether to fill it up every day with the volume that was added last.
        :param threshold_volume: Number of SMS left at which there is an event.
        :param last_volume_added: The number of SMS that was added last.
        """
        call.request(json=call.fields(status=_status))

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}/quota/sms")
    def delete_sms(self, endpoint_id: Id) -> None:
        """Remove the SMS quota of an endpoint, which is blocked where its service profile applies quotas.

        See https://docs.emnify.com/developers/api/endpoint/delete-endpoint-sms-quota-by-id

        :param endpoint_id: Id of the endpoint.
        """
