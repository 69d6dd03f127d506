"""Network operators, and those that an endpoint must not use."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.http.answers import ApiError, not_found
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


@serves("PUT", _PATH + "/{operator_id}")
def block_operator(call: Call) -> None:
    """Put an operator on the blacklist of an endpoint."""
    endpoint, number = the_endpoint(call), call.id("operator_id", "Operator")
    if number not in OPERATORS:
        raise not_found("Operator", number)
    blocked = call.state.blacklists.setdefault(endpoint.id, [])
    if number in blocked:
        raise ApiError("Duplicated", f"Operator {number} is on the blacklist already.")
    blocked.append(number)


@serves("DELETE", _PATH + "/{operator_id}")
def unblock_operator(call: Call) -> None:
    """Take an operator from the blacklist of an endpoint."""
    endpoint, number = the_endpoint(call), call.id("operator_id", "Operator")
    blocked = call.state.blacklists.get(endpoint.id, [])
    if number not in blocked:
        raise not_found("Operator", number)
    blocked.remove(number)
