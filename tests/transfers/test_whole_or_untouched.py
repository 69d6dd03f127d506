"""Each stream, before a server with any fault: all rows arrive, or the task fails and nothing is changed."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.sandbox import Sandbox
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.api.streams.support import connect
from tests.transfers.support import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE = 2
END = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


class Gateway:
    """Stands before a sandbox, allows two rows a page, and spoils the answers to GETs.

    :param spoil: Given the place of an answer, headers and body: what is sent; bytes are the whole answer.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.spoil: Any = None
        self.place = 0
        lock = threading.Lock()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = re.sub(r"&?(per_page|page_size)=\d+", "", self.path)
                size = "page_size" if "/tags" in path else "per_page"
                path += f"{'&' if '?' in path else '?'}{size}={PAGE}"
                listed = re.match(r"/api/(v1/(endpoint|sim|event|user|euicc)|v2/tags)\?", path)
                with contextlib.closing(http.client.HTTPConnection(urlsplit(sandbox.url).netloc)) as real:
                    headers = dict(self.headers)
                    real.request(self.command, path if listed else self.path, sent or None, headers)
                    got = real.getresponse()
                    body = got.read()
                    said = {name: value for name, value in got.headers.items() if name.startswith("x-")}
                answer: Any = said, body
                if gateway.spoil is not None and self.command == "GET" and got.status == 200:
                    with lock:
                        place, gateway.place = gateway.place, gateway.place + 1
                    answer = gateway.spoil(place, said, body)
                self.close_connection = True
                if isinstance(answer, bytes):
                    self.wfile.write(answer)
                    return
                self.send_response(got.status)
                for name, value in answer[0].items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        host = f"http://127.0.0.1:{self._server.server_port}"
        extra = {"max_retries": 0, "rate_limit_store": "memory"}
        connection = {"conn_type": "emnify", "host": host, "password": sandbox.application_token}
        self.connection = json.dumps({**connection, "extra": extra})

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """A gateway to a sandbox in which each stream has rows, and each list has pages."""
    with Sandbox(endpoints=3, spare_sims=2, events=90, euiccs=5, limits=False) as sandbox:
        with connect(sandbox) as client:
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            for number in range(4):
                client.tags.create(name=f"t{number}")
                client.users.create(username=f"u{number}@example.org", name="U", role_ids=[2])
            for endpoint in (1_000_001, 1_000_002, 1_000_003):
                client.sms.send(endpoint, payload="on")
                client.quotas.set_data(endpoint, volume=5, expiry_date=tomorrow)
                client.quotas.set_sms(endpoint, volume=5, expiry_date=tomorrow, threshold_percentage=9)
        gateway = Gateway(sandbox)
        try:
            yield gateway
        finally:
            gateway.stop()


def _rows(body: bytes) -> Any:
    found = json.loads(body)
    return found["data"] if isinstance(found, dict) and "data" in found else found


def _with(body: bytes, change: Callable[[list[Any]], list[Any]]) -> bytes:
    found = json.loads(body)
    if isinstance(found, dict) and isinstance(found.get("data"), list):
        return json.dumps({**found, "data": change(found["data"])}).encode()
    return json.dumps(change(found)).encode() if isinstance(found, list) else body


def _as_text(rows: list[Any]) -> list[Any]:
    return [{**row, "id": str(row["id"])} if isinstance(row, dict) and "id" in row else row for row in rows]


