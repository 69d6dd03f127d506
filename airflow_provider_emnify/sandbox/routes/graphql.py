"""GraphQL: ``myUser``, and an error in a good answer for anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.clock import date
from airflow_provider_emnify.sandbox.fields import text, validate
from airflow_provider_emnify.sandbox.graphql import GraphqlError, parse, select
from airflow_provider_emnify.sandbox.operations import GRAPHQL
from airflow_provider_emnify.sandbox.render import organisation_in, roles
from airflow_provider_emnify.sandbox.wire import Answer, Call, serves

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.models import User
    from airflow_provider_emnify.sandbox.state import State


@serves(*GRAPHQL)
def query(call: Call) -> Answer:
    """Answer a query; what is wrong with it stands in the ``errors`` of a 200."""
    body = call.object()
    validate(body, {"query": text(required=True, longest=100_000)}, "GraphQL", status=400)
    user = call.accounts.user_of(call.caller)
    root = {"myUser": None if user is None else _user(call.state, user)}
    try:
        return Answer(body={"data": select(root, parse(body["query"]), "Query")})
    except GraphqlError as error:
        extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
        return Answer(body={"errors": [{"message": str(error), "extensions": extensions}], "data": None})


def _user(state: State, user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "created": date(user.created),
        "status": user.status.label,
        "organisation": organisation_in(state, user.organisation_id),
        "roles": roles(user.role_ids),
    }
