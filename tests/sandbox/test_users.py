"""User accounts, their roles, activation and Workspaces."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


@pytest.fixture
def admin(sandbox: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(sandbox, {"username": sandbox.username, "password": sha1(sandbox.password)})


def test_a_created_user_is_pending_and_its_id_is_in_the_header_only(api: Api) -> None:
    created = api.post("/api/v1/user", {"username": "new@example.com", "name": "New", "roles": [{"id": 3}]})
    assert (created.status_code, created.content) == (201, b"")
    user = api.get(created.headers["Location"]).json()
    assert (user["username"], user["status"]["description"]) == ("new@example.com", "Activation pending")
    assert (user["organisation"]["id"], user["roles"]) == (100, [{"id": 3, "name": "Observer"}])


def test_a_user_is_found_by_its_username(api: Api) -> None:
    number = api.new_user()
    assert api.get("/api/v1/user/new%40example.com").json()["id"] == number
    assert api.get("/api/v1/user/nobody@example.com").status_code == 404


def test_a_username_is_unique_in_any_case(api: Api) -> None:
    api.new_user()
    again = api.post("/api/v1/user", {"username": "NEW@example.com", "name": "Again"})
    assert (again.status_code, again.json()["error_token"]) == (409, "Duplicated")


@pytest.mark.allow_openapi_violations
def test_a_422_lists_every_wrong_field(api: Api) -> None:
    answer = api.post("/api/v1/user", {"username": "no address", "roles": [{}]})
    assert (answer.status_code, answer.json()["error_code"]) == (422, 1400)
    assert [(error["error_code"], error["message"]) for error in answer.json()["errors"]] == [
        (1403, "User - username has invalid format: expecting an email address."),
        (1402, "User - name is required."),
        (1402, "User - roles[0] - id is required."),
    ]


def test_an_unknown_role_or_organisation_is_an_invalid_reference(api: Api) -> None:
    for field in ({"roles": [{"id": 9}]}, {"organisation": {"id": 9}}):
        answer = api.post("/api/v1/user", {"username": "a@example.com", "name": "A", **field})
        assert (answer.status_code, answer.json()["error_code"]) == (422, 1400)
        assert [error["error_code"] for error in answer.json()["errors"]] == [1401]


def test_users_activate_when_asked_or_by_themselves(
    sandbox: Sandbox, api: Api, make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    number = api.new_user()
    sandbox.activate_user(number)
    assert api.get(f"/api/v1/user/{number}").json()["status"] == {"id": 1, "description": "Active"}
    other = make_sandbox(activate_users_after=60)
    api = connect(other)
    number = api.new_user()
    other.clock.advance(59)
    assert api.get(f"/api/v1/user/{number}").json()["status"]["id"] == 0
    other.clock.advance(2)
    assert api.get(f"/api/v1/user/{number}").json()["status"]["id"] == 1


def test_an_activation_sets_the_password(sandbox: Sandbox, api: Api, connect: Callable[..., Api]) -> None:
    key = sandbox.state.users[api.new_user()].activation_key
    body = {"activationKey": key, "password": sha1("secret")}
    assert api.post("/api/v1/user/activation", body).status_code == 204
    assert api.post("/api/v1/user/activation", body).status_code == 400
    user = connect(sandbox, {"username": "new@example.com", "password": sha1("secret")})
    assert user.get("/api/v1/user/my").json()["username"] == "new@example.com"


def test_an_update_moves_the_status_only_where_emnify_lets_it(sandbox: Sandbox, api: Api) -> None:
    path = f"/api/v1/user/{api.new_user()}"
    assert api.patch(path, {"status": {"id": 1}}).json()["error_token"] == "NotAllowed"
    assert api.patch(path, {"status": {"id": 2}, "name": "Renamed"}).status_code == 204
    assert api.patch(path, {"status": {"id": 1}}).status_code == 204
    user = api.get(path).json()
    assert (user["name"], user["status"]["id"]) == ("Renamed", 1)
    assert api.patch(path, {"username": "other@example.com"}).status_code == 204
    assert api.get(path).json()["status"]["id"] == 0


def test_a_refused_update_changes_nothing(api: Api) -> None:
    path = f"/api/v1/user/{api.new_user()}"
    before = api.get(path).json()
    body = {"name": "Renamed", "status": {"id": 2}, "username": "admin@example.com"}
    assert api.patch(path, body).status_code == 409
    assert api.get(path).json() == before


def test_roles_come_and_go_but_the_last_stays(api: Api) -> None:
    path = f"/api/v1/user/{api.new_user()}"
    assert api.put(f"{path}/role/3").status_code == 204
    assert api.put(f"{path}/role/3").status_code == 409
    assert api.delete(f"{path}/role/1").status_code == 204
    assert api.delete(f"{path}/role/1").status_code == 404
    assert api.delete(f"{path}/role/3").status_code == 409
    assert api.put(f"{path}/role/9").status_code == 404
    assert api.get(f"{path}/role/permission").json() == {"Observer": ["read"]}


def test_a_deleted_user_is_gone_and_leaves_an_event(api: Api, admin: Api) -> None:
    number = api.new_user()
    assert admin.delete(f"/api/v1/user/{number}").status_code == 204
    assert admin.get(f"/api/v1/user/{number}").status_code == 404
    event = admin.get("/api/v1/user/my/event").json()[-1]
    assert (event["event_type"]["id"], event["user"]["id"]) == (46, 1001)
    assert api.get(f"/api/v1/user/{number}/event").json() == []


def test_users_are_filtered_and_sorted(api: Api) -> None:
    for name in ("b@example.com", "a@example.com"):
        api.new_user(name)

    def names(**params: str) -> list[str]:
        return [user["username"] for user in api.get("/api/v1/user", **params).json()]

    assert names(q="status:0") == ["b@example.com", "a@example.com"]
    assert names(q="status:0", sort="username") == ["a@example.com", "b@example.com"]
    assert names(q="username:b@example.com,status:0") == ["b@example.com"]
    assert api.get("/api/v1/user", q="shoe_size:7").json()["error_code"] == 1301
    assert api.get("/api/v1/user", sort="shoe_size").json()["error_code"] == 1302


def test_a_password_changes_with_the_old_one_only(sandbox: Sandbox, api: Api, admin: Api) -> None:
    new = {"new_password": sha1("new")}
    path = "/api/v1/user/password"
    assert admin.patch(path, {"old_password": sha1("wrong"), **new}).status_code == 422
    assert admin.patch(path, {"old_password": sha1(sandbox.password), **new}).status_code == 204
    assert api.patch(path, {"old_password": sha1("new"), **new}).status_code == 403


def test_an_mfa_key_is_created_activated_and_deleted(admin: Api) -> None:
    body = {"type": {"id": 1}, "password": sha1("sandbox-password")}
    key = admin.post("/api/v1/user/mfa", body).json()
    assert {"secret_key", "otpauth"} <= set(key)
    path = f"/api/v1/user/mfa/{key['id']}"
    assert admin.patch(path, {"status": {"id": 1}, "code": "000000"}).status_code == 422
    assert admin.patch(path, {"status": {"id": 1}, "code": "123456"}).status_code == 204
    assert admin.post("/api/v1/user/mfa", body).status_code == 409
    assert admin.get("/api/v1/user/my").json()["mfa"][0]["status"]["description"] == "Active"
    assert admin.delete(f"/api/v1/user/my/mfa/{key['id']}").status_code == 204
    assert admin.delete(f"/api/v1/user/my/mfa/{key['id']}").status_code == 404


def test_an_invited_user_is_created_once_and_then_added(api: Api) -> None:
    body = {"username": "guest@example.com", "name": "Guest", "roles": [{"id": 2}]}
    invited = api.post("/api/v2/user/invitation", body)
    assert (invited.status_code, invited.json()["roles"]) == (201, [{"id": 2, "name": "User"}])
    assert api.post("/api/v2/user/invitation", body).status_code == 409
    again = api.post("/api/v2/user/invitation", {**body, "organisation": {"id": 101}})
    assert again.json()["id"] == invited.json()["id"]
    spaces = api.get(f"/api/v2/user/{invited.json()['id']}/workspace").json()
    assert [(space["id"], space["default_workspace"]) for space in spaces] == [(100, True), (101, False)]


def test_memberships_in_workspaces_can_be_changed(api: Api) -> None:
    path = "/api/v2/user/1001/workspace"
    assert api.patch(f"{path}/101", {"status": {"id": 2}}).status_code == 204
    assert api.put(f"{path}/101/role/3").status_code == 204
    assert api.put(f"{path}/101/role/3").status_code == 400
    assert api.delete(f"{path}/101/role/1").status_code == 204
    assert api.delete(f"{path}/101/role/3").status_code == 400
    assert api.put("/api/v2/user/1001/default_organisation/101").status_code == 200
    assert api.delete(f"{path}/101").status_code == 204
    assert api.delete(f"{path}/101").status_code == 404
    assert api.delete(f"{path}/100").status_code == 403


def test_a_support_token_acts_as_the_user(api: Api) -> None:
    created = api.post("/api/v2/user/1001/support_token", {"role": "3"})
    assert created.status_code == 201
    api.session.headers["Authorization"] = f"Bearer {created.json()['support_token']}"
    assert api.get("/api/v1/user/my").json()["id"] == 1001
