"""Quotas: the data and SMS that an endpoint may still use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import QuotaStatus
from airflow_provider_emnify.api.resources.fields import given, moment
from airflow_provider_emnify.api.resources.operation import Resource, operation

if TYPE_CHECKING:
    from airflow_provider_emnify.api.resources.operation import Call
    from airflow_provider_emnify.api.types import Moment, Row


class Quotas(Resource):
    """The quotas of endpoints, as ``client.quotas``.

    Where a service profile applies quotas, an endpoint without one is blocked.
    """

    @operation("GET", "/api/v1/endpoint/{endpoint_id}/quota/data")
    def get_data(self, call: Call, endpoint_id: int | str) -> Row:
        """Return the data quota of an endpoint; ``volume`` is what is left of it, in MB.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-get

        :param endpoint_id: Id of the endpoint.
        """
        quota: Row = call.request(endpoint_id=endpoint_id)
        return quota

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/quota/data", answer="acknowledgement")
    def set_data(
        self,
        call: Call,
        endpoint_id: int | str,
        *,
        volume: float,
        expiry_date: Moment,
        status: QuotaStatus | str | int = QuotaStatus.ACTIVE,
        action_on_exhaustion_id: int | str = 1,
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
        body = _body(
            volume, expiry_date, status, action_on_exhaustion_id, threshold_percentage, threshold_volume
        )
        refill = None if auto_refill is None else int(auto_refill)
        body |= given(auto_refill=refill, last_volume_added=last_volume_added)
        call.request(json=body, endpoint_id=endpoint_id)

    @operation("DELETE", "/api/v1/endpoint/{endpoint_id}/quota/data")
    def delete_data(self, call: Call, endpoint_id: int | str) -> None:
        """Remove the data quota of an endpoint, which is blocked where its service profile applies quotas.

        See https://docs.emnify.com/developers/api/endpoint/delete-endpoint-data-quota-by-id

        :param endpoint_id: Id of the endpoint.
        """
        call.request(endpoint_id=endpoint_id)

    @operation("GET", "/api/v1/endpoint/{endpoint_id}/quota/sms")
    def get_sms(self, call: Call, endpoint_id: int | str) -> Row:
        """Return the SMS quota of an endpoint; ``volume`` is the number of SMS left.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-quota-sms-by-endpoint-id-get

        :param endpoint_id: Id of the endpoint.
        """
        quota: Row = call.request(endpoint_id=endpoint_id)
        return quota

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/quota/sms", answer="acknowledgement")
    def set_sms(
        self,
        call: Call,
        endpoint_id: int | str,
        *,
        volume: float,
        expiry_date: Moment,
        threshold_percentage: float,
        status: QuotaStatus | str | int = QuotaStatus.ACTIVE,
        action_on_exhaustion_id: int | str = 1,
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
        body = _body(
            volume, expiry_date, status, action_on_exhaustion_id, threshold_percentage, threshold_volume
        )
        body |= given(auto_refill=auto_refill, last_volume_added=last_volume_added)
        call.request(json=body, endpoint_id=endpoint_id)

    @operation("DELETE", "/api/v1/endpoint/{endpoint_id}/quota/sms")
    def delete_sms(self, call: Call, endpoint_id: int | str) -> None:
        """Remove the SMS quota of an endpoint, which is blocked where its service profile applies quotas.

        See https://docs.emnify.com/developers/api/endpoint/delete-endpoint-sms-quota-by-id

        :param endpoint_id: Id of the endpoint.
        """
        call.request(endpoint_id=endpoint_id)


def _body(
    volume: float,
    expiry_date: Moment,
    status: QuotaStatus | str | int,
    action_on_exhaustion_id: int | str,
    threshold_percentage: float | None,
    threshold_volume: float | None,
) -> dict[str, Any]:
    """Return what both quotas have in common. Their ids are strings, unlike all others of emnify."""
    return given(
        status={"id": str(int(QuotaStatus.parse(status)))},
        volume=volume,
        expiry_date=moment(expiry_date),
        action_on_exhaustion={"id": str(action_on_exhaustion_id)},
        threshold_percentage=threshold_percentage,
        threshold_volume=threshold_volume,
    )
