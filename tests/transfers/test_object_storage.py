"""A stream in files: whole or not at all, only one's own replaced, the manifest last; local disk and S3."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api.resources.organisations import Organisations
from airflow_provider_emnify.api.streams.columns import boolean, day, decimal, integer, text, timestamp
from airflow_provider_emnify.api.streams.columns import json as json_column
from airflow_provider_emnify.api.streams.converter import Converter
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sinks import object_store
from airflow_provider_emnify.transfers.sinks.file_formats import FORMATS, check_format
from airflow_provider_emnify.transfers.sinks.object_store import Staging, Store, open_store
from airflow_provider_emnify.transfers.sinks.partitions import Partitions
from tests.fleets import WITH_EVENTS
from tests.transfers.support import NOW, in_batches, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

COLUMNS = [
    integer("id"),
    text("name"),
    decimal("cost"),
    boolean("alert"),
    timestamp("at"),
    day("date"),
    json_column("tags"),
]
CONVERT = Converter(COLUMNS)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A directory on the disk, and one in an S3 on loopback."""
    if request.param == "local":
        return open_store(str(tmp_path / "lake"), None)
    bucket: str = request.getfixturevalue("s3")
    return open_store(f"{bucket}/{uuid.uuid4().hex}", None)


def files(store: Store) -> dict[str, bytes]:
    """Return everything below the directory."""
    store.base.fs.invalidate_cache()
    root = store.path("")
    return {path.removeprefix(root): store.base.fs.cat_file(path) for path in store.base.fs.find(root)}


def transfer(store: Store, stream: str = "sims", **options: Any) -> EmnifyToObjectStorageOperator:
    return EmnifyToObjectStorageOperator(task_id="sync", stream=stream, path=str(store.base), **options)


def data_of(store: Store) -> dict[str, bytes]:
    return {name: body for name, body in files(store).items() if not name.startswith("_")}


# -- the operator -----------------------------------------------------------------------------------------


def test_files_come_with_a_manifest_that_tells_all_about_them(store: Store, fleet: Sandbox) -> None:
    end = NOW - timedelta(hours=1)
    result = run(transfer(store, max_rows_per_file=20), end=end)
    stem = f"sims-{end - timedelta(hours=48):%Y%m%dT%H%M%S}Z-{end:%Y%m%dT%H%M%S}Z"
    there = files(store)
    assert set(there) == {f"_manifest-{stem}.json", f"{stem}-00001.jsonl", f"{stem}-00002.jsonl"}
    manifest = json.loads(there[f"_manifest-{stem}.json"])
    assert manifest == {name: value for name, value in result.items() if name not in {"path", "manifest"}}
    assert [(file["path"], file["rows"], file["bytes"]) for file in manifest["files"]] == [
        (f"{stem}-00001.jsonl", 20, len(there[f"{stem}-00001.jsonl"])),
        (f"{stem}-00002.jsonl", 15, len(there[f"{stem}-00002.jsonl"])),
    ]
    assert (manifest["rows"], manifest["interval_end"], manifest["key"]) == (35, end.isoformat(), ["id"])
    assert {"name": "iccid", "type": "text"} in manifest["schema"]
    rows = [json.loads(line) for file in manifest["files"] for line in there[file["path"]].splitlines()]
    assert [row["iccid"] for row in rows] == [sim.iccid for sim in reversed(fleet.state.sims.values())]


