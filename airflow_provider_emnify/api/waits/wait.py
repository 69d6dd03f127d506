"""Waiting: what is waited for, how the states are read at the least cost, and what they mean.

A :class:`Wait` is plain data, so that it survives a restart; the kinds in
:mod:`~airflow_provider_emnify.api.waits.kinds` know the API. Sensors, operators and triggers share both:
poke, reschedule and deferrable modes come to the same verdict.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.errors import one_line
from airflow_provider_emnify.api.resources.few import find_in_list
from airflow_provider_emnify.api.types import Id
from airflow_provider_emnify.api.waits.events import EVENT_WAITS
from airflow_provider_emnify.api.waits.kinds import STATE_WAITS, Reading, State, WaitKind, parse_states
from airflow_provider_emnify.api.waits.sms_replies import SMS_WAITS

if TYPE_CHECKING:
    from airflow_provider_emnify.api.client import EmnifyClient

__all__ = ["WAITS", "Id", "Reading", "State", "Verdict", "Wait", "look", "parse_target", "read"]

WAITS: dict[str, WaitKind] = {**STATE_WAITS, **EVENT_WAITS, **SMS_WAITS}

_SHOWN = 10  # as many ids as a message names


@dataclass(frozen=True)
class Verdict:
    """What the readings mean for a wait.

    :param done: The target is reached.
    :param failed: It cannot be reached any more.
    :param pending: The ids that are still to be read.
    :param seen: The last label of each id that was read, by id.
    :param message: One sentence for a log or an error.
    """

    done: bool
    failed: bool
    pending: tuple[Id, ...]
    seen: dict[str, str]
    message: str

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.done or self.failed


class Wait:
    """One wait: these ids, until all (or any) are in a target state.

    :param kind: A key of :data:`WAITS`.
    :param ids: The ids, in any form that a DAG gives them.
    :param target: The state to wait for, or several that will do; enum, name or number.
    :param failures: States that end the wait as failed. None: the kind's own, less the target.
    :param wait_for: ``"all"`` ids or ``"any"`` one of them.
    :param filters: What else says what is waited for, where the kind has that.
    :param named: What the caller calls the ids and the target, for errors.
    :raises ValueError: when one of these makes no sense; the message names it.
    """

    def __init__(
        self,
        kind: str,
        ids: Any,
        target: Any,
        failures: Any = None,
        wait_for: str = "all",
        filters: Mapping[str, Any] | None = None,
        named: Sequence[str] = (),
    ) -> None:
        if kind not in WAITS:
            raise ValueError(f"kind: {kind!r} cannot be waited for; allowed: {', '.join(WAITS)}")
        if wait_for not in {"all", "any"}:
            raise ValueError(f"wait_for: {wait_for!r} is neither 'all' nor 'any'")
        self.kind = kind
        self.wait_for = wait_for
        spec = WAITS[kind]
        ids_name, target_name = (*named, *(f"{spec.noun}_ids", "target")[len(named) :])
        self.ids: tuple[Id, ...] = tuple(spec.parse(ids, ids_name))
        self.filters = spec.parse_filters(filters or {})
        self.target = parse_target(spec.states, target, target_name)
        if failures is None:
            failures = [state for state in spec.failures if state not in self.target]
        self.failures = parse_states(spec.states, failures, "failures")
        both = [state.label for state in self.failures if state in self.target]
        if both:
            raise ValueError(f"failures: {', '.join(both)} is the target too")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wait) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.kind, self.ids, self.target))

    def __repr__(self) -> str:
        return f"Wait({self.subject}, {self.wait_for} of {reprlib.repr(list(self.ids))} {self._goal()})"

    def to_dict(self) -> dict[str, Any]:
        """Return the wait as plain values, from which :meth:`from_dict` makes it again."""
        values = {
            "kind": self.kind,
            "ids": list(self.ids),
            "target": [state.value for state in self.target],
            "failures": [state.value for state in self.failures],
            "wait_for": self.wait_for,
        }
        return {**values, "filters": self.filters} if self.filters else values

    @property
    def subject(self) -> str:
        """What is read for it, as a text. Waits of one subject share what is read, whatever their ids."""
        return f"{self.kind} {json.dumps(self.filters, sort_keys=True)}" if self.filters else self.kind

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Wait:
        """Make a wait of what :meth:`to_dict` gave.

        :raises ValueError: when the values are not of that form.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a wait: {dict(values)!r} ({error})") from None

    def judge(self, readings: Mapping[Id, Reading]) -> Verdict:
        """Say what the readings so far mean. Ids without a reading count as pending."""
        goal = {state.value for state in self.target}
        bad = {state.value for state in self.failures}
        there: list[Id] = []
        lost: dict[Id, str] = {}
        pending: list[Id] = []
        for key in self.ids:
            reading = readings.get(key)
            if reading is not None and reading.value in goal:  # also what is gone, where that is the target
                there.append(key)
            elif reading is not None and (reading.gone or reading.value in bad):
                lost[key] = "does not exist" if reading.gone else f"is {reading.label}"
            else:
                pending.append(key)
        if self.wait_for == "any":
            done = bool(there) or not self.ids
            failed = not done and not pending
        else:
            failed = bool(lost)
            done = not failed and not pending
        seen = {str(key): readings[key].label for key in self.ids if key in readings}
        return Verdict(done, failed, tuple(pending), seen, self._message(there, lost, pending, readings))

    def _goal(self) -> str:
        return " or ".join(state.label for state in self.target)

    def _message(
        self, there: list[Id], lost: dict[Id, str], pending: list[Id], readings: Mapping[Id, Reading]
    ) -> str:
        noun = WAITS[self.kind].noun
        text = f"{len(there)} of {len(self.ids)} {_plural(noun)} {self._goal()}"
        if lost:
            text += "; " + ", ".join(f"{noun} {key} {why}" for key, why in list(lost.items())[:_SHOWN])
        if pending:
            shown = pending[:_SHOWN]
            states = (f"{key} ({readings[key].label})" if key in readings else str(key) for key in shown)
            more = f" and {len(pending) - _SHOWN} more" if len(pending) > _SHOWN else ""
            text += f"; still waiting for {', '.join(states)}{more}"
        return one_line(text)


