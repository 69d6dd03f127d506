"""Traffic limits: how much an endpoint may use in a period, and extensions of that."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.recover import created_since, having
from airflow_provider_emnify.api.types import Id, Row
from airflow_provider_emnify.api.values import parse_id


class TrafficLimits(Resource):
    """The traffic limits that there are, and their extensions, as ``client.traffic_limits``.

    The limits of a service profile are set in ``client.service_profiles``.
    """

    @declared("GET", "/api/v1/traffic_limit", ids=int)
    def list(self) -> Listing:
        """List the traffic limits that there are.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/traffic-limit-get
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension", ids=int)
    def extensions(self, endpoint_id: Id) -> Listing:
        """List the active extensions of an endpoint's traffic limit.

        See https://docs.emnify.com/developers/api/endpoint/get-endpoint-traffic-limit-extensions

        :param endpoint_id: Id of the endpoint.
        """

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension", ids=int)
    def extend(
        self, call: Call, endpoint_id: Id, *, volume: float, traffic_limit_id: Id | None = None
    ) -> Row:
        """Let an endpoint use more than its traffic limit, until the limit's period ends.

        See https://docs.emnify.com/developers/api/endpoint/create-endpoint-traffic-limit-extension

        :param endpoint_id: Id of the endpoint.
        :param volume: How much more, in bytes.
        :param traffic_limit_id: Id of the limit, where there are several.
        :returns: The extension, with at least its ``id``.
        """
        limit = None if traffic_limit_id is None else parse_id(traffic_limit_id, "traffic_limit_id")
        find = created_since(lambda: self.extensions(endpoint_id), having(volume=volume))
        return call.create(json=given(volume=volume, traffic_limit_id=limit), find=find)

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension")
    def clear_extensions(self, endpoint_id: Id) -> None:
        """Remove all extensions: the endpoint has the limits of its service profile again.

        See https://docs.emnify.com/developers/api/endpoint/delete-endpoint-traffic-limit-extensions

        :param endpoint_id: Id of the endpoint.
        """
