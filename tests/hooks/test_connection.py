from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException, Connection
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError

TOKEN = "app-token-7d1f0c"


def connection(**fields: Any) -> Connection:
    extra = fields.pop("extra", None)
    if isinstance(extra, dict):
        extra = json.dumps(extra)
    return Connection(conn_id="fleet", conn_type="emnify", **{"password": TOKEN, **fields}, extra=extra)


def settings(**fields: Any) -> ConnectionSettings:
    return ConnectionSettings.from_airflow(connection(**fields))


def test_an_application_token_is_all_it_takes() -> None:
    found = settings()
    assert found.credentials.application_token == TOKEN
    assert found.base_url == "https://cdn.emnify.net"
    assert (found.timeout, found.max_retries, found.rate_limit_store) == (30, 5, "host")
    assert found.task_share == 0.25


def test_a_token_that_was_pasted_with_blanks_is_the_token() -> None:
    assert settings(password=f" {TOKEN}\n").credentials.application_token == TOKEN


def test_a_login_means_user_credentials() -> None:
    found = settings(
        login="ada@example.org", password=" pass ", extra={"workspace_id": 8, "fingerprint": "device-1"}
    )
    assert found.credentials.username == "ada@example.org"
    assert found.credentials.password == " pass "
    assert found.credentials.workspace_id == 8
    assert found.credentials.fingerprint == "device-1"
    assert found.credentials.application_token is None


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "https://cdn.emnify.net"}, "https://cdn.emnify.net"),
        ({"host": "https://cdn.emnify.net/"}, "https://cdn.emnify.net"),
        ({"host": "cdn.emnify.net"}, "https://cdn.emnify.net"),
        ({"host": " cdn.emnify.net:8443 "}, "https://cdn.emnify.net:8443"),
        ({"host": "cdn.emnify.net", "port": 8443}, "https://cdn.emnify.net:8443"),
        ({"host": "cdn.emnify.net", "schema": "https"}, "https://cdn.emnify.net"),
        ({"host": "http://localhost:8080"}, "http://localhost:8080"),
        ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({"host": "http://127.1.2.3"}, "http://127.1.2.3"),
        ({"host": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": "HTTPS://CDN.emnify.net"}, "https://cdn.emnify.net"),
        ({"host": "::1", "port": 8080, "schema": "http"}, "http://[::1]:8080"),
        ({"host": ""}, "https://cdn.emnify.net"),
    ],
)
def test_the_host_is_the_base_url(fields: dict[str, Any], base_url: str) -> None:
    assert settings(**fields).base_url == base_url


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        (f"emnify://:{TOKEN}@", "https://cdn.emnify.net"),
        (f"emnify://:{TOKEN}@cdn.emnify.net", "https://cdn.emnify.net"),
        (f"emnify://:{TOKEN}@cdn.emnify.net:8443/https", "https://cdn.emnify.net:8443"),
        (f"emnify://:{TOKEN}@127.0.0.1:8080/http", "http://127.0.0.1:8080"),
        (f"emnify://:{TOKEN}@[::1]:8080/http", "http://[::1]:8080"),
        (f"emnify://http://:{TOKEN}@127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_a_connection_can_be_a_uri(uri: str, base_url: str) -> None:
    found = ConnectionSettings.from_airflow(Connection(conn_id="fleet", uri=uri))
    assert found.base_url == base_url
    assert found.credentials.application_token == TOKEN


def test_the_extras_of_a_uri_are_text() -> None:
    uri = f"emnify://:{TOKEN}@cdn.emnify.net/?timeout=2.5&max_retries=0&rate_limit_store=memory&task_share=0"
    found = ConnectionSettings.from_airflow(Connection(conn_id="fleet", uri=uri))
    assert (found.timeout, found.max_retries, found.rate_limit_store) == (2.5, 0, "memory")
    assert found.task_share == 0


@pytest.mark.parametrize(
    ("fields", "field", "remedy"),
    [
        ({"password": None}, "password", "application token"),
        ({"password": "  "}, "password", "application token"),
        ({"password": None, "login": "ada@example.org"}, "password", "of the user in the username"),
        ({"host": "https://cdn.emnify.net/api/v1"}, "host", "path"),
        ({"host": "https://cdn.emnify.net?x=1"}, "host", "query"),
        ({"host": "ftp://cdn.emnify.net"}, "host", "scheme"),
        ({"host": "https://user:topsecret@cdn.emnify.net"}, "host", "login and password"),
        ({"host": "http://cdn.emnify.net"}, "host", "this machine only"),
        ({"host": "cdn.emnify.net", "schema": "http"}, "host", "this machine only"),
        ({"host": "http://localhost.example.org"}, "host", "this machine only"),
        ({"host": "https://cdn emnify net"}, "host", "names no host"),
        ({"host": "https://"}, "host", "names no host"),
        ({"host": "https://cdn.emnify.net:port"}, "host", "not a valid address"),
        ({"host": "https://[::1"}, "host", "not a valid address"),
        ({"host": "cdn.emnify.net", "schema": "v1"}, "schema", "leave it empty"),
        ({"host": "http://localhost", "schema": "https"}, "schema", "leave the schema empty"),
        ({"host": "https://cdn.emnify.net:1", "port": 2}, "port", "leave the port empty"),
        ({"port": 8443}, "port", "without a host"),
        ({"extra": {"timeout": "soon"}}, "extra 'timeout'", "a number of seconds"),
        ({"extra": {"timeout": 0}}, "extra 'timeout'", "above 0"),
        ({"extra": {"timeout": True}}, "extra 'timeout'", "above 0"),
        ({"extra": {"timeout": [30]}}, "extra 'timeout'", "seconds"),
        ({"extra": '{"timeout": NaN}'}, "extra 'timeout'", "above 0"),
        ({"extra": {"max_retries": -1}}, "extra 'max_retries'", "0 or more"),
        ({"extra": {"max_retries": 1.5}}, "extra 'max_retries'", "whole number"),
        ({"extra": {"workspace_id": 8}}, "extra 'workspace_id'", "user credentials only"),
        ({"extra": {"fingerprint": "x"}}, "extra 'fingerprint'", "user credentials only"),
        (
            {"login": "a@b.c", "extra": {"workspace_id": "main"}},
            "extra 'workspace_id'",
            "number of a Workspace",
        ),
        ({"login": "a@b.c", "extra": {"fingerprint": 7}}, "extra 'fingerprint'", "in quotes"),
        ({"extra": {"rate_limit_store": "disk"}}, "extra 'rate_limit_store'", "redis://"),
        ({"extra": {"token_cache": "cloud"}}, "extra 'token_cache'", "task, host"),
        (
            {"extra": {"task_share": 1}},
            "extra 'task_share'",
            "it is not a valid share; give 0 or more and below 1",
        ),
        ({"extra": {"task_share": -0.1}}, "extra 'task_share'", "not a valid share"),
        ({"extra": {"task_share": "a quarter"}}, "extra 'task_share'", "not a valid share"),
        ({"extra": {"task_share": True}}, "extra 'task_share'", "not a valid share"),
        ({"extra": '{"task_share": NaN}'}, "extra 'task_share'", "not a valid share"),
        ({"extra": "[1]"}, "extra", "JSON object"),
    ],
)
def test_a_bad_connection_is_an_error_with_name_field_and_remedy(
    fields: dict[str, Any], field: str, remedy: str
) -> None:
    with pytest.raises(EmnifyConnectionConfigError) as caught:
        settings(**fields)
    message = str(caught.value)
    assert message.startswith(f"Connection 'fleet', {field}: ")
    assert remedy in message
    assert TOKEN not in message
    assert "topsecret" not in message


def test_extras_that_are_not_json_are_refused() -> None:
    class Raw:
        """A connection as a secrets backend may give it; Airflow 2 checks extras when it makes one."""

        conn_id, password, extra = "fleet", TOKEN, "timeout=30"
        host = login = schema = port = None

    with pytest.raises(
        EmnifyConnectionConfigError, match="Connection 'fleet', extra: it is not a JSON object"
    ):
        ConnectionSettings.from_airflow(Raw())  # type: ignore[arg-type]


def test_a_bad_connection_fails_a_task_without_retries() -> None:
    assert issubclass(EmnifyConnectionConfigError, AirflowFailException)
    assert issubclass(EmnifyConnectionConfigError, ValueError)
    error = EmnifyConnectionConfigError("fleet", "host", "it is wrong")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_unknown_extra_is_a_warning_that_names_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settings(extra={"timout": 3, "colour": "blue", "timeout": 9})
    text = caplog.text
    assert "'timout' is not known and is ignored; did you mean 'timeout'?" in text
    assert "'colour' is not known and is ignored; known are" in text
    assert "blue" not in text


def test_extras_of_an_old_form_are_understood() -> None:
    assert settings(extra={"extra__emnify__timeout": 7, "extra__emnify__max_retries": ""}).timeout == 7


def test_every_secret_is_registered_before_anything_can_fail() -> None:
    told: list[str] = []
    conn = connection(
        login="ada@example.org",
        password="pa55word",
        host="ftp://wrong",
        extra={"fingerprint": "device-1", "rate_limit_store": "rediss://:r3dis@cache:6379/0"},
    )
    with pytest.raises(EmnifyConnectionConfigError):
        ConnectionSettings.from_airflow(conn, on_secret=told.append)
    assert {"pa55word", "device-1", "r3dis"} <= set(told)


def test_no_repr_shows_a_secret() -> None:
    found = settings(
        login="ada@example.org",
        password="pa55word",
        extra={"fingerprint": "device-1", "rate_limit_store": "redis://user:r3dis@cache"},
    )
    for secret in ("pa55word", "device-1", "r3dis", "ada@example.org"):  # a login may be a token, too
        assert secret not in repr(found)


def test_connections_that_say_the_same_are_equal() -> None:
    assert settings() == settings()
    assert settings() != settings(password="rotated")
