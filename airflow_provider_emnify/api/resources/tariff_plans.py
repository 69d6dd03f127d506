"""Tariff plans: what an organisation pays for SIMs, users and profiles."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, operation
from airflow_provider_emnify.api.types import Id, Row


class TariffPlans(Resource):
    """The tariff plans of organisations, as ``client.tariff_plans``."""

    @operation("GET", "/api/v1/tariff_plan/active", ids=int)
    def active(self, call: Call) -> Row:
        """Return the active tariff plan of the own organisation.

        See https://docs.emnify.com/developers/api/tariff-plans/get-active-tariff-plan
        """
        return call.row()

    @operation("GET", "/api/v1/organisation/{org_id_or_my}/tariff_plan/active", ids=int)
    def active_of_organisation(self, call: Call, organisation_id: Id) -> Row:
        """Return the active tariff plan of an organisation.

        See https://docs.emnify.com/developers/api/tariff-plans/get-organisation-active-tariff-plan

        :param organisation_id: Id of the own organisation or of a direct child, or ``my``.
        """
        return call.row(org_id_or_my=organisation_id)

    @operation("GET", "/api/v1/organisation/{org_id}/tariff_plan", ids=int)
    def list(self, call: Call, organisation_id: Id = "my") -> Listing:
        """List the tariff plans that an organisation can have.

        See https://docs.emnify.com/developers/api/tariff-plans/organisation-tariff-plan-by-org-id-get

        :param organisation_id: Id of the organisation, or ``my``.
        """
        return call.list(org_id=organisation_id)
