"""GraphQL: ``myUser``, ``users`` in pages, and an error in a good answer for anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.answer import Answer
from airflow_provider_emnify.sandbox.http.fields import text, validate
from airflow_provider_emnify.sandbox.http.graphql import GraphqlError, parse, select
from airflow_provider_emnify.sandbox.http.operations import GRAPHQL
from airflow_provider_emnify.sandbox.http.wire import Call, serves
from airflow_provider_emnify.sandbox.routes.render import organisation_in, roles
from airflow_provider_emnify.sandbox.world.clock import date

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.records.accounts import User
    from airflow_provider_emnify.sandbox.world.state import State

_PAGE, _MOST = 100, 1000


@serves(*GRAPHQL)
def query(call: Call) -> Answer:
    """Answer a query; what is wrong with it stands in the ``errors`` of a 200."""
    body = call.object()
    validate(body, {"query": text(required=True, longest=100_000)}, "GraphQL", status=400)
    user = call.accounts.user_of(call.caller)
    root = {
        "myUser": None if user is None else _user(call.state, user),
        "users": lambda arguments: _users(call.state, arguments),
    }
    variables = body.get("variables")
    values = variables if isinstance(variables, dict) else {}
    try:
        return Answer(body={"data": select(root, parse(body["query"]), "Query", values)})
    except GraphqlError as error:
        extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
        return Answer(body={"errors": [{"message": str(error), "extensions": extensions}], "data": None})


def _users(state: State, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the users, with how many there are; a page beyond the last is the last."""
    for name, value in arguments.items():
        if name not in {"page", "per_page"}:
            raise GraphqlError(f"Argument '{name}' is not one that the sandbox knows.")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise GraphqlError(f"Argument '{name}' must be an Int.")
    users = [state.users[key] for key in sorted(state.users)]
    size = min(max(arguments.get("per_page") or _PAGE, 1), _MOST)
    pages = -(-len(users) // size)
    begin = (max(min(arguments.get("page") or 1, pages), 1) - 1) * size
    return {
        "items": [_user(state, user) for user in users[begin : begin + size]],
        "meta": {"count": len(users), "per_page": size, "pages": pages},
    }


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
