"""Files of the Data Streamer into tables and other files: each once, nothing dropped."""

from __future__ import annotations

import gzip
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.transfers.data_stream_files import (
    EmnifyDataStreamFilesToObjectStorageOperator,
    EmnifyDataStreamFilesToSqlOperator,
)
from airflow_provider_emnify.transfers.sinks import sql as sql_sink
from airflow_provider_emnify.transfers.sinks.object_store import open_store
from airflow_provider_emnify.transfers.sinks.sql_table import SqlTable
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.api.data_streamer.test_files import EVENT, USAGE, csv_of, flat
from tests.fleets import WITH_EVENTS
from tests.transfers.support import NOW, make_context, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox
    from airflow_provider_emnify.transfers.sinks.object_store import Store
    from tests.transfers.support import Database

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

Row = dict[str, Any]


def usage(number: int, **more: Any) -> Row:
    return {**USAGE, "id": number, **more}


@pytest.fixture(params=["local", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Where the Data Streamer delivers to."""
    if request.param == "local":
        return open_store(str(tmp_path / "bucket"), None)
    return open_store(f"{request.getfixturevalue('s3')}/{uuid.uuid4().hex}", None)


def deliver(bucket: Store, tmp_path: Path, name: str, body: bytes) -> None:
    source = tmp_path / uuid.uuid4().hex
    source.write_bytes(body)
    bucket.put(source, name)


def lines(*rows: Row) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def execute(operator: Any) -> Row:
    result: Row = operator.execute(make_context(operator, NOW, NOW))
    return result


def to_sql(bucket: Store, database: Database, **options: Any) -> EmnifyDataStreamFilesToSqlOperator:
    options = {"sql_conn_id": "warehouse", "schema": database.schema, **options}
    return EmnifyDataStreamFilesToSqlOperator(task_id="load", path=str(bucket.base), **options)


def test_files_of_all_forms_land_in_one_table_each_once(
    bucket: Store, database: Database, tmp_path: Path
) -> None:
    deliver(bucket, tmp_path, "2024/05/a.csv", csv_of(flat(usage(1)), flat(usage(2))))
    deliver(bucket, tmp_path, "2024/05/b.csv.gz", gzip.compress(csv_of(flat(usage(3)))))
    deliver(bucket, tmp_path, "2024/05/c.json", lines(usage(4), usage(2, cost="7")))
    deliver(bucket, tmp_path, "2024/05/_ignored.csv", b"x")
    first = execute(to_sql(bucket, database))
    assert (first["files"], first["rows"], first["rejected"], first["changed"]) == (3, 5, 0, 4)
    found = database.rows("emnify_usage_records", "id, cost")
    assert [(number, float(cost)) for number, cost in found] == [
        (1, 0.00188512),
        (2, 7.0),
        (3, 0.00188512),
        (4, 0.00188512),
    ]
    again = execute(to_sql(bucket, database))
    assert (again["files"], again["rows"]) == (0, 0)
    deliver(bucket, tmp_path, "2024/06/d.json", lines(usage(5)))
    assert execute(to_sql(bucket, database))["files"] == 1
    files = database.rows("emnify_loaded_files")  # path, target, fingerprint, rows, rejected, loaded_at
    assert [(path.rsplit("/", 1)[1], target, *more[1:3]) for path, target, *more in files] == [
        ("a.csv", "emnify_usage_records", 2, 0),
        ("b.csv.gz", "emnify_usage_records", 1, 0),
        ("c.json", "emnify_usage_records", 2, 0),
        ("d.json", "emnify_usage_records", 1, 0),
    ]


def test_bad_rows_are_set_aside_with_their_reason_and_counted(
    bucket: Store, database: Database, tmp_path: Path
) -> None:
    bad = {**flat(usage(2)), "volume_total": "much"}
    deliver(bucket, tmp_path, "day/a.csv", csv_of(flat(usage(1)), bad))
    deliver(bucket, tmp_path, "b.json", lines(usage(3)) + b"{oops\n")
    result = execute(to_sql(bucket, database))
    assert (result["rows"], result["rejected"]) == (2, 2)
    found = bucket.find()
    aside = sorted(path for path in found if "/_rejected/" in path)
    assert [path.split("/_rejected/")[1] for path in aside] == ["b.json.jsonl", "day/a.csv.jsonl"]
    said = [json.loads(bucket.open(path).read()) for path in aside]
    assert [(row["line"], row["reason"][:15]) for row in said] == [
        (2, "no JSON (Expect"),
        (3, "volume: 'much' "),
    ]
    assert said[1]["row"]["volume"]["total"] == "much"
    assert said[1]["source"].endswith("day/a.csv")
    assert execute(to_sql(bucket, database))["files"] == 0  # what was set aside is no file to load


def test_bad_files_and_records_do_not_keep_good_ones_from_the_database(
    bucket: Store, database: Database, tmp_path: Path
) -> None:
    deliver(bucket, tmp_path, "0.csv", b"sim,sim_iccid\n1,2\n")
    deliver(bucket, tmp_path, "1.csv", b"\x00\xff garbage")
    bad = [{"cost": "1e999999"}, {"session_id": "a\x00b\ud83d", "x": {"\x00": "\ud83d"}}, {"x": [[[[1]]]]}]
    rows = [usage(number, **more) for number, more in enumerate(bad, 1)]
    nan = b'{"id": 9, "start_timestamp": "2024-05-01", "x": NaN}'
    mixed = b"".join(json.dumps(one).encode() for one in [*rows, EVENT])
    deliver(bucket, tmp_path, "2", gzip.compress(mixed[:50]) + gzip.compress(mixed[50:] + nan))
    result = execute(to_sql(bucket, database))
    assert (result["files"], result["rows"], result["other_kind"]) == (3, 2, 1)
    assert database.rows("emnify_usage_records", "id") == [(2,), (3,)]
    assert result["rejected"] >= 4
    events = execute(to_sql(bucket, database, records="events"))
    assert (events["rows"], events["other_kind"]) == (1, 3)
    assert database.rows("emnify_events", "id") == [(EVENT["id"],)]


def test_a_load_that_fails_loads_nothing_and_begins_again(
    bucket: Store, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_sink, "FILES_AT_ONCE", 2)
    for number in range(5):
        deliver(bucket, tmp_path, f"{number}.json", lines(usage(number + 1)))
    load_within, left = SqlTable.load_within, [3]

    def fail(self: SqlTable, *args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionResetError("the database went away")
        return load_within(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(SqlTable, "load_within", fail)
        with pytest.raises(ConnectionResetError):
            execute(to_sql(bucket, database))  # in the second batch, after its records, before its ledger
    assert database.rows("emnify_usage_records", "id") == [(1,), (2,)]
    assert execute(to_sql(bucket, database))["files"] == 3
    assert database.rows("emnify_usage_records", "id") == [(1,), (2,), (3,), (4,), (5,)]


def test_events_of_files_and_of_the_api_share_a_table(
    database: Database, fleet: Sandbox, tmp_path: Path
) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    run(EmnifyToSqlOperator(task_id="x", stream="events", sql_conn_id="warehouse", schema=database.schema))
    before = len(database.rows("emnify_events"))
    deliver(bucket, tmp_path, "e.json", lines(EVENT))
    operator = to_sql(bucket, database, records="events")
    assert [asset.uri for asset in operator.outlets] == ["emnify://emnify_default/events"]
    assert execute(operator)["changed"] == 1
    assert len(database.rows("emnify_events")) == before + 1


def test_files_are_known_again_whatever_their_directory_is_called(database: Database, tmp_path: Path) -> None:
    for name in ("100%_x!!y", "100%_x!!z"):
        bucket = open_store(str(tmp_path / name), None)
        deliver(bucket, tmp_path, "a.json", lines(usage(1)))
        assert execute(to_sql(bucket, database))["files"] == 1
        assert execute(to_sql(bucket, database))["files"] == 0


def test_a_path_longer_than_the_keys_of_a_database_is_loaded_once(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    for last in ("a", "b"):
        deliver(bucket, tmp_path, f"{'/'.join(['d' * 200] * 4)}/{last}.json", lines(usage(1)))
    assert execute(to_sql(bucket, database))["files"] == 2
    assert execute(to_sql(bucket, database))["files"] == 0


def test_a_file_whose_name_is_not_in_utf_8_is_loaded_once(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    deliver(bucket, tmp_path, "a\udcff.csv", csv_of(flat(usage(1)), {**flat(usage(2)), "cost": "free"}))
    deliver(bucket, tmp_path, "b.json", lines(usage(3)))
    for operator in (to_sql(bucket, database), to_files(bucket, str(tmp_path / "lake"))):
        result = execute(operator)
        assert (result["files"], result["rows"], result["rejected"]) == (2, 2, 1)
        assert execute(operator)["files"] == 0


def test_only_files_that_look_like_the_pattern(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    deliver(bucket, tmp_path, "usage/1.json", lines(usage(1)))
    deliver(bucket, tmp_path, "events/1.json", lines(EVENT))
    assert execute(to_sql(bucket, database, pattern="usage/*"))["files"] == 1


def test_what_is_set_aside_never_lies_among_what_is_loaded(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    with pytest.raises(AirflowFailException, match=r"rejected_path: .*lies among the files"):
        execute(to_sql(bucket, database, rejected_path=f"{bucket.base}/bad"))


def test_an_empty_directory_is_fine(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "nothing"), None)
    assert execute(to_sql(bucket, database))["files"] == 0


def test_a_table_that_does_not_match_fails_the_task(database: Database, tmp_path: Path) -> None:
    bucket = open_store(str(tmp_path / "bucket"), None)
    deliver(bucket, tmp_path, "1.json", lines(usage(1)))
    database.run(f"CREATE TABLE {database.name('emnify_usage_records')} (id BIGINT PRIMARY KEY)")
    with pytest.raises(AirflowFailException, match="has no traffic_type_id"):
        execute(to_sql(bucket, database))


# -- into files -------------------------------------------------------------------------------------------


def to_files(bucket: Store, target: str, **options: Any) -> EmnifyDataStreamFilesToObjectStorageOperator:
    options.setdefault("format", "jsonl")
    return EmnifyDataStreamFilesToObjectStorageOperator(
        task_id="load", path=str(bucket.base), target_path=target, **options
    )


def test_each_file_makes_files_of_its_own_once(bucket: Store, tmp_path: Path) -> None:
    target = open_store(str(tmp_path / "lake"), None)
    deliver(bucket, tmp_path, "a.csv", csv_of(flat(usage(1)), {**flat(usage(2)), "cost": "free"}))
    deliver(bucket, tmp_path, "b.json", lines(usage(3)))
    operator = to_files(bucket, str(target.base), partition_by="start_timestamp:day")
    result = execute(operator)
    assert (result["files"], result["rows"], result["rejected"]) == (2, 2, 1)
    before = {path: target.open(path).read() for path in target.find()}
    data = [body for path, body in before.items() if "/start_timestamp_day=2024-05-01/" in path]
    assert sorted(json.loads(body)["id"] for body in data) == [1, 3]
    manifests = [json.loads(body) for path, body in before.items() if "/_manifest-" in path]
    assert sorted((one["source"].rsplit("/", 1)[1], one["rows"], one["rejected"]) for one in manifests) == [
        ("a.csv", 1, 1),
        ("b.json", 1, 0),
    ]
    assert execute(operator)["files"] == 0
    assert {path: target.open(path).read() for path in target.find()} == before
    assert any("/_rejected/a.csv.jsonl" in path for path in bucket.find())


def test_a_record_that_was_delivered_twice_stands_once_in_the_files_of_a_run(tmp_path: Path) -> None:
    bucket, target = open_store(str(tmp_path / "bucket"), None), tmp_path / "lake"
    deliver(bucket, tmp_path, "a.json", lines(usage(1), usage(2), usage(1)))
    deliver(bucket, tmp_path, "b.json", lines(usage(2), usage(3), usage(1, cost="7")))
    result = execute(to_files(bucket, str(target)))
    assert (result["rows"], result["repeated"]) == (4, 2)
    rows = [json.loads(line) for path in target.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert sorted((row["id"], row["cost"]) for row in rows) == [
        (1, 0.00188512),
        (1, 7),  # the same id with another content is not dropped
        (2, 0.00188512),
        (3, 0.00188512),
    ]


def test_parquet_of_usage_has_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    bucket = open_store(str(tmp_path / "bucket"), None)
    deliver(bucket, tmp_path, "a.csv", csv_of(flat(usage(1))))
    execute(to_files(bucket, str(tmp_path / "lake"), format="parquet"))
    (path,) = (tmp_path / "lake").glob("*.parquet")
    (row,) = parquet.read_table(path).to_pylist()
    assert (row["id"], row["start_timestamp"]) == (1, datetime(2024, 5, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records": "bills"}, "records: 'bills'"),
        ({"path": " "}, "path"),
        ({"format": "xml"}, "format: 'xml'"),
        ({"partition_by": "nope"}, "partition_by"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(options: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyDataStreamFilesToObjectStorageOperator(
            task_id="x", **{"path": "/stream", "target_path": "/lake", **options}
        )
