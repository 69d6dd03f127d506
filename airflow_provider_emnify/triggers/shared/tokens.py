"""Auth tokens that a triggerer keeps for as long as they are valid, whether or not there is a wait.

A client goes with the last wait of its connection; the token stays. Otherwise each wait that comes alone
would authenticate, and leave one more secret for good in Airflow's masker. A rejection stays for a while too,
so that one wait after another does not send a rejected credential again and lock the account.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.transport.token_cache import Cached, TokenCache
from airflow_provider_emnify.hooks.emnify import shared_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emnify.hooks.connection import ConnectionSettings

MOST_HELD = 64  # credentials of which a token is kept
_LOCKED_OUT = 300.0  # seconds that a rejection is remembered: as long as emnify locks an account


class HeldToken(TokenCache):
    """The token of one credential at one API, for all event loops of this process.

    It stands in front of the cache that the processes of the host share, where the connection has one.

    :param shared: That cache.
    """

    def __init__(self, shared: TokenCache | None = None) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._at = 0.0
        self._token: str | None = None
        self._rejection: str | None = None
        self._lost = 0

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold it while a token is got, so that one thread gets it for all."""
        with self._lock, contextlib.nullcontext() if self._shared is None else self._shared.lock():
            yield

    def load(self) -> Cached | None:
        """Return what is held, or what another process has left after that."""
        age = time.monotonic() - self._at
        found = [] if self._shared is None else [self._shared.load()]
        if self._token is not None or age < _LOCKED_OUT:
            found.append(Cached(age, self._token, self._rejection, self._lost))
        useful = (one for one in found if one is not None and (one.token or one.rejection or one.lost))
        return min(useful, key=lambda one: one.age, default=None)

    def store(self, *, token: str | None = None, rejection: str | None = None, lost: int = 0) -> None:
        """Hold a token, a rejection or the number of lost logins, and leave it for other processes."""
        self._at, self._token, self._rejection, self._lost = time.monotonic(), token, rejection, lost
        if self._shared is not None:
            self._shared.store(token=token, rejection=rejection, lost=lost)


_held: OrderedDict[tuple[object, ...], HeldToken] = OrderedDict()
_lock = threading.Lock()


def held_token(settings: ConnectionSettings) -> HeldToken:
    """Return the token that is held for a connection, for all its event loops.

    Other credentials have another one; of more than a few the one that was not used for longest is forgotten.
    """
    key = (settings.conn_id, settings.base_url, settings.credentials, settings.token_cache)
    with _lock:
        if key not in _held:
            _held[key] = HeldToken(shared_cache(settings))
        _held.move_to_end(key)
        while len(_held) > MOST_HELD:
            _held.popitem(last=False)
        return _held[key]
