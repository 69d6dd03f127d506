"""Where a request may go: paths and addresses that lead elsewhere, redirects, plain HTTP, TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from airflow_provider_emnify.api import EmnifyConnectionError, EmnifyError
from tests.api.support import (
    AUTHENTICATE,
    OK,
    THING,
    TOKEN,
    Sleeps,
    free_port,
    http,
    make_client,
    make_token,
    raw_server,
)

if TYPE_CHECKING:
    from pathlib import Path

    import requests_mock as rm


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return requests_mock


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("../../user/1", "..%2F..%2Fuser%2F1"),
        ("a/b", "a%2Fb"),
        ("é", "%C3%A9"),
        ("me@example.org", "me%40example.org"),
        ("a?b#c", "a%3Fb%23c"),
        ("50%", "50%25"),
        (7, "7"),
    ],
)
def test_path_parameters_are_percent_encoded_on_the_wire(value: object, encoded: str) -> None:
    with raw_server(TOKEN, OK) as (url, requests_seen), make_client(base_url=url) as client:
        client.request("GET", "/api/v1/user/{user_id}", path_params={"user_id": value})
        assert requests_seen[1].split(b"\r\n")[0] == f"GET /api/v1/user/{encoded} HTTP/1.1".encode()


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_parameter_that_leads_elsewhere_is_refused(api: rm.Mocker, value: str) -> None:
    with pytest.raises(ValueError, match="user_id"):
        make_client().request("DELETE", "/api/v1/user/{user_id}", path_params={"user_id": value})
    assert not api.request_history


@pytest.mark.parametrize("path", ["https://evil.example/x", "//evil.example/x", "api/v1/user", "/api?x=1"])
def test_a_path_that_is_none_is_refused(api: rm.Mocker, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        make_client().request("GET", path)
    assert not api.request_history


def test_a_missing_path_parameter_is_named(api: rm.Mocker) -> None:
    with pytest.raises(ValueError, match="user_id: missing"):
        make_client().request("GET", "/api/v1/user/{user_id}")
    assert not api.request_history


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"])
@pytest.mark.parametrize("path", [THING, "/api/v1/authenticate"])
def test_a_redirect_to_another_host_carries_no_secret(status: str, path: str) -> None:
    with raw_server(OK) as (elsewhere, stolen):
        redirect = http(status, Location=f"{elsewhere}/api")
        answers = (redirect,) if "authenticate" in path else (TOKEN, redirect)
        with (
            raw_server(*answers) as (url, _),
            make_client(base_url=url) as client,
            pytest.raises(EmnifyError, match=r"redirect to 127\.0\.0\.1"),
        ):
            client.request("GET", THING)
        assert not stolen


def test_a_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(TOKEN, OK) as (url, requests_seen), make_client(base_url=url) as client:
        client.request("GET", THING)
    assert b"Basic" not in b"".join(requests_seen)
    assert b"Authorization: Bearer " in requests_seen[1]


@pytest.mark.parametrize(
    "url",
    ["http://cdn.emnify.net", "http://10.0.0.5", "http://localhost.evil.example", "http://127.0.0.1.nip.io"],
)
def test_plain_http_is_refused_but_for_a_loopback_host(url: str) -> None:
    with pytest.raises(ValueError, match="in the clear"):
        make_client(base_url=url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]:80"]
)
def test_plain_http_to_a_loopback_host_is_fine(url: str) -> None:
    make_client(base_url=url).close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://cdn.emnify.net/api/v1", "more than a scheme and a host"),
        ("ftp://cdn.emnify.net", "not a valid base URL"),
        ("cdn.emnify.net", "not a valid base URL"),
        ("https://", "not a valid base URL"),
        ("https://user:pw@cdn.emnify.net", "no user or password"),
        ("https://cdn.emnify.net:port", "not a valid URL"),
        ("https://cdn.emnify.net?x=1", "more than a scheme and a host"),
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_client(base_url=url)


def self_signed(directory: Path) -> Path:
    """Write a certificate that nobody trusts, with its key, into one file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, traditional, plain))
    return path


def test_tls_is_verified(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1000)
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    sleeps = Sleeps()
    with pytest.raises(EmnifyConnectionError, match=r"no trusted TLS connection.*certificate") as caught:
        make_client(base_url=f"https://127.0.0.1:{port}", sleep=sleeps).authenticate()
    assert not sleeps
    assert not caught.value.transient
    listener.close()
    thread.join()
