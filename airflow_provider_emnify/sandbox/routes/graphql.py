"""GraphQL: ``myUser`` and ``users`` in pages; any error stands in a 200 answer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.http.fields import text
from airflow_provider_emnify.sandbox.http.wire import GRAPHQL, Body, Call, serves
from airflow_provider_emnify.sandbox.routes.users import user_details

if TYPE_CHECKING:
    from graphql import GraphQLSchema

    from airflow_provider_emnify.sandbox.world.records.accounts import User
    from airflow_provider_emnify.sandbox.world.state import State

_PAGE, _MOST = 100, 1000
_TYPES = """
type Query { myUser: User, users(page: Int, per_page: Int): UserPage! }
type UserPage { items: [User!]!, meta: Meta! }
type Meta { count: Int!, per_page: Int!, pages: Int! }
type User {
  id: Int!, username: String!, name: String!, created: String!, status: String!
  organisation: Organisation!, roles: [Role!]!
}
type Organisation { id: Int!, name: String! }
type Role { id: Int!, name: String! }
"""


@cache
def _schema() -> GraphQLSchema:
    from graphql import build_schema

    return build_schema(_TYPES)


@serves(*GRAPHQL)
def query(call: Call) -> Body:
    """Answer a query; what is wrong with it stands in the ``errors`` of a 200."""
    from graphql import graphql_sync

    body = call.checked({"query": text(required=True, longest=100_000)}, "GraphQL", status=400)
    user = call.state.caller
    root = {
        "myUser": None if user is None else _user(call.state, user),
        "users": lambda _, **arguments: _users(call.state, **arguments),
    }
    variables, operation = body.get("variables"), body.get("operationName")
    variables = variables if isinstance(variables, dict) else {}
    operation = operation if isinstance(operation, str) else None
    try:
        result = graphql_sync(
            _schema(), body["query"], root, variable_values=variables, operation_name=operation
        )
    except RecursionError:
        return {"data": None, "errors": [_error({"message": "The query is nested too deeply."})]}
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(error.formatted) for error in result.errors]
    return answer


def _error(error: Any) -> dict[str, Any]:
    return {**error, "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}


def _users(state: State, page: int | None = None, per_page: int | None = None) -> dict[str, Any]:
    """Return a page of the users, with how many there are; a page beyond the last is the last."""
    users = [state.users[key] for key in sorted(state.users)]
    size = min(max(per_page or _PAGE, 1), _MOST)
    pages = -(-len(users) // size)
    begin = (max(min(page or 1, pages), 1) - 1) * size
    return {
        "items": [_user(state, user) for user in users[begin : begin + size]],
        "meta": {"count": len(users), "per_page": size, "pages": pages},
    }


def _user(state: State, user: User) -> dict[str, Any]:
    return {**user_details(state, user), "status": user.status.label}
