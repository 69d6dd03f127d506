"""A secret in any field of a connection, right or wrong, is shown by no message."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests

from airflow_provider_emnify.airflow_names import Connection
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from tests.api.support import make_token
from tests.operators.support import context

if TYPE_CHECKING:
    import requests_mock as rm

TOKENS = {
    "jwt": make_token(),
    "opaque": "sandboxapplicationtoken7d1f0c99e1",
    "with line ends": "secret7d1f0c99e1\nsecret55aa01\r\n",
    "with signs": "s3cr3t/7d1f:0c99@e1#a?b",
    "digits": "73519284650127364",
}
EXTRAS = ("timeout", "max_retries", "workspace_id", "fingerprint", "rate_limit_store", "token_cache")
MISUSES: dict[str, Any] = {
    "login": lambda token: {"login": token, "password": None},
    "login and password": lambda token: {"login": token, "password": "x", "host": "ftp://h"},
    "host": lambda token: {"host": token},
    "URL": lambda token: {"host": f"https://{token}"},
    "userinfo": lambda token: {"host": f"https://{token}@cdn.emnify.net"},
    "userinfo with a name": lambda token: {"host": f"https://me:{token}@cdn.emnify.net"},
    "path": lambda token: {"host": f"https://cdn.emnify.net/{token}"},
    "query": lambda token: {"host": f"https://cdn.emnify.net?{token}"},
    "port of the host": lambda token: {"host": f"https://cdn.emnify.net:{token}"},
    "schema": lambda token: {"schema": token, "host": "cdn.emnify.net"},
    "port": lambda token: {"port": token, "host": "cdn.emnify.net"},
    "extra, no JSON": lambda token: {"extra": token},
    "extra, a text": lambda token: {"extra": json.dumps(token)},
    "extra, a list": lambda token: {"extra": json.dumps([token])},
    "extra, cut": lambda token: {"extra": '{"fingerprint": "' + token},
    "name of an extra": lambda token: {"extra": json.dumps({token: ""}), "password": None},
    "password with a wrong host": lambda token: {"password": token, "host": "ftp://h"},
    "password in JSON": lambda token: {"password": json.dumps({"password": token}), "host": "ftp://h"},
    **{
        f"extra {name}": lambda token, name=name: {
            "extra": json.dumps({name: token}),
            "login": "me",
            "host": "ftp://h",
        }
        for name in (*EXTRAS, "task_share", "token", "password", "application_token")
    },
    **{
        f"extra {name}, in a list": lambda token, name=name: {"extra": json.dumps({name: [token]})}
        for name in EXTRAS
    },
}


class Stored:
    """A connection as a secrets backend may give it, with anything in any field."""

    def __init__(self, **fields: Any) -> None:
        defaults = {
            "password": "right",
            "host": None,
            "login": None,
            "schema": None,
            "port": None,
            "extra": None,
        }
        self.conn_id = "fleet"
        self.__dict__.update({**defaults, **fields})


def pieces(token: str) -> list[str]:
    return [piece for piece in (token.strip(), quote(token.strip()), *token.split()) if len(piece) > 3]


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
def test_no_misuse_of_a_field_shows_what_is_in_it(
    misuse: Any,
    token: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    requests_mock: rm.Mocker,
) -> None:
    caplog.set_level(logging.DEBUG)
    requests_mock.register_uri(rm_any(), rm_any(), exc=requests.exceptions.ConnectTimeout("no"))
    conn: Any = Stored(**misuse(token))
    seen = []
    try:
        seen.append(repr(ConnectionSettings.from_airflow(conn)))
    except EmnifyConnectionConfigError as error:
        again = pickle.loads(pickle.dumps(error))
        seen += [str(error), repr(error), repr(error.__dict__), str(again)]
        seen += traceback.format_exception(error)
    monkeypatch.setattr(EmnifyHook, "get_connection", classmethod(lambda cls, conn_id: conn))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    seen.append(str(EmnifyHook("fleet").test_connection()))
    try:
        EmnifyOperator(task_id="t", call="organisations.my", emnify_conn_id="fleet").execute(context())
    except (EmnifyError, EmnifyConnectionConfigError) as error:
        seen += [str(error), repr(error)]
    everything = "\n".join([*seen, caplog.text]).lower()
    assert [piece for piece in pieces(token) if piece.lower() in everything] == []


def rm_any() -> Any:
    import requests_mock

    return requests_mock.ANY


@pytest.mark.parametrize(
    "uri", ["emnify://{}@", "emnify://{}@cdn.emnify.net", "emnify://{}:@cdn.emnify.net/https"]
)
def test_a_token_in_the_login_of_a_uri_is_not_shown(uri: str) -> None:
    token = TOKENS["opaque"]
    with pytest.raises(
        EmnifyConnectionConfigError, match="an application token belongs into the password"
    ) as caught:
        ConnectionSettings.from_airflow(Connection(conn_id="fleet", uri=uri.format(token)))
    assert token not in str(caught.value)


def test_other_secrets_can_stand_in_the_password_field() -> None:
    store = "redis://:r3dis@cache:6379/0"
    told: list[str] = []
    conn: Any = Stored(password=json.dumps({"application_token": "app-7", "rate_limit_store": store}))
    found = ConnectionSettings.from_airflow(conn, on_secret=told.append)
    assert (found.credentials.application_token, found.rate_limit_store) == ("app-7", store)
    assert {"app-7", "r3dis"} <= set(told)
    conn = Stored(login="ada", password=json.dumps({"password": " pa ss ", "fingerprint": "device-1"}))
    found = ConnectionSettings.from_airflow(conn, on_secret=told.append)
    assert (found.credentials.password, found.credentials.fingerprint) == (" pa ss ", "device-1")
    assert "device-1" in told


@pytest.mark.parametrize("password", ['{"a": 1}', "{", "{}", '{"password": "x", "more": 1}', '["x"]'])
def test_a_password_that_only_looks_like_json_is_the_password(password: str) -> None:
    conn: Any = Stored(login="ada", password=password)
    assert ConnectionSettings.from_airflow(conn).credentials.password == password


def test_a_password_that_is_a_number_in_json_is_its_digits() -> None:
    told: list[str] = []
    conn: Any = Stored(login="ada", password=73519284)
    assert ConnectionSettings.from_airflow(conn, on_secret=told.append).credentials.password == "73519284"
    assert "73519284" in told


def test_the_api_key_among_the_claims_of_a_token_is_masked(
    monkeypatch: pytest.MonkeyPatch, requests_mock: rm.Mocker
) -> None:
    import jwt

    from airflow_provider_emnify.hooks import emnify

    token = jwt.encode({"iat": 1, "exp": 14_401, "api_key": "claim-51aa90be"}, "k" * 64, algorithm="HS384")
    assert "claim-51aa90be" not in token  # only who decodes the token knows it
    masked: list[str] = []
    monkeypatch.setattr(emnify, "mask", masked.append)
    requests_mock.post("https://cdn.emnify.net/api/v1/authenticate", json={"auth_token": token})
    conn: Any = Stored()
    client = EmnifyHook.client_from_connection(conn)
    assert "claim-51aa90be" not in masked
    client.authenticate()
    assert {token, "claim-51aa90be"} <= set(masked)
    requests_mock.get("https://cdn.emnify.net/x", status_code=404, text="no claim-51aa90be")
    with pytest.raises(EmnifyError) as caught:
        client.request("GET", "/x")
    assert "claim-51aa90be" not in str(caught.value)
    client.close()
