"""IP address spaces: the private addresses that an organisation gives to its endpoints."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Row, Rows


class IpAddressSpaces(Resource):
    """The IP address spaces of an organisation, as ``client.ip_address_spaces``."""

    @declared("GET", "/api/v1/ip_address_space", ids=int)
    def list(self) -> Listing:
        """List the IP address spaces with the number of used and available addresses.

        See https://docs.emnify.com/developers/api/ip-address-spaces/ip-address-space-get
        """

    @declared("GET", "/api/v1/ip_address_space/available", ids=int)
    def available(self, *, ip_address_version: int | None = None) -> Rows:
        """Return ten address spaces that nobody has, others at every call.

        See https://docs.emnify.com/developers/api/ip-address-spaces/ip-address-space-available-by-ip-address-version-get

        :param ip_address_version: 4 (the default) or 6.
        """

    @operation("POST", "/api/v1/ip_address_space", ids=int, known_by=("ip_address_space",))
    def create(self, call: Call, *, ip_address_space: str, ip_address_version: int = 4) -> Row:
        """Allocate an address space to the own organisation.

        See https://docs.emnify.com/developers/api/ip-address-spaces/ip-address-space-post

        :param ip_address_space: The space in CIDR notation, for example ``10.1.0.0/16``.
        :param ip_address_version: 4 or 6.
        :returns: The space, with at least its ``id``.
        """
        return call.create(json=call.fields(), unique=True)

    @declared("PUT", "/api/v1/ip_address_space/{address_space_id}")
    def assign(self, address_space_id: Id) -> None:
        """Assign an address space to the own organisation. Deprecated by emnify: use :meth:`create`.

        See https://docs.emnify.com/developers/api/ip-address-spaces/ip-address-space-by-id-put

        :param address_space_id: Id of the space.
        """

    @declared("DELETE", "/api/v1/ip_address_space/{address_space_id}")
    def release(self, address_space_id: Id) -> None:
        """Give back an address space that no endpoint uses.

        See https://docs.emnify.com/developers/api/ip-address-spaces/ip-address-space-by-id-delete

        :param address_space_id: Id of the space.
        """
