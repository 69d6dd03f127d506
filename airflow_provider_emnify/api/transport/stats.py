"""What a client counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class ClientStats:
    """What a client has done so far.

    :param requests: Requests sent, repeats and authentications among them.
    :param retries: Requests sent again.
    :param throttled_seconds: Seconds waited for the rate limits, in all threads.
    :param authentications: Exchanges of the credentials (or the refresh token) for an auth token.
    """

    requests: float = 0
    retries: float = 0
    throttled_seconds: float = 0
    authentications: float = 0
