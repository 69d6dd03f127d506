"""From an Airflow connection to checked settings: what hook, triggers and tests share.

Every error names the connection, the field and what to do, and quotes no value: whatever field it stands
in, it may be a token that was put into the wrong one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import Credentials
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.transport.urls import Route, is_loopback, secret_in
from airflow_provider_emnify.hooks.form import (
    DEFAULT_BASE_URL,
    DEFAULT_MAX_RETRIES,
    DEFAULT_RATE_LIMIT_STORE,
    DEFAULT_TASK_SHARE,
    DEFAULT_TIMEOUT,
    DEFAULT_TOKEN_CACHE,
    EXTRAS,
)
from airflow_provider_emnify.hooks.masking import texts_in
from airflow_provider_emnify.hooks.route import mapping_of, parse_route

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Connection

log = one_line_log(__name__)

_SCHEMES = {"https", "http"}
_HIGHEST_PORT = 65535
_OLD_PREFIX = "extra__emnify__"  # how forms before Airflow 2.3 stored extras, and some tools still do
_USER_ONLY = ("workspace_id", "fingerprint")
_IN_PASSWORD = frozenset({"application_token", "password", "fingerprint", "rate_limit_store"})
_PLAIN_NAME = re.compile(r"[A-Za-z_]{1,24}")  # of an extra: anything else may be a token in the wrong place
_LONGEST_HOST, _LONGEST_LABEL = 253, 63
_LONGEST_SINGLE_LABEL = 24  # of a host without a domain; longer ones are rather tokens


class EmnifyConnectionConfigError(AirflowFailException, ValueError):
    """A connection that cannot work. A permanent error: the task fails without retries.

    :param conn_id: Which connection.
    :param field_name: Which of its fields.
    :param remedy: What is wrong and what to do, without the value.
    """

    def __init__(self, conn_id: str, field_name: str, remedy: str) -> None:
        super().__init__(f"Connection '{conn_id}', {field_name}: {remedy}")
        self.conn_id = conn_id
        self.field_name = field_name
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.conn_id, self.field_name, self.remedy)


@dataclass(frozen=True)
class ConnectionSettings:
    """What a connection says, checked. Two connections that say the same are equal.

    :param conn_id: Id of the connection.
    :param credentials: Application token, or username and password.
    :param base_url: Scheme, host and port of the API.
    :param timeout: Seconds to wait for an answer.
    :param max_retries: How often a request is sent again.
    :param rate_limit_store: ``host``, ``memory`` or a Redis URL.
    :param token_cache: ``task`` or ``host``.
    :param task_share: Share of the address's rate limit that waits in a triggerer leave to tasks.
    :param route: Proxy, certificates and headers.
    """

    conn_id: str
    credentials: Credentials
    base_url: str = DEFAULT_BASE_URL
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_MAX_RETRIES
    rate_limit_store: str = field(default=DEFAULT_RATE_LIMIT_STORE, repr=False)
    token_cache: str = DEFAULT_TOKEN_CACHE
    task_share: float = DEFAULT_TASK_SHARE
    route: Route = field(default_factory=Route)

    @classmethod
    def from_airflow(
        cls, conn: Connection, on_secret: Callable[[str], None] = lambda _: None
    ) -> ConnectionSettings:
        """Check an Airflow connection.

        :param conn: The connection.
        :param on_secret: Called with each secret of the connection before anything else is done with it.
        :raises EmnifyConnectionConfigError: naming the field that is wrong.
        """
        conn_id = str(conn.conn_id)
        held = str(conn.password or "")  # JSON may give a number
        if held:
            on_secret(held)
            on_secret(held.strip())
        password, inside = _split_password(held)
        on_secret(password.strip())
        extras = {**_extras(conn_id, conn.extra), **inside}
        for secret in _secrets_of(extras):
            on_secret(secret)

        def wrong(name: str, remedy: str) -> EmnifyConnectionConfigError:
            return EmnifyConnectionConfigError(conn_id, name, remedy)

        return cls(
            conn_id=conn_id,
            credentials=_credentials(str(conn.login or "").strip(), password, extras, wrong),
            base_url=_base_url(conn, wrong),
            timeout=_number(extras, "timeout", wrong),
            max_retries=int(_number(extras, "max_retries", wrong)),
            rate_limit_store=_rate_limit_store(extras, wrong),
            token_cache=_token_cache(extras, wrong),
            task_share=_number(extras, "task_share", wrong),
            route=parse_route(extras, wrong),
        )


_Wrong = Callable[[str, str], EmnifyConnectionConfigError]


def _split_password(text: str) -> tuple[str, dict[str, Any]]:
    """Return the password or token, and the other secrets that a password in JSON holds beside it.

    Who may read connections sees the extras in Airflow's API, and never a password: so ``fingerprint`` and a
    ``rate_limit_store`` with a password in its URL can stand in the password field, as
    ``{"application_token": ..., "rate_limit_store": ...}`` or ``{"password": ..., "fingerprint": ...}``.
    """
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found or not found.keys() <= _IN_PASSWORD:
        return text, {}
    held = [found.pop(name, None) for name in ("application_token", "password")]
    secret = next((one for one in held if isinstance(one, str) and one), "")
    return secret, {name: value for name, value in found.items() if value not in (None, "")}


def _extras(conn_id: str, extra: str | None) -> dict[str, Any]:
    """Return the extras that are set, and warn of those that nothing reads."""
    try:
        found = json.loads(extra) if extra and extra.strip() else {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EmnifyConnectionConfigError(
            conn_id, "extra", 'it is not a JSON object; write it like {"timeout": 30}, or leave it empty'
        )
    extras = {name.removeprefix(_OLD_PREFIX): value for name, value in found.items()}
    for name in sorted(extras.keys() - EXTRAS):
        import difflib

        near = difflib.get_close_matches(name, EXTRAS, n=1)
        log.warning(
            "Connection '%s': the extra %s is not known and is ignored; %s",
            conn_id,
            f"'{name}'" if _PLAIN_NAME.fullmatch(name) else "with a name that is not shown",
            f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(EXTRAS))}",
        )
    return {name: value for name, value in extras.items() if name in EXTRAS and value not in (None, "")}


def _secrets_of(extras: Mapping[str, Any]) -> list[str]:
    secrets = [str(extras["fingerprint"])] if "fingerprint" in extras else []
    secrets += texts_in([extras.get("api_secret"), extras.get("stream_secret")])
    secrets += texts_in(mapping_of(extras.get("headers")))
    proxies = extras.get("proxies")
    urls = texts_in([extras.get("rate_limit_store"), mapping_of(proxies) or proxies])
    return secrets + [secret for secret in map(secret_in, urls) if secret]


def _credentials(login: str, password: str, extras: Mapping[str, Any], wrong: _Wrong) -> Credentials:
    if not password.strip():
        raise wrong(
            "password",
            "it is empty; put in the password of the user in the username; an application token belongs into "
            "the password, with an empty username"
            if login
            else "it is empty; put in an application token (portal, Integrations > Application tokens)",
        )
    if login:
        workspace_id = None
        if "workspace_id" in extras:
            workspace_id = int(_number(extras, "workspace_id", wrong))
        fingerprint = extras.get("fingerprint")
        if fingerprint is not None and not isinstance(fingerprint, str):
            raise wrong(
                "extra 'fingerprint'", "it is not a text; give the trusted device's fingerprint in quotes"
            )
        return Credentials(
            username=login, password=password, fingerprint=fingerprint, workspace_id=workspace_id
        )
    for name in _USER_ONLY:
        if name in extras:
            raise wrong(
                f"extra '{name}'",
                "it works with user credentials only, since an application token belongs to one Workspace; "
                "set login and password, or remove it",
            )
    return Credentials(application_token=password.strip())


def _base_url(conn: Connection, wrong: _Wrong) -> str:
    """Return scheme, host and port, of which a connection URI puts the first and last elsewhere."""
    host, schema = str(conn.host or "").strip(), str(conn.schema or "").strip().lower()
    with suppress(ValueError):
        host = f"[{IPv6Address(host)}]"  # Airflow takes the brackets off
    if schema and schema not in _SCHEMES:
        raise wrong("schema", "it is neither 'https' nor 'http'; leave it empty")
    example = f"write it like {DEFAULT_BASE_URL}"
    given = host if "://" in host else f"{schema or 'https'}://{host}" if host else DEFAULT_BASE_URL
    scheme, name, port = _split_host(given, wrong, example)
    if schema and scheme != schema and host:
        raise wrong("schema", f"it says {schema} and the host says {scheme}; leave the schema empty")
    if conn.port:
        given_port = _port(conn.port, wrong)
        if port is not None and port != given_port:
            raise wrong("port", "it differs from the port in the host; leave the port empty")
        if not host:
            raise wrong("port", "it is given without a host; put both in the host, or leave it empty")
        port = given_port
    if scheme == "http" and not is_loopback(name):
        raise wrong(
            "host", f"http:// would send the secret in the clear and is for this machine only; {example}"
        )
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" + (f":{port}" if port else "")


def _split_host(given: str, wrong: _Wrong, example: str) -> tuple[str, str, int | None]:
    """Return scheme, name and port of a host, which holds nothing else."""
    try:
        parts = urlsplit(given)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        raise wrong("host", f"it is not a valid address; {example}") from None
    if parts.username is not None or parts.password is not None:
        raise wrong("host", f"it holds a user or a password, which belong in login and password; {example}")
    if parts.scheme not in _SCHEMES:
        raise wrong("host", f"its scheme is neither https nor http; {example}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise wrong("host", f"it has a path or a query, which the provider adds by itself; {example}")
    if not _is_host(name):
        raise wrong("host", f"it names no host; {example}")
    return parts.scheme, name, port


def _port(value: Any, wrong: _Wrong) -> int:
    """Return a port, which a secrets backend may give as text."""
    number = _float(value)
    if not 0 < number <= _HIGHEST_PORT or number != int(number):
        raise wrong("port", f"it is not between 1 and {_HIGHEST_PORT}")
    return int(number)


def _is_host(name: str) -> bool:
    """Tell whether this can be a host, and is no token in its field: errors name the host."""
    if ":" in name:
        return True
    labels = name.removesuffix(".").split(".")
    longest = _LONGEST_SINGLE_LABEL if len(labels) == 1 else _LONGEST_LABEL
    return (
        len(name) <= _LONGEST_HOST
        and all(re.fullmatch(r"[\w-]+", label) and len(label) <= longest for label in labels)
        and not name.isdecimal()
        and not name.lower().startswith("eyj")  # how every JWT begins
    )


def _number(extras: Mapping[str, Any], name: str, wrong: _Wrong) -> float:
    """Return a number from the extras; connection URIs give it as text."""
    default, is_valid, complaint = _NUMBERS[name]
    number = _float(extras.get(name, default))
    if not is_valid(number):
        raise wrong(f"extra '{name}'", complaint)
    return number


def _is_count(number: float) -> bool:
    return number >= 0 and number.is_integer()


# Extras that are numbers: the default, what is valid, and what is said of anything else.
_NUMBERS: dict[str, tuple[float, Callable[[float], bool], str]] = {
    "timeout": (DEFAULT_TIMEOUT, lambda n: 0 < n < math.inf, "it is not a number of seconds above 0"),
    "max_retries": (DEFAULT_MAX_RETRIES, _is_count, "it is not a whole number, 0 or more"),
    "workspace_id": (0, _is_count, "it is not the number of a Workspace"),
    "task_share": (
        DEFAULT_TASK_SHARE,
        lambda n: 0 <= n < 1,
        "it is not a valid share; give 0 or more and below 1, like 0.25",
    ),
}


def _float(value: Any) -> float:
    """Return what is or says a number; not a number for anything else."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _rate_limit_store(extras: Mapping[str, Any], wrong: _Wrong) -> str:
    store = extras.get("rate_limit_store", DEFAULT_RATE_LIMIT_STORE)
    if isinstance(store, str) and (store in {"host", "memory"} or re.match(r"rediss?://[^/]", store)):
        return store
    raise wrong(
        "extra 'rate_limit_store'",
        "it is not 'host', 'memory', or a URL that begins with redis:// or rediss://",
    )


def _token_cache(extras: Mapping[str, Any], wrong: _Wrong) -> str:
    cache = extras.get("token_cache", DEFAULT_TOKEN_CACHE)
    if isinstance(cache, str) and cache in {"task", "host"}:
        return cache
    raise wrong("extra 'token_cache'", "it is not valid; allowed: task, host")
