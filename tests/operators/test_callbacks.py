"""What EmnifySetUpCallbacksOperator leaves at emnify and in the connection, and what nobody gets to see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.operators import callbacks
from airflow_provider_emnify.operators.callbacks import EmnifySetUpCallbacksOperator
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.allow_openapi_violations  # the OpenAPI has no field for the secret of an API secret

SECRET = "the API secret that the connection holds, of more than sixty-four octets, for SHA-512"
BASE = "https://airflow.example.org/emnify/callbacks/emnify_default"


@pytest.fixture
def emnify(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(2, limits=False)


@pytest.fixture
def connection(emnify: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**extra: Any) -> None:
        value = json.loads(emnify.airflow_connection)
        value["extra"] = {**value["extra"], **extra}
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(value))

    put()
    return put


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a task writes into the connection, where it may."""
    written: dict[str, str] = {}

    def store(conn_id: str, values: dict[str, str]) -> bool:
        assert conn_id == "emnify_default"
        written.update(values)
        return True

    monkeypatch.setattr(callbacks, "store_in_extra", store)
    return written


def operator(**more: Any) -> EmnifySetUpCallbacksOperator:
    return EmnifySetUpCallbacksOperator(
        task_id="callbacks", api_server_url="https://airflow.example.org/", **more
    )


def set_up(emnify: Sandbox, **more: Any) -> Any:
    return operator(**more).execute(run(emnify))


@pytest.mark.usefixtures("connection")
def test_all_is_created_and_the_service_profiles_call_airflow(
    emnify: Sandbox, connection: Callable[..., None]
) -> None:
    connection(api_secret=SECRET)
    result = set_up(emnify, service_profile_ids=[1, "2"])
    state = emnify.state
    (secret,), (callback,) = state.api_secrets.values(), state.api_callbacks.values()
    assert (secret["secret"], secret["purpose"]) == (SECRET, "Airflow")
    assert callback["url"] == f"{BASE}/sms"
    for profile in state.service_profiles.values():
        assert profile["api_callback"] == {"id": callback["id"]}
        assert profile["api_secret"] == {"id": secret["id"]}
        assert profile["esme_interface_type"]["id"] == 2, "REST"
    assert result == {
        "api_secret_id": secret["id"],
        "api_callback_id": callback["id"],
        "url": f"{BASE}/sms",
        "service_profile_ids": [1, 2],
        "data_stream_id": None,
        "missing": [],
    }


def test_a_second_run_changes_nothing(emnify: Sandbox, connection: Callable[..., None]) -> None:
    connection(api_secret=[SECRET, "the one of last year"], stream_secret="a word of the path")
    arguments: dict[str, Any] = {"service_profile_ids": 1, "data_stream_name": "events to Airflow"}
    first = set_up(emnify, **arguments)
    before = [entry for entry in emnify.log if entry.method != "GET"]
    second = set_up(emnify, **arguments)
    after = [entry for entry in emnify.log if entry.method != "GET"][len(before) :]
    assert [entry.path for entry in after] == ["/api/v1/authenticate"]
    assert second == {**first, "service_profile_ids": []}


def test_a_missing_secret_is_made_and_written_into_the_connection_where_a_task_may(
    emnify: Sandbox, connection: Callable[..., None], database: dict[str, str]
) -> None:
    result = set_up(emnify, data_stream_name="events to Airflow")
    (secret,) = emnify.state.api_secrets.values()
    (stream,) = emnify.state.data_streams.values()
    assert database["api_secret"] == secret["secret"]
    assert len(secret["secret"]) == 64
    assert stream.destination["credentials"]["url"] == f"{BASE}/stream/{database['stream_secret']}"
    assert result["missing"] == []


