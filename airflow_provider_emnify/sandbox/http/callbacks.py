"""The calls that the sandbox makes itself, as emnify does: signed, and again until they are answered 2xx."""

from __future__ import annotations

import sched
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
        self._lists: dict[object, Delivery] = {}
        self._agenda = sched.scheduler(time.monotonic)
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = True
        self._watching = False
        self._tick: Callable[[], object] = lambda: None

    def start(self, tick: Callable[[], object]) -> None:
        """Begin to send what there is, and what will be.

        :param tick: Lets happen what is due: nobody may ask for the SMS whose receipt is awaited.
        """
        self._stopped, self._tick = False, tick
        self._wake()

    def watch(self) -> None:
        """Let happen what is due from now on, since somebody waits to hear of it."""
        self._watching = True
        self._wake()

    def put(self, delivery: Delivery) -> None:
        """Send something as soon as possible."""
        self.deliveries.append(delivery)
        self._schedule(delivery, 0)

    def gather(self, key: object, delivery: Delivery, most: int) -> None:
        """Send a record in a list with others.

        :param key: What the records of a list have in common.
        :param delivery: The record as its body.
        :param most: How many records a list takes.
        """
        with self._lock:
            waiting = self._lists.get(key)
            if waiting is not None and len(waiting.body) < most:
                waiting.body.append(delivery.body)
                return
            delivery.body = [delivery.body]
            self._lists[key] = delivery
            self.deliveries.append(delivery)
        self._schedule(delivery, _GATHER)

    def stop(self) -> None:
        """End the thread; what was not sent is not sent any more."""
        self._stopped = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_TIMEOUT)
            self._thread = None

    def _schedule(self, delivery: Delivery, after: float) -> None:
        self._agenda.enter(after, 0, self._attempt, (delivery,))
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            wanted = self._watching or not self._agenda.empty()
            if self._thread is None and not self._stopped and wanted:
                run = threading.Thread(target=self._run, name="emnify-sandbox-callbacks", daemon=True)
                self._thread = run
                run.start()
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped:
            self._tick()
            wait = self._agenda.run(blocking=False)
            self._woken.wait(_TICK if wait is None else min(wait, _TICK))
            self._woken.clear()

    def _attempt(self, delivery: Delivery) -> None:
        if self._stopped:
            return
        self._tick()
        with self._lock:
            self._lists = {key: one for key, one in self._lists.items() if one is not delivery}
        delivery.statuses.append(_send(delivery))
        if not delivery.done and len(delivery.statuses) < _ATTEMPTS:
            self._schedule(delivery, _PAUSES[min(len(delivery.statuses), len(_PAUSES)) - 1])


def _send(delivery: Delivery) -> int | None:
    import jwt
    import requests

    headers, now = dict(delivery.headers), int(time.time())
    claims = {"iss": "emnify", "iat": now, "exp": now + _TOKEN_LIFE}
    how = {"json": delivery.body, "headers": headers, "timeout": _TIMEOUT, "allow_redirects": False}
    with requests.Session() as session:
        session.trust_env, session.stream = False, True
        try:
            if delivery.secret is not None:
                token = jwt.encode(claims, delivery.secret, algorithm="HS256")
                headers["Authorization"] = f"Bearer {token}"
            return session.request(delivery.method, delivery.url, **how).status_code
        except (OSError, ValueError, jwt.PyJWTError):  # nobody answers, or it is nothing that can be sent
            return None
