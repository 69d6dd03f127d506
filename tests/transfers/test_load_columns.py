"""Columns that are asked for: when and by which run a row was written, and when a device was last seen."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.streams.last_seen import SEEN_BY
from airflow_provider_emnify.transfers.data_stream_files import (
    EmnifyDataStreamFilesToObjectStorageOperator,
    EmnifyDataStreamFilesToSqlOperator,
)
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from tests.fleets import WITH_EVENTS
from tests.transfers.support import Database, run
from tests.transfers.test_sql import transfer

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

ODD = "manual__2026-11-30T14:00:00+00:00 '%s' \"x\""


def moment_of(said: Any) -> datetime:
    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


@pytest.mark.parametrize("mode", ["merge", "append", "replace"])
def test_a_table_has_them(mode: str, database: Database, fleet: Sandbox) -> None:
    began = datetime.now(UTC)
    assert run(transfer(database, "endpoints", mode=mode, load_columns=True), run_id=ODD)["changed"] == 25
    found = database.rows("emnify_endpoints", "_run_id, _loaded_at")
    assert {name for name, _ in found} == {ODD}
    assert len({said for _, said in found}) == 1
    assert began <= moment_of(found[0][1]) <= datetime.now(UTC)


def test_a_row_that_is_merged_as_it_was_keeps_its_own(database: Database, fleet: Sandbox) -> None:
    operator = transfer(database, "endpoints", load_columns=True, deletions="mark")
    run(operator, run_id="first")
    fleet.state.endpoints[1_000_002].name = "Renamed"
    fleet.delete_endpoints([1_000_005])
    result = run(operator, run_id=ODD)
    assert (result["changed"], result["deleted"]) == (1, 1)
    name = database.name("emnify_endpoints")
    found = database.run(f"SELECT id FROM {name} WHERE _run_id <> 'first' ORDER BY id")
    assert found == [(1_000_002,), (1_000_005,)]
    assert database.run(f"SELECT DISTINCT _run_id FROM {name} WHERE _run_id <> 'first'") == [(ODD,)]


def test_a_table_that_lacks_them_gets_them_when_asked(database: Database, fleet: Sandbox) -> None:
    run(transfer(database, "endpoints"))
    with pytest.raises(Exception, match="has no _loaded_at, _run_id; add them, or set add_columns=True"):
        run(transfer(database, "endpoints", load_columns=True))
    operator = transfer(database, "endpoints", load_columns=True, add_columns=True)
    assert run(operator, run_id="r")["changed"] == 0
    fleet.state.endpoints[1_000_001].name = "Renamed"
    run(operator, run_id="r")
    assert database.rows("emnify_endpoints", "_run_id")[0] in {("r",), (None,)}
    assert database.run(f"SELECT id FROM {database.name('emnify_endpoints')} WHERE _run_id = 'r'") == [
        (1_000_001,)
    ]


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_files_have_them(format: str, fleet: Sandbox, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    operator = EmnifyToObjectStorageOperator(
        task_id="t", stream="endpoints", path=str(tmp_path), format=format, load_columns=True
    )
    manifest = run(operator, run_id=ODD)
    schema = {column["name"]: column["type"] for column in manifest["schema"]}
    assert (schema["_loaded_at"], schema["_run_id"]) == ("timestamp", "text")
    path = tmp_path / manifest["files"][0]["path"]
    rows: list[dict[str, Any]]
    if format == "jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    elif format == "csv":
        rows = list(csv.DictReader(path.open(newline="")))
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    assert len(rows) == 25
    assert {one["_run_id"] for one in rows} == {ODD}
    assert began <= moment_of(rows[0]["_loaded_at"]) <= datetime.now(UTC)


def test_directories_are_made_of_them(fleet: Sandbox, tmp_path: Path) -> None:
    operator = EmnifyToObjectStorageOperator(
        task_id="t", stream="tags", path=str(tmp_path), load_columns=True, partition_by="_loaded_at:day"
    )
    today = {datetime.now(UTC).date()}
    manifest = run(operator, run_id="r")
    today.add(datetime.now(UTC).date())
    (file,) = manifest["files"]
    assert any(str(day) in file["path"] for day in today)


def test_nobody_gets_them_who_did_not_ask(fleet: Sandbox, tmp_path: Path) -> None:
    manifest = run(EmnifyToObjectStorageOperator(task_id="t", stream="tags", path=str(tmp_path)), run_id="r")
    assert not {"_loaded_at", "_run_id"} & {column["name"] for column in manifest["schema"]}
    with pytest.raises(ValueError, match="_loaded_at"):
        EmnifyToObjectStorageOperator(
            task_id="t", stream="tags", path=str(tmp_path), partition_by="_loaded_at:day"
        )


USAGE = {"id": 7, "start_timestamp": "2026-11-01 10:00:00", "volume": {"total": 1}}


def test_records_of_the_data_streamer_have_them(database: Database, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.json").write_text(json.dumps(USAGE))
    path = str(tmp_path / "in")
    sql = EmnifyDataStreamFilesToSqlOperator(
        task_id="t", path=path, sql_conn_id="warehouse", schema=database.schema, load_columns=True
    )
    for run_id in ("first", "second"):  # which finds no new file
        run(sql, run_id=run_id)
    assert database.rows("emnify_usage_records", "id, _run_id") == [(7, "first")]
    files = EmnifyDataStreamFilesToObjectStorageOperator(
        task_id="t", path=path, target_path=str(tmp_path / "out"), format="jsonl", load_columns=True
    )
    run(files, run_id="first")
    (made,) = (tmp_path / "out").glob("*.jsonl")
    assert json.loads(made.read_text())["_run_id"] == "first"


def test_a_file_and_a_table_say_when_each_endpoint_was_last_seen(
    database: Database, fleet: Sandbox, tmp_path: Path
) -> None:
    latest = {
        event.endpoint["id"]: event.timestamp
        for event in sorted(fleet.state.events.values(), key=lambda event: event.timestamp)
        if event.endpoint is not None and event.type in SEEN_BY
    }
    assert 0 < len(latest) < 26
    assert run(transfer(database, "endpoints", last_seen="yes", table="seen"))["rows"] == 25
    file = EmnifyToObjectStorageOperator(
        task_id="t", stream="endpoints", last_seen=True, path=str(tmp_path), compression=None
    )
    (written,) = run(file)["files"]
    lines = [json.loads(line) for line in (tmp_path / written["path"]).read_text().splitlines()]
    for rows in (database.rows("seen", "id, last_seen_at"), [(r["id"], r["last_seen_at"]) for r in lines]):
        seen = {key: None if said is None else moment_of(said).timestamp() for key, said in rows}
        # One of emnify's two forms of an event has whole seconds.
        assert seen == {key: pytest.approx(latest[key], abs=1) if key in latest else None for key in seen}
