"""The auth token: one authentication, renewal in time, 401s, rejected credentials, users and Workspaces."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api import Credentials, EmnifyAuthenticationError, EmnifyServerError
from airflow_provider_emnify.api.transport.auth_token import AuthToken
from tests.api.support import (
    APPLICATION_TOKEN,
    AUTHENTICATE,
    PASSWORD,
    THING,
    URL,
    WORKSPACE,
    Clock,
    created,
    make_client,
    make_token,
    threaded_server,
    user_credentials,
)

if TYPE_CHECKING:
    from email.message import Message

    import requests_mock as rm


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    requests_mock.get(URL + THING, json={"id": 7, "name": "Acme"})
    return requests_mock


def calls(api: rm.Mocker, path: str) -> list:
    return [request for request in api.request_history if request.path == path]


def authentications(api: rm.Mocker) -> list:
    return [request.json() for request in calls(api, "/api/v1/authenticate")]


def test_one_authentication_however_many_requests(api: rm.Mocker) -> None:
    token = make_token()
    api.post(AUTHENTICATE, json={"auth_token": token})
    client = make_client()
    for _ in range(20):
        client.request("GET", THING)
    assert authentications(api) == [{"application_token": APPLICATION_TOKEN}]
    assert {request.headers["Authorization"] for request in calls(api, THING)} == {f"Bearer {token}"}
    assert client.stats.authentications == 1
    assert client.stats.requests == 21


def test_the_application_token_goes_to_the_one_path_only(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    make_client().request("GET", THING)
    for request in calls(api, THING):
        assert APPLICATION_TOKEN not in str(request.headers) + request.url
    assert "Authorization" not in calls(api, "/api/v1/authenticate")[0].headers


def test_a_token_is_renewed_before_it_ends(api: rm.Mocker) -> None:
    first, second = make_token(14_400), make_token(14_400, issued=1_700_010_000)
    api.post(AUTHENTICATE, [{"json": {"auth_token": first}}, {"json": {"auth_token": second}}])
    clock = Clock()
    client = make_client(clock=clock)
    client.request("GET", THING)
    clock.now += 14_400 - 121
    client.request("GET", THING)
    assert len(authentications(api)) == 1
    clock.now += 2
    client.request("GET", THING)
    assert len(authentications(api)) == 2
    assert calls(api, THING)[-1].headers["Authorization"] == f"Bearer {second}"


@pytest.mark.parametrize("hours", [-12, 0, 12])
def test_a_clock_that_is_wrong_changes_nothing(api: rm.Mocker, hours: int) -> None:
    api.post(AUTHENTICATE, json={"auth_token": make_token(14_400, issued=1_700_000_000)})
    clock = Clock()
    with time_machine.travel(1_700_000_000 + hours * 3600, tick=False):
        client = make_client(clock=clock)
        client.request("GET", THING)
        clock.now += 14_200
        client.request("GET", THING)
        assert len(authentications(api)) == 1
        clock.now += 100
        client.request("GET", THING)
        assert len(authentications(api)) == 2


@pytest.mark.parametrize(
    "token", [make_token(None), "no-jwt-at-all", make_token(-5)], ids=["no exp", "no JWT", "ended"]
)
def test_a_token_of_unknown_life_works_until_a_401(api: rm.Mocker, token: str) -> None:
    fresh = make_token()
    api.post(AUTHENTICATE, [{"json": {"auth_token": token}}, {"json": {"auth_token": fresh}}])
    clock = Clock()
    client = make_client(clock=clock)
    client.request("GET", THING)
    clock.now += 10**7
    client.request("GET", THING)
    assert len(authentications(api)) == 1
    api.get(URL + THING, [{"status_code": 401}, {"json": {"id": 7}}])
    assert client.request("GET", THING) == {"id": 7}
    assert len(authentications(api)) == 2


@given(life=st.floats(1, 10**6), age=st.floats(0, 10**6), start=st.floats(0, 10**6))
def test_a_token_is_due_exactly_in_the_last_part_of_its_life(life: float, age: float, start: float) -> None:
    issued = 1_700_000_000
    token = AuthToken.arrived(make_token(int(life) + 1, issued=issued), start)
    lasts = int(life) + 1
    lead = min(120, lasts * 0.1)
    assert token.renew_at is not None
    assert token.renew_at == pytest.approx(start + lasts - lead)
    assert token.is_due(start + age) == (start + age >= token.renew_at)


def test_a_401_costs_one_new_token_and_one_replay(api: rm.Mocker) -> None:
    first, second = make_token(), make_token(issued=1_700_000_001)
    api.post(AUTHENTICATE, [{"json": {"auth_token": first}}, {"json": {"auth_token": second}}])
    gateway = {"message": "token contains an invalid number of segments"}
    headers = {"x-amzn-ErrorType": "AccessDeniedException"}
    api.get(URL + THING, [{"status_code": 401, "json": gateway, "headers": headers}, {"json": {"id": 7}}])
    assert make_client().request("GET", THING) == {"id": 7}
    sent = [request.headers["Authorization"] for request in calls(api, THING)]
    assert sent == [f"Bearer {first}", f"Bearer {second}"]


def test_a_post_is_replayed_after_a_401_too(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    made = {"status_code": 201, "headers": {"Location": "/api/v1/user/5"}}
    api.post(URL + "/api/v1/user", [{"status_code": 401}, made])
    assert created("/api/v1/user", json={})["id"] == 5


def test_a_second_401_is_an_error(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    body = {"error_code": 1102, "error_token": "InvalidToken", "message": "bad"}
    api.get(URL + THING, status_code=401, json=body)
    with pytest.raises(EmnifyAuthenticationError, match="InvalidToken"):
        make_client().request("GET", THING)
    assert len(calls(api, THING)) == 2
    assert len(authentications(api)) == 2


def test_eight_threads_that_meet_a_401_cause_one_authentication() -> None:
    old, new = make_token(), make_token(issued=1_700_000_001)
    tokens = iter([old, new])
    together = threading.Barrier(8)

    def answer(method: str, path: str, headers: Message) -> tuple[int, object]:
        if method == "POST":
            return 200, {"auth_token": next(tokens)}
        if headers["Authorization"] == f"Bearer {old}":
            together.wait(timeout=20)  # all eight are refused with the same token
            return 401, {}
        return 200, {"id": 7}

    with threaded_server(answer) as url:
        client = make_client(base_url=url)
        client.authenticate()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.request("GET", THING), range(8)))
        client.close()
    assert answers == [{"id": 7}] * 8
    assert client.stats.authentications == 2
    assert next(tokens, None) is None


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_rejected_credential_is_tried_once_ever(api: rm.Mocker, status: int) -> None:
    body = {} if status == 401 else {"json": {"error_code": 1101, "error_token": "InvalidCredentials"}}
    api.post(AUTHENTICATE, status_code=status, **body)
    client = make_client()
    for _ in range(3):
        with pytest.raises(EmnifyAuthenticationError, match="application token was rejected"):
            client.request("GET", THING)
    assert len(authentications(api)) == 1
    assert not calls(api, THING)


def test_a_locked_account_is_reported_as_such(api: rm.Mocker) -> None:
    body = {"error_code": 1105, "error_token": "TooManyRequests", "message": "Too many attempts"}
    api.post(AUTHENTICATE, status_code=401, json=body)
    with pytest.raises(EmnifyAuthenticationError, match="locked for five minutes"):
        make_client().authenticate()
    assert len(authentications(api)) == 1


def test_a_server_error_while_authenticating_is_no_rejection(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, [{"status_code": 503}] * 2 + [{"json": {"auth_token": make_token()}}])
    client = make_client(max_retries=1)
    with pytest.raises(EmnifyServerError):
        client.request("GET", THING)
    assert client.request("GET", THING)["id"] == 7


def test_a_user_sends_the_sha1_of_the_password(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, json={"auth_token": make_token(), "refresh_token": "refresh-1"})
    make_client(user_credentials(fingerprint="device-1")).request("GET", THING)
    digest = hashlib.sha1(PASSWORD.encode()).hexdigest()
    assert authentications(api) == [
        {"username": "ann@example.org", "password": digest, "fingerprint": "device-1"}
    ]


def test_a_user_renews_by_the_refresh_token_and_when_that_is_refused_by_the_password(api: rm.Mocker) -> None:
    api.post(
        AUTHENTICATE,
        [
            {"json": {"auth_token": make_token(), "refresh_token": "refresh-1"}},
            {"json": {"auth_token": make_token(issued=1_700_000_001)}},
            {"status_code": 401},
            {"json": {"auth_token": make_token(issued=1_700_000_002), "refresh_token": "refresh-2"}},
            {"json": {"auth_token": make_token(issued=1_700_000_003)}},
        ],
    )
    clock = Clock()
    client = make_client(user_credentials(), clock=clock)
    for _ in range(4):
        client.request("GET", THING)
        clock.now += 14_400
    kinds = ["refresh_token" if "refresh_token" in body else "password" for body in authentications(api)]
    assert kinds == ["password", "refresh_token", "refresh_token", "password", "refresh_token"][: len(kinds)]
    assert kinds[:4] == ["password", "refresh_token", "refresh_token", "password"]
    client.request("GET", THING)
    assert authentications(api)[-1] == {"refresh_token": "refresh-2"}


def test_a_workspace_is_switched_to_after_each_authentication(api: rm.Mocker) -> None:
    own, switched = make_token(), make_token(**{"esc.org": 99})
    api.post(AUTHENTICATE, json={"auth_token": own, "refresh_token": "refresh-1"})
    api.post(WORKSPACE, json={"auth_token": switched})
    clock = Clock()
    client = make_client(user_credentials(workspace_id=99), clock=clock)
    client.request("GET", THING)
    clock.now += 14_400
    client.request("GET", THING)
    switches = calls(api, "/api/v1/authenticate/workspace")
    assert [request.json() for request in switches] == [{"target_organisation": {"id": 99}}] * 2
    assert {request.headers["Authorization"] for request in switches} == {f"Bearer {own}"}
    assert {request.headers["Authorization"] for request in calls(api, THING)} == {f"Bearer {switched}"}
    assert client.token_info()["organisation_id"] == 99


def test_an_answer_with_only_an_mfa_token_says_how_to_register_a_device(api: rm.Mocker) -> None:
    api.post(AUTHENTICATE, json={"mfa_token": "mfa-secret"})
    client = make_client(user_credentials())
    for _ in range(2):
        with pytest.raises(EmnifyAuthenticationError, match=r"trusted device.*fingerprint") as caught:
            client.authenticate()
        assert "mfa-secret" not in str(caught.value)
    assert len(authentications(api)) == 1


@pytest.mark.parametrize(
    "body", [{}, [], "text", {"auth_token": ""}, {"auth_token": 5}, {"auth_token": "a b\n"}]
)
def test_an_answer_without_a_usable_token_is_an_error(api: rm.Mocker, body: object) -> None:
    api.post(AUTHENTICATE, json=body)
    with pytest.raises(EmnifyServerError, match="auth_token"):
        make_client(max_retries=0).authenticate()
    api.post(AUTHENTICATE, [{"json": body}, {"json": {"auth_token": make_token()}}])
    make_client().authenticate()


def test_token_info_is_free_of_secrets_and_sends_nothing_more(api: rm.Mocker) -> None:
    token = make_token()
    api.post(AUTHENTICATE, json={"auth_token": token})
    client = make_client()
    client.authenticate()
    with time_machine.travel(1_700_000_100, tick=False):
        info = client.token_info()
    assert info == {
        "organisation_id": 7,
        "organisation": "Acme",
        "application_id": 11,
        "user_id": None,
        "user": None,
        "issued_at": "2023-11-14T22:13:20+00:00",
        "expires_at": "2023-11-15T02:13:20+00:00",
        "seconds_left": 14_300,
    }
    assert len(api.request_history) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "application_token is missing"),
        ({"application_token": "a", "username": "u", "password": "p"}, "not both"),
        ({"username": "u"}, "password is missing"),
        ({"application_token": "a", "workspace_id": 3}, "workspace_id needs user credentials"),
        ({"application_token": "a", "fingerprint": "f"}, "fingerprint needs user credentials"),
    ],
)
def test_credentials_that_do_not_add_up_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Credentials(**arguments)
