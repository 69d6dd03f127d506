"""Files and tables of every stream, whole, beside those of before: byte for byte, however they are made.

With ``EMNIFY_WRITE_GOLDEN=1`` in the environment (and without ``-n``), what they are now is written instead:
for a change that is meant.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.api.transport import bodies
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.transfers.odd_answers import answer_oddly
from tests.transfers.support import make_context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.transfers.support import Database

GOLDEN = Path(__file__).with_name("golden")
TABLES = "tables.json"
START, END = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 4, tzinfo=UTC)


@pytest.fixture(params=["orjson", "json"], autouse=True)
def read_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is read by orjson, the extra ``fast``, and without it."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setattr(bodies, "fast_json", lambda: None)


@pytest.fixture
def odd(make_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sandbox of which each stream gets odd rows of fixed dates."""
    sandbox = make_sandbox(limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    for name, stream in list(STREAMS.items()):
        monkeypatch.setitem(STREAMS, name, replace(stream, kept=None))
    return sandbox


def execute(operator: Any) -> Any:
    return operator.execute(make_context(operator, START, END))


def file_of(sandbox: Sandbox, stream: str, folder: Path, form: str, compression: str | None = None) -> Path:
    """Sync a stream into a file."""
    answer_oddly(sandbox, STREAMS[stream])
    path = folder / f"{stream}-{form}"
    operator = EmnifyToObjectStorageOperator(
        task_id="sync", stream=stream, path=str(path), format=form, compression=compression
    )
    (file,) = execute(operator)["files"]
    return path / file["path"]


def shown(value: Any) -> str:
    """Return a value of a table as text, whatever the time zone of the database's session is."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else repr(value)


def digest_of(rows: list[Any]) -> str:
    """Return what stands for all rows of a table, in a few letters."""
    text = "\n".join("|".join(map(shown, row)) for row in rows)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def digest_of_parquet(path: Path) -> str:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(path)
    return digest_of([[str(table.schema)], *(list(row.values()) for row in table.to_pylist())])


def digest_of_table(sandbox: Sandbox, stream: str, database: Database, mode: str) -> str:
    """Sync a stream into a table."""
    answer_oddly(sandbox, STREAMS[stream])
    operator = EmnifyToSqlOperator(
        task_id="sync", stream=stream, sql_conn_id="warehouse", schema=database.schema, mode=mode
    )
    key = STREAMS[stream].key
    execute(operator)
    order = ", ".join(
        str(number + 1) for number, column in enumerate(STREAMS[stream].columns) if column.name in key
    )
    return digest_of(database.rows(f"emnify_{stream}", order=order))


@pytest.mark.parametrize("stream", STREAMS)
def test_files_of_a_stream_are_what_they_were(stream: str, odd: Sandbox, tmp_path: Path) -> None:
    for form in ("jsonl", "csv"):
        found = file_of(odd, stream, tmp_path, form).read_bytes()
        assert found == before(f"{stream}.{form}", found)
        packed = file_of(odd, stream, tmp_path / "packed", form, "gzip")
        assert gzip.decompress(packed.read_bytes()) == found
    table = digest_of_parquet(file_of(odd, stream, tmp_path, "parquet"))
    assert table == before_in_tables("parquet", {stream: table})[stream]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("mode", ["merge", "append"])
def test_tables_of_all_streams_are_what_they_were(mode: str, odd: Sandbox, database: Database) -> None:
    found = {stream: digest_of_table(odd, stream, database, mode) for stream in STREAMS}
    assert found == before_in_tables(f"{database.kind} {mode}", found)


def before(name: str, found: bytes) -> bytes:
    """Return what a file was before."""
    path = GOLDEN / name
    if os.environ.get("EMNIFY_WRITE_GOLDEN"):
        path.write_bytes(found)
    return path.read_bytes()


def before_in_tables(kind: str, found: dict[str, str]) -> dict[str, str]:
    """Return what stands for the tables of before, by their streams."""
    tables = json.loads((GOLDEN / TABLES).read_bytes() if (GOLDEN / TABLES).exists() else b"{}")
    tables[kind] = {**tables.get(kind, {}), **(found if os.environ.get("EMNIFY_WRITE_GOLDEN") else {})}
    before(TABLES, json.dumps(tables, indent=1, sort_keys=True).encode() + b"\n")
    known: dict[str, str] = tables[kind]
    return known
