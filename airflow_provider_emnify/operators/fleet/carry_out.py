"""Carrying out a plan: bulk calls one after another, and what became of each device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial as bind
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyValidationError,
    SimStatus,
)
from airflow_provider_emnify.api.resources.bulk import CHUNK
from airflow_provider_emnify.api.transport.answers import number, part
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.arguments import shorten
from airflow_provider_emnify.operators.fleet.drift import DriftError, find_rows, left_to_do, mark, marks
from airflow_provider_emnify.operators.fleet.plan import Entry, shown
from airflow_provider_emnify.operators.fleet.rows import Device, State
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient, EmnifyError

_REFUSALS = (EmnifyConflictError, EmnifyNotFoundError, EmnifyValidationError)
_MOST_SPLITS = 30  # bulk calls that are spent on finding out which devices emnify refuses
_OF_ALL = ("service_profile_id", "tariff_profile_id", "status", "ip_address_space_id")
_OF_NEW = ("name", "imei", "imei_lock", "ip_address")
_IN_BULK = {*_OF_ALL, *_OF_NEW, "iccid"}


@dataclass(eq=False, slots=True)
class Item:
    """An entry of a plan, and how far it is.

    :param left: What is left to do, by field.
    :param result: ``done``, ``skipped``, ``refused`` or ``unknown``; None as long as it is under way.
    :param reason: Why it is refused or unknown.
    :param error: What emnify said, when it is emnify that refuses it.
    :param space: The address space of the device.
    :param tags: The tags of the device.
    """

    entry: Entry
    endpoint_id: int | None
    left: State
    result: str | None = None
    reason: str | None = None
    error: EmnifyError | None = None
    space: int | None = None
    tags: tuple[str, ...] = ()

    def see(self, device: Device | None) -> None:
        """Hold it against the device as it is now."""
        try:
            self.left = left_to_do(self.entry, device)
        except DriftError as error:
            self.result, self.reason, self.left = "refused", str(error), {}
        else:
            self.result = None if self.left else "skipped"
        if device is not None:
            self.endpoint_id, self.tags = device.id, device.state["tags"]
            self.space = device.state["ip_address_space_id"]

    def refuse(self, error: EmnifyError) -> None:
        """Note that emnify refuses it."""
        self.result, self.reason, self.error = "refused", error.message, error

    @property
    def name(self) -> Any:
        """By what a bulk call and its errors name it: its endpoint, or what that is created of."""
        return self.endpoint_id or self.entry.sim_id or self.entry.after["name"]

    def __str__(self) -> str:
        where = "" if self.endpoint_id is None else f" (endpoint {self.endpoint_id})"
        return f"{shown(self.entry.key)}{where}: {self.reason or self.result}"


class Work:
    """A plan that is being carried out.

    :param client: The client.
    :param attempt: The attempt of the task instance.
    :param entries: The entries of the plan.
    :param key: The column by which the plan knows devices.
    """

    def __init__(self, client: EmnifyClient, attempt: Attempt, entries: Iterable[Entry], key: str) -> None:
        self._client, self._attempt, self._key = client, attempt, key
        self._log = attempt.operator.log
        self.items = [Item(entry, entry.endpoint_id, entry.after) for entry in entries]

    def look(self) -> None:
        """Read the devices, and see what is left to do."""
        entries = [item.entry for item in self.items]
        rows = find_rows(self._client, entries, self._key)
        self._see(self.items, {name: Device.of(row) for name, row in rows})

    def _see(self, items: Iterable[Item], devices: dict[str, Device]) -> None:
        for item in items:
            item.see(devices.get(mark(item.entry, self._key)))

    def carry_out(self) -> None:
        """Do what is left: create, change, set SIMs, tag, delete.

        :raises EmnifyError: when it cannot go on; what was done and what is unknown is noted by then.
        """
        self._create()
        endpoints = self._client.endpoints
        changes = self._open(_bulk_change)
        self._send(changes, lambda batch: endpoints.update_many([*map(_bulk_change, batch)]), "change")
        self._set_sims()
        self._tag()
        gone = self._open(lambda item: item.entry.action == "delete")
        self._send(gone, lambda batch: endpoints.delete_many([item.name for item in batch]), "delete")
        for item in self._open(lambda item: True):
            item.result = "done"

    def _open(self, is_meant: Callable[[Item], Any]) -> list[Item]:
        return [item for item in self.items if item.result is None and is_meant(item)]

    def _send(self, items: Sequence[Item], send: Callable[[list[Item]], Any], what: str) -> None:
        """Send items in bulk calls, one after another.

        emnify does not say which item of a call it refuses: halves of the call tell.
        """
        batches = [[*items[start : start + CHUNK]] for start in range(0, len(items), CHUNK)][::-1]
        splits = _MOST_SPLITS
        if items:
            self._log.info("%d devices to %s", len(items), what)
        while batches:
            batch = batches.pop()
            named = {item.name: item for item in batch}
            try:
                send(batch)
            except EmnifyPartialError as error:
                left = [named[_named(one)] for one in error.not_done]
                if not isinstance(error.__cause__, _REFUSALS):
                    for item in left:
                        item.result, item.reason = "unknown", error.message
                    raise
                if len(left) < len(batch):
                    batches += [left] if left else []
                elif len(left) == 1 or not splits:
                    for item in left:
                        item.refuse(error)
                else:
                    half, splits = len(left) // 2, splits - 1
                    batches += [left[half:], left[:half]]

    def _create(self) -> None:
        """Create what is not there; who creates the same waits, and finds it."""
        items = self._open(lambda item: item.endpoint_id is None)
        if not items:
            return
        entries = [item.entry for item in items]

        def look() -> Rows:
            return [row for _, row in find_rows(self._client, entries, self._key)]

        def decide(rows: Rows, _: Any) -> bool | None:
            self._see(items, {name: Device.of(row) for row in rows for name in marks(row, self._key)})
            return None if any(item.endpoint_id is None for item in items) else True

        def create(_: Rows) -> bool:
            groups: dict[tuple[Any, ...], list[Item]] = defaultdict(list)
            for item in self._open(lambda item: item.endpoint_id is None):
                groups[tuple(item.entry.after.get(name) for name in _OF_ALL)].append(item)
            for shared, group in groups.items():
                send = bind(self._create_many, dict(zip(_OF_ALL, shared, strict=True)))
                self._send(group, send, "create")
            return True

        lock = ("endpoints by name", "")
        create_once(self._attempt, lock=lock, look=look, decide=decide, create=create, always_look=True)

    def _create_many(self, shared: Row, batch: list[Item]) -> None:
        try:
            created: Rows = self._client.endpoints.create_many([*map(_new, batch)], **shared)
        except EmnifyPartialError as error:
            _note_created(batch, error.done)
            raise
        _note_created(batch, created)

    def _set_sims(self) -> None:
        """Set the statuses for which emnify has no bulk call."""
        sims = self._client.sims
        items = self._open(lambda item: item.left.get("sim_status") in {"suspended", "factory_test"})
        if items:
            self._log.info("%d SIMs to suspend or put into factory test, one by one", len(items))

        def set_one(item: Item) -> None:
            sims.update(item.entry.sim_id or 0, status=SimStatus.parse(item.left["sim_status"]))

        for item in items:
            try:
                _, refused = for_each([item], set_one, what="set the SIM of", fail_on_error=False)
            except EmnifyPartialError as error:
                item.result, item.reason = "unknown", error.message
                raise
            if item in refused:
                item.refuse(refused[item])

    def _tag(self) -> None:
        items = self._open(lambda item: "tags" in item.left)
        if not items:
            return
        tags = self._client.tags
        known = {str(row.get("name")): int(row["id"]) for row in tags.list(per_page=1000)}
        for item in items:
            if missing := {*item.left["tags"]} - known.keys():
                item.result, item.reason = "refused", f"there is no tag {shorten(sorted(missing))}"
        self._send_tags(tags.assign_many, _added, known, "tag")
        self._send_tags(tags.unassign_many, _removed, known, "untag")

    def _send_tags(self, call: Any, tags_of: Callable[[Item], set[str]], known: Row, what: str) -> None:
        def ids_of(item: Item) -> list[int]:
            return sorted(known[name] for name in tags_of(item) if name in known)

        def send(batch: list[Item]) -> None:
            call([{"endpoint_id": item.endpoint_id, "tag_ids": ids_of(item)} for item in batch])

        self._send(self._open(ids_of), send, what)


def _added(item: Item) -> set[str]:
    return {*item.left.get("tags", ())} - {*item.tags}


def _removed(item: Item) -> set[str]:
    return {*item.tags} - {*item.left.get("tags", item.tags)}


def _named(one: Any) -> Any:
    """Return by what an error of a bulk call names an item."""
    return one if isinstance(one, int) else one.get("endpoint_id") or one.get("sim_id") or one["name"]


def _new(item: Item) -> Row:
    """Return the row that creates a device; only a SIM that shall be activated is."""
    after = item.entry.after
    row: Row = {name: after[name] for name in _OF_NEW if name in after}
    if item.entry.sim_id is not None:
        row["sim_id"], row["activate_sim"] = item.entry.sim_id, after.get("sim_status") == "activated"
        if after.get("sim_status") == "factory_test":
            row["sim_status"] = "factory_test"
    return row


def _note_created(batch: Sequence[Item], created: Rows) -> None:
    """Note the ids of what was created; what a creation does not do is left."""
    ids: dict[Any, int] = {}
    if len(created) == len(batch):  # in this order, unless they say more
        ids = {item.name: int(row["id"]) for item, row in zip(batch, created, strict=True)}
    for row in created:
        names = (number(part(row, "sim"), "id"), row.get("name"))
        ids |= {name: int(row["id"]) for name in names if isinstance(name, int | str)}
    for item in batch:
        if (endpoint_id := ids.get(item.name)) is not None:
            item.endpoint_id = endpoint_id
            status = item.left.get("sim_status")
            item.left = {"tags": item.left["tags"]} if "tags" in item.left else {}
            item.left |= {"sim_status": status} if status == "suspended" else {}


def _bulk_change(item: Item) -> Row:
    """Return the row that changes a device, empty where nothing can be changed in bulk."""
    row: Row = {name: value for name, value in item.left.items() if name in _IN_BULK}
    if "iccid" in row:
        del row["iccid"]
        row["sim_id"] = item.entry.sim_id
    if item.left.get("sim_status") == "activated":
        row["sim_status"] = "activated"
    if "ip_address" in row:
        row.setdefault("ip_address_space_id", item.space)
    return {"id": item.endpoint_id, **row} if row else {}
