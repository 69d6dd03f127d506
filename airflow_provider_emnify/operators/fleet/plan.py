"""What has to change for a fleet to be as its source says: a plan is a value; making it changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.api.resources.bulk import read_ref
from airflow_provider_emnify.api.resources.endpoint_body import is_deleted
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.arguments import cut
from airflow_provider_emnify.operators.fleet.rows import Device, State, Wanted, is_so, sim_status_of

if TYPE_CHECKING:
    FindSims = Callable[[Sequence[str]], Mapping[str, Row]]

KINDS = {
    "create": "{} created",
    "change": "{} changed",
    "activate": "{} SIMs activated (billed from now on)",
    "suspend": "{} SIMs suspended (free from next month on)",
    "tag": "{} tagged",
    "delete": "{} deleted",
    "refuse": "{} rows refused",
}
"""What a plan counts, and how its summary says it. A device that is created and activated is both."""


_PLAIN = re.compile(r"[\w.:-]+")


@dataclass(slots=True)
class Entry:
    """What a plan says of one device, or of one row of the source.

    :param action: ``create``, ``change``, ``delete`` or ``refuse``.
    :param key: By what the device is known.
    :param row: The row of the source; None for a device that is not in it.
    :param endpoint_id: The endpoint; None for one that is to be created.
    :param sim_id: Its SIM.
    :param before: How it is, by field, of what changes.
    :param after: How it shall be.
    :param reason: Why the row is refused.
    """

    action: str
    key: str | None
    row: int | None = None
    endpoint_id: int | None = None
    sim_id: int | None = None
    before: State = field(default_factory=dict)
    after: State = field(default_factory=dict)
    reason: str | None = None

    @property
    def kinds(self) -> list[str]:
        """What of :data:`KINDS` it is."""
        found = [self.action] if self.action != "change" or self.after.keys() - {"sim_status", "tags"} else []
        by_status = {"activated": "activate", "suspended": "suspend", "factory_test": "change"}
        if "sim_status" in self.after and (kind := by_status[self.after["sim_status"]]) not in found:
            found.append(kind)
        return [*found, "tag"] if "tags" in self.after else found

    @property
    def is_pruned(self) -> bool:
        """Whether its device is not in the source."""
        return self.row is None

    def __str__(self) -> str:
        where = f" (endpoint {self.endpoint_id})" if self.endpoint_id is not None else ""
        if self.action == "refuse":
            return f"row {self.row}{'' if self.key is None else f', {shown(self.key)}'}{where}: {self.reason}"
        changes = ", ".join(
            f"{name} {shown(self.before.get(name))} -> {shown(value)}" for name, value in self.after.items()
        )
        return f"{shown(self.key)}{where}: {changes or self.action}"


@dataclass
class Plan:
    """All that has to change, and what was compared.

    :param entries: What is to be done, and what is refused, in the order of the source.
    :param rows: Rows of the source.
    :param devices: Devices of the fleet.
    :param unchanged: Rows whose device is as it shall be.
    :param scheduled: Rows with a date that is still to come.
    """

    entries: list[Entry]
    rows: int
    devices: int
    unchanged: int
    scheduled: int

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each kind."""
        found = Counter(kind for entry in self.entries for kind in entry.kinds)
        return {kind: found[kind] for kind in KINDS}

    def first(self, kind: str, most: int) -> list[str]:
        """Return the first entries of a kind as a person reads them."""
        return [cut(str(entry)) for entry in islice((one for one in self.entries if kind in one.kinds), most)]


def make_plan(
    source: Iterable[Wanted],
    fleet: Iterable[Row],
    find_sims: FindSims,
    *,
    key: str,
    exact_tags: bool = False,
    prune: str | None = None,
) -> Plan:
    """Compare a source with a fleet, which is read once and not kept.

    :param source: How devices shall be, and rows that mean nothing.
    :param fleet: The endpoints of emnify.
    :param find_sims: Returns the SIMs of ICCIDs that no endpoint has, by ICCID.
    :param key: The column by which devices are known.
    :param exact_tags: Take tags that are not named.
    :param prune: ``"suspend"`` or ``"delete"`` what is in the fleet and not in the source.
    :raises ValueError: with ``prune``, for a row whose device is unknown.
    """
    planner = _Planner(key, exact_tags=exact_tags, prune=prune)
    planner.read(source)
    for row in fleet:
        if not is_deleted(row):
            planner.compare(Device.of(row))
    planner.resolve(find_sims)
    return planner.plan()


