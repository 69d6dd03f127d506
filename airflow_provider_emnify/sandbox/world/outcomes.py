"""What becomes of things that take their time, when they are not to succeed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

KINDS: dict[str, str] = {
    # kind: the message that is told where the order has none
    "sms": "Absent subscriber",
    "connectivity_info": "Absent subscriber",
    "euicc_operation": "The eUICC reported an error",
    "sim_operation": "The profile could not be processed",
    "data_stream": "The destination is not reachable",
    "cloud_connect": "The attachment could not be created",
}
"""What can be ordered to fail."""

ATTACHMENT_FAILURES = (2, 7, 8)


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


class Outcomes:
    """The failures that are ordered, first come first."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._lock = threading.Lock()

    def add(self, kind: str, of: int | str | None = None, **outcome: Any) -> Outcome:
        """Order a failure; the arguments are those of :class:`Outcome`.

        :return: The order; its ``hits`` count.
        """
        added = Outcome(kind, of, **outcome)
        with self._lock:
            self._outcomes.append(added)
        return added

    def clear(self) -> None:
        """Withdraw all orders."""
        with self._lock:
            self._outcomes.clear()

    def __len__(self) -> int:
        return len(self._outcomes)

    def take(self, kind: str, *names: object) -> Outcome | None:
        """Return the failure that is ordered for a thing known by any of ``names``, and count it."""
        known = {str(name) for name in names}
        with self._lock:
            for outcome in self._outcomes:
                if outcome.kind != kind or (outcome.of is not None and str(outcome.of) not in known):
                    continue
                outcome.hits += 1
                if outcome.times is not None and outcome.hits >= outcome.times:
                    self._outcomes.remove(outcome)
                return outcome
        return None