def _plural(noun: str) -> str:
    if noun.endswith("S"):  # SMS
        return noun
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def parse_target(states: type[State], value: Any, field: str) -> tuple[State, ...]:
    """Return the states that ``value`` means, as :func:`parse_states` does, at least one.

    :raises ValueError: naming ``field``, when one of them is not such a state, or there is none.
    """
    target = parse_states(states, value, field)
    if not target:
        raise ValueError(f"{field}: no {states.__name__} given")
    return target


def look(client: EmnifyClient, wait: Wait, readings: MutableMapping[Id, Reading]) -> Verdict:
    """Read the ids that are still to be read, and judge all.

    :param readings: What earlier looks have seen; the new ones are added.
    :raises EmnifyError: when emnify could not be read.
    """
    readings.update(read(client, wait.kind, wait.judge(readings).pending, wait.filters))
    return wait.judge(readings)


def read(
    client: EmnifyClient, kind: str, ids: Sequence[Id], filters: Mapping[str, Any] | None = None
) -> dict[Id, Reading]:
    """Read the state of each id, in the fewest requests.

    A few ids are read one by one, many are found in the list where the API has one and that has fewer pages
    (:func:`~airflow_provider_emnify.api.resources.few.find_in_list`).

    :param kind: A key of :data:`WAITS`.
    :param filters: Those of the wait.
    :returns: A reading for each id; what does not exist is ``gone``. No secret of the client's is in it,
        whatever emnify's descriptions repeat.
    """
    spec, found = WAITS[kind], dict[Id, Reading]()
    read_all, redact = spec.read_all, client.transport.redact_value
    if spec.read_many is not None:
        found = spec.read_many(client, ids, filters or {})
    elif read_all is not None:
        listed = find_in_list(ids, list_all=lambda: read_all(client), ids_of=spec.id_of)
        found = {key: spec.reading(row) for key, row in listed or ()}
    # What a list does not hold is asked for by itself: only its own answer says that it is gone.
    for key in ids:
        if key not in found:
            found[key] = spec.read(client, key, filters)
    for key, reading in found.items():
        if (label := redact(reading.label)) != reading.label:
            found[key] = replace(reading, label=label)
    return found
