"""Network operators, and those that an endpoint must not use."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.resources import serve_members
from airflow_provider_emnify.sandbox.http.wire import Body, Call, serves
from airflow_provider_emnify.sandbox.routes.catalogue import OPERATORS
from airflow_provider_emnify.sandbox.routes.endpoints import the_endpoint

_PATH = "/api/v1/endpoint/{endpoint_id}/operator_blacklist"


@serves("GET", _PATH)
def list_blacklist(call: Call) -> Body:
    """List the operators that an endpoint must not use."""
    blocked = call.state.blacklists.get(the_endpoint(call).id, ())
    fields = ("id", "name", "country", "tapcode", "mnc")
    return [{field: OPERATORS[number][field] for field in fields} for number in blocked]


serve_members(
    _PATH,
    "operator_id",
    "Operator",
    OPERATORS,
    lambda call: call.state.blacklists.setdefault(the_endpoint(call).id, []),
)