@pytest.mark.parametrize(
    ("form", "compression"), [("jsonl", None), ("jsonl", "gzip"), ("csv", "gzip"), ("parquet", None)]
)
def test_a_run_that_is_repeated_makes_the_same_files(
    form: str, compression: str | None, store: Store, fleet: Sandbox
) -> None:
    operator = transfer(store, "events", format=form, compression=compression, partition_by="timestamp:day")
    run(operator)
    before = data_of(store)
    run(operator)
    assert data_of(store) == before
    assert before


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_daily_answer_with_one_date_twice_makes_one_row(
    form: str, store: Store, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = (NOW - timedelta(days=1)).date().isoformat()
    twice = [{"date": day, "data": {"volume": 1}}, {"date": day, "data": {"volume": 2}}]
    monkeypatch.setattr(Organisations, "daily_stats", lambda *_, **__: twice)
    result = run(transfer(store, "organisation_usage_daily", format=form), 72, NOW)
    assert result["rows"] == 1


def test_a_run_replaces_its_own_files_and_nothing_else(store: Store, fleet: Sandbox) -> None:
    end = NOW - timedelta(hours=1)
    run(transfer(store, max_rows_per_file=10), 24, end - timedelta(hours=24))  # another interval
    run(transfer(store, "endpoints"), 24, end)  # another stream
    run(transfer(store, name="mine"), 24, end)  # another name
    store.put_json({"not": "ours"}, "sims-notes.json")
    others = files(store)
    run(transfer(store, max_rows_per_file=10), 24, end)
    assert len(files(store)) == len(others) + 5
    for sim in list(fleet.state.sims)[:20]:
        del fleet.state.sims[sim]
    run(transfer(store, max_rows_per_file=10), 24, end)
    there = files(store)
    assert len(there) == len(others) + 3
    assert {name: there[name] for name in others} == others


@pytest.mark.parametrize("skip", [0, 1])
def test_a_run_that_fails_while_it_reads_leaves_no_file(skip: int, store: Store, fleet: Sandbox) -> None:
    fleet.faults.add(path="/api/v1/endpoint/{endpoint_id}/connectivity", status=403, skip=skip * 10)
    with pytest.raises(AirflowFailException):
        run(transfer(store, "connectivity"))
    assert files(store) == {}


def test_a_run_that_is_cut_off_while_it_writes_is_cleaned_up_by_the_next(
    store: Store, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, failing = Store.put, [3]

    def fail(self: Store, source: Path, name: str) -> None:
        failing[0] -= 1
        if failing[0] < 0:
            raise ConnectionResetError("the storage went away")
        put(self, source, name)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", fail)
        with pytest.raises(ConnectionResetError):
            run(transfer(store, max_rows_per_file=10))
    left = files(store)
    assert not any(name.startswith("_manifest") for name in left)
    run(transfer(store))  # one file now
    there = files(store)
    assert len(there) == 2
    assert sum(name.startswith("_manifest") for name in there) == 1


def test_partitions_are_directories(store: Store, fleet: Sandbox) -> None:
    result = run(transfer(store, format="csv", partition_by=["status"]))
    there = data_of(store)
    assert {name.split("/")[0] for name in there} == {"status=Issued", "status=Activated"}
    counts = {name.split("/")[0]: body.count(b"\n") - 1 for name, body in there.items()}
    assert counts == {"status=Issued": 10, "status=Activated": 25}
    assert "status" not in next(iter(there.values())).decode().splitlines()[0].split(",")
    assert result["partition_by"] == ["status"]


def test_nothing_at_all_is_a_manifest_without_files(store: Store, fleet: Sandbox) -> None:
    result = run(transfer(store, filters={"status": "suspended"}))
    assert (result["rows"], result["files"]) == (0, [])
    assert len(files(store)) == 1


def test_an_upload_to_s3_is_one_object_and_a_local_file_is_renamed(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100_000)
    store.put(source, "a/b.bin")
    assert files(store) == {"a/b.bin": b"x" * 100_000}


def test_a_local_file_that_cannot_be_finished_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(str(tmp_path / "lake"), None)
    source = tmp_path / "source"
    source.write_bytes(b"x")

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="disk full"):
            store.put(source, "b.bin")
    assert files(store) == {}


# -- formats ----------------------------------------------------------------------------------------------

AT = datetime(2024, 5, 1, 12, 30, 45, 123456, tzinfo=UTC)
ROWS = [
    CONVERT(
        {
            "id": 2**62,
            "name": 'a "quoted", line\nand 📡',
            "cost": "0.1234567891",
            "alert": 1,
            "at": AT.isoformat(),
            "date": "2024-05-01",
            "tags": [{"a": "ü"}],
            "new": 1,
        }
    ),
    CONVERT({"id": 1}),
]


def stage(tmp_path: Path, form: str, compression: str | None, rows: Any = ROWS, **options: Any) -> Staging:
    """Write rows, three at a time."""
    staging = Staging(tmp_path, "x", CONVERT.columns, FORMATS[form], compression, **options)
    staging.write(in_batches(rows, 3))
    return staging


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_json_lines_have_numbers_and_iso_times(compression: str | None, tmp_path: Path) -> None:
    (staged,) = stage(tmp_path, "jsonl", compression).files
    assert staged.name == ("x-00001.jsonl.gz" if compression else "x-00001.jsonl")
    body = staged.path.read_bytes()
    first, second = (gzip.decompress(body) if compression else body).decode().splitlines()
    assert json.loads(first) == {
        "id": 2**62,
        "name": 'a "quoted", line\nand 📡',
        "cost": 0.1234567891,
        "alert": True,
        "at": "2024-05-01T12:30:45.123456+00:00",
        "date": "2024-05-01",
        "tags": [{"a": "ü"}],
        "_extra": {"new": 1},
    }
    assert json.loads(second) == {**dict.fromkeys(CONVERT.names), "id": 1}


def test_csv_has_a_header_and_nothing_for_null(tmp_path: Path) -> None:
    (staged,) = stage(tmp_path, "csv", "gzip").files
    header, first, second = csv.reader(
        io.StringIO(gzip.decompress(staged.path.read_bytes()).decode(), newline="")
    )
    assert tuple(header) == CONVERT.names
    assert first == [
        str(2**62),
        'a "quoted", line\nand 📡',
        "0.1234567891",
        "true",
        "2024-05-01T12:30:45.123456+00:00",
        "2024-05-01",
        '[{"a":"ü"}]',
        '{"new":1}',
    ]
    assert second == ["1", *[""] * 7]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\n\r"])
def test_a_line_end_in_a_text_ends_no_row_of_csv(end: str, tmp_path: Path) -> None:
    names = [f"one{end}two", end, f"{end}one", f"one{end}"]
    rows = [CONVERT({"id": number, "name": name}) for number, name in enumerate(names)]
    (staged,) = stage(tmp_path, "csv", None, rows).files
    body = staged.path.read_bytes()
    assert not body.endswith(b"\r\n")
    header, *found = csv.reader(io.StringIO(body.decode(), newline=""))
    assert header == [*CONVERT.names]
    assert [row[:2] for row in found] == [[str(number), name] for number, name in enumerate(names)]


@pytest.mark.parametrize("compression", ["snappy", "zstd", "gzip", None])
def test_parquet_has_types(compression: str | None, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (staged,) = stage(tmp_path, "parquet", compression).files
    found = parquet.read_table(staged.path)
    assert [str(kind) for kind in found.schema.types] == [
        "int64",
        "string",
        "decimal128(38, 10)",
        "bool",
        "timestamp[us, tz=UTC]",
        "date32[day]",
        "string",
        "string",
    ]
    first, second = found.to_pylist()
    assert (first["id"], first["cost"], first["at"]) == (2**62, Decimal("0.1234567891"), AT)
    assert json.loads(first["tags"]) == [{"a": "ü"}]
    assert second == {**dict.fromkeys(CONVERT.names), "id": 1}


def test_parquet_is_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("airflow_provider_emnify.transfers.sinks.file_formats.ROW_GROUP", 100)
    rows = (CONVERT({"id": number}) for number in range(250))
    (staged,) = stage(tmp_path, "parquet", "snappy", rows).files
    assert parquet.ParquetFile(staged.path).num_row_groups == 3
    assert parquet.read_table(staged.path)["id"].to_pylist() == list(range(250))


def test_few_files_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "MOST_OPEN", 3)
    rows = [CONVERT({"id": number, "name": f"n{number % 5}"}) for number in range(20)]
    staging = stage(tmp_path, "jsonl", None, rows, partition_by=["name"])
    assert sum(staged.rows for staged in staging.files) == 20
    assert len({staged.name for staged in staging.files}) == len(staging.files)


@pytest.mark.parametrize(
    ("spec", "directory"),
    [
        ("at:hour", "at_hour=2024-05-01T12"),
        ("at:month", "at_month=2024-05"),
        ("date", "date=2024-05-01"),
        (["date:year", "alert"], "date_year=2024/alert=true"),
        ("name", "name=a%2F..%2Fb"),
    ],
)
def test_the_directory_follows_from_the_row(spec: Any, directory: str) -> None:
    row = {"id": 1, "name": "a/../b", "alert": 1, "at": AT.isoformat(), "date": "2024-05-01"}
    rows = [row, {"id": 2}, {**row, "id": 3}]
    (first, some), (null, rest) = Partitions(spec, CONVERT.columns).split(CONVERT.batch(rows))
    assert first == directory
    assert "__HIVE_DEFAULT_PARTITION__" in null
    assert [list(some[0]), list(rest[0])] == [[1, 3], [2]]


def test_half_of_a_character_makes_a_directory_like_any_other_text(tmp_path: Path) -> None:
    rows = [CONVERT({"id": number, "name": name}) for number, name in enumerate(["x", "half \ud83d", "x"])]
    staging = stage(tmp_path, "jsonl", None, rows, partition_by=["name"])
    assert {staged.name.partition("/")[0]: staged.rows for staged in staging.files} == {
        "name=x": 2,
        "name=half%20%3F": 1,
    }


@pytest.mark.parametrize("spec", ["at", "nope", "tags", "cost", "at:week", "date:hour", "name:day"])
def test_a_partition_that_cannot_be_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="partition_by"):
        Partitions(spec, CONVERT.columns)


@pytest.mark.parametrize(
    ("form", "compression", "message"),
    [
        ("xml", None, "'xml' is not valid; allowed: jsonl, csv, parquet"),
        (["csv"], None, r"format: \['csv'\] is not valid; allowed: jsonl, csv, parquet"),
        ("csv", "zstd", "'zstd' is not valid for csv; allowed: none, gzip"),
        ("parquet", "lzma", "'lzma' is not valid for parquet; allowed: snappy"),
    ],
)
def test_a_format_that_cannot_be_is_refused_when_the_dag_is_parsed(
    form: str, compression: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyToObjectStorageOperator(
            task_id="x", stream="sims", path="/lake", format=form, compression=compression
        )


def test_parquet_without_its_extra_is_refused_when_the_dag_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_emnify.transfers.sinks.file_formats.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs pyarrow; install airflow-provider-emnify\[parquet\]"):
        check_format("parquet", None)


@pytest.mark.parametrize("name", ["../x", "a/b", "_hidden", ".hidden"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        EmnifyToObjectStorageOperator(task_id="x", stream="sims", path="/lake", name=name)