class _Planner:
    def __init__(self, key: str, *, exact_tags: bool, prune: str | None) -> None:
        self._key, self._exact, self._prune = key, exact_tags, prune
        self._wanted: dict[str | None, Wanted] = {}
        # Devices of refused rows: they are neither changed nor pruned.
        self._refused_keys: set[str | None] = set()
        self._entries: dict[str | None, Entry] = {}
        self._pruned: list[Entry] = []
        self._refused: list[Entry] = []
        self._rows = self._devices = 0

    def read(self, source: Iterable[Wanted]) -> None:
        """Take the rows of the source; a device that comes twice is refused."""
        for row in source:
            self._rows += 1
            if row.reason is not None:
                self._refuse(row.row, row.key, row.reason)
            elif row.key in self._refused_keys:
                self._refuse(row.row, row.key, f"{self._key}: it is in more than one row")
            elif (other := self._wanted.pop(row.key, None)) is not None:
                for number in (other.row, row.row):
                    self._refuse(number, row.key, f"{self._key}: it is in rows {other.row} and {row.row}")
            else:
                self._wanted[row.key] = row
        for key in self._refused_keys & self._wanted.keys():  # the bad row came later
            self._refuse(self._wanted.pop(key).row, key, f"{self._key}: it is in a row that is refused, too")
        if self._prune and (lost := [entry for entry in self._refused if entry.key is None]):
            raise ValueError(
                f"prune: {lost[0]}; it is unknown which device this row means, so nothing can be pruned"
            )

    def _refuse(self, row: int | None, key: str | None, reason: str, endpoint_id: int | None = None) -> None:
        self._refused.append(Entry("refuse", key, row, endpoint_id, reason=reason))
        if key is not None:
            self._refused_keys.add(key)

    def compare(self, device: Device) -> None:
        """Compare a device of the fleet with its row."""
        self._devices += 1
        key = device.key(self._key)
        wanted = self._wanted.get(key)
        if wanted is None:
            if self._prune and key not in self._refused_keys:
                self._take_out(key, device)
            return
        if wanted.endpoint_id is not None:
            both = f"endpoints {wanted.endpoint_id} and {device.id} have it"
            self._entries.pop(key, None)
            self._refuse(wanted.row, key, f"{self._key}: {both}", device.id)
            del self._wanted[key]
            return
        wanted.endpoint_id = device.id
        iccid = wanted.values.get("iccid")
        if iccid is not None and device.state["iccid"] is None:
            wanted.device = device
            return
        try:
            self._plan(wanted, device)
        except ValueError as error:
            self._refuse(wanted.row, key, str(error), device.id)

    def _take_out(self, key: str | None, device: Device) -> None:
        known = {name: device.state[name] for name in ("name", "iccid")}
        if self._prune == "delete":
            self._pruned.append(Entry("delete", key, None, device.id, device.sim_id, known))
        elif device.state["sim_status"] == "activated":
            status, after = {"sim_status": "activated"}, {"sim_status": "suspended"}
            self._pruned.append(Entry("change", key, None, device.id, device.sim_id, status, after))

    def _plan(self, wanted: Wanted, device: Device | None, sim: Row | None = None) -> None:
        """Note what has to change of a device.

        :param device: The device as it is; None for one that is to be created.
        :param sim: The SIM that it gets.
        :raises ValueError: when it cannot be.
        """
        state: State = {"sim_status": None, "tags": ()} if device is None else device.state
        sim_id = None if device is None else device.sim_id
        if sim is not None:
            sim_id, state = int(sim["id"]), {**state, "sim_status": sim_status_of(sim)}
        before, after = self._differences(wanted, state)
        if after:
            action = "create" if device is None else "change"
            self._entries[wanted.key] = Entry(
                action, wanted.key, wanted.row, wanted.endpoint_id, sim_id, before, after
            )

    def resolve(self, find_sims: FindSims) -> None:
        """Plan what needs a SIM that no endpoint had: creations, and SIMs for devices without one."""
        left = [wanted for wanted in self._wanted.values() if wanted.endpoint_id is None or wanted.device]
        known_by = Counter(map(_known_by, left))
        iccids = [value for field, value in known_by if field == "iccid"]
        sims = find_sims(iccids) if iccids else {}
        for wanted in left:
            try:
                name, value = _known_by(wanted)
                if value is not None and known_by[name, value] > 1:
                    raise ValueError(f"{name}: {value} is in more than one row")
                if wanted.device is None:
                    self._check_new(wanted)
                self._plan(wanted, wanted.device, _free(sims.get(value), value) if name == "iccid" else None)
            except ValueError as error:
                self._refuse(wanted.row, wanted.key, str(error), wanted.endpoint_id)

    def _check_new(self, wanted: Wanted) -> None:
        if self._key == "id":
            raise ValueError(f"id: there is no endpoint {wanted.key}")
        if not wanted.values.keys() & {"name", "iccid"}:
            raise ValueError("name, iccid: it needs one of them to be created")
        for name in ("service_profile_id", "tariff_profile_id"):
            if name not in wanted.values:
                raise ValueError(f"{name.removesuffix('_id')}: it needs one to be created")
        wanted.values.setdefault("status", "enabled")

    def _differences(self, wanted: Wanted, state: State) -> tuple[State, State]:
        """Return what changes: how it is, and how it shall be.

        :raises ValueError: for a change that emnify does not allow.
        """
        values = wanted.values
        after = {name: value for name, value in values.items() if not is_so(name, state, value)}
        if after.pop("id", None) is not None:
            raise ValueError(f"id: it is not endpoint {values['id']}, but {shown(state.get('id'))}")
        if "iccid" in after and state.get("iccid") is not None:
            raise ValueError(f"iccid: it has SIM {state['iccid']}; release that first")
        space = values.get("ip_address_space_id", state.get("ip_address_space_id"))
        if "ip_address" in after and space is None:
            raise ValueError("ip_address: it needs an ip_address_space_id")
        if "tags" in after:
            kept = () if self._exact else state["tags"]
            after["tags"] = tuple(sorted({*kept, *after["tags"]}))
            if after["tags"] == state["tags"]:
                del after["tags"]
        sim_status = _sim_change(wanted, state, changes_status="status" in after and "id" in state)
        after.pop("sim_status", None)
        if sim_status is not None:
            after["sim_status"] = sim_status
        return {name: state[name] for name in after if state.get(name) is not None}, after

    def plan(self) -> Plan:
        """Return the plan."""
        entries = sorted((*self._entries.values(), *self._refused), key=lambda entry: entry.row or 0)
        unchanged = len(self._wanted.keys() - self._entries.keys() - self._refused_keys)
        scheduled = sum(1 for wanted in self._wanted.values() if wanted.is_scheduled)
        return Plan([*entries, *self._pruned], self._rows, self._devices, unchanged, scheduled)


