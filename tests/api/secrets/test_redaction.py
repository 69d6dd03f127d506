"""No secret is seen anywhere: not in a log, an exception, a repr or a warning, whatever happens."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_emnify.api import Credentials, EmnifyClient, EmnifyError
from tests.api.support import (
    API_KEY,
    APPLICATION_TOKEN,
    AUTHENTICATE,
    PASSWORD,
    THING,
    URL,
    WORKSPACE,
    http,
    make_client,
    make_token,
    raw_server,
    user_credentials,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests_mock as rm

AUTH_TOKEN = make_token()
SECOND_TOKEN = make_token(issued=1_700_000_001)
SECRETS = {
    "application token": APPLICATION_TOKEN,
    "password": PASSWORD,
    "SHA-1 of the password": hashlib.sha1(PASSWORD.encode()).hexdigest(),
    "fingerprint": "fingerprint-77d1",
    "auth token": AUTH_TOKEN,
    "second auth token": SECOND_TOKEN,
    "refresh token": "refresh-token-3c9d",
    "mfa token": "mfa-token-aa17",
    "api_key": API_KEY,
}
# An API that repeats what it was sent: SENT stands for the secrets of the credential and the token in use.
SENT = "<sent>"
ECHO = {"error_code": 1400, "message": SENT}
ANSWERS: dict[str, dict[str, Any]] = {
    "success": {"json": {"id": 7}},
    "401": {"status_code": 401, "json": ECHO},
    "403": {"status_code": 403, "json": ECHO},
    "404": {"status_code": 404, "text": str(ECHO)},
    "409": {"status_code": 409, "text": f"<html>{ECHO}</html>"},
    "422": {"status_code": 422, "json": {**ECHO, "errors": [ECHO, str(ECHO)]}},
    "429": {"status_code": 429, "json": ECHO},
    "500": {"status_code": 500, "json": ECHO},
    "no JSON": {"text": str(ECHO)},
    "redirect": {"status_code": 302, "headers": {"Location": "https://evil.example/<sent>"}},
    "timeout": {"exc": requests.exceptions.ReadTimeout(str(ECHO))},
    "unreachable": {"exc": requests.exceptions.ConnectTimeout(str(ECHO))},
    "broken": {"exc": requests.exceptions.ConnectionError(str(ECHO))},
    "bad header": {"exc": requests.exceptions.InvalidHeader("Bearer <sent>")},
}
AUTHENTICATIONS: dict[str, dict[str, Any]] = {
    "good": {"json": {"auth_token": AUTH_TOKEN, "refresh_token": "refresh-token-3c9d"}},
    "rejected": {"status_code": 401, "json": ECHO},
    "mfa": {"json": {"mfa_token": "mfa-token-aa17"}},
    "no token": {"json": {"auth_token": f"{AUTH_TOKEN}\n"}},
    "server error": {"status_code": 503, "text": str(ECHO)},
    "broken": {"exc": requests.exceptions.ConnectionError(str(ECHO))},
}


def with_secrets(answer: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    """Return the answer with those secrets where it says what it was sent."""
    text = " ".join(secrets)

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(SENT, text)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        if isinstance(value, Exception):
            return type(value)(*fill(list(value.args)))
        return value

    return {key: fill(value) for key, value in answer.items()}


CREDENTIALS = {
    "application": Credentials(application_token=APPLICATION_TOKEN),
    "user": user_credentials(fingerprint="fingerprint-77d1", workspace_id=9),
}


@pytest.fixture
def seen(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that anybody could see, collected; looked through at the end."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield texts
    texts += [str(warning.message) for warning in caught]
    for record in caplog.records:
        texts += [record.getMessage(), repr(record.args), str(record.exc_info)]
    everything = "\n".join(texts)
    leaked = [name for name, secret in SECRETS.items() if secret in everything]
    assert not leaked


def note_error(texts: list[str], error: EmnifyError) -> None:
    texts += ["".join(traceback.format_exception(error)), repr(error), str(error), repr(error.__dict__)]
    texts += [
        repr(frame.locals)
        for frame in traceback.TracebackException.from_exception(error).stack
        if frame.locals
    ]


def use(client: EmnifyClient, texts: list[str], method: str = "GET") -> None:
    for _ in range(2):
        try:
            client.request(method, THING, json=None)
            texts.append(str(client.token_info()))
        except EmnifyError as error:
            note_error(texts, error)
    texts += [repr(client), str(client), repr(client.stats)]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_no_secret_is_seen_whatever_the_api_answers(
    requests_mock: rm.Mocker, seen: list[str], answer: str, credentials: str, method: str
) -> None:
    requests_mock.post(AUTHENTICATE, [AUTHENTICATIONS["good"], {"json": {"auth_token": SECOND_TOKEN}}])
    requests_mock.post(WORKSPACE, json={"auth_token": AUTH_TOKEN})
    sent = [*CREDENTIALS[credentials].secrets, AUTH_TOKEN, API_KEY]
    requests_mock.request(method, URL + THING, **with_secrets(ANSWERS[answer], sent))
    client = make_client(CREDENTIALS[credentials], max_retries=1)
    use(client, seen, method)
    # A credential object, a token and what holds them must not show them either.
    seen += [repr(CREDENTIALS[credentials]), repr(client.transport.tokens.held)]


@pytest.mark.parametrize("authentication", AUTHENTICATIONS)
@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_no_secret_is_seen_however_the_authentication_ends(
    requests_mock: rm.Mocker, seen: list[str], authentication: str, credentials: str
) -> None:
    sent = CREDENTIALS[credentials].secrets
    requests_mock.post(AUTHENTICATE, **with_secrets(AUTHENTICATIONS[authentication], sent))
    requests_mock.post(WORKSPACE, status_code=403, **with_secrets({"json": ECHO}, [*sent, AUTH_TOKEN]))
    requests_mock.get(URL + THING, json={"id": 7})
    use(make_client(CREDENTIALS[credentials], max_retries=1), seen)


def test_no_secret_is_seen_over_real_http(seen: list[str]) -> None:
    token = http("200 OK", f'{{"auth_token": "{AUTH_TOKEN}"}}')
    with raw_server(token, http("500 No", AUTH_TOKEN), None) as (url, _):
        client = make_client(base_url=url, max_retries=2)
        use(client, seen)
        client.close()


def test_every_secret_is_registered_before_it_is_used(requests_mock: rm.Mocker) -> None:
    known: list[str] = []

    def check(request: Any, _: Any) -> dict[str, Any]:
        if "Authorization" in request.headers:
            assert request.headers["Authorization"].removeprefix("Bearer ") in known
        else:
            assert all(value in known for key, value in request.json().items() if key != "username")
        if request.path.endswith("workspace"):
            return {"auth_token": SECOND_TOKEN}
        return {"auth_token": AUTH_TOKEN, "refresh_token": "refresh-token-3c9d"}

    requests_mock.post(AUTHENTICATE, json=check)
    requests_mock.post(WORKSPACE, json=check)
    requests_mock.get(URL + THING, json=check)
    client = make_client(CREDENTIALS["user"], on_secret=known.append)
    client.request("GET", THING)
    expected = set(SECRETS) - {"application token", "mfa token"}
    assert {name for name, secret in SECRETS.items() if secret in known} == expected


def test_an_error_keeps_what_it_knows_through_a_pickle() -> None:
    import pickle

    with contextlib.suppress(EmnifyError):
        make_client(base_url="http://127.0.0.1:1", max_retries=0).authenticate()
    error = EmnifyError("no", status=404, code=1201, token="NotFound", method="GET", path="/x", details=[1])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "GET /x answered 404 NotFound (1201): no; 1"
    assert again.__dict__ == error.__dict__
