"""Credentials and tokens, as emnify deals in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import jwt
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

AUTHENTICATE = "/api/v1/authenticate"


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def authenticate(sandbox: Sandbox, **body: object) -> requests.Response:
    return requests.post(sandbox.url + AUTHENTICATE, json=body, timeout=10)


def password_of(sandbox: Sandbox) -> dict[str, str]:
    return {"username": sandbox.username, "password": sha1(sandbox.password)}


def test_an_application_token_gives_a_jwt_and_no_refresh_token(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(token_life=600)
    answer = authenticate(sandbox, application_token=sandbox.application_token)
    assert (answer.status_code, set(answer.json())) == (200, {"auth_token"})
    token = answer.json()["auth_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token)["alg"] == "HS384"
    assert claims["exp"] - claims["iat"] == 600
    assert {"aud", "iss", "esc.app", "esc.org", "esc.orgName", "api_key"} <= set(claims)
    assert "sub" not in claims


def test_a_password_gives_both_tokens_and_the_refresh_token_one(sandbox: Sandbox) -> None:
    tokens = authenticate(sandbox, **password_of(sandbox)).json()
    assert set(tokens) == {"auth_token", "refresh_token"}
    assert jwt.decode(tokens["auth_token"], options={"verify_signature": False})["esc.user"] == 1001
    refreshed = authenticate(sandbox, refresh_token=tokens["refresh_token"])
    assert (refreshed.status_code, set(refreshed.json())) == (200, {"auth_token"})


@pytest.mark.parametrize(
    "body",
    [
        {"application_token": "wrong"},
        {"username": "admin@example.com", "password": "wrong"},
        {"username": "nobody@example.com", "password": "wrong"},
        {"refresh_token": "wrong"},
        {"mfa_token": "wrong", "code": "123456"},
    ],
)
def test_a_rejected_credential_gets_an_empty_401(sandbox: Sandbox, body: dict[str, str]) -> None:
    answer = authenticate(sandbox, **body)
    assert (answer.status_code, answer.content) == (401, b"")


def test_three_rejections_in_a_row_lock_the_account_for_five_minutes(sandbox: Sandbox) -> None:
    for _ in range(3):
        assert authenticate(sandbox, username=sandbox.username, password="wrong").content == b""
    locked = authenticate(sandbox, **password_of(sandbox))
    assert (locked.status_code, locked.json()["error_token"]) == (401, "TooManyRequests")
    sandbox.clock.advance(300)
    assert authenticate(sandbox, **password_of(sandbox)).status_code == 200


def test_a_success_ends_the_row_of_rejections(sandbox: Sandbox) -> None:
    for password in ("wrong", "wrong", sandbox.password, "wrong", "wrong", sandbox.password):
        last = authenticate(sandbox, username=sandbox.username, password=sha1(password))
    assert last.status_code == 200


def test_a_revoked_application_token_is_rejected_and_its_auth_tokens_live_on(
    sandbox: Sandbox, api: Api
) -> None:
    from airflow_provider_emnify.api.enums import ApplicationTokenStatus

    next(iter(sandbox.state.application_tokens.values())).status = ApplicationTokenStatus.REVOKED
    assert authenticate(sandbox, application_token=sandbox.application_token).status_code == 401
    assert api.get("/api/v1/organisation/my").status_code == 200


def test_an_expired_token_gets_the_gateways_401(sandbox: Sandbox, api: Api) -> None:
    sandbox.clock.advance(14_401)
    answer = api.get("/api/v1/organisation/my")
    assert answer.status_code == 401
    assert answer.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert set(answer.json()) == {"message"}


@pytest.mark.parametrize(("advance", "code"), [(0, 1102), (14_401, 1103)])
def test_the_401_comes_in_the_apis_own_form_if_asked(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], advance: float, code: int
) -> None:
    sandbox = make_sandbox(unauthorized="api")
    api = connect(sandbox)
    sandbox.clock.advance(advance)
    if not advance:
        sandbox.revoke_tokens()
    answer = api.get("/api/v1/organisation/my")
    assert (answer.status_code, answer.json()["error_code"]) == (401, code)


@pytest.mark.parametrize("form", ["no-exp", "opaque"])
def test_tokens_of_another_form_work_until_they_are_revoked(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], form: str
) -> None:
    sandbox = make_sandbox(token_form=form)
    api = connect(sandbox)
    assert api.get("/api/v1/organisation/my").status_code == 200
    if form == "no-exp":
        assert "exp" not in jwt.decode(api.token, options={"verify_signature": False})
    else:
        with pytest.raises(jwt.DecodeError):
            jwt.decode(api.token, options={"verify_signature": False})
    sandbox.revoke_tokens()
    assert api.get("/api/v1/organisation/my").status_code == 401


def test_a_second_factor_is_asked_for_until_the_device_is_trusted(
    make_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = make_sandbox(mfa=True)
    first = authenticate(sandbox, **password_of(sandbox), fingerprint="f1").json()
    assert set(first) == {"mfa_token"}
    assert authenticate(sandbox, mfa_token=first["mfa_token"], code="000000").status_code == 401
    device = {"fingerprint": "f1", "operating_system": "Linux", "browser": "none", "name": "worker"}
    second = authenticate(sandbox, mfa_token=first["mfa_token"], code="123456", trusted_device=device).json()
    assert set(second) == {"auth_token", "refresh_token"}
    assert "auth_token" in authenticate(sandbox, **password_of(sandbox), fingerprint="f1").json()
    assert "mfa_token" in authenticate(sandbox, **password_of(sandbox), fingerprint="f2").json()
    sandbox.clock.advance(91 * 86_400)
    assert "mfa_token" in authenticate(sandbox, **password_of(sandbox), fingerprint="f1").json()


def test_a_user_can_switch_the_workspace_and_an_application_cannot(
    sandbox: Sandbox, api: Api, connect: Callable[..., Api]
) -> None:
    user = connect(sandbox, password_of(sandbox))
    switched = user.post("/api/v1/authenticate/workspace", {"target_organisation": {"id": 101}})
    user.session.headers["Authorization"] = f"Bearer {switched.json()['auth_token']}"
    assert user.get("/api/v1/organisation/my").json()["name"] == "Second Workspace"
    assert api.post("/api/v1/authenticate/workspace", {"target_organisation": {"id": 101}}).status_code == 403


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"application_token": 7}'])
def test_a_body_without_a_credential_gets_400(sandbox: Sandbox, body: str) -> None:
    answer = requests.post(sandbox.url + AUTHENTICATE, data=body, timeout=10)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 1000)
