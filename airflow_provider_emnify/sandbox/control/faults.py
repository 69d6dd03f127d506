"""Faults that tests and people order: errors, delays, lost connections, cut answers."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_emnify.sandbox.http.wire import ROUTES
from airflow_provider_emnify.sandbox.world.outcomes import Orders

_BOUNDS = {
    "status": (200, 599),
    "delay": (0, math.inf),
    "truncate": (0, math.inf),
    "partial": (0, math.inf),
    "skip": (0, math.inf),
    "probability": (0, 1),
}
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+:[\t -~\x80-\xff]*", re.ASCII)


@dataclass(slots=True, eq=False)
class Fault:
    """What goes wrong, for which requests and how often.

    :param method: HTTP method; any by default.
    :param path: A path template as in the OpenAPI, or a regular expression that is searched in the path
        with its query; any by default.
    :param status: Answer this status instead of acting.
    :param body: Body of that answer: text, bytes, or what is sent as JSON.
    :param headers: Headers of that answer; without ``status`` they are added to the real one.
    :param delay: Real seconds to wait before anything is done.
    :param drop: ``before``: the connection is closed and nothing is done. ``after``: the request is acted on,
        and its answer is lost.
    :param truncate: Cut the real answer after so many bytes and close the connection.
    :param partial: Apply only the first n items of a bulk call, then answer 500.
    :param acted: With ``status``: act on the request before that answer is given.
    :param do: Called when a request is hit, before it is acted on: a change that comes in between.
    :param times: How many requests are hit; None: all.
    :param skip: How many matching requests pass before the first is hit.
    :param probability: Share of the matching requests that are hit, by the sandbox's seed.
    """

    method: str | None = None
    path: str | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: Literal["before", "after"] | None = None
    truncate: int | None = None
    partial: int | None = None
    acted: bool = False
    do: Callable[[], object] | None = None
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    hits: int = field(default=0, init=False)
    """How many requests it has hit."""

    def __post_init__(self) -> None:
        if self.drop not in {None, "before", "after"}:
            raise ValueError(f"drop is 'before' or 'after', not {self.drop!r}")
        for name, (least, most) in _BOUNDS.items():
            number = getattr(self, name)
            if number is not None and not least <= number <= most:
                bounds = f"at least {least}" if most == math.inf else f"from {least} to {most}"
                raise ValueError(f"{name} is {bounds}, not {number!r}")
        if self.do is not None and not callable(self.do):
            raise ValueError("do must be callable")
        for name, value in self.headers.items():
            if not isinstance(value, str) or not _HEADER.fullmatch(f"{name}:{value}"):
                raise ValueError(f"{name!r} with {value!r} is not a header that can be sent")
        try:
            re.compile(self.path or "")
        except re.error as error:
            reason = f"path is neither a template nor a regular expression: {self.path!r} ({error})"
            raise ValueError(reason) from None
        effects = (self.status, self.delay or None, self.drop, self.headers or None, self.truncate)
        if all(effect is None for effect in (*effects, self.partial, self.do)):
            raise ValueError("a fault needs a status, headers, delay, drop, truncate, partial or do")

    def covers(self, method: str, template: str | None, target: str) -> bool:
        """Tell whether a request is of the kind that this fault hits."""
        if self.method is not None and self.method.upper() != method:
            return False
        if self.path is None or self.path == template:
            return True
        is_template = any(self.path == known for _, known in ROUTES)
        return not is_template and re.search(self.path, target) is not None


class Faults(Orders[Fault]):
    """The faults that are in force, first come first.

    :param seed: Seed of their probabilities.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrecy

    def add(self, **fault: Any) -> Fault:
        """Put a fault in force; the arguments are those of :class:`Fault`.

        :return: The fault; its ``hits`` count.
        """
        return self.put(Fault(**fault))

    def hit(self, method: str, template: str | None, target: str) -> Fault | None:
        """Return the first fault that hits this request, and count the hit."""

        def hits(fault: Fault) -> bool:
            if not fault.covers(method, template, target):
                return False
            if fault.skip:
                fault.skip -= 1
                return False
            return fault.probability >= 1 or self._random.random() < fault.probability

        return self.first(hits)
