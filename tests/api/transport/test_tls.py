"""TLS: handshakes and connections that break, and certificates that are not trusted."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_provider_emnify.api import (
    EmnifyConnectionError,
    EmnifyUnknownOutcomeError,
)
from tests.api.support import OK, THING, TOKEN, Sleeps, make_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
from tests.api.transport.test_connections import USER, received, serving


def certificate(path: Path, name: str = "127.0.0.1", days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
    """Write a self-signed certificate; return a server's context with it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    import ipaddress

    general = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


BREAKS: dict[str, Callable[[socket.socket], object]] = {
    "it ends at once": lambda connection: connection.close(),
    "it ends after the hello": lambda connection: connection.recv(65536),
    "it is reset": lambda connection: (connection.recv(65536), reset(connection)),
    "an alert": lambda connection: (connection.recv(65536), connection.sendall(b"\x15\3\3\0\2\2\x50")),
    "not TLS": lambda connection: (connection.recv(65536), connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")),
    "half a record": lambda connection: (connection.recv(65536), connection.sendall(b"\x16\3\3\0\x7a\2")),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("break_off", BREAKS.values(), ids=BREAKS)
def test_a_tls_handshake_that_breaks_is_a_connection_that_was_never_made(
    break_off: Callable[[socket.socket], object], method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path / "server.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    answers = iter([TOKEN, None, None, OK])

    def serve(connection: socket.socket) -> None:
        answer = next(answers)
        if answer is None:
            break_off(connection)
            return
        with context.wrap_socket(connection, server_side=True) as secure:
            received(secure)
            secure.sendall(answer)

    with serving(serve) as port, make_client(base_url=f"https://127.0.0.1:{port}") as client:
        assert client.request(method, THING) == {"id": 7}
        assert client.stats.retries == 2


def test_a_tls_connection_that_breaks_after_the_request_leaves_a_post_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path / "server.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    answers = iter([TOKEN, None])

    def serve(connection: socket.socket) -> None:
        answer = next(answers)
        with context.wrap_socket(connection, server_side=True) as secure:
            received(secure)
            if answer:
                secure.sendall(answer)
            else:
                socket.socket.send(secure, b"\x17\3\3\0\x20" + b"x" * 32)  # a record that nobody can read

    with (
        serving(serve) as port,
        make_client(base_url=f"https://127.0.0.1:{port}") as client,
        pytest.raises(EmnifyUnknownOutcomeError),
    ):
        client.request("POST", USER, json={})


@pytest.mark.parametrize(
    ("name", "days", "trusted"),
    [("127.0.0.1", (-1, 1), False), ("other.example", (-1, 1), True), ("127.0.0.1", (-9, -1), True)],
    ids=["not trusted", "another name", "expired"],
)
def test_a_certificate_that_is_not_trusted_is_permanent(
    name: str, days: tuple[int, int], trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path / "server.pem", name, days)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)

    sleeps = Sleeps()
    with serving(serve) as port:
        client = make_client(base_url=f"https://127.0.0.1:{port}", sleep=sleeps)
        with pytest.raises(EmnifyConnectionError, match="no trusted TLS connection") as caught:
            client.authenticate()
        client.close()
    assert not sleeps
    assert not caught.value.transient
