"""Planning reads a source and the fleet, writes a plan as a file, and changes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.operators.fleet import EmnifyPlanFleetOperator
from airflow_provider_emnify.operators.fleet.plan_file import read_plan
from tests.operators.fleet.conftest import FIRST_ENDPOINT, FIRST_SPARE, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

    Plan = Callable[..., Any]


pytestmark = pytest.mark.fleet(10)


def lines(path: str) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> str:
    header = ",".join(rows[0]).upper()  # any case will do
    body = "\n".join(",".join(map(str, row.values())) for row in rows)
    path.write_text(f"{header}\n{body}\n")
    return str(path)


def test_a_plan_says_how_many_and_the_first_and_all_in_a_file(fleet: Sandbox, plan: Plan) -> None:
    rows = rows_of(fleet, service_profile="Default service profile")
    rows[0]["name"], rows[1]["sim_status"], rows[2]["tags"] = "Pump", "suspended", "tracker"
    spare = fleet.state.sims[FIRST_SPARE]
    new = {"iccid": spare.iccid_with_luhn, "service_profile_id": 1, "tariff_profile_id": 2, "sim_status": 1}

    result = plan(devices=[*rows, new])

    assert result["counts"] == {
        "create": 1,
        "change": 1,
        "activate": 1,
        "suspend": 1,
        "tag": 1,
        "delete": 0,
        "refuse": 0,
    }
    assert (result["rows"], result["devices"], result["unchanged"], result["changes"]) == (11, 10, 7, 4)
    assert result["first"]["change"] == [
        f"{rows[0]['iccid']} (endpoint {FIRST_ENDPOINT}): name 'Device 1' -> Pump"
    ]
    assert (
        "1 SIMs activated (billed from now on), 1 SIMs suspended (free from next month on)"
        in result["summary"]
    )
    about, *entries = lines(result["path"])
    assert about["counts"] == result["counts"]
    assert [entry["action"] for entry in entries] == ["change", "change", "change", "create"]
    assert entries[0] == {
        "action": "change",
        "key": rows[0]["iccid"],
        "row": 1,
        "endpoint_id": FIRST_ENDPOINT,
        "sim_id": FIRST_SPARE + 100,
        "from": {"name": "Device 1"},
        "to": {"name": "Pump"},
    }
    assert json.loads(json.dumps(result)) == result
    assert {operation for operation in fleet.counts if not operation.startswith("GET ")} == {
        "POST /api/v1/authenticate"
    }


def test_a_plan_that_is_read_again_is_the_plan(fleet: Sandbox, plan: Plan) -> None:
    result = plan(devices=rows_of(fleet, tags=["tracker"], status="disabled"))
    _, entries = read_plan(result["path"], None, result["digest"])
    assert len(entries) == 10
    assert {entry.after["tags"] for entry in entries} == {("tracker",)}
    with pytest.raises(ValueError, match="has changed since it was made"):
        read_plan(result["path"], None, "0" * 64)


class TestSources:
    @pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet"])
    def test_files(self, fleet: Sandbox, plan: Plan, tmp_path: Path, ending: str) -> None:
        rows = rows_of(fleet, imei_lock=True)
        path = tmp_path / f"fleet.{ending}"
        if ending == "parquet":
            pa = pytest.importorskip("pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist(rows), path)
        elif ending == "jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        else:
            plain = as_csv(tmp_path / "plain", rows)
            body = open(plain, "rb").read()  # noqa: SIM115
            path.write_bytes(gzip.compress(body) if ending.endswith("gz") else body)
        assert plan(path=str(path))["counts"]["change"] == 10
        assert plan(path=f"file://{path}", plan_path=f"file://{tmp_path}/a/b/plan.jsonl")["changes"] == 10
        assert (tmp_path / "a/b/plan.jsonl").exists()

    def test_a_query(
        self, fleet: Sandbox, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("airflow.providers.sqlite")
        database = tmp_path / "warehouse.db"
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE fleet (iccid TEXT, name TEXT, tags TEXT)")
            values = [(row["iccid"], row["name"], "tracker") for row in rows_of(fleet)]
            connection.executemany("INSERT INTO fleet VALUES (?, ?, ?)", values)
        connection.close()
        monkeypatch.setenv(
            "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(database)})
        )
        assert plan(sql_conn_id="warehouse", sql="SELECT iccid, name, tags FROM fleet")["counts"]["tag"] == 10
        with pytest.raises(AirflowFailException, match="unknown column 'label'; allowed: iccid"):
            plan(sql_conn_id="warehouse", sql="SELECT iccid, name AS label FROM fleet")

    def test_a_broken_line_is_a_row_that_is_refused(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        path = tmp_path / "fleet.csv"
        rows = rows_of(fleet, status="disabled")
        as_csv(path, rows[:3])
        path.write_text(f"{path.read_text()}1,2,3,4,5\n")
        assert plan(path=str(path), on_bad_rows="skip")["counts"] | {"change": 3, "refuse": 1} == {
            "create": 0,
            "change": 3,
            "activate": 0,
            "suspend": 0,
            "tag": 0,
            "delete": 0,
            "refuse": 1,
        }
        with pytest.raises(AirflowFailException, match=r"row 5: 5 values for 3 columns"):
            plan(path=str(path))
        with pytest.raises(AirflowFailException, match="nothing can be pruned"):
            plan(path=str(path), on_bad_rows="skip", prune="delete", max_prune=10)

    def test_a_file_that_was_cut_is_refused(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        path = tmp_path / "fleet.csv.gz"
        path.write_bytes(gzip.compress(as_csv(tmp_path / "plain", rows_of(fleet)).encode() * 999)[:-20])
        for ending in ("csv.gz", "jsonl.gz"):
            other = path.rename(tmp_path / f"fleet.{ending}")
            with pytest.raises(AirflowFailException):
                plan(path=str(other), prune="delete", max_prune=10)
            path = other

    @pytest.mark.parametrize(
        "text",
        [
            "{0},{1}\n{2},Pump\n",
            "\ufeff{0};{1}\r\n{2};Pump\r\n",
            "{0}\t{1}\n{2}\tPump\n",
            "\n\n{0},{1}\n{2},Pump\n,\n  \n,\n",
            '"{0}";"{1}"\n"{2}";"Pump"\n;\n',
        ],
    )
    def test_csv_as_spreadsheets_write_it(
        self, fleet: Sandbox, plan: Plan, tmp_path: Path, text: str
    ) -> None:
        path = tmp_path / "fleet.csv"
        path.write_text(text.format("iccid", "Name", rows_of(fleet)[0]["iccid"]))
        assert plan(path=str(path))["first"]["change"][0].endswith("name 'Device 1' -> Pump")

    def test_names_of_columns_come_in_any_case(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        row = {"ICCID": rows_of(fleet)[0]["iccid"], "Name": "Pump"}
        (tmp_path / "a.jsonl").write_text(json.dumps(row))
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "a.parquet")
        for name in ("a.jsonl", "a.parquet"):
            assert plan(path=str(tmp_path / name))["counts"]["change"] == 1

    def test_what_is_no_csv_is_refused(self, plan: Plan, tmp_path: Path) -> None:
        path = tmp_path / "fleet.csv"
        path.write_text("iccid,name\r8988303000000000001,A\r")
        with pytest.raises(AirflowFailException, match="path: it is not CSV"):
            plan(path=str(path))

    def test_odd_columns_are_named(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        path = tmp_path / "fleet.jsonl"
        path.write_text('{"iccid": "8988303000000000001", "sim_staus": 1}\n')
        with pytest.raises(AirflowFailException, match=r"column 'sim_staus' \(did you mean 'sim_status'\?\)"):
            plan(path=str(path))
        path = tmp_path / "fleet.csv"
        path.write_text("imei,name\n")
        with pytest.raises(AirflowFailException, match="there is no column 'iccid'"):
            plan(path=str(path))
        assert fleet.counts["GET /api/v1/endpoint"] == 0


class TestBadRows:
    def test_they_refuse_the_plan_which_lists_them(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        rows = rows_of(fleet, name="x")
        rows[3]["imei"] = "3512345678901"
        with pytest.raises(
            AirflowFailException, match=r"1 rows are wrong.*row 4.*not a valid IMEI.*on_bad_rows"
        ):
            plan(devices=rows)
        about, *entries = lines(f"{tmp_path}/plan.jsonl")
        assert about["valid"] is False
        assert [entry["reason"] for entry in entries if entry["action"] == "refuse"] == [
            "imei: '3512345678901' is not a valid IMEI; give 14 to 16 digits, as a text"
        ]

    def test_they_are_left_out_when_asked(self, fleet: Sandbox, plan: Plan) -> None:
        rows = rows_of(fleet, name="x")
        rows[3]["imei"] = "3512345678901"
        result = plan(devices=rows, on_bad_rows="skip")
        assert (result["changes"], result["counts"]["refuse"], len(result["first"]["refuse"])) == (9, 1, 1)


def test_a_long_value_does_not_make_a_long_result(fleet: Sandbox, plan: Plan) -> None:
    rows = [{**row, "name": "é" * 4000} for row in rows_of(fleet)]
    result = plan(devices=[*rows, *[{"iccid": "x" * 10_000}] * 20], on_bad_rows="skip")
    assert len(json.dumps(result, ensure_ascii=False)) < 10_000


class TestPrune:
    def test_more_than_allowed_refuse_the_plan(self, fleet: Sandbox, plan: Plan, tmp_path: Path) -> None:
        rows = rows_of(fleet)
        with pytest.raises(AirflowFailException, match=r"max_prune: 2 devices .*1000010.*, more than 0"):
            plan(devices=rows[:8], prune="delete")
        assert not (tmp_path / "plan.jsonl").exists()
        assert plan(devices=rows[:8], prune="delete", max_prune="2")["counts"]["delete"] == 2

    def test_an_empty_source_prunes_no_fleet(self, fleet: Sandbox, plan: Plan) -> None:
        assert plan(devices=[])["changes"] == 0
        for prune in ("suspend", "delete"):
            with pytest.raises(AirflowFailException, match="the source has no rows, so all 10 devices would"):
                plan(devices=[], prune=prune, max_prune=100)


def test_names_are_read_only_where_rows_have_some(fleet: Sandbox, plan: Plan) -> None:
    plan(devices=rows_of(fleet))
    assert set(fleet.counts) == {"POST /api/v1/authenticate", "GET /api/v1/endpoint"}
    plan(
        devices=rows_of(fleet, service_profile="Default service profile", tariff_profile_id=1, tags="tracker")
    )
    for path in ("/api/v1/service_profile", "/api/v1/tariff_profile", "/api/v2/tags"):
        assert fleet.counts[f"GET {path}"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "devices, sql, path: give one of them"),
        ({"devices": [], "path": "a.csv"}, "devices, sql, path: give one of them"),
        ({"sql": "SELECT 1"}, "sql_conn_id, sql: give both of them"),
        ({"devices": [{"iccid": 1, "sim_staus": 1}]}, "unknown sim_staus"),
        ({"devices": 7}, "devices: 7 is not a"),
        ({"path": "fleet.xlsx"}, "'fleet.xlsx' is not a valid file; allowed endings: .csv, .jsonl"),
        ({"devices": [], "key": "imsi"}, "key: 'imsi' is not valid; allowed: iccid, imei, id, name"),
        ({"devices": [], "tags": "all"}, "tags: 'all'"),
        ({"devices": [], "prune": "scrap"}, "prune: 'scrap'"),
        ({"devices": [], "max_prune": -1}, "max_prune: -1 is not a valid whole number"),
        ({"devices": [], "on_bad_rows": "drop"}, "on_bad_rows: 'drop'"),
        ({"devices": [], "today": "now"}, "today: 'now' is not a valid date"),
        ({"devices": [], "plan_path": ""}, "plan_path: ''"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EmnifyPlanFleetOperator(task_id="t", **{"plan_path": "/tmp/plan.jsonl", **arguments})
