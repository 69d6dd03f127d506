"""What can be waited for: how it is read, when it is done, when it has failed.

A :class:`Wait` is plain data, so that it survives a restart; a :class:`WaitKind` knows the API. Sensors,
operators and triggers share both: poke, reschedule and deferrable modes come to the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, UserStatus
from airflow_provider_emnify.api.errors import EmnifyNotFoundError
from airflow_provider_emnify.api.ids import parse_ids, parse_user_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emnify.api.client import EmnifyClient
    from airflow_provider_emnify.api.paging import Listing

Id = int | str
Row = dict[str, Any]
State = EndpointStatus | UserStatus | Connectivity

_FEW = 3  # as many ids are read one by one without a look at the list
_SHOWN = 10  # as many ids as a message names


@dataclass(frozen=True)
class Reading:
    """What one look at a device or user said.

    :param value: The state, as a value of the kind's enum; None when it is gone.
    :param label: The state as emnify writes it.
    :param gone: There is no such thing (any more).
    """

    value: int | str | None
    label: str
    gone: bool = False


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
    pending: list[Id]
    seen: dict[str, str]
    message: str

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.done or self.failed


@dataclass(frozen=True)
class WaitKind:
    """Something that can be waited for.

    :param noun: What its ids are ids of.
    :param states: The enum of its states.
    :param read_one: Reads one id.
    :param read_all: Lists all, where the API has a list that says the state; else None.
    :param id_of: The ids of a listed row (a user has two: number and username).
    :param state_of: The state in a row.
    :param failures: The states from which the target is not reached, unless they are the target.
    :param parse: Makes ids of what a user gave.
    """

    noun: str
    states: type[State]
    read_one: Callable[[EmnifyClient, Id], Row]
    state_of: Callable[[Row], Any]
    failures: tuple[State, ...] = ()
    read_all: Callable[[EmnifyClient], Listing] | None = None
    id_of: Callable[[Row], tuple[Id, ...]] = lambda row: (int(row["id"]),)
    parse: Callable[[Any, str], Sequence[Id]] = parse_ids

    def reading(self, row: Row) -> Reading:
        """Return what a row says of the state. An unknown state is shown as it came, never an error."""
        raw = self.state_of(row)
        try:
            state = self.states.parse(raw)
        except ValueError:
            return Reading(None, str(raw))
        return Reading(state.value, state.label)


def _status_id(row: Row) -> Any:
    status = row.get("status") or {}
    return status.get("id") if isinstance(status, dict) else status


def _connectivity(row: Row) -> Any:
    return (row.get("status") or {}).get("description")


WAITS: dict[str, WaitKind] = {
    "endpoint_status": WaitKind(
        noun="endpoint",
        states=EndpointStatus,
        read_one=lambda client, endpoint_id: client.endpoints.get(int(endpoint_id)),
        read_all=lambda client: client.endpoints.list(),
        state_of=_status_id,
        failures=(EndpointStatus.DELETED,),
    ),
    "endpoint_connectivity": WaitKind(
        noun="endpoint",
        states=Connectivity,
        read_one=lambda client, endpoint_id: client.endpoints.connectivity(int(endpoint_id)),
        state_of=_connectivity,
    ),
    "user_status": WaitKind(
        noun="user",
        states=UserStatus,
        read_one=lambda client, user_id: client.users.get(user_id),
        read_all=lambda client: client.users.list(),
        state_of=_status_id,
        failures=(UserStatus.SUSPENDED,),
        id_of=lambda row: (row["id"], str(row.get("username"))),
        parse=parse_user_ids,
    ),
}


class Wait:
    """One wait: these ids, until all (or any) are in a target state.

    :param kind: A key of :data:`WAITS`.
    :param ids: The ids, in any form that a DAG gives them.
    :param target: The state to wait for, or several that will do; enum, name or number.
    :param failures: States that end the wait as failed. None: the kind's own, less the target.
    :param wait_for: ``"all"`` ids or ``"any"`` one of them.
    :raises ValueError: when one of these makes no sense; the message names it.
    """

    def __init__(
        self,
        kind: str,
        ids: Any,
        target: Any,
        failures: Any = None,
        wait_for: Literal["all", "any"] = "all",
    ) -> None:
        if kind not in WAITS:
            raise ValueError(f"kind: {kind!r} cannot be waited for; allowed are {', '.join(WAITS)}")
        if wait_for not in {"all", "any"}:
            raise ValueError(f"wait_for: {wait_for!r} is neither 'all' nor 'any'")
        self.kind = kind
        self.wait_for = wait_for
        spec = WAITS[kind]
        self.ids: tuple[Id, ...] = tuple(spec.parse(ids, f"{spec.noun}_ids"))
        self.target = parse_states(spec.states, target, "target")
        if not self.target:
            raise ValueError(f"target: no {spec.states.__name__} given")
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
        return f"Wait({self.kind}, {self.wait_for} of {list(self.ids)} {self._goal()})"

    def to_dict(self) -> dict[str, Any]:
        """Return the wait as plain values, from which :meth:`from_dict` makes it again."""
        return {
            "kind": self.kind,
            "ids": list(self.ids),
            "target": [state.value for state in self.target],
            "failures": [state.value for state in self.failures],
            "wait_for": self.wait_for,
        }

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
            if reading is not None and not reading.gone and reading.value in goal:
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
        return Verdict(done, failed, pending, seen, self._message(there, lost, pending, readings))

    def _goal(self) -> str:
        return " or ".join(state.label for state in self.target)

    def _message(
        self, there: list[Id], lost: dict[Id, str], pending: list[Id], readings: Mapping[Id, Reading]
    ) -> str:
        noun = WAITS[self.kind].noun
        text = f"{len(there)} of {len(self.ids)} {noun}s {self._goal()}"
        if lost:
            text += "; " + ", ".join(f"{noun} {key} {why}" for key, why in list(lost.items())[:_SHOWN])
        if pending:
            shown = pending[:_SHOWN]
            states = (f"{key} ({readings[key].label})" if key in readings else str(key) for key in shown)
            more = f" and {len(pending) - _SHOWN} more" if len(pending) > _SHOWN else ""
            text += f"; still waiting for {', '.join(states)}{more}"
        return text


def parse_states(states: type[State], value: Any, field: str) -> tuple[State, ...]:
    """Return the states that ``value`` means: one or several, each as enum, name or number.

    :raises ValueError: naming ``field``, when one of them is no such state.
    """
    several = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
    try:
        return tuple(dict.fromkeys(states.parse(item) for item in several))
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def read(client: EmnifyClient, kind: str, ids: Sequence[Id]) -> dict[Id, Reading]:
    """Read the state of each id, at the least cost in requests.

    A few ids are read one by one. Many are looked for in the list, where the API has one: its first answer
    tells how many pages it has, and when these are more than the ids, single reads are the cheaper way.

    :param kind: A key of :data:`WAITS`.
    :returns: A reading for each id; what does not exist is ``gone``.
    """
    spec = WAITS[kind]
    found: dict[Id, Reading] = {}
    if spec.read_all is not None and len(ids) > _FEW:
        with spec.read_all(client) as listing:
            if listing.pages < len(ids):
                _look_up(listing, spec, set(ids), found)
    # What a list does not hold is asked for by itself: only its own answer says that it is gone.
    for key in ids:
        if key not in found:
            found[key] = _read_one(client, spec, key)
    return found


def _look_up(rows: Iterable[Row], spec: WaitKind, wanted: set[Id], found: dict[Id, Reading]) -> None:
    for row in rows:
        for key in spec.id_of(row):
            if key in wanted:
                found[key] = spec.reading(row)
        if len(found) == len(wanted):
            return


def _read_one(client: EmnifyClient, spec: WaitKind, key: Id) -> Reading:
    try:
        return spec.reading(spec.read_one(client, key))
    except EmnifyNotFoundError:
        return Reading(None, "gone", gone=True)
