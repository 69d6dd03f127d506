"""What Airflow's lineage and OpenLineage are told of databases and storages; no task fails by it."""

from __future__ import annotations

import json
import re
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify import airflow_names
from airflow_provider_emnify.airflow_names import Asset
from airflow_provider_emnify.api.data_streamer.files import RECORD_KINDS
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.transfers import lineage
from airflow_provider_emnify.transfers.data_stream_files import EmnifyDataStreamFilesToObjectStorageOperator
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.fleets import WITH_EVENTS
from tests.transfers.support import Database, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

SIMS = {column.name: column.type for column in STREAMS["sims"].columns}
Told = list[tuple[str, str]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What the hook lineage is told; Airflow itself checks the URIs, as where somebody listens."""
    found: Told = []

    class Collector:
        def add_input_asset(self, context: Any, *, uri: str) -> None:
            found.append(("input", Asset(uri=uri).uri))

        def add_output_asset(self, context: Any, *, uri: str) -> None:
            found.append(("output", Asset(uri=uri).uri))

    monkeypatch.setattr(airflow_names, "get_hook_lineage_collector", Collector)
    return found


@pytest.fixture
def _no_openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be an Airflow without OpenLineage's provider."""
    for name in [name for name in sys.modules if name.startswith("airflow.providers.openlineage")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage", None)


def to_files(path: str, **options: Any) -> EmnifyToObjectStorageOperator:
    return EmnifyToObjectStorageOperator(task_id="sync", stream="sims", path=path, **options)


def to_sql(database: Database, **options: Any) -> EmnifyToSqlOperator:
    return EmnifyToSqlOperator(
        task_id="sync", stream="sims", sql_conn_id="warehouse", schema=database.schema, **options
    )


def place_of(database: Database) -> str:
    """Return the URI of the table of SIMs, as Airflow's providers want it."""
    said = json.loads(database.connection)
    if database.kind in {"sqlite", "duckdb"}:
        return f"{database.kind}://{said['host']}/emnify_sims"
    above = "postgres/" if database.kind == "postgresql" else ""
    kind = said["conn_type"]
    return f"{kind}://127.0.0.1:{said['port']}/{above}{database.schema}/emnify_sims"


def test_a_table_is_named_as_airflow_wants_it(database: Database, fleet: Sandbox, told: Told) -> None:
    run(to_sql(database))
    (source, (kind, uri)) = told
    assert source == ("input", "emnify://emnify_default/sims")
    assert kind == "output"
    assert re.sub("^(sqlite|duckdb):/+", r"\1:///", uri) == place_of(database)


@pytest.mark.usefixtures("_no_openlineage")
def test_a_table_is_named_the_same_without_openlineage_s_provider(
    database: Database, fleet: Sandbox, told: Told
) -> None:
    operator = to_sql(database)
    assert run(operator)["rows"] == 35
    assert told[1][1].rpartition("/")[2] == "emnify_sims"
    assert database.kind in {"sqlite", "duckdb"} or told[1][1] == place_of(database)
    assert operator.get_openlineage_facets_on_complete(None) is None


def test_a_name_of_a_table_is_escaped(database: Database, fleet: Sandbox, told: Told) -> None:
    run(to_sql(database, table="täble / two"))
    assert told[1][1].endswith("/t%C3%A4ble%20%2F%20two")


def test_a_directory_is_named_without_the_connection_to_it(s3: str, fleet: Sandbox, told: Told) -> None:
    run(to_files(f"{s3}/emnify"))
    assert told == [("input", "emnify://emnify_default/sims"), ("output", "s3://lake/emnify")]


def test_what_cannot_be_reported_fails_no_task(
    fleet: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(airflow_names, "get_hook_lineage_collector", SimpleNamespace)
    assert run(to_files(str(tmp_path)))["rows"] == 35
    assert "Could not report the lineage" in caplog.text


def test_airflow_s_own_collector_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    lineage.report(object(), ["emnify://emnify_default/sims"], ["file:///tmp/lake"])
    assert "Could not report the lineage" not in caplog.text


@pytest.mark.parametrize("word", ["asset", "dataset"])
def test_the_collector_is_asked_in_its_airflow_s_word(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: Told = []
    collector = SimpleNamespace()
    for side in ("input", "output"):
        setattr(collector, f"add_{side}_{word}", lambda _, *, uri, side=side: found.append((side, uri)))
    monkeypatch.setattr(airflow_names, "get_hook_lineage_collector", lambda: collector)
    lineage.report(object(), ["emnify://a/sims"], ["file:///b"])
    assert found == [("input", "emnify://a/sims"), ("output", "file:///b")]


def test_openlineage_has_both_sides_with_schema_and_row_count(fleet: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    operator = to_files(str(tmp_path), organisation=100)
    run(operator)
    found = operator.get_openlineage_facets_on_complete(None)
    (source,), (target,) = found.inputs, found.outputs
    assert (source.namespace, source.name) == ("emnify://100", "sims")
    assert (target.namespace, target.name) == ("file", str(tmp_path))
    assert target.outputFacets["outputStatistics"].rowCount == 35
    for side in (source, target):
        assert {field.name: field.type for field in side.facets["schema"].fields} == SIMS


def test_openlineage_of_a_failed_task_has_what_it_was_to_read(fleet: Sandbox, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    operator = to_files(str(tmp_path))
    fleet.faults.add(path="/api/v1/sim", status=403)
    with pytest.raises(Exception, match="403"):
        run(operator)
    found = operator.get_openlineage_facets_on_complete(None)  # which its provider asks for failures, too
    assert [(one.namespace, one.name) for one in found.inputs] == [("emnify://emnify_default", "sims")]
    assert found.outputs == []


def test_openlineage_has_the_table_with_schema_and_row_count(database: Database, fleet: Sandbox) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    operator = to_sql(database)
    run(operator)
    (target,) = operator.get_openlineage_facets_on_complete(None).outputs
    scheme, _, path = place_of(database).partition("://")
    if database.kind not in {"sqlite", "duckdb"}:
        authority, _, path = path.partition("/")
        assert (target.namespace, target.name) == (f"{scheme}://{authority}", path.replace("/", "."))
    assert target.outputFacets["outputStatistics"].rowCount == 35
    assert {field.name: field.type for field in target.facets["schema"].fields} == SIMS


def test_openlineage_of_files_begins_with_the_files(tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    (tmp_path / "in").mkdir()
    operator = EmnifyDataStreamFilesToObjectStorageOperator(
        task_id="x", path=str(tmp_path / "in"), target_path=str(tmp_path / "out"), records="usage"
    )
    operator.execute({"outlet_events": {asset: SimpleNamespace() for asset in operator.outlets}})
    found = operator.get_openlineage_facets_on_complete(None)
    (source,), (target,) = found.inputs, found.outputs
    assert (source.namespace, source.name) == ("file", str(tmp_path / "in"))
    assert (target.namespace, target.name) == ("file", str(tmp_path / "out"))
    fields = {field.name: field.type for field in source.facets["schema"].fields}
    assert fields == {column.name: column.type for column in RECORD_KINDS["usage"].columns}