CUT = b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX-Total-Count: 5\r\n\r\n[{"id": 1},'
ENDED = b"HTTP/1.1 200 OK\r\nContent-Ty"
EMPTY = b""

ALWAYS: dict[str, Any] = {
    "no headers": lambda _, said, body: ({}, body),
    "only the count": lambda _, said, body: (
        {name: value for name, value in said.items() if name == "x-total-count"},
        body,
    ),
    "ids as text": lambda _, said, body: (said, _with(body, _as_text)),
    "ids that rise": lambda _, said, body: (said, _with(body, lambda rows: rows[::-1])),
}
AT_A_PLACE: dict[str, Any] = {
    "empty": lambda said, body: (said, EMPTY),
    "empty and bare": lambda said, body: ({}, EMPTY),
    "null": lambda said, body: (said, b"null"),
    "no rows": lambda said, body: (said, _with(body, lambda rows: [])) if said else (said, b"{}"),
    "ended in the headers": lambda said, body: ENDED,
    "cut": lambda said, body: CUT,
}


def _spoilers() -> Iterator[tuple[str, Any]]:
    yield from ALWAYS.items()
    for name, spoil in AT_A_PLACE.items():
        for where in (0, 1, 2, None) if name in {"empty", "no rows"} else (0, None):

            def at(place: int, said: Any, body: Any, spoil: Any = spoil, where: Any = where) -> Any:
                return spoil(said, body) if where in {place, None} else (said, body)

            yield f"{name} at {'all' if where is None else where}", at

    repeated: list[Any] = []

    def repeat(place: int, said: Any, body: Any) -> Any:
        if place == 0:
            repeated[:] = [(said, body)]
        return repeated[0] if isinstance(_rows(body), list) and said else (said, body)

    yield "a page repeated", repeat


SPOILERS = dict(_spoilers())


FILLED = {"connectivity": ("status",), "data_quotas": ("status",), "sms_quotas": ("status",)}
"""Columns that tell a row from an empty one, where its key does not come from the answer."""


def _table(path: Path, stream: str) -> set[tuple[Any, ...]]:
    columns = [*STREAMS[stream].key, *FILLED.get(stream, ())]
    with contextlib.closing(sqlite3.connect(path)) as database:
        return set(database.execute(f"SELECT {', '.join(columns)} FROM emnify_{stream}"))


def _files(path: Path) -> dict[str, bytes]:
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


def _good(files: dict[str, bytes], stream: str) -> set[tuple[str, ...]]:
    lines = [line for name, body in files.items() if name.endswith(".jsonl") for line in body.splitlines()]
    return {tuple(str(json.loads(line)[column]) for column in STREAMS[stream].key) for line in lines}


@pytest.mark.parametrize("stream", sorted(STREAMS))
def test_all_rows_or_the_table_and_files_as_they_were(
    stream: str, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", gateway.connection)
    base, database = tmp_path / "base.db", tmp_path / "warehouse.db"
    warehouse = json.dumps({"conn_type": "sqlite", "host": str(database)})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse)

    def load(mode: str) -> None:
        how = {"mode": mode}
        if mode == "delete":
            is_list = STREAMS[stream].cursor is STREAMS[stream].devices is None and "usage" not in stream
            how = {"mode": "merge", "deletions": "delete"} if is_list else {"mode": "replace"}
        run(EmnifyToSqlOperator(task_id="t", stream=stream, sql_conn_id="warehouse", **how), end=END)

    def store() -> None:
        path = str(tmp_path / "lake")
        run(EmnifyToObjectStorageOperator(task_id="t", stream=stream, path=path), end=END)

    gateway.spoil = None
    load("replace")
    store()
    everything, files = _table(database, stream), _files(tmp_path / "lake")
    rows = _good(files, stream)
    assert everything
    assert len(rows) == len(everything)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute(f"DELETE FROM emnify_{stream} WHERE rowid = 1")
        connection.commit()
    shutil.copy(database, base)
    before = _table(base, stream)
    wrong = []
    for turn, (name, spoil) in enumerate(SPOILERS.items(), sorted(STREAMS).index(stream)):
        mode = ("replace", "files", "merge", "delete")[turn % 4]
        gateway.spoil, gateway.place = spoil, 0
        shutil.copy(base, database)
        try:
            store() if mode == "files" else load(mode)
            failed = False
        except Exception:  # whatever it is: nothing may be changed
            failed = True
        now = _files(tmp_path / "lake")
        if mode == "files":
            right = now == files if failed else _good(now, stream) == rows
            files = now
        else:
            loaded = _table(database, stream)
            late = loaded - everything if mode == "merge" else set()  # a merge reads again what can be late
            right = loaded - late == (before if failed else everything) and not (failed and late)
        if not right:
            wrong.append(f"{name}, {mode}: {'failed' if failed else 'success'}")
    assert not wrong
