"""Organisations: the own one, its statistics, inclusive volumes and tariff."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.fields import ref
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Day, Id, Moment, Row, Rows, TextId


class Organisations(Resource):
    """The own organisation and its children, as ``client.organisations``.

    Where an organisation is asked for, ``my`` is that of the client's credentials.
    """

    @declared("GET", "/api/v1/organisation/my", ids=int)
    def my(self) -> Row:
        """Return the organisation that the client's credentials belong to.

        See https://docs.emnify.com/developers/api/organization/my-organisation-get
        """

    @declared("GET", "/api/v1/organisation/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses that an organisation can have.

        See https://docs.emnify.com/developers/api/organization/organisation-status-get
        """

    @declared("GET", "/api/v1/organisation/{org_id_or_my}/stats")
    def monthly_stats(self, organisation_id: TextId = "my") -> Row:
        """Return traffic and cost of this and the last month, with counts of SIMs, profiles and users.

        Traffic includes child organisations, the counts do not.

        See https://docs.emnify.com/developers/api/organization/get-organisation-monthly-stats

        :param organisation_id: Id of the organisation, or ``my``.
        """

    @declared("GET", "/api/v1/organisation/{org_id_or_my}/stats/daily")
    def daily_stats(
        self, organisation_id: TextId = "my", *, start_date: Day | None = None, end_date: Day | None = None
    ) -> Listing:
        """List traffic and cost by day, children included. Numbers come as strings, with a ``TOTAL`` row.

        See https://docs.emnify.com/developers/api/organization/get-organisation-daily-stats

        :param organisation_id: Id of the organisation, or ``my``.
        :param start_date: First day. Without it: the first of this month.
        :param end_date: The day after the last one, only together with ``start_date``.
        """

    @declared("GET", "/api/v1/organisation/{org_id_or_my}/stats/hourly")
    def hourly_stats(
        self,
        organisation_id: TextId = "my",
        *,
        start_date: Moment | None = None,
        end_date: Moment | None = None,
    ) -> Row:
        """Return traffic by hour, children included. Its rows are ``["HH:mm", volume]``, without a date.

        See https://docs.emnify.com/developers/api/organization/get-organisation-hourly-stats

        :param organisation_id: Id of the organisation, or ``my``.
        :param start_date: Begin, in UTC. Without it: three hours ago.
        :param end_date: End, only together with ``start_date``.
        """

    @declared("GET", "/api/v1/organisation/{org_id_or_my}/inclusive_volume/active", ids=int)
    def active_inclusive_volumes(self, organisation_id: TextId = "my") -> Listing:
        """List the inclusive volumes that are active in this billing period.

        See https://docs.emnify.com/developers/api/organization/get-active-organisation-inclusive-volume

        :param organisation_id: Id of the own organisation or of a direct child, or ``my``.
        """

    @declared("PUT", "/api/v1/organisation/{org_id_or_my}/inclusive_volume/{inclusive_volume_id}", ids=int)
    def assign_inclusive_volume(
        self,
        inclusive_volume_id: Id,
        *,
        organisation_id: TextId = "my",
        start_date: Moment | None = None,
        end_date: Moment | None = None,
        pooled: bool | None = None,
    ) -> Row:
        """Assign an inclusive volume to an organisation. **This bills.**

        See https://docs.emnify.com/developers/api/organization/assign-ratezone-inclusive-volume

        :param inclusive_volume_id: Id of the ratezone's inclusive volume.
        :param organisation_id: Id of the own organisation or of a direct child, or ``my``.
        :param start_date: First day of the month that it begins in. Without it: this month.
        :param end_date: Last day of the month that it ends in. Without it: it does not end.
        :param pooled: Whether all endpoints share it (emnify's default) or each has its part.
        :returns: The assignment.
        """

    @operation("PATCH", "/api/v1/organisation/{org_id}/tariff", answer="acknowledgement")
    def change_tariff(self, call: Call, organisation_id: TextId, *, tariff_id: Id) -> None:
        """Change the tariff of an organisation. Its tariff profiles go along; inclusive volumes expire.

        See https://docs.emnify.com/developers/api/organization/update-organisation-tariff

        :param organisation_id: Id of the own organisation or of a direct child.
        :param tariff_id: Id of the new tariff, which must have the same currency.
        """
        call.request(json=ref(tariff_id, "tariff_id"))
