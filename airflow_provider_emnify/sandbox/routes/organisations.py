"""The caller's organisation."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.answers import ApiError
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.world.clock import date


def the_organisation(call: Call, parameter: str, status: int = 404) -> int:
    """Return the organisation that the path means, ``my`` or one of the caller's, or answer 404 or so."""
    own = call.own
    given, user = call.path[parameter], call.user
    if given == "my":
        return own
    if given in {str(number) for number in (own, *(user.memberships if user else ()))}:
        return int(given)
    raise ApiError("NotFound", f"Organisation with id {given} not found", status=status)


@serves("GET", "/api/v1/organisation/my")
def my_organisation(call: Call) -> Body:
    """Give the caller's organisation; most of its ids are strings, as recorded."""
    organisation = call.state.organisations[call.own]
    return {
        "id": organisation.id,
        "name": organisation.name,
        "organisation_type_id": "5",
        "country_id": "74",
        "organisation_status_id": "1",
        "ext_reference": "",
        "monthly_cost_limit": None,
        "currency_id": 1,
        "organisation_class_id": 1,
        "created": date(organisation.created),
        "verification_type_id": None,
        "verification": "",
        "brand_id": "1",
        "default_sms_routing_id": None,
    }
