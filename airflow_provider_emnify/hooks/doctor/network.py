"""The way to emnify: names, proxies, TLS."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from airflow_provider_emnify.api.transport.urls import Route, is_loopback
from airflow_provider_emnify.hooks.doctor.finding import Finding

_TIMEOUT = 10.0  # seconds
_SOON = 14  # days


def network(base_url: str, route: Route) -> Iterator[Finding]:
    """Look up the host, and shake hands with it where no proxy is in between.

    :param base_url: Where the API is.
    :param route: The proxy and the certificates that the connection names, before those of the environment.
    """
    parts = urlsplit(base_url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    ours = None if is_loopback(host) or proxy_bypass(host) else getproxies().get(parts.scheme)
    if proxy := route.proxy or ours:
        shown, source = urlsplit(proxy), "connection" if route.proxy else "environment"
        yield Finding("proxy", "ok", f"{shown.scheme}://{shown.hostname}:{shown.port}, from the {source}")
        yield Finding("DNS, TLS", "skipped", "the proxy looks up the name and passes TLS on")
        return
    yield Finding("proxy", "ok", "none")
    try:
        found = sorted({str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        remedy = "check the host of the connection, and the name servers of this machine"
        yield Finding("DNS", "failed", f"{host} was not found: {error}", remedy)
        return
    yield Finding("DNS", "ok", f"{host} is {', '.join(found[:4])}")
    if parts.scheme == "https":
        yield _tls(host, port, route)


def _trusting(route: Route) -> ssl.SSLContext:
    """Return a context with the certificates that requests are checked against."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    named = (route.ca_bundle, os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("CURL_CA_BUNDLE"))
    bundle = next(filter(None, named), DEFAULT_CA_BUNDLE_PATH)
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def _tls(host: str, port: int, route: Route) -> Finding:
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
            _trusting(route).wrap_socket(plain, server_hostname=host) as tls,
        ):
            certificate, protocol = tls.getpeercert() or {}, tls.version()
    except ssl.SSLCertVerificationError as error:
        said = f"the certificate is not trusted: {error.verify_message}"
        remedy = (
            "behind a proxy that opens TLS, give its certificate in the extra verify or REQUESTS_CA_BUNDLE"
        )
        return Finding("TLS", "failed", said, remedy)
    except OSError as error:
        return Finding("TLS", "failed", f"no connection: {error}", "check firewall and proxy of this machine")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (until - datetime.now(UTC)).days
    return Finding(
        "TLS", "ok" if days > _SOON else "warning", f"{protocol}, certificate until {until.date()}"
    )
