"""Statistics of the own organisation as a whole."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared


class Statistics(Resource):
    """Usage and cost of the own organisation, as ``client.statistics``.

    Of another organisation, or another month: ``client.organisations.daily_stats``. Of one endpoint or SIM:
    ``client.endpoints.daily_stats``, ``client.sims.daily_stats``.
    """

    @declared("GET", "/api/v1/stats/daily")
    def daily(self) -> Listing:
        """List usage and cost by day from the first of this month until today, children included.

        See https://docs.emnify.com/developers/api/organization/statistics-daily-by-id-get
        """
