"""What was asked of the sandbox, without the secrets in it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

HIDDEN = "***"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_SECRET_FIELDS = frozenset(
    {
        "activationKey",
        "activation_code",
        "api_key",
        "api_secret",
        "application_token",
        "auth_token",
        "code",
        "connection_string",
        "mfa_token",
        "new_password",
        "old_password",
        "password",
        "psk",
        "refresh_token",
        "secret",
        "support_token",
        "write_key",
    }
)


@dataclass(slots=True)
class Entry:
    """One request and the status that it was answered with.

    ``template`` is None for a path that the API does not have; ``status`` is None while the request is under
    way, and when the connection was dropped without an answer.
    """

    method: str
    path: str
    template: str | None
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float
    status: int | None = None
    seconds: float | None = None
    """How long it took."""

    @property
    def key(self) -> str:
        """What it is counted under: ``METHOD /path/template``."""
        return f"{self.method} {self.template or self.path}"

    @property
    def target(self) -> str:
        """The path with its query."""
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")


class Log:
    """Records and counts requests.

    :param size: How many entries are kept; None: all.
    """

    def __init__(self, size: int | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.peaks: Counter[str] = Counter()
        """The most requests of each operation that were under way at the same time."""
        self._under_way: Counter[str] = Counter()
        self.tell: Callable[[Entry], object] | None = None
        """Called with each request once it is answered."""

    def begin(self, entry: Entry) -> None:
        """Record a request that has come in."""
        self.entries.append(entry)
        self.counts[entry.key] += 1
        self._under_way[entry.key] += 1
        self.peaks[entry.key] = max(self.peaks[entry.key], self._under_way[entry.key])

    def end(self, entry: Entry, status: int | None, seconds: float) -> None:
        """Record how a request was answered."""
        entry.status, entry.seconds = status, seconds
        self._under_way[entry.key] -= 1
        if status is not None:
            self.statuses[status] += 1
        if self.tell is not None:
            self.tell(entry)


def without_secrets(value: Any) -> Any:
    """Return JSON with the values of secret fields hidden."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if key in _SECRET_FIELDS and isinstance(part, str) else without_secrets(part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [without_secrets(part) for part in value]
    return value


def public_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with the secret ones hidden."""
    return {name: HIDDEN if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}
