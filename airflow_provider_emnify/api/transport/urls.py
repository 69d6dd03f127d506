"""Where a request may go, and how: the base URL, the paths on it, a proxy, certificates and headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

DEFAULT_BASE_URL = "https://cdn.emnify.net"
_SHORTEST = 8  # characters of a secret; what is shorter may stand in any text
_SECRET_HEADER = re.compile(r"(?i)key|token|secret|auth|password|credential|cookie|session")


@dataclass(frozen=True)
class Route:
    """How requests get to the API, where the environment does not say it all.

    :param proxy: URL of the proxy that they go through, instead of those in the environment.
    :param ca_bundle: File or directory with the certificates that the API's is checked against.
    :param headers: Names and values that go with each request, for a gateway in between.
    """

    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> list[str]:
        """What is redacted: the proxy's password, and the values of headers whose names say so.

        The value of another header may be a word that stands in data of devices, too.
        """
        values = [value for name, value in self.headers if _SECRET_HEADER.search(name)]
        found = [unquote(secret_in(self.proxy or "")), *values]
        return [secret for secret in found if len(secret) >= _SHORTEST]


def secret_in(url: str) -> str:
    """Return the password in a URL, or all that stands before its host without one; may be empty."""
    credentials = url.rpartition("@")[0].rpartition("/")[2]
    return credentials.partition(":")[2] or credentials


def check_base_url(url: str) -> str:
    """Return the scheme and host of the API, without a slash at the end.

    :raises ValueError: when it is not such a URL, or plain ``http://`` to another machine.
    """
    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise ValueError(f"host: {url!r} is not a valid URL ({error})") from None
    if parts.username or parts.password:
        raise ValueError("host: the URL must hold no user or password")
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError(f"host: {url!r} is not a valid base URL; give one like {DEFAULT_BASE_URL}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(
            f"host: {url!r} has more than a scheme and a host; give {parts.scheme}://{parts.netloc}"
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"host: {url!r} would send the token in the clear; use https://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def fill_path(path: str, values: Mapping[str, Any] | None) -> str:
    """Put percent-encoded values into a path.

    :raises ValueError: when the path is none, a value is missing, or a value would lead elsewhere.
    """
    if not path.startswith("/") or path.startswith("//") or "?" in path or "#" in path:
        raise ValueError(f"path: {path!r} is not a valid path; give it from /api on, without host and query")

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if values is None or name not in values:
            raise ValueError(f"{name}: missing for {path}")
        text = str(values[name])
        if text in {"", ".", ".."}:
            raise ValueError(f"{name}: {text!r} is not a valid id")
        return quote(text, safe="")

    return re.sub(r"\{(\w+)\}", fill, path)
