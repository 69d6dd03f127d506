"""What becomes of things that take their time, when they are not to succeed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

KINDS: dict[str, str] = {
    # kind: the message where the order has none
    "sms": "Absent subscriber",
    "connectivity_info": "Absent subscriber",
    "euicc_operation": "The eUICC reported an error",
    "sim_operation": "The profile could not be processed",
    "data_stream": "The destination is not reachable",
    "cloud_connect": "The attachment could not be created",
}
"""What can be ordered to fail."""

ATTACHMENT_FAILURES = (2, 7, 8)


class Order(Protocol):
    """An order: how often it is to be carried out (None: always), and how often it has been."""

    times: int | None
    hits: int


T = TypeVar("T", bound=Order)


class Orders(Generic[T]):
    """The orders that are in force, first come first."""

    def __init__(self) -> None:
        self._orders: list[T] = []
        self._lock = threading.Lock()

    def put(self, order: T) -> T:
        """Put an order in force, and return it.

        :raises ValueError: if it is to be carried out less than once.
        """
        if order.times is not None and order.times < 1:
            raise ValueError(f"times is at least 1, not {order.times!r}")
        with self._lock:
            self._orders.append(order)
        return order

    def clear(self) -> None:
        """Withdraw all orders."""
        with self._lock:
            self._orders.clear()

    def __len__(self) -> int:
        return len(self._orders)

    def first(self, fits: Callable[[T], bool]) -> T | None:
        """Return the first order that fits, and count it; the last time, it is withdrawn."""
        with self._lock:
            for order in self._orders:
                if fits(order):
                    order.hits += 1
                    if order.times is not None and order.hits >= order.times:
                        self._orders.remove(order)
                    return order
        return None


@dataclass(slots=True, eq=False)
class Outcome:
    """A failure that is ordered before the thing is over.

    :param kind: What fails: ``sms``, ``connectivity_info``, ``euicc_operation``, ``sim_operation``,
        ``data_stream`` or ``cloud_connect``.
    :param of: Id of the endpoint, eUICC, data stream or attachment, or the name of a data stream or
        attachment; for a SIM operation the eID or SIM id of the one eSIM that fails; any by default.
    :param message: What the answer says of it; for ``connectivity_info``, an empty one leaves out all but the
        times.
    :param reason: The number that an eUICC operation gives as its reason.
    :param status: Status that an attachment ends in: 7 (deactivated), 8 (rolling back), or 2: nobody accepts
        the offer of a transit gateway.
    :param times: How many fail; None: all.
    """

    kind: str
    of: int | str | None = None
    message: str | None = None
    reason: int = 1
    status: int = 7
    times: int | None = 1
    hits: int = field(default=0, init=False)
    """How many have failed by it."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.status not in ATTACHMENT_FAILURES:
            raise ValueError(f"status is 2, 7 or 8, not {self.status!r}")
        if self.message is None:
            self.message = KINDS[self.kind]


class Outcomes(Orders[Outcome]):
    """The failures that are ordered, first come first."""

    def add(self, kind: str, of: int | str | None = None, **outcome: Any) -> Outcome:
        """Order a failure; the arguments are those of :class:`Outcome`.

        :return: The order; its ``hits`` count.
        """
        return self.put(Outcome(kind, of, **outcome))

    def take(self, kind: str, *names: object) -> Outcome | None:
        """Return the failure that is ordered for a thing known by any of ``names``, and count it."""
        known = {str(name) for name in names}
        return self.first(
            lambda outcome: outcome.kind == kind and (outcome.of is None or str(outcome.of) in known)
        )
