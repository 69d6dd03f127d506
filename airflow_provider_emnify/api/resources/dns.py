"""DNS: the name servers that service profiles give to endpoints."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Row


class Dns(Resource):
    """The DNS configurations of an organisation, as ``client.dns``."""

    @declared("GET", "/api/v1/dns", ids=int)
    def list(self) -> Listing:
        """List the DNS configurations.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/dns-get
        """

    @declared("POST", "/api/v1/dns", known_by=("primary", "secondary", "ip_address_version"))
    def create(self, *, primary: str, secondary: str, ip_address_version: int = 4) -> Row:
        """Create a DNS configuration, to be used in a service profile.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/dns-post

        :param primary: IP address of the first name server.
        :param secondary: IP address of the second one.
        :param ip_address_version: 4 or 6; emnify uses 4 for now.
        :returns: The configuration, with at least its ``id``.
        """

    @declared("DELETE", "/api/v1/dns/{dns_id}")
    def delete(self, dns_id: Id) -> None:
        """Delete a DNS configuration that no service profile uses.

        See https://docs.emnify.com/developers/api/service-lookups-and-configuration/dns-by-id-delete

        :param dns_id: Id of the configuration.
        """