def test_where_a_task_may_not_write_it_says_what_to_fill(
    emnify: Sandbox,
    connection: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(callbacks, "store_in_extra", lambda *_: False)
    result = set_up(emnify, data_stream_name="events to Airflow")
    assert result["missing"] == ["api_secret", "stream_secret"]
    assert "Put 'api_secret' and 'stream_secret' into the extra of connection 'emnify_default'" in caplog.text
    assert f"client.api_secrets.get({result['api_secret_id']})" in caplog.text
    again = set_up(emnify, data_stream_name="events to Airflow")
    assert again == result, "what was made is found, and not made again"
    assert len(emnify.state.api_secrets) == len(emnify.state.data_streams) == 1


def test_a_task_without_a_database_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.utils import session

    def blocked(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Direct database access via the ORM is not allowed in Airflow 3.0")

    monkeypatch.setattr(session, "create_session", blocked)
    assert not callbacks.store_in_extra("emnify_default", {"api_secret": "x"})


def test_no_secret_is_in_a_log_or_a_result(
    emnify: Sandbox,
    connection: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    database: dict[str, str],
) -> None:
    caplog.set_level("DEBUG")
    result = set_up(emnify, service_profile_ids=1, data_stream_name="events to Airflow")
    assert set(database) == {"api_secret", "stream_secret"}
    for secret in database.values():
        assert secret not in str(result)
        assert secret not in "".join(
            record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")
        )


def test_a_rotated_secret_is_another_one_at_emnify(emnify: Sandbox, connection: Callable[..., None]) -> None:
    connection(api_secret=SECRET)
    first = set_up(emnify, service_profile_ids=1)
    connection(api_secret=["the new one" * 8, SECRET])
    second = set_up(emnify, service_profile_ids=1)
    assert second["api_secret_id"] != first["api_secret_id"]
    assert second["service_profile_ids"] == [1]
    assert emnify.state.service_profiles[1]["api_secret"] == {"id": second["api_secret_id"]}


def test_a_data_stream_that_calls_somebody_else_is_changed(
    emnify: Sandbox, connection: Callable[..., None]
) -> None:
    connection(api_secret=SECRET, stream_secret="old")
    first = set_up(emnify, data_stream_name="usage", data_stream_type="usage", data_stream_size=800)
    (stream,) = emnify.state.data_streams.values()
    assert (stream.type_id, stream.destination["credentials"]["size"]) == (1, 800)
    connection(api_secret=SECRET, stream_secret="new / word")
    second = set_up(emnify, data_stream_name="usage", data_stream_type="usage", data_stream_size=800)
    assert second["data_stream_id"] == first["data_stream_id"]
    assert stream.destination["credentials"]["url"] == f"{BASE}/stream/new%20%2F%20word"


@pytest.mark.parametrize("path", ["/api/v1/api_secret$", "/api/v1/api_callback$", "/api/v2/data_stream$"])
def test_an_answer_that_is_lost_makes_no_second_one(
    emnify: Sandbox, connection: Callable[..., None], path: str
) -> None:
    connection(api_secret=SECRET, stream_secret="a word")
    emnify.faults.add(method="POST", path=path, drop="after")
    set_up(emnify, data_stream_name="events")
    state = emnify.state
    assert len(state.api_secrets) == len(state.api_callbacks) == len(state.data_streams) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"api_server_url": "airflow.example.org"}, "^api_server_url: it is not a valid URL"),
        ({"api_server_url": "ftp://airflow"}, "^api_server_url: it is not a valid URL"),
        ({"api_server_url": "https://me:secret@airflow"}, "^api_server_url: it holds a username or password"),
        ({"api_server_url": "https://airflow?token=secret"}, "^api_server_url: it is not a valid URL"),
        ({"api_server_url": 7}, "^api_server_url: 7"),
        ({"service_profile_ids": "all"}, "^service_profile_ids: 'all'"),
        ({"data_stream_type": "sms"}, "^data_stream_type: 'sms' is not valid; allowed: events, usage"),
        ({"data_stream_size": 0}, "^data_stream_size: 0"),
        ({"data_stream_size": 10_001}, "^data_stream_size: 10001"),
        ({"data_stream_size": "many"}, "^data_stream_size: 'many'"),
        ({"data_stream_filters": [{"field": "alert"}]}, "data_stream_filters"),
        ({"purpose": ""}, "^purpose: ''"),
        ({"callbacks_conn_id": 5}, "^callbacks_conn_id: 5"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        EmnifySetUpCallbacksOperator(task_id="t", **{"api_server_url": "https://airflow", **arguments})
    assert "secret" not in str(refused.value)
