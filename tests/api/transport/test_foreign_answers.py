"""What is not emnify's own answer to an authentication rejects nothing, locks nothing and shows nothing."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jwt
import pytest
import requests
import time_machine

from airflow_provider_emnify.api import EmnifyAuthenticationError, EmnifyError, EmnifyServerError
from airflow_provider_emnify.api.secrets.redaction import Redactor
from airflow_provider_emnify.api.transport.auth_token import AuthToken
from airflow_provider_emnify.api.transport.token_cache import TokenCache
from tests.api.support import (
    AUTHENTICATE,
    THING,
    URL,
    Clock,
    Sleeps,
    make_client,
    make_token,
    user_credentials,
)
from tests.api.transport.test_token_cache import CREDENTIALS, sharing

if TYPE_CHECKING:
    from pathlib import Path

    import requests_mock as rm

    from airflow_provider_emnify.api import EmnifyClient

HTML = {"Content-Type": "text/html"}
GOOD = {"json": {"auth_token": make_token()}}
FOREIGN: dict[str, dict[str, Any]] = {
    "empty": {"text": ""},
    "204": {"status_code": 204},
    "HTML 200": {"text": "<html>Log in</html>", "headers": HTML},
    "HTML 403": {"status_code": 403, "text": "<html>Blocked</html>", "headers": HTML},
    "403 without a body": {"status_code": 403},
    "400 of a gateway": {"status_code": 400, "json": {"message": "Bad"}},
    "404": {"status_code": 404, "text": "no such page"},
    "cut": {"text": '{"auth_token": "' + make_token()[:60]},
    "a banner": {"text": json.dumps(GOOD["json"]) + "<!-- scanned -->"},
    "a list": {"json": [GOOD["json"]]},
    "no token": {"json": {}},
    "a number": {"json": {"auth_token": 5}},
    "echo": {"status_code": 500, "text": make_token()},
}


def logins(api: rm.Mocker) -> int:
    return sum(request.path == "/api/v1/authenticate" for request in api.request_history)


@pytest.mark.parametrize("answer", FOREIGN)
def test_a_foreign_answer_is_a_server_error_that_nobody_remembers(
    requests_mock: rm.Mocker, answer: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    requests_mock.get(URL + THING, json={"id": 7})
    requests_mock.post(AUTHENTICATE, **FOREIGN[answer])
    with pytest.raises(EmnifyServerError) as caught:
        sharing(tmp_path, max_retries=1).authenticate()
    assert caught.value.transient
    assert logins(requests_mock) == 2
    assert TokenCache(CREDENTIALS, URL, tmp_path).load() is None
    assert "eyJ" not in f"{caught.value!r} {caught.value.__dict__} {caplog.text}"
    requests_mock.post(AUTHENTICATE, [FOREIGN[answer], GOOD])
    assert sharing(tmp_path).request("GET", THING) == {"id": 7}


LOST = {**FOREIGN, "timeout": {"exc": requests.ReadTimeout}, "reset": {"exc": requests.ConnectionError}}


@pytest.mark.parametrize("answer", LOST)
def test_a_users_password_is_sent_twice_at_most_while_answers_are_lost(
    requests_mock: rm.Mocker, answer: str
) -> None:
    requests_mock.post(AUTHENTICATE, **LOST[answer])
    sleeps = Sleeps()
    client = make_client(user_credentials(), sleep=sleeps)
    for _ in range(4):
        with pytest.raises(EmnifyError, match="not sent a third time") as caught:
            client.request("GET", THING)
        assert not caught.value.transient  # a retry of the task would send two more
    assert logins(requests_mock) == 2
    assert len(sleeps) == 1
    requests_mock.post(AUTHENTICATE, [LOST[answer], {"status_code": 401}])
    with pytest.raises(EmnifyAuthenticationError, match="rejected"):
        make_client(user_credentials()).authenticate()
    assert logins(requests_mock) == 4


def telling(directory: Path) -> EmnifyClient:
    cache = TokenCache(user_credentials(), URL, directory, keeps_tokens=False)
    return make_client(user_credentials(), token_cache=cache, sleep=Sleeps())


def test_lost_logins_of_a_user_count_for_all_tasks_of_a_host(
    requests_mock: rm.Mocker, tmp_path: Path
) -> None:
    requests_mock.get(URL + THING, json={"id": 7})
    requests_mock.post(AUTHENTICATE, exc=requests.ReadTimeout)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for expected in (False, True, True):  # who has sent none may try again later
            with pytest.raises(EmnifyServerError, match="not sent a third time") as caught:
                telling(tmp_path).request("GET", THING)
            assert caught.value.transient is expected
        assert logins(requests_mock) == 2
        requests_mock.post(AUTHENTICATE, [GOOD, {"exc": requests.ReadTimeout}, GOOD])
        clock.shift(301)
        assert telling(tmp_path).request("GET", THING) == {"id": 7}
        assert telling(tmp_path).request("GET", THING) == {"id": 7}  # of a right password none counts
        assert logins(requests_mock) == 5


def test_a_login_that_a_killed_task_has_lost_counts(requests_mock: rm.Mocker, tmp_path: Path) -> None:
    requests_mock.post(AUTHENTICATE, exc=requests.ReadTimeout)
    TokenCache(user_credentials(), URL, tmp_path, keeps_tokens=False).store(lost=1)
    with pytest.raises(EmnifyServerError, match="not sent a third time"):
        telling(tmp_path).request("GET", THING)
    assert logins(requests_mock) == 1


@pytest.mark.parametrize("accepted", [False, True], ids=["never accepted", "accepted before"])
def test_a_password_gets_new_tries_after_a_lock_s_time_only_if_it_was_right(
    requests_mock: rm.Mocker, accepted: bool
) -> None:
    clock, lost = Clock(), FOREIGN[next(iter(FOREIGN))]
    requests_mock.get(URL + THING, json={"id": 7})
    client = make_client(user_credentials(), clock=clock)
    if accepted:
        requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
        client.request("GET", THING)
        clock.now += 14_400
    before = logins(requests_mock)
    requests_mock.post(AUTHENTICATE, **lost)
    for seconds in (0, 299, 2):
        clock.now += seconds
        with pytest.raises(EmnifyError, match="not sent a third time"):
            client.request("GET", THING)
    assert logins(requests_mock) - before == (4 if accepted else 2)


def test_a_user_whose_answer_is_lost_once_goes_on(requests_mock: rm.Mocker) -> None:
    requests_mock.get(URL + THING, json={"id": 7})
    requests_mock.post(AUTHENTICATE, [{"text": ""}, GOOD])
    assert make_client(user_credentials()).request("GET", THING) == {"id": 7}


NUMBERS = [float("inf"), float("-inf"), float("nan"), 10**400, -1, 0]
ODD = [*NUMBERS, "soon", "1e400", [1], {"a": {"b": []}}, True, None]


@pytest.mark.parametrize("value", ODD, ids=str)
@pytest.mark.parametrize("claim", ["exp", "iat", "esc.org", "api_key", "esc"])
def test_no_claim_is_too_odd(claim: str, value: Any) -> None:
    claims = {"exp": 1_700_014_400, "iat": 1_700_000_000, claim: value}
    token = AuthToken.arrived(jwt.encode(claims, "k" * 64, algorithm="HS384"), 0.0)
    assert token.renew_at is None or 0 < token.renew_at < 10**12
    json.dumps(token.info(), allow_nan=False)
    assert token.secrets
    assert token.is_due(10.0) in {True, False}


def test_a_claim_past_every_number_and_a_deep_one(requests_mock: rm.Mocker) -> None:
    for payload in (b'{"exp": 1e400, "iat": 1}', b"[" * 100_000, b'{"exp":' + b"9" * 5000 + b"}", b"\xff"):
        part = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
        head = base64.urlsafe_b64encode(b'{"alg":"HS384"}').rstrip(b"=").decode()
        requests_mock.post(AUTHENTICATE, json={"auth_token": f"{head}.{part}.x"})
        client = make_client()
        client.authenticate()
        assert client.token_info()["expires_at"] is None


SECRET = 'pa"ss/w+rd &<é> 1'
ENCODED = [
    SECRET,
    quote(SECRET, safe=""),
    quote(SECRET, safe="").lower(),
    json.dumps(SECRET)[1:-1],
    *(base64.b64encode(b"x" * n + SECRET.encode() + b"yz"[: n % 3]).decode() for n in range(6)),
    *(base64.urlsafe_b64encode(b"user:"[n:] + SECRET.encode()).decode() for n in range(5)),
]


@pytest.mark.parametrize("text", ENCODED)
def test_a_secret_is_taken_out_in_every_encoding(text: str) -> None:
    redactor = Redactor()
    redactor.learn(SECRET)
    for shown in (redactor.text(f"said {text}."), redactor.body(json.dumps({"message": text}).encode())):
        assert "***" in shown
        for part in (text[8:-8],):
            assert part not in shown
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
    assert redactor.body(f'{{"message": "{escaped}"}}'.encode()) == '{"message": "***"}'


def test_a_secret_across_the_cut_of_a_message_is_not_shown(requests_mock: rm.Mocker) -> None:
    secret = make_token()
    requests_mock.post(AUTHENTICATE, json={"auth_token": secret})
    for before in range(150, 210, 7):
        requests_mock.get(URL + THING, text="x" * before + secret)
        with pytest.raises(EmnifyServerError) as caught:
            make_client(max_retries=0).request("GET", THING)
        assert secret[:12] not in str(caught.value)
