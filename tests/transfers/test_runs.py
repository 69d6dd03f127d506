"""What a run covers, what it tells Airflow, and what is refused before it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException, TaskDeferred
from airflow_provider_emnify.api.streams.catalogue import STREAMS
from airflow_provider_emnify.transfers.object_storage import EmnifyToObjectStorageOperator
from airflow_provider_emnify.transfers.sources import stream as stream_source
from airflow_provider_emnify.transfers.sources.interval import (
    Run,
    parse_moment,
    parse_span,
    run_of,
    window_of,
)
from airflow_provider_emnify.transfers.sql import EmnifyToSqlOperator
from tests.fleets import WITH_EVENTS
from tests.transfers.support import NOW, Stores, make_context, run

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(**WITH_EVENTS)

EVENTS, SIMS = STREAMS["events"], STREAMS["sims"]
HOUR = timedelta(hours=1)


def context(start: datetime | None, end: datetime | None, **more: Any) -> Any:
    return {"data_interval_start": start, "data_interval_end": end, **more}


def to_files(path: Path, stream: str = "events", **options: Any) -> EmnifyToObjectStorageOperator:
    return EmnifyToObjectStorageOperator(task_id="sync", stream=stream, path=str(path), **options)


# -- which interval ---------------------------------------------------------------------------------------


def test_a_run_covers_its_data_interval() -> None:
    assert run_of(EVENTS, context(NOW - HOUR, NOW)) == Run(NOW - HOUR, NOW)


def test_what_is_given_counts_more() -> None:
    given = run_of(EVENTS, context(NOW - HOUR, NOW), start="2024-05-01", end="2024-05-02T00:00:00+02:00")
    assert given == Run(datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 22, tzinfo=UTC))


def test_a_run_without_data_interval_follows_the_last_successful_one() -> None:
    before = NOW - timedelta(days=3)
    assert run_of(EVENTS, context(NOW, NOW, prev_data_interval_end_success=before)) == Run(before, NOW)


def test_the_cursor_counts_more_unless_it_lies_behind() -> None:
    cursor, before = NOW - HOUR, NOW - timedelta(days=3)
    said = context(NOW, NOW, prev_data_interval_end_success=before)
    assert run_of(EVENTS, said, cursor=cursor) == Run(cursor, NOW)
    assert run_of(EVENTS, said, cursor=NOW) == Run(before, NOW)  # an old run, again


def test_the_first_run_looks_as_far_back_as_it_is_told() -> None:
    assert run_of(EVENTS, context(NOW, NOW), first=timedelta(days=7)) == Run(NOW - timedelta(days=7), NOW)


def test_a_run_without_any_date_is_for_the_moment_that_it_was_made_for() -> None:
    dag_run = SimpleNamespace(logical_date=None, run_after=NOW, start_date=NOW + HOUR)
    assert run_of(SIMS, context(None, None, dag_run=dag_run)) == Run(None, NOW)


def test_a_snapshot_needs_no_interval() -> None:
    assert run_of(SIMS, context(NOW, NOW)) == Run(None, NOW)
    assert window_of(SIMS, Run(NOW - HOUR, NOW), HOUR) is None


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2024-05-02", "2024-05-01", "is not before"),
        ("2024-05-01", "2124-05-02", "in the future"),
        ("someday", None, "'someday' is not a valid date or time"),
        ("0001-01-01T00:00+05:00", None, "is not a valid date or time"),
        ("2024-05-01", "9999-12-31T23:00-05:00", "is not a valid date or time"),
    ],
)
def test_an_interval_that_cannot_be_is_an_error(start: str, end: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_of(EVENTS, context(NOW - HOUR, NOW), start=start, end=end)


def test_what_is_read_again_never_lies_before_what_is_kept() -> None:
    begin = NOW - timedelta(days=29, hours=23)
    window = window_of(EVENTS, Run(begin, NOW), timedelta(days=2))
    assert window is not None
    assert NOW - timedelta(days=30) < window.start < begin


@pytest.mark.parametrize("value", [None, "", "None", " null "])
def test_nothing_is_no_moment(value: Any) -> None:
    assert parse_moment(value, "x") is None


@pytest.mark.parametrize("value", ["long", -1, [1], "inf", 1e300])
def test_a_length_of_time_is_checked(value: Any) -> None:
    with pytest.raises(ValueError, match="x: "):
        parse_span(value, "x")


def test_the_names_of_runs_sort_by_time() -> None:
    runs = [Run(NOW - HOUR * back - HOUR, NOW - HOUR * back) for back in range(50)]
    assert sorted(one.name for one in runs) == [one.name for one in reversed(runs)]


# -- events that come late --------------------------------------------------------------------------------


def test_files_of_events_wait_until_late_ones_are_there(
    fleet: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(stream_source, "sleep", waited.append)
    run(to_files(tmp_path, late_by=600), end=datetime.now(UTC))
    run(to_files(tmp_path, late_by=600), end=datetime.now(UTC) - timedelta(minutes=11))
    assert waited == [pytest.approx(600, abs=5)]


def test_they_wait_in_the_triggerer_when_they_may(fleet: Sandbox, tmp_path: Path) -> None:
    operator = to_files(tmp_path, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        run(operator, end=datetime.now(UTC))
    assert deferred.value.method_name == "execute_complete"
    assert fleet.requests == 0
    end = NOW - HOUR
    result = operator.execute_complete(make_context(operator, end - HOUR, end))
    assert result["stream"] == "events"


def test_a_snapshot_does_not_wait(fleet: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_source, "sleep", lambda _: pytest.fail("it waits"))
    run(to_files(tmp_path, "sims"), end=datetime.now(UTC))


# -- what Airflow is told ---------------------------------------------------------------------------------


def test_the_asset_event_says_what_was_written(fleet: Sandbox, tmp_path: Path) -> None:
    operator = to_files(tmp_path, "sims", organisation=100)
    (asset,) = operator.outlets
    assert asset.uri == "emnify://100/sims"
    said = make_context(operator, NOW - HOUR, NOW)
    operator.execute(said)
    assert said["outlet_events"][asset].extra == {
        "rows": 35,
        "interval_start": (NOW - HOUR).isoformat(),
        "interval_end": NOW.isoformat(),
        "written": [f"file://{tmp_path}"],
    }


@pytest.mark.parametrize("kind", ["asset", "dataset"])
def test_a_run_that_the_asset_has_started_emits_no_event_of_it(
    fleet: Sandbox, tmp_path: Path, kind: str
) -> None:
    from airflow_provider_emnify.assets import emnify_asset

    mine = emnify_asset("tags", 7)
    started = {mine: ["event"]}  # another asset: it emits
    for expected in ([mine.uri, "emnify://emnify_default/sims"], [mine.uri]):
        operator = to_files(tmp_path, "sims", outlets=[mine])
        operator.execute(
            make_context(
                operator, NOW - HOUR, NOW, f"{kind}_triggered", **{f"triggering_{kind}_events": started}
            )
        )
        assert [asset.uri for asset in operator.outlets] == expected
        started = {operator.outlets[-1]: ["event"]}
    started = {"emnify://emnify_default/sims": ["event"]}  # Airflow 2.11 has URIs
    operator = to_files(tmp_path, "sims")
    operator.execute(
        make_context(operator, NOW - HOUR, NOW, f"{kind}_triggered", **{f"triggering_{kind}_events": started})
    )
    assert operator.outlets == []


@pytest.mark.parametrize("run_type", ["scheduled", "manual", "backfill"])
def test_no_other_run_is_asked_what_has_started_it(fleet: Sandbox, tmp_path: Path, run_type: str) -> None:
    class Context(dict[str, Any]):
        """On Airflow 2.11 a look reads the database, and fails where the run has changed meanwhile."""

        def get(self, key: str, default: Any = None) -> Any:
            assert not key.startswith("triggering_")
            return super().get(key, default)

    operator = to_files(tmp_path, "sims")
    operator.execute(Context(make_context(operator, NOW - HOUR, NOW, run_type)))
    assert [asset.uri for asset in operator.outlets] == ["emnify://emnify_default/sims"]


def test_assets_of_one_s_own_are_kept() -> None:
    from airflow_provider_emnify.assets import emnify_asset

    mine = emnify_asset("tags", 7)
    operator = EmnifyToSqlOperator(task_id="x", stream="sims", sql_conn_id="w", outlets=[mine])
    assert [asset.uri for asset in operator.outlets] == ["emnify://7/tags", "emnify://emnify_default/sims"]


def test_the_cursor_is_kept_and_never_goes_back(fleet: Sandbox, tmp_path: Path) -> None:
    stores = Stores()
    end = NOW - HOUR
    for moment in (end - HOUR, end, end - 3 * HOUR):
        run(to_files(tmp_path), 1, moment, asset_state_store=stores)
    kept = stores["emnify://emnify_default/events"].kept
    assert kept == {f"{to_files(tmp_path).dag_id}.sync.interval_end": end.isoformat()}


def test_two_tasks_that_sync_a_stream_have_a_cursor_each(fleet: Sandbox, tmp_path: Path) -> None:
    stores = Stores()
    end = NOW - HOUR
    run(to_files(tmp_path / "a"), 1, end, asset_state_store=stores)
    other = EmnifyToObjectStorageOperator(task_id="other", stream="events", path=str(tmp_path / "b"))
    result = other.execute(make_context(other, NOW, NOW - HOUR, asset_state_store=stores))
    assert result["interval_start"] == (end - timedelta(days=1)).isoformat()  # its first run
    for number in (0, 1):
        run(to_files(tmp_path / "c"), 1, end, asset_state_store=stores, ti=SimpleNamespace(map_index=number))
    assert len(stores["emnify://emnify_default/events"].kept) == 4


def test_a_snapshot_has_no_cursor(fleet: Sandbox, tmp_path: Path) -> None:
    stores = Stores()
    run(to_files(tmp_path, "sims"), asset_state_store=stores)
    assert all(not store.kept for store in stores.values())


def test_a_run_goes_on_where_the_cursor_is(fleet: Sandbox, tmp_path: Path) -> None:
    stores = Stores()
    end = NOW - HOUR
    run(to_files(tmp_path), 1, end - 5 * HOUR, asset_state_store=stores)
    operator = to_files(tmp_path)
    result = operator.execute(make_context(operator, end, end, asset_state_store=stores))
    assert result["interval_start"] == (end - 5 * HOUR).isoformat()


def test_a_store_that_fails_fails_no_task(fleet: Sandbox, tmp_path: Path) -> None:
    class Broken(Stores):
        def __missing__(self, asset: Any) -> Any:
            return SimpleNamespace(get=self.fail, set=self.fail)

        def fail(self, *_: Any) -> None:
            raise ConnectionError("no store")

    result = run(to_files(tmp_path), asset_state_store=Broken())
    assert result["manifest"]


def test_the_cost_of_a_call_a_device_is_said_beforehand_and_bounded(
    fleet: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with pytest.raises(AirflowFailException, match=r"25 devices, 26 calls.*Data Streamer"):
        run(to_files(tmp_path, "connectivity", max_calls=25))
    assert "connectivity: 25 devices, 26 calls, less than a minute" in caplog.text
    assert run(to_files(tmp_path, "connectivity", max_calls="26"))["rows"] == 25


# -- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream": "simz"}, "'simz' is not a valid stream; allowed:"),
        ({"filters": {"colour": 1}}, "sims has no colour"),
        ({"filters": {"status": "asleep"}}, "not a valid SIM status"),
        ({"filters": '{"colour": 1}'}, "sims has no colour"),
        ({"filters": "status"}, "filters: 'status' is not a dict"),
        ({"mode": "upsert"}, "'upsert' is not valid; allowed: merge, append, replace"),
        ({"interval_start": "2024-05-02", "interval_end": "2024-05-01"}, "is not before"),
        ({"interval_start": "someday"}, "not a valid date or time; give one in ISO 8601"),
        ({"first_interval": "long"}, "first_interval"),
        ({"late_by": -1}, "late_by"),
        ({"threads": 0}, "threads: 0 is not a valid whole number; give one above 0"),
        ({"max_calls": "many"}, "max_calls"),
        ({"last_seen": "perhaps"}, "last_seen: 'perhaps'"),
        ({"last_seen": True}, "last_seen: 'sims' has no such column; allowed: endpoints"),
        ({"table": 7}, "table: 7 is not a valid text"),
        ({"create_table": "perhaps"}, "create_table"),
        ({"organisation": "a b"}, "organisation: 'a b' cannot stand in the URI"),
    ],
)
def test_bad_arguments_break_the_dag_and_not_the_run(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyToSqlOperator(**{"task_id": "x", "stream": "sims", "sql_conn_id": "w", **options})


def test_an_interval_in_the_future_fails_the_task_for_good(fleet: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="in the future"):
        run(to_files(tmp_path), end=NOW + timedelta(days=1))
    assert fleet.requests == 0


def test_events_that_are_no_longer_kept_fail_the_task_for_good(fleet: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="kept for 30 days"):
        run(to_files(tmp_path), 24, NOW - timedelta(days=40))


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ('{"conn_type": "http", "host": "x"}', "which is not a database|install its provider"),
        ('{"conn_type": "unheard-of", "host": "x"}', "install its provider"),
    ],
)
def test_a_connection_that_is_no_database_fails_the_task_for_good(
    connection: str, message: str, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", connection)
    with pytest.raises(AirflowFailException, match=message):
        run(EmnifyToSqlOperator(task_id="x", stream="sims", sql_conn_id="warehouse"))
