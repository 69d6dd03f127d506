"""Tariff plans: what an organisation pays for SIMs, users and profiles."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Row, TextId


class TariffPlans(Resource):
    """The tariff plans of organisations, as ``client.tariff_plans``."""

    @declared("GET", "/api/v1/tariff_plan/active", ids=int)
    def active(self) -> Row:
        """Return the active tariff plan of the own organisation.

        See https://docs.emnify.com/developers/api/tariff-plans/get-active-tariff-plan
        """

    @declared("GET", "/api/v1/organisation/{org_id_or_my}/tariff_plan/active", ids=int)
    def active_of_organisation(self, organisation_id: TextId) -> Row:
        """Return the active tariff plan of an organisation.

        See https://docs.emnify.com/developers/api/tariff-plans/get-organisation-active-tariff-plan

        :param organisation_id: Id of the own organisation or of a direct child, or ``my``.
        """

    @declared("GET", "/api/v1/organisation/{org_id}/tariff_plan", ids=int)
    def list(self, organisation_id: TextId = "my") -> Listing:
        """List the tariff plans that an organisation can have.

        See https://docs.emnify.com/developers/api/tariff-plans/organisation-tariff-plan-by-org-id-get

        :param organisation_id: Id of the organisation, or ``my``.
        """
