from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyUnknownOutcomeError
from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.api.resources.data_streams import DataStreams
from airflow_provider_emnify.operators.data_stream import (
    EmnifyCreateDataStreamOperator,
    EmnifyDeleteDataStreamOperator,
    EmnifyRestartDataStreamOperator,
    EmnifyUpdateDataStreamOperator,
)
from tests.operators.deferring import deferred, resume
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

PATH = "/api/v2/data_stream"
ONE = f"{PATH}/{{data_stream_id}}"
S3 = {
    "connection_type": "S3",
    "format": "CSV",
    "credentials": {"region": "eu-west-1", "bucket_name": "b", "role_arn": "arn:aws:iam::1:role/x"},
}
DATADOG = {"connection_type": "Datadog", "credentials": {"region": "EU"}}
KEY = "datadog-key-7777"


pytestmark = pytest.mark.fleet()


@pytest.fixture(autouse=True)
def _datadog(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection with the key of a destination."""
    monkeypatch.setenv("AIRFLOW_CONN_DATADOG", json.dumps({"conn_type": "generic", "password": KEY}))


def create(**arguments: Any) -> EmnifyCreateDataStreamOperator:
    given = {"name": "usage", "destination": S3, "poll_interval": 0.01, **arguments}
    return EmnifyCreateDataStreamOperator(task_id="t", **given)


def update(**arguments: Any) -> EmnifyUpdateDataStreamOperator:
    given = {"data_stream_id": "usage", "poll_interval": 0.01, **arguments}
    return EmnifyUpdateDataStreamOperator(task_id="t", **given)


def restart(**arguments: Any) -> EmnifyRestartDataStreamOperator:
    given = {"data_stream_id": "usage", "poll_interval": 0.01, **arguments}
    return EmnifyRestartDataStreamOperator(task_id="t", **given)


def delete(**arguments: Any) -> EmnifyDeleteDataStreamOperator:
    given = {"data_stream_id": "usage", "confirm": True, **arguments}
    return EmnifyDeleteDataStreamOperator(task_id="t", **given)


def running(sandbox: Sandbox, **arguments: Any) -> int:
    """Create a stream and let it run."""
    stream_id: int = create(**arguments).execute(context())
    sandbox.clock.advance(10)
    return stream_id


class TestCreate:
    def test_what_is_asked_for_is_sent(self, fleet: Sandbox) -> None:
        filters = [{"field": "event_type", "value": ["1", "2"]}]
        operator = create(data_stream_type_id="2", filters=json.dumps(filters), status="paused")
        [stream] = fleet.state.data_streams.values() if operator.execute(context()) else []
        assert (stream.name, stream.type_id, stream.filters) == ("usage", 2, filters)
        assert stream.destination == S3
        assert stream.target is DataStreamStatus.PAUSED

    @pytest.mark.parametrize("form", [json.dumps, str, list])
    @pytest.mark.parametrize(
        "filters",
        [
            [{"field": "event_type_id", "value": [1, 2, 3]}, {"or": [{"field": "alert", "value": True}]}],
            [{"field": "endpoint", "value": 7}],
            [{"field": "country", "value": "DE"}],
            [{"or": [{"field": "sim", "value": ["1"]}, {"or": [{"field": "alert_id", "value": None}]}]}],
            [],
        ],
    )
    def test_filters_are_sent_as_they_are_documented(
        self, fleet: Sandbox, filters: list[dict[str, Any]], form: Callable[[Any], Any]
    ) -> None:
        stream_id = create(filters=form(filters)).execute(context())
        assert fleet.state.data_streams[stream_id].filters == filters

    @pytest.mark.parametrize("form", [json.dumps, str])
    def test_a_destination_may_be_what_a_template_renders(
        self, fleet: Sandbox, form: Callable[[Any], str]
    ) -> None:
        stream_id = create(destination=form(S3)).execute(context())
        assert fleet.state.data_streams[stream_id].destination == S3

    def test_it_waits_until_the_stream_is_running(self, fleet: Sandbox) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(10)
        assert resume(operator, deferral) == next(iter(fleet.state.data_streams))

    def test_an_error_ends_the_wait(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("data_stream", "usage")
        operator = create(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(10)
        with pytest.raises(AirflowFailException, match="is Error"):
            resume(operator, deferral)

    def test_a_kill_leaves_the_stream(self, fleet: Sandbox) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        deferred(operator)
        operator.on_kill()
        assert len(fleet.state.data_streams) == 1

    def test_a_lost_answer_creates_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=PATH, drop="after")
        stream_id = create().execute(context())
        assert [*fleet.state.data_streams] == [stream_id]

    def test_a_request_that_never_arrived_is_left_to_a_retry(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=PATH, drop="before")
        operator = create()
        with pytest.raises(EmnifyUnknownOutcomeError):
            operator.execute(context())
        stream_id = operator.execute(context(try_number=2))
        assert [*fleet.state.data_streams] == [stream_id]

    @pytest.mark.parametrize("if_exists", ["skip", "fail", "update"])
    def test_a_worker_that_died_right_after_sending_creates_nothing_twice(
        self, fleet: Sandbox, if_exists: str
    ) -> None:
        started = fleet.clock.time()
        first = create(if_exists=if_exists).execute(context())  # and dies
        again = create(if_exists=if_exists).execute(context(try_number=2, run_started=started))
        assert again == first
        assert [*fleet.state.data_streams] == [first]
        assert fleet.counts[f"PATCH {ONE}"] == 0

    def test_a_stream_that_exists_is_used_as_it_is(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        assert create(data_stream_type_id=2).execute(context()) == stream_id
        assert fleet.state.data_streams[stream_id].type_id == 1

    def test_or_changed_if_asked(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        operator = create(
            data_stream_type_id=2, if_exists="update", wait_for_completion=True, deferrable=True
        )
        deferral = deferred(operator)
        fleet.clock.advance(10)
        assert resume(operator, deferral) == stream_id
        assert fleet.state.data_streams[stream_id].type_id == 2
        [sent] = [entry.body for entry in fleet.log if entry.method == "PATCH"]
        assert sent == {"data_stream_type": {"id": 2}}

    @pytest.mark.parametrize(
        ("task_context", "type_id"), [(context(), 1), (context(try_number=2), 2)], ids=["first", "other"]
    )
    def test_or_refused_if_asked(self, fleet: Sandbox, task_context: Any, type_id: int) -> None:
        stream_id = running(fleet)
        with pytest.raises(AirflowFailException, match=f"data stream {stream_id} is named 'usage'"):
            create(if_exists="fail", data_stream_type_id=type_id).execute(task_context)

    def test_two_runs_that_look_at_the_same_moment_create_one(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = [lambda: create().execute(context()) for _ in range(2)]
        assert in_turn(monkeypatch, DataStreams, "create", *runs) == [1, 1]
        assert len(fleet.state.data_streams) == 1

    def test_two_of_the_name_are_an_error(self, fleet: Sandbox) -> None:
        running(fleet)
        running(fleet, name="other")
        for stream in fleet.state.data_streams.values():
            stream.name = "usage"
        with pytest.raises(AirflowFailException, match="1, 2 are all named 'usage'"):
            create().execute(context())


class TestSecrets:
    def test_a_secret_comes_from_a_connection(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(EmnifyCreateDataStreamOperator, "log", logging.getLogger("operator"))
        caplog.set_level(logging.DEBUG)
        operator = create(
            destination=DATADOG, credentials_conn_id="datadog", wait_for_completion=True, deferrable=True
        )
        deferral = deferred(operator)
        [stream] = fleet.state.data_streams.values()
        assert stream.destination == {
            "connection_type": "Datadog",
            "credentials": {"region": "EU", "api_key": KEY},
        }
        assert KEY not in caplog.text
        assert KEY not in repr([getattr(operator, field) for field in operator.template_fields])
        assert KEY not in json.dumps([deferral.trigger.serialize(), deferral.kwargs])

    def test_emnify_s_errors_do_not_show_it(self, fleet: Sandbox) -> None:
        answer = {"error_code": 1400, "error_token": "X", "message": f"api_key {KEY} is not accepted"}
        fleet.faults.add(method="POST", path=PATH, status=422, body=answer)
        with pytest.raises(AirflowFailException, match=r"api_key \*\*\* is not accepted"):
            create(destination=DATADOG, credentials_conn_id="datadog").execute(context())

    def test_the_extra_of_a_connection_holds_any_credential(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        extra = {"url": "https://example.org/hook", "headers": ["Authorization: abc"]}
        monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps({"conn_type": "generic", "extra": extra}))
        destination = {"connection_type": "RestAPI", "credentials": {"method": "POST"}}
        create(destination=destination, credentials_conn_id="hook").execute(context())
        [stream] = fleet.state.data_streams.values()
        assert stream.destination["credentials"] == {"method": "POST", **extra}

    def test_a_password_for_a_destination_that_takes_none_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(
            AirflowFailException, match="connection 'datadog' has a password, and S3 takes none"
        ):
            create(credentials_conn_id="datadog").execute(context())

    @pytest.mark.parametrize("value", [KEY, "{{ conn.datadog.password }}"])
    def test_a_secret_in_the_arguments_is_refused_when_the_dag_is_parsed(self, value: str) -> None:
        destination = {"connection_type": "Datadog", "credentials": {"api_key": value}}
        with pytest.raises(ValueError, match="credentials_conn_id") as caught:
            create(destination=destination)
        assert KEY not in str(caught.value)


class TestUpdate:
    def test_only_what_differs_is_sent(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        operator = update(destination=S3, status="paused", data_stream_type_id=1)
        assert operator.execute(context()) == stream_id
        [sent] = [entry.body for entry in fleet.log if entry.method == "PATCH"]
        assert sent == {"status": {"id": 2}}

    def test_what_is_so_already_is_done(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        assert (
            update(data_stream_id=stream_id, status="running", name="usage").execute(context()) == stream_id
        )
        assert fleet.counts[f"PATCH {ONE}"] == 0

    def test_a_second_run_finds_a_stream_that_it_has_renamed(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        operator = update(name="usage to S3")
        assert operator.execute(context()) == stream_id
        assert operator.execute(context(try_number=2)) == stream_id
        assert fleet.counts[f"PATCH {ONE}"] == 1

    def test_it_waits_until_a_paused_stream_is_running(self, fleet: Sandbox) -> None:
        stream_id = running(fleet, status="paused")
        operator = update(data_stream_id=str(stream_id), status=1, wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(10)
        assert resume(operator, deferral) == stream_id

    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        fleet.faults.add(method="PATCH", path=ONE, drop="after")
        assert update(data_stream_type_id=2).execute(context()) == stream_id
        assert fleet.state.data_streams[stream_id].type_id == 2

    def test_a_stream_that_does_not_exist_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no data stream 'usage'"):
            update(status="paused").execute(context())


class TestRestart:
    def test_a_stream_that_has_stopped_is_restarted(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("data_stream", "usage")
        stream_id = running(fleet)
        operator = restart(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(10)
        assert resume(operator, deferral) == stream_id
        assert fleet.counts[f"POST {ONE}/restart"] == 1

    def test_the_error_that_it_had_does_not_end_the_wait(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("data_stream", "usage")
        stream_id = running(fleet)
        operator = restart(wait_for_completion=True, deferrable=True)
        deferral = deferred(operator)
        fleet.state.data_streams[stream_id].status = DataStreamStatus.ERROR
        fleet.faults.add(method="GET", path=ONE, status=503, do=lambda: fleet.clock.advance(10), skip=1)
        assert resume(operator, deferral) == stream_id

    def test_one_that_is_running_is_done(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        assert restart(data_stream_id=stream_id).execute(context()) == stream_id
        assert fleet.counts[f"POST {ONE}/restart"] == 0

    def test_one_that_is_paused_is_an_error(self, fleet: Sandbox) -> None:
        running(fleet, status="paused")
        with pytest.raises(AirflowFailException, match="is paused, not stopped"):
            restart().execute(context())

    def test_one_that_does_not_exist_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no data stream 'usage'"):
            restart().execute(context())


class TestDelete:
    @pytest.mark.parametrize("by", ["id", "name"])
    def test_it_is_deleted_once(self, fleet: Sandbox, by: str) -> None:
        stream_id = running(fleet)
        operator = delete(data_stream_id=stream_id if by == "id" else "usage")
        assert operator.execute(context()) == [stream_id]
        assert operator.execute(context()) == [stream_id]  # it takes effect a little later
        fleet.clock.advance(10)
        assert fleet.state.data_streams == {}
        assert operator.execute(context()) == ([stream_id] if by == "id" else [])

    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        fleet.faults.add(method="DELETE", path=ONE, drop="after")
        assert delete().execute(context()) == [stream_id]

    def test_one_that_is_gone_in_the_meantime_is_done(self, fleet: Sandbox) -> None:
        stream_id = running(fleet)
        fleet.faults.add(method="DELETE", path=ONE, status=404)
        assert delete().execute(context()) == [stream_id]

    @pytest.mark.parametrize("confirm", [False, None, 1, "True"])
    def test_it_has_to_be_confirmed(self, confirm: Any) -> None:
        with pytest.raises(ValueError, match="confirm=True"):
            delete(confirm=confirm)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (create, {"name": ""}, "name: ''"),
        (create, {"destination": None}, "destination: give one"),
        (create, {"destination": "somewhere"}, "destination: this is not a dict"),
        (create, {"destination": {"connection_type": "FTP"}}, "connection_type: 'FTP'"),
        (create, {"destination": {"format": "CSV"}}, "connection_type: None"),
        (create, {"destination": {**S3, "bucket": "b"}}, "unknown bucket"),
        (create, {"data_stream_type_id": "usage"}, "data_stream_type_id: 'usage'"),
        (create, {"filters": [{"name": "x"}]}, "filters: unknown name"),
        (create, {"filters": [{"or": [{"name": "x"}]}]}, "filters: or: unknown name"),
        (create, {"filters": [{"field": "sim"}]}, "filters: .* is not a valid filter"),
        (create, {"filters": [{"field": "sim", "value": 1, "or": []}]}, "filters: .* is not a valid filter"),
        (create, {"filters": [{"or": 7}]}, "filters: or: 7 is not a list"),
        (
            create,
            {"status": "error"},
            "status: 'error' is not a valid data stream status; allowed: running, paused",
        ),
        (create, {"status": "paused", "wait_for_completion": True}, "wait_for_completion"),
        (create, {"if_exists": "replace"}, "if_exists: 'replace'"),
        (create, {"wait_for_completion": 2}, "wait_for_completion: 2"),
        (update, {}, "give at least one of them"),
        (update, {"data_stream_id": "", "status": 1}, "data_stream_id: ''"),
        (update, {"name": " "}, "give at least one of them"),
        (update, {"status": 1, "credentials_conn_id": "x"}, "credentials_conn_id: give the destination too"),
        (restart, {"data_stream_id": None}, "data_stream_id: None"),
        (delete, {"data_stream_id": True}, "data_stream_id: True"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(make: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)
