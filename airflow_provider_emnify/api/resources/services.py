"""Services: what a service profile can permit (data, SMS, ...)."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Rows


class Services(Resource):
    """The services of emnify, as ``client.services``."""

    @declared("GET", "/api/v1/service", ids=int)
    def list(self) -> Listing:
        """List the services.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/service-get
        """

    @declared("GET", "/api/v1/service/{service_id}/traffic_limit", ids=int)
    def traffic_limits(self, service_id: Id) -> Rows:
        """Return the limits that a service can have in a service profile.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/service-traffic-limit-by-id-get

        :param service_id: Id of the service.
        """
