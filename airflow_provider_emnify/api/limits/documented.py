"""The documented rate limits as a table: which calls each is for, and how many it allows.

See https://docs.emnify.com/developers/api-limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_MARGIN = 1.02


@dataclass(frozen=True)
class Limit:
    """One documented limit.

    :param name: Its class, as the reference table shows it.
    :param calls: So many calls ...
    :param seconds: ... in any window of so many seconds.
    :param scope: What is counted together: all of this address, or all of one organisation.
    :param method: The HTTP method that it is for; None for each.
    :param path: What its paths look like.
    """

    name: str
    calls: int
    seconds: float
    scope: Literal["address", "organisation"]
    method: str | None = None
    path: re.Pattern[str] = re.compile("")

    @property
    def window(self) -> int:
        """Its window in milliseconds, a little longer than documented: no clock and no way is exact."""
        return round(self.seconds * 1000 * _MARGIN)

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a call falls under this limit."""
        return (self.method is None or self.method == method) and self.path.fullmatch(path) is not None


def _paths(*patterns: str) -> re.Pattern[str]:
    return re.compile("/api/v1/(?:" + "|".join(p.replace("{}", "[^/]+") for p in patterns) + ")")


# "10/s, burst 5" is a bucket of 5 that refills at 10 a second: never more than 5 in half a second.
# Wide limits come first: what waits for them is not yet counted in the narrow ones.
LIMITS: tuple[Limit, ...] = (
    Limit("address", 2000, 300.0, "address", path=re.compile(".*")),
    Limit("authenticate", 100, 300.0, "address", "POST", _paths("authenticate")),
    Limit(
        "10/s",
        5,
        0.5,
        "organisation",
        "GET",
        _paths(
            "endpoint",
            "sim",
            "event",
            "stats",
            "stats/daily",
            "organisation/{}/stats",
            "sim/{}/stats",
            "endpoint/{}/connectivity_info",
        ),
    ),
    Limit("50/s", 25, 0.5, "organisation", "GET", _paths("endpoint/{}", "endpoint/{}/connectivity")),
    Limit(
        "100/s",
        50,
        0.5,
        "organisation",
        "GET",
        _paths("sim/{}", "service_profile", "tariff_profile", "endpoint/{}/stats/{}"),
    ),
)

# One after another, says the API: single writes on endpoints, and bulk calls.
_SERIAL_PATH = re.compile(
    r"/api/v1/endpoint(/[^/]+)?|/api/v2/endpoint/multi|/api/v2/bulk-operations/.*|/api/v1/sim/multi"
)


def limit_class(method: str, path: str) -> str:
    """Return the name of the narrowest limit that a call falls under.

    :param method: HTTP method.
    :param path: Path or path template.
    """
    return next((limit.name for limit in reversed(LIMITS) if limit.covers(method, path)), "address")


def is_serial(method: str, path: str) -> bool:
    """Tell whether a call has to wait for the one before it to end."""
    return method != "GET" and _SERIAL_PATH.fullmatch(path) is not None
