"""Row for row: what a sync has written against what the sandbox holds, also while the fleet changes.

The sandbox runs here, so that its state can be looked into; what syncs from it runs in a process of its own.
Every column of every row is compared. A row that changed meanwhile has to be one of those that it has been,
as a whole. The expected values are read off emnify's JSON anew, without the code that is under test.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import sqlite3
import threading
import time
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_emnify.api.streams.catalogue import Stream
    from airflow_provider_emnify.sandbox import Sandbox

Row = dict[str, Any]

FLEET = 20_000
REQUESTS = 500  # of a sync while the fleet changes
FAILING = 0.02  # of the requests
CHANGING = 0.01  # of the fleet, each second
FAULTS: dict[str, Row] = {
    "503": {"status": 503, "body": "<html>Service Unavailable</html>"},
    "500": {"status": 500, "body": {"error_code": 1000, "message": "oops"}},
    "429": {"status": 429, "body": {"error_code": 1105, "error_token": "TooManyRequests"}},
    "dropped connection": {"drop": "before"},
    "lost answer": {"drop": "after"},
    "cut answer": {"truncate": 2_000},
}
BUSY = (("endpoints", "sqlite"), ("sims", "postgresql"), ("endpoints", "parquet"), ("sims", "jsonl"))
COUNTED = ("rows", "unchanged", "changed", "values")
BAD = ("lost", "wrong", "doubled")
HEAD = ("rows of", "into", "changing", "seconds", "requests", "failed", *COUNTED, *BAD)


class Fleet:
    """A fleet that changes, and every row that each of its endpoints and SIMs has been, as JSON.

    :param sandbox: Where it is.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        from airflow_provider_emnify.sandbox.routes.endpoints import endpoint_row
        from airflow_provider_emnify.sandbox.routes.sims import sim_row

        self._sandbox, self._state, self._chance = sandbox, sandbox.state, random.Random(1)
        self._tables: dict[str, dict[int, Any]] = {
            "endpoints": self._state.endpoints,
            "sims": self._state.sims,
        }
        self._render: dict[str, Callable[..., Row]] = {"endpoints": endpoint_row, "sims": sim_row}
        self.begin()

    def begin(self) -> None:
        """Forget what was; what is there now is there from the beginning."""
        self.been: dict[str, dict[int, set[str]]] = {name: {} for name in self._tables}
        for name, table in self._tables.items():
            self._record(name, table)
        self._there = {name: set(table) for name, table in self._tables.items()}
        self.changes = dict.fromkeys(self._tables, 0.0)
        """Of each table, how many of its rows were changed, as a share of all."""

    def size(self, name: str) -> int:
        """Return how many rows there are."""
        return len(self._tables[name])

    def stayed(self, name: str) -> set[int]:
        """Return the ids of what has been there all the time."""
        return self._there[name] & self._tables[name].keys()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change for as long as the block lasts."""
        over = threading.Event()
        thread = threading.Thread(target=self._run, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _run(self, over: threading.Event) -> None:
        began = time.perf_counter()
        while not over.wait(0.1):
            for name, change in (("endpoints", self._change_endpoints), ("sims", self._change_sims)):
                due = (time.perf_counter() - began) * CHANGING - self.changes[name]
                third = int(due * self.size(name) / 3)
                with self._sandbox.engine.lock:  # no page is made in between
                    change(third)
                self.changes[name] += 3 * third / self.size(name)

    def _change_endpoints(self, third: int) -> None:
        """Change some, delete some, add some."""
        table = self._tables["endpoints"]
        chosen = self._chance.sample(list(table), 2 * third)
        for one in chosen[:third]:
            number = self._chance.randrange(10**9)
            values = [("name", f"Device {number}"), ("tags", f"a,{number}"), ("imei", f"{number:015d}")]
            setattr(table[one], *self._chance.choice(values))
        released = [table[one].sim_id for one in chosen[third:]]
        self._sandbox.delete_endpoints(chosen[third:])
        added = self._sandbox.add_endpoints(third)
        self._record("endpoints", [*chosen[:third], *added])
        self._record("sims", [*released, *(table[one].sim_id for one in added)])

    def _change_sims(self, third: int) -> None:
        """Switch the status of some, delete some that are free, add some."""
        from airflow_provider_emnify.api.enums import SimStatus

        table = self._tables["sims"]
        switched = self._chance.sample(list(table), third)
        for one in switched:
            active = table[one].status is SimStatus.ACTIVATED
            table[one].status = SimStatus.SUSPENDED if active else SimStatus.ACTIVATED
        self._record("endpoints", [table[one].endpoint_id for one in switched])
        free = [one for one, sim in table.items() if sim.endpoint_id is None]
        for one in self._chance.sample(free, third):
            del table[one]
        like, last = next(iter(table.values())), max(table)
        added = range(last + 1, last + 1 + third)
        table.update({one: type(like)(one, like.organisation_id, like.production_date) for one in added})
        self._record("sims", [*switched, *added])

    def _record(self, name: str, ids: Iterable[Any]) -> None:
        table, render, been = self._tables[name], self._render[name], self.been[name]
        for one in ids:
            if one in table:
                been.setdefault(one, set()).add(json.dumps(render(self._state, table[one])))


def compare(fleet: Fleet, stream: Stream, rows: Iterable[Row]) -> Counter[str]:
    """Hold what was written against what has been."""
    found: Counter[str] = Counter()
    been, written = fleet.been[stream.name], set[int]()
    for row in rows:
        got = {column.name: plain(row[column.name], column.type) for column in stream.columns}
        number = got["id"]
        found["rows"] += 1
        found["doubled"] += number in written
        written.add(number)
        states = been.get(number, set())
        found["unchanged" if len(states) == 1 else "changed"] += 1
        found["values"] += len(got)
        found["wrong"] += not any(got == expected(stream, json.loads(state)) for state in states)
    found["lost"] = len(fleet.stayed(stream.name) - written)
    return found


def expected(stream: Stream, raw: Row) -> Row:
    """Return the row that an answer of emnify has to become: each column by its path, and nothing left."""
    row: Row = {"_extra": None}
    for column in stream.columns[:-1]:
        values = (_at(raw, path.split(".")) for path in column.paths)
        row[column.name] = plain(next((one for one in values if one not in {None, ""}), None), column.type)
    return row


def _at(raw: Any, path: list[str]) -> Any:
    for name in path:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return _Json(raw) if isinstance(raw, (dict, list)) else raw


class _Json(str):
    """An object or a list, as text that can be compared."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        return super().__new__(cls, json.dumps(value, sort_keys=True))


