"""The calls that the sandbox makes itself, as emnify does: signed, and again until they are answered 2xx."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

_TIMEOUT = 10.0
_PAUSES = (0.5, 1, 2, 4, 8, 15, 30, 60)  # seconds until it is sent again; the last for good
_ATTEMPTS = 50
_GATHER = 0.5  # seconds for which the records of a list are gathered
_TOKEN_LIFE = 300
_TICK = 0.2


@dataclass
class Delivery:
    """Something that is sent to a URL of the user's, and how this was answered."""

    method: str
    url: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str | None = field(default=None, repr=False)
    statuses: list[int | None] = field(default_factory=list)
    """The status of each attempt; None where there was no answer."""

    @property
    def done(self) -> bool:
        """Whether it was accepted."""
        return bool(self.statuses) and (self.statuses[-1] or 0) // 100 == 2  # noqa: PLR2004 - 2xx


class Outbox:
    """Sends deliveries from a thread of its own."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self._due: list[tuple[float, int, Delivery]] = []
        self._lists: dict[object, Delivery] = {}
        self._numbers = count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = True
        self._watching = False
        self._tick: Callable[[], object] | None = None

    def start(self, tick: Callable[[], object]) -> None:
        """Begin to send what there is, and what will be.

        :param tick: Lets happen what is due: nobody may ask for the SMS whose receipt is awaited.
        """
        with self._changed:
            self._stopped, self._tick = False, tick
            self._wake()

    def watch(self) -> None:
        """Let happen what is due from now on, since somebody waits to hear of it."""
        with self._changed:
            self._watching = True
            self._wake()

    def put(self, delivery: Delivery) -> None:
        """Send something as soon as possible."""
        with self._changed:
            self.deliveries.append(delivery)
            self._schedule(delivery, 0)

    def gather(self, key: object, delivery: Delivery, most: int) -> None:
        """Send a record in a list with others.

        :param key: What the records of a list have in common.
        :param delivery: The record as its body.
        :param most: How many records a list takes.
        """
        with self._changed:
            waiting = self._lists.get(key)
            if waiting is None or waiting.statuses or len(waiting.body) >= most:
                waiting = self._lists[key] = delivery
                waiting.body = [delivery.body]
                self.deliveries.append(waiting)
                self._schedule(waiting, _GATHER)
            else:
                waiting.body.append(delivery.body)

    def stop(self) -> None:
        """End the thread; what was not sent is not sent any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_TIMEOUT)
            self._thread = None

    def _schedule(self, delivery: Delivery, after: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + after, next(self._numbers), delivery))
        self._wake()

    def _wake(self) -> None:
        if self._thread is None and not self._stopped and (self._due or self._watching):
            self._thread = threading.Thread(target=self._run, name="emnify-sandbox-callbacks", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while not self._stopped:
            if self._tick is not None:
                self._tick()
            delivery = self._next()
            if delivery is None:
                continue
            status = self._send(delivery)
            with self._changed:
                delivery.statuses.append(status)
                if not delivery.done and len(delivery.statuses) < _ATTEMPTS:
                    self._schedule(delivery, _PAUSES[min(len(delivery.statuses), len(_PAUSES)) - 1])

    def _next(self) -> Delivery | None:
        """Return what is due, None after a while without anything."""
        with self._changed:
            wait = self._due[0][0] - time.monotonic() if self._due else _TICK
            if wait > 0 and not self._stopped:
                self._changed.wait(min(wait, _TICK))
            if self._stopped or not self._due or self._due[0][0] > time.monotonic():
                return None
            delivery = heapq.heappop(self._due)[2]
            self._lists = {key: one for key, one in self._lists.items() if one is not delivery}
            return delivery

    def _send(self, delivery: Delivery) -> int | None:
        import requests

        headers = dict(delivery.headers)
        if delivery.secret is not None:
            headers["Authorization"] = f"Bearer {_token(delivery.secret)}"
        how = {"json": delivery.body, "headers": headers, "timeout": _TIMEOUT, "allow_redirects": False}
        with requests.Session() as session:
            session.trust_env, session.stream = False, True
            try:
                return session.request(delivery.method, delivery.url, **how).status_code
            except (OSError, ValueError):
                return None


def _token(secret: str) -> str:
    import jwt

    now = int(time.time())
    return jwt.encode({"iss": "emnify", "iat": now, "exp": now + _TOKEN_LIFE}, secret, algorithm="HS256")
