"""Lookups: what emnify names by number and does not change from day to day."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Resource, declared
from airflow_provider_emnify.api.types import Rows


class Lookups(Resource):
    """emnify's lookups that belong to no other resource, as ``client.lookups``."""

    @declared("GET", "/api/v1/breakout_region", ids=int)
    def breakout_regions(self) -> Rows:
        """Return the regions where data leaves emnify's network.

        See https://docs.emnify.com/developers/api/lookups/breakout-region-get
        """

    @declared("GET", "/api/v1/country", ids=int)
    def countries(self, *, geographic: bool | None = None) -> Rows:
        """Return the countries.

        See https://docs.emnify.com/developers/api/lookups/country-get

        :param geographic: Only geographic ones: no country twice for having several MCCs.
        """

    @declared("GET", "/api/v1/currency", ids=int)
    def currencies(self) -> Rows:
        """Return the currencies.

        See https://docs.emnify.com/developers/api/lookups/currency-get
        """

    @declared("GET", "/api/v1/data_blocksize", ids=int)
    def data_blocksizes(self) -> Rows:
        """Return the block sizes, in octets, that data is billed in.

        See https://docs.emnify.com/developers/api/lookups/data-blocksize-get
        """

    @declared("GET", "/api/v1/data_throttle", ids=int)
    def data_throttles(self) -> Rows:
        """Return the data throttles, in octets.

        See https://docs.emnify.com/developers/api/lookups/data-throttle-get
        """

    @declared("GET", "/api/v1/esme_interface_type", ids=int)
    def esme_interface_types(self) -> Rows:
        """Return the interface types by which an application can exchange SMS with endpoints.

        See https://docs.emnify.com/developers/api/lookups/esme-interface-type-get
        """

    @declared("GET", "/api/v1/rat_type", ids=int)
    def rat_types(self) -> Rows:
        """Return the radio access technologies.

        See https://docs.emnify.com/developers/api/lookups/rat-type
        """

    @declared("GET", "/api/v1/service_level", ids=int)
    def service_levels(self) -> Rows:
        """Return the service levels: the own ones, or those of the parent organisation for an enterprise.

        See https://docs.emnify.com/developers/api/lookups/list-service-levels
        """
