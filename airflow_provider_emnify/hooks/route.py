"""How requests get to emnify, of a connection's extras: a proxy, certificates, headers, and the portal."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_emnify.api.transport.urls import Route
from airflow_provider_emnify.hooks.form import DEFAULT_PORTAL_URL

_PROXIES = frozenset({"http", "https"})
_OWN = frozenset(
    {"authorization", "host", "content-length", "content-type", "accept", "accept-encoding", "user-agent"}
)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,4095}")


def parse_route(extras: Mapping[str, Any], wrong: Callable[[str, str], Exception]) -> Route:
    """Return the route that extras say.

    :param wrong: Makes the error, of the field's name and what is wrong with it.
    """
    return Route(_proxy(extras, wrong), _ca_bundle(extras, wrong), _headers(extras, wrong))


def portal_url(extras: Mapping[str, Any]) -> str:
    """Return where links lead: to emnify's portal, unless the extras name another brand's."""
    given = extras.get("portal_url")
    try:
        parts = urlsplit(given.strip() if isinstance(given, str) else "")
    except ValueError:
        return DEFAULT_PORTAL_URL
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        return DEFAULT_PORTAL_URL
    return f"https://{parts.netloc}{parts.path.rstrip('/')}"


def mapping_of(given: Any) -> Mapping[str, Any] | None:
    """Return headers or proxies as a form, a connection's URI or JSON gives them; None for what are none."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return None
    return given if isinstance(given, Mapping) else None


def _proxy(extras: Mapping[str, Any], wrong: Callable[[str, str], Exception]) -> str | None:
    given = extras.get("proxies")
    if isinstance(given, Mapping) or (isinstance(given, str) and given.lstrip().startswith("{")):
        named = mapping_of(given) or {}
        given = named.get("https") or named.get("http") or named.get("all")
        if given is None:
            raise wrong(
                "extra 'proxies'", "it names no proxy for https; give one URL, like http://proxy:3128"
            )
    if given is None:
        return None
    from urllib3.util import parse_url

    try:
        urlsplit(given.strip())  # requests reads it both ways, and its errors quote what they cannot read
        parts = parse_url(given.strip())
    except (AttributeError, ValueError):
        raise wrong("extra 'proxies'", "it is not a valid URL; give one like http://proxy:3128") from None
    if parts.scheme not in _PROXIES or not parts.host:
        raise wrong("extra 'proxies'", f"its scheme is not valid; allowed: {', '.join(sorted(_PROXIES))}")
    return str(given).strip()


def _ca_bundle(extras: Mapping[str, Any], wrong: Callable[[str, str], Exception]) -> str | None:
    given = extras.get("verify")
    if given is None or given is True or str(given).strip().lower() == "true":
        return None
    if given is False or str(given).strip().lower() == "false":
        raise wrong(
            "extra 'verify'",
            "certificates are always checked, for the token would go to anyone; give the path of a CA bundle",
        )
    try:
        is_folder = os.path.isdir(given)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(None if is_folder else given, given if is_folder else None)
    except (OSError, TypeError, ValueError):
        raise wrong(
            "extra 'verify'",
            "there is no such file or directory on this machine, or no certificate in it; give the path of "
            "a CA bundle",
        ) from None
    return str(given)


def _headers(
    extras: Mapping[str, Any], wrong: Callable[[str, str], Exception]
) -> tuple[tuple[str, str], ...]:
    given = extras.get("headers")
    if given is None:
        return ()
    headers = mapping_of(given)
    if headers is None:
        raise wrong(
            "extra 'headers'", 'it is not a JSON object of texts; give one like {"X-Gateway-Key": "..."}'
        )
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise wrong("extra 'headers'", "it has a name or a value that no header can have")
        if name.lower() in _OWN:
            raise wrong("extra 'headers'", f"{name} is the provider's own; leave it out")
    return tuple(headers.items())
