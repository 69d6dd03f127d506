"""How requests get to emnify, as the connection says: a proxy, a CA bundle, headers; and where links lead."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests_mock as rm

from airflow_provider_emnify.airflow_names import Connection
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.transport.urls import Route
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.links import EmnifyDevicesLink, EmnifySimsLink
from airflow_provider_emnify.operators.endpoint import EmnifyLocateEndpointsOperator
from tests.api.support import AUTHENTICATE, OK, THING, TOKEN, URL, make_client, make_token
from tests.api.transport.test_connections import received, serving
from tests.api.transport.test_tls import certificate

if TYPE_CHECKING:
    import socket
    from pathlib import Path

SECRET = "k3y-that-nobody-sees"


def settings(secrets: list[str] | None = None, **extra: Any) -> ConnectionSettings:
    conn = Connection(conn_id="fleet", conn_type="emnify", password="app-token", extra=json.dumps(extra))
    return ConnectionSettings.from_airflow(conn, on_secret=[].append if secrets is None else secrets.append)


@pytest.mark.parametrize(
    "proxies",
    [
        f"http://ada:{SECRET}@proxy.example:3128",
        {"https": f"http://ada:{SECRET}@proxy.example:3128"},
        json.dumps({"https": f"http://ada:{SECRET}@proxy.example:3128", "http": "http://other:1"}),
    ],
)
def test_a_proxy_is_taken_and_its_password_masked(proxies: Any) -> None:
    secrets: list[str] = []
    found = settings(secrets, proxies=proxies)
    assert found.route.proxy == f"http://ada:{SECRET}@proxy.example:3128"
    assert SECRET in secrets
    assert SECRET not in repr(found)


@pytest.mark.parametrize("form", [dict, json.dumps])
def test_the_password_of_each_proxy_is_masked(form: Any) -> None:
    secrets: list[str] = []
    settings(secrets, proxies=form({"https": f"http://a:{SECRET}@one:1", "http": "http://b:an0ther@two:2"}))
    assert {SECRET, "an0ther"} <= set(secrets)


@pytest.mark.parametrize("headers", [{"X-Gateway-Key": SECRET}, json.dumps({"X-Gateway-Key": SECRET})])
def test_headers_are_taken_and_masked(headers: Any) -> None:
    secrets: list[str] = []
    found = settings(secrets, headers=headers)
    assert found.route.headers == (("X-Gateway-Key", SECRET),)
    assert SECRET in secrets
    assert SECRET not in repr(found)


def test_nothing_said_is_a_straight_route() -> None:
    assert settings().route == settings(verify=True, headers={}).route == Route()


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"proxies": SECRET}, "proxies"),
        ({"proxies": f"ftp://{SECRET}"}, "proxies"),
        ({"proxies": f"http://{SECRET}:port"}, "proxies"),
        ({"proxies": {"ftp": SECRET}}, "proxies"),
        ({"proxies": 7}, "proxies"),
        ({"proxies": f"http://ada:{SECRET}\\@proxy:3128"}, "proxies"),
        ({"proxies": f"http://ada:{SECRET}@pro xy:3128"}, "proxies"),
        ({"verify": False}, "verify"),
        ({"verify": "false"}, "verify"),
        ({"verify": f"/nowhere/{SECRET}.pem"}, "verify"),
        ({"verify": 7}, "verify"),
        ({"verify": SECRET * 300}, "verify"),
        ({"verify": f"{SECRET}\0"}, "verify"),
        ({"headers": SECRET}, "headers"),
        ({"headers": [SECRET]}, "headers"),
        ({"headers": {"Authorization": SECRET}}, "headers"),
        ({"headers": {"host": SECRET}}, "headers"),
        ({"headers": {"X-Key": f"{SECRET}\r\nX-More: 1"}}, "headers"),
        ({"headers": {"X Key": SECRET}}, "headers"),
        ({"headers": {"X-Key": 7}}, "headers"),
        ({"headers": {"X-Key": f" {SECRET}"}}, "headers"),
        ({"headers": {"X-Key": "ключ"}}, "headers"),
    ],
)
def test_what_cannot_work_names_the_extra_and_quotes_no_value(extra: dict[str, Any], field: str) -> None:
    with pytest.raises(EmnifyConnectionConfigError, match=f"extra '{field}'") as caught:
        settings(**extra)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", ["", SECRET, f"-----BEGIN CERTIFICATE-----\n{SECRET}\n"])
def test_a_file_without_certificates_is_no_bundle(tmp_path: Path, content: str) -> None:
    (tmp_path / "bundle.pem").write_text(content)
    with pytest.raises(EmnifyConnectionConfigError, match=r"extra 'verify'.*no certificate") as caught:
        settings(verify=str(tmp_path / "bundle.pem"))
    assert SECRET not in str(caught.value)
    assert settings(verify=str(tmp_path)).route.ca_bundle == str(tmp_path)


@pytest.mark.parametrize(
    "said",
    [f"{SECRET}/@", quote(f"{SECRET}/@"), b64encode(f"ada:{SECRET}/@".encode()).decode(), "another-key-51aa"],
)
def test_no_error_repeats_what_the_route_keeps_secret(said: str) -> None:
    route = Route(
        f"http://ada:{quote(f'{SECRET}/@', safe='')}@proxy:1", None, (("X-Key", "another-key-51aa"),)
    )
    with rm.Mocker() as api, make_client(route=route) as client:
        api.post(AUTHENTICATE, json={"auth_token": make_token()})
        api.get(f"{URL}{THING}", status_code=400, json={"message": f"no access with {said}"})
        with pytest.raises(EmnifyError, match=r"no access with .*\*\*\*") as caught:
            client.request("GET", THING)
    assert said not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["X-Key", "Ocp-Apim-Subscription-Key", "CF-Access-Client-Secret", "Cookie", "X-Auth"]
)
def test_values_of_headers_for_secrets_alone_are_redacted_in_data(name: str) -> None:
    route = Route(None, None, ((name, "another-key-51aa"), ("X-Tenant", "acme-pumps")))
    with make_client(route=route) as client:
        row = client.transport.redact_value({"name": "acme-pumps 7", "description": "another-key-51aa"})
    assert row == {"name": "acme-pumps 7", "description": "***"}


def test_requests_go_through_the_proxy_with_the_headers_also_to_this_machine() -> None:
    seen: list[bytes] = []
    answers = iter([TOKEN, OK])

    def proxy(connection: socket.socket) -> None:
        seen.append(received(connection))
        connection.sendall(next(answers))

    with serving(proxy) as port:
        route = Route(f"http://127.0.0.1:{port}", None, (("X-Gateway-Key", SECRET),))
        with make_client(base_url="http://127.0.0.1:9", route=route) as client:
            assert client.request("GET", THING) == {"id": 7}
    assert [request.split(b" ")[1] for request in seen] == [
        b"http://127.0.0.1:9/api/v1/authenticate",
        b"http://127.0.0.1:9" + THING.encode(),
    ]
    assert all(f"X-Gateway-Key: {SECRET}".encode() in request for request in seen)


def test_a_certificate_of_the_bundle_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    context = certificate(tmp_path / "server.pem")
    answers = iter([TOKEN, OK])

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            received(secure)
            secure.sendall(next(answers))

    bundle = settings(verify=str(tmp_path / "server.pem")).route
    with serving(serve) as port, make_client(base_url=f"https://127.0.0.1:{port}", route=bundle) as client:
        assert client.request("GET", THING) == {"id": 7}


def test_the_hook_passes_the_route_on(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, seen = iter([TOKEN, OK]), []

    def serve(connection: socket.socket) -> None:
        seen.append(received(connection))
        connection.sendall(next(answers))

    with serving(serve) as port:
        extra = {"headers": {"X-Gateway-Key": SECRET}, "rate_limit_store": "memory"}
        conn = {"conn_type": "emnify", "password": "t", "host": f"http://127.0.0.1:{port}", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_FLEET", json.dumps(conn))
        with EmnifyHook("fleet") as hook:
            hook.get_conn().request("GET", THING)
    assert all(SECRET.encode() in request for request in seen)


@pytest.mark.parametrize(
    ("given", "portal"),
    [
        (None, "https://portal.emnify.com"),
        ("https://portal.whereversim.com", "https://portal.whereversim.com"),
        ("https://portal.whereversim.com/app/", "https://portal.whereversim.com/app"),
        ("javascript:alert(1)", "https://portal.emnify.com"),
        ("https://user@evil.example", "https://portal.emnify.com"),
        ("https://[::1", "https://portal.emnify.com"),
        (7, "https://portal.emnify.com"),
    ],
)
def test_links_lead_to_the_portal_of_the_connection(
    monkeypatch: pytest.MonkeyPatch, given: Any, portal: str
) -> None:
    extra = {} if given is None else {"portal_url": given}
    conn = {"conn_type": "emnify", "password": "t", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FLEET", json.dumps(conn))
    task = EmnifyLocateEndpointsOperator(task_id="t", endpoint_ids=7, emnify_conn_id="fleet")
    assert EmnifyDevicesLink().get_link(task, ti_key=None) == f"{portal}/connected-devices"


@pytest.mark.parametrize("conn_id", ["nobody", "{{ params.conn }}"])
def test_a_link_never_fails(conn_id: Any) -> None:
    task = EmnifyLocateEndpointsOperator(task_id="t", endpoint_ids=7, emnify_conn_id=conn_id)
    assert EmnifySimsLink().get_link(task, ti_key=None) == "https://portal.emnify.com/sim-inventory"
