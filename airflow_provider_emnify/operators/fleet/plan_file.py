"""A plan as a file that a person can read and a later task carries out: JSON lines, a device each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.operators.fleet.plan import Entry
from airflow_provider_emnify.operators.fleet.rows import COLUMNS
from airflow_provider_emnify.operators.fleet.sources import file_at

_MARK = "emnify_fleet_plan"
_VERSION = 1
_ACTIONS = ("create", "change", "delete")
_NAMES = {"before": "from", "after": "to"}


def write_lines(path: str, conn_id: str | None, lines: Iterable[Row]) -> str:
    """Put a file of JSON lines in its place, in one piece; return the digest of what it says."""
    from airflow_provider_emnify.transfers.sinks.object_store import local_directory

    store, name = file_at(path, conn_id)
    digest = hashlib.sha256()
    with local_directory() as directory:
        staged = directory / "lines"
        with staged.open("wb") as file:
            for line in lines:
                text = json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"
                digest.update(text)
                file.write(text)
        store.put(staged, name)
    return digest.hexdigest()


def write_plan(path: str, conn_id: str | None, entries: Iterable[Entry], about: Row) -> str:
    """Write a plan; return its digest.

    :param about: What its first line says.
    """

    def lines() -> Iterable[Row]:
        yield {_MARK: _VERSION, **about}
        for entry in entries:
            said = {name: getattr(entry, name) for name in Entry.__slots__}
            yield {_NAMES.get(name, name): value for name, value in said.items() if value not in (None, {})}

    return write_lines(path, conn_id, lines())


def read_plan(path: str, conn_id: str | None, digest: str | None = None) -> tuple[Row, list[Entry]]:
    """Return what the first line of a plan says, and its entries without those that are refused.

    :param digest: What the plan that was approved had.
    :raises ValueError: for a file that is not a plan, or not that one.
    """
    store, name = file_at(path, conn_id)
    found = hashlib.sha256()
    about: Any = None
    entries = []
    with store.open(store.path(name)) as file:
        for line in file:
            found.update(line)
            try:
                said = json.loads(line)
                if about is None:
                    about = said if said[_MARK] == _VERSION else None
                elif said["action"] != "refuse":
                    entries.append(_entry(said))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise ValueError(f"plan: {path} is not a plan of a fleet ({error!r})") from None
    if about is None:
        raise ValueError(f"plan: {path} is not a plan of a fleet")
    if digest is not None and found.hexdigest() != digest:
        raise ValueError(f"plan: {path} has changed since it was made, and approved; make another plan")
    if len(entries) != about.get("changes"):
        raise ValueError(
            f"plan: {path} has {len(entries)} changes, and was made with {about.get('changes')}; make another"
        )
    return about, entries


def _entry(said: Row) -> Entry:
    for name, short in _NAMES.items():
        values = said.pop(short, {})
        said[name] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
    if said["action"] not in _ACTIONS:
        raise ValueError(f"action: {said['action']!r} is not valid; allowed: {', '.join(_ACTIONS)}")
    said["after"] = {name: COLUMNS[name](value, name) for name, value in said["after"].items()}
    return Entry(**said)