def _sim_change(wanted: Wanted, state: State, *, changes_status: bool) -> str | None:
    """Return the status that a SIM shall get, None when it keeps its own.

    :param changes_status: Its endpoint's status changes, by which emnify activates a SIM in factory test.
    :raises ValueError: when it may not become that.
    """
    target = wanted.values.get("sim_status")
    if state["sim_status"] is None:
        if target is not None:
            raise ValueError("sim_status: it has no SIM")
        return None
    now = SimStatus.parse(state["sim_status"])
    is_activated_by_it = changes_status and now is SimStatus.FACTORY_TEST
    if target is None:
        return "activated" if is_activated_by_it else None
    if target == "suspended" and wanted.is_due and now is SimStatus.ISSUED:
        return None  # it was never billed
    shall = SimStatus.parse(target)
    if not (SimStatus.ACTIVATED if is_activated_by_it else now).may_become(shall):
        raise ValueError(f"sim_status: {state['sim_status']} cannot become {target}")
    return None if shall is now else target


def _known_by(wanted: Wanted) -> tuple[str, Any]:
    """Return by what a new device is known once it is created: by its SIM, or else by its name."""
    name = "iccid" if "iccid" in wanted.values else "name"
    return name, wanted.values.get(name)


def _free(sim: Row | None, iccid: str) -> Row:
    """Return a SIM that no endpoint has.

    :raises ValueError: when there is none.
    """
    if sim is None or sim_status_of(sim) == "deleted":
        raise ValueError(f"iccid: there is no SIM {iccid}")
    if (holder := read_ref(sim, "endpoint")) is not None:
        raise ValueError(f"iccid: SIM {iccid} is in endpoint {holder}")
    return sim


def shown(value: Any) -> str:
    """Return a value as messages, logs and approvals show it: a name forges no lines in them."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return repr(value)
    return "none" if value is None else str(value)