def plain(value: Any, kind: str) -> Any:
    """Return a value in one form, whatever it was read from."""
    if value is None:
        return None
    if kind == "timestamp":
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC)
    if kind == "date":
        return value if isinstance(value, date) else date.fromisoformat(value)
    if kind == "json":
        return _Json(json.loads(value)) if isinstance(value, str) else _Json(value)
    forms: dict[str, Callable[[Any], Any]] = {"integer": int, "boolean": bool, "text": str}
    return forms[kind](value) if kind in forms else Decimal(str(value))


def read_back(target: str, folder: Path, stream: Stream, files: list[str]) -> Iterator[Row]:
    """Read what a sync has written, as any program would."""
    if target == "jsonl":
        for name in files:
            with (folder / target / name).open() as lines:
                yield from map(json.loads, lines)
    elif target == "parquet":
        import pyarrow.parquet

        for name in files:
            yield from pyarrow.parquet.ParquetFile(folder / target / name).read().to_pylist()
    else:
        names = [column.name for column in stream.columns]
        for values in _select(target, folder, f"SELECT {', '.join(names)} FROM emnify_{stream.name}"):
            yield dict(zip(names, values, strict=True))


def _select(target: str, folder: Path, query: str) -> list[tuple[Any, ...]]:
    if target == "postgresql":
        from airflow_provider_emnify.transfers.sql import sql_hook

        return list(sql_hook(target).get_records(query))
    with contextlib.closing(sqlite3.connect(folder / "sqlite.db")) as database:
        return list(database.execute(query))


def prove(run: Any, targets: list[str]) -> list[str]:
    """Sync a fleet at rest into every target, then while it changes and requests fail; return the report.

    :param run: The run of the benchmark.
    :param targets: What to sync into.
    """
    from airflow_provider_emnify.sandbox import Sandbox

    with (
        Sandbox(FLEET, spare_sims=FLEET, limits=False, log_size=1, online_after=math.inf) as sandbox,
        run.setting(AIRFLOW_CONN_EMNIFY_DEFAULT=sandbox.airflow_connection),
    ):
        fleet = Fleet(sandbox)
        at_rest = [(name, target) for target in targets for name in ("endpoints", "sims")]
        rest = [_sync(run, fleet, name, target) for name, target in at_rest]
        share = FAILING / len(FAULTS)
        faults = {
            kind: sandbox.faults.add(**fault, probability=share, times=None) for kind, fault in FAULTS.items()
        }
        busy = [_sync(run, fleet, name, target, faults) for name, target in BUSY if target in targets]
    bad = sum(result.bad for result in (*rest, *busy))
    run.check("Rows that are lost, wrong or doubled, beside the sandbox's state", bad, most=0)
    hits = ", ".join(f"{kind} {fault.hits}" for kind, fault in faults.items())
    table = "\n".join(result.line for result in (*rest, *busy))
    return [
        f"""\
{FLEET:,} endpoints and {2 * FLEET:,} SIMs, every column of every row held against the sandbox's state:

| {" | ".join(HEAD)} |
| --- | --- |{" ---: |" * (len(HEAD) - 2)}
{table}

*Changing* is the share of the rows that are changed, deleted or added each second. *Unchanged* rows have to
be as they were, *changed* ones as they were at one moment; *lost* are those that were there all the time. The
requests that failed: {hits}."""
    ]


class Result(NamedTuple):
    """What came of a sync."""

    line: str
    bad: int


def _sync(run: Any, fleet: Fleet, name: str, target: str, faults: Mapping[str, Any] | None = None) -> Result:
    """Sync, while the fleet changes if there are faults, and compare."""
    from airflow_provider_emnify.api.streams.catalogue import get_stream

    stream, failed = get_stream(name), -_hits(faults)
    fleet.begin()
    pages = [] if faults is None else [str(fleet.size(name) // REQUESTS)]
    with fleet.changing() if faults is not None else contextlib.nullcontext(), run.another_host():
        measured = run.child("sync", name, target, str(run.folder), *pages)
    failed += _hits(faults)
    found = compare(fleet, stream, read_back(target, run.folder, stream, measured["files"]))
    bad = [found[kind] for kind in BAD]
    values = [measured["seconds"], measured["requests"], failed, *map(found.get, COUNTED), *bad]
    share = fleet.changes[name] / measured["seconds"]
    shown = " | ".join(f"{value or 0:,.0f}" for value in values)
    return Result(f"| {name} | {target} | {share:.1%} | {shown} |", sum(bad))


def _hits(faults: Mapping[str, Any] | None) -> int:
    return sum(fault.hits for fault in (faults or {}).values())
