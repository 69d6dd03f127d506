"""Application tokens, GraphQL, and what a user may ask about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.sandbox.telling import ADMIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

TOKENS = "/api/v1/application_token"


def authenticate(sandbox: Sandbox, token: str) -> int:
    body = {"application_token": token}
    return requests.post(f"{sandbox.url}/api/v1/authenticate", json=body, timeout=10).status_code


def test_an_application_token_is_shown_once_and_revoked(sandbox: Sandbox, api: Api) -> None:
    made = api.post(TOKENS, {"description": "etl"})
    assert made.status_code == 200
    token = made.json()["application_token"]
    assert token in sandbox.secrets
    assert authenticate(sandbox, token) == 200
    rows = api.get(TOKENS).json()
    assert [row["description"] for row in rows] == ["Sandbox", "etl"]
    assert token not in api.get(TOKENS).text
    assert api.patch(f"{TOKENS}/{rows[-1]['id']}", {"status": {"id": 1}}).status_code == 204
    assert authenticate(sandbox, token) == 401
    assert api.get(TOKENS).json()[-1]["status"] == {"id": 1, "description": "Revoked"}
    assert api.get(TOKENS).status_code == 200


def test_an_application_token_expires(sandbox: Sandbox, api: Api) -> None:
    sandbox_day = api.get(TOKENS).json()[0]["created"][:10]
    body = {"description": "etl", "expiry_date": f"{int(sandbox_day[:4]) + 1}-01-01T00:00:00Z"}
    token = api.post(TOKENS, body).json()["application_token"]
    assert authenticate(sandbox, token) == 200
    sandbox.clock.advance(400 * 86_400)
    assert authenticate(sandbox, token) == 401


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    "body", [{"description": 7}, {"expiry_date": "2001-01-01"}, {"expiry_date": "soon"}, {"ip": "here"}]
)
def test_a_bad_application_token_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert api.post(TOKENS, body).status_code == 422


def ask(api: Api, query: str) -> Any:
    answer = api.post("/graphql", {"query": query, "variables": {}})
    assert answer.status_code == 200
    return answer.json()


def test_graphql_tells_of_the_own_user(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    api = connect(sandbox, ADMIN)
    query = "query Me { me: myUser { username organisation { id name } roles { name } } }"
    assert ask(api, query) == {
        "data": {
            "me": {
                "username": "admin@example.com",
                "organisation": {"id": 100, "name": "Sandbox"},
                "roles": [{"name": "Administrator"}],
            }
        }
    }
    assert ask(api, "{ myUser { __typename # comment\n name } }")["data"]["myUser"]["__typename"] == "User"


def test_graphql_has_no_user_for_an_application(api: Api) -> None:
    assert ask(api, "{ myUser { username } }") == {"data": {"myUser": None}}


def test_graphql_gives_users_in_pages(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    api = connect(sandbox, ADMIN)
    names = ["admin@example.com", *(f"u{number}@example.com" for number in range(3))]
    for name in names[1:]:
        api.new_user(name)
    query = """
      fragment Row on User { username }
      query Page($page: Int) { users(page: $page, per_page: 3) { items { ...Row } meta { count pages } } }
      query Other { myUser { id } }
    """
    for page, expected in ((1, names[:3]), (2, names[3:]), (9, names[3:])):
        body = {"query": query, "variables": {"page": page}, "operationName": "Page"}
        users = api.post("/graphql", body).json()["data"]["users"]
        assert [row["username"] for row in users["items"]] == expected
        assert users["meta"] == {"count": 4, "pages": 2}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ endpoints { id } }", "Cannot query field 'endpoints' on type 'Query'."),
        ("{ myUser { secret } }", "Cannot query field 'secret' on type 'User'."),
        ("{ myUser }", "must have a selection of subfields"),
        ("{ myUser { username { x } } }", "must not have a selection"),
        ("{ users(colour: 1) { meta { count } } }", "Unknown argument 'colour'"),
        ('{ users(page: "1") { meta { count } } }', "Int cannot represent"),
        ("mutation { deleteAll }", "mutation"),
        ("{ myUser { username }", "<EOF>"),
        ("{ myUser { ...F } }", "Unknown fragment 'F'"),
        ("query ($x: Int) { myUser { id } }", "'$x' is never used"),
        ("{ a } }", "Unexpected '}'"),
        ("%", "Unexpected character"),
        ("", "<EOF>"),
        ("{a" * 40_000, "too deep"),
    ],
)
def test_what_graphql_cannot_answer_is_an_error_in_a_200(
    sandbox: Sandbox, connect: Callable[..., Api], query: str, message: str
) -> None:
    told = ask(connect(sandbox, ADMIN), query)
    assert told["data"] is None
    assert message in told["errors"][0]["message"]


def test_graphql_needs_a_token_and_a_query(api: Api) -> None:
    assert api.post("/graphql", {"variables": {}}).status_code == 400
    del api.session.headers["Authorization"]
    assert api.post("/graphql", {"query": "{ myUser { id } }"}).status_code == 401


def test_a_user_asks_about_itself_as_my(sandbox: Sandbox, connect: Callable[..., Api]) -> None:
    api = connect(sandbox, ADMIN)
    api.post("/api/v2/user/1001/support_token", {"role": "1"})
    events = api.get("/api/v1/user/my/event").json()
    assert [event["event_type"]["description"] for event in events] == ["Support Access"]
    assert api.get("/api/v1/user/my/role/permission").json() == {
        "Administrator": ["read", "write", "administer"]
    }
