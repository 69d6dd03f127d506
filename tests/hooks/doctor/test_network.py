"""The doctor goes the way that requests go: through the connection's proxy, with its certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.api.transport.urls import Route
from airflow_provider_emnify.hooks.doctor.network import network
from tests.api.transport.test_connections import serving
from tests.api.transport.test_tls import certificate

if TYPE_CHECKING:
    import socket
    from pathlib import Path


def states(base_url: str, route: Route) -> dict[str, str]:
    return {finding.what: finding.state for finding in network(base_url, route)}


@pytest.mark.parametrize("how", ["connection", "environment", "nowhere"])
def test_a_certificate_is_trusted_where_requests_trust_it(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    bundle = tmp_path / "server.pem"
    context = certificate(bundle, days=(-1, 100))
    if how == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    with serving(serve) as port:
        route = Route(ca_bundle=str(bundle)) if how == "connection" else Route()
        assert states(f"https://127.0.0.1:{port}", route)["TLS"] == ("failed" if how == "nowhere" else "ok")


def test_through_the_connection_s_proxy_no_name_is_looked_up_here() -> None:
    found = list(network("https://emnify.invalid", Route("http://ada:s3cret@proxy.example:3128")))
    assert [finding.state for finding in found] == ["ok", "skipped"]
    assert found[0].detail == "http://proxy.example:3128, from the connection"
