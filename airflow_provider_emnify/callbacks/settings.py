"""What Airflow's configuration and connections say of the callbacks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.configuration import conf

from airflow_provider_emnify.api.secrets.one_line_log import one_line_log

log = one_line_log(__name__)

SECTION = "emnify"
API_SECRET, STREAM_SECRET = "api_secret", "stream_secret"
_IN_URI = re.compile(r"[A-Za-z0-9_.-]+")
_SECRETS_LAST = 15.0  # seconds until a connection is read again


@dataclass(frozen=True)
class CallbackSettings:
    """The section ``[emnify]`` of Airflow's configuration, as far as it is about callbacks.

    :param connections: Ids of the connections whose callbacks are taken.
    :param unsigned: Whether those of a connection without a secret are taken, from whomever they come.
    :param path: Directory for bulk records, and for what no DAG waits for; None: there is none.
    :param per_minute: How many callbacks of a connection each server process takes in a minute.
    """

    connections: frozenset[str]
    unsigned: bool = False
    path: str | None = None
    per_minute: int = 3000

    @classmethod
    def from_configuration(cls) -> CallbackSettings:
        """Read the configuration."""
        names = set(conf.get(SECTION, "callbacks", fallback="").replace(",", " ").split())
        for name in [name for name in names if not _IN_URI.fullmatch(name)]:
            log.error(
                "[emnify] callbacks: '%s' is left out, since no URI of an asset can hold this connection id",
                name,
            )
            names.discard(name)
        return cls(
            connections=frozenset(names),
            unsigned=conf.getboolean(SECTION, "callbacks_unsigned", fallback=False),
            path=conf.get(SECTION, "callbacks_path", fallback="").strip() or None,
            per_minute=max(conf.getint(SECTION, "callbacks_per_minute", fallback=cls.per_minute), 1),
        )


class ConnectionSecrets:
    """The secrets of the connections, read again every 15 seconds: one that is rotated needs no restart."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, dict[str, tuple[str, ...]]]] = {}
        self._lock = threading.Lock()

    def get(self, conn_id: str, name: str) -> tuple[str, ...]:
        """Return the secrets of a connection's extra, several while they are rotated.

        :param conn_id: The connection.
        :param name: Name of the extra: a text, or a list of texts.
        :raises AirflowNotFoundException: when there is no such connection.
        """
        from airflow.models.connection import Connection

        with self._lock:
            read_at, secrets = self._known.get(conn_id, (float("-inf"), {}))
            if time.monotonic() - read_at > _SECRETS_LAST:
                connection = Connection.get_connection_from_secrets(conn_id)
                secrets = secrets_in_extra(conn_id, connection.extra_dejson)
                self._known[conn_id] = time.monotonic(), secrets
            return secrets[name]


def secrets_in_extra(conn_id: str, extra: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the secrets in the extra of a connection, of each the newest of several first."""
    return {name: _texts(conn_id, name, extra.get(name)) for name in (API_SECRET, STREAM_SECRET)}


def _texts(conn_id: str, name: str, value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    good = tuple(one for one in several if isinstance(one, str) and one)
    if len(good) < len(several) and value not in (None, ""):
        log.error("Connection '%s', extra '%s': it is neither a text nor a list of texts", conn_id, name)
    return good
