from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import DAG, AirflowFailException
from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.graphql import EmnifyGraphqlError
from airflow_provider_emnify.operators.graphql import EmnifyGraphqlOperator
from tests.operators.support import context

if TYPE_CHECKING:
    from pathlib import Path

    import requests_mock as rm

    from airflow_provider_emnify.sandbox import Sandbox

URL = "http://127.0.0.1:9"
ME = "query Me($id: Int) { myUser(id: $id) { username } }"


@pytest.fixture
def api(requests_mock: rm.Mocker, monkeypatch: pytest.MonkeyPatch) -> rm.Mocker:
    extra = {"max_retries": 0, "rate_limit_store": "memory"}
    connection = {"conn_type": "emnify", "password": "a-token", "host": URL, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
    requests_mock.post(f"{URL}/api/v1/authenticate", json={"auth_token": "opaque"})
    return requests_mock


def graphql(**arguments: Any) -> EmnifyGraphqlOperator:
    return EmnifyGraphqlOperator(task_id="t", **arguments)


def test_the_data_of_the_answer_is_the_result(api: rm.Mocker) -> None:
    api.post(f"{URL}/graphql", json={"data": {"myUser": {"username": "ada"}}})
    assert graphql(query=ME, variables={"id": 7}).execute(context()) == {"myUser": {"username": "ada"}}
    assert api.last_request is not None
    assert api.last_request.json() == {"query": ME, "variables": {"id": 7}}
    assert api.last_request.headers["Authorization"] == "Bearer opaque"


def test_a_query_to_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "emnify", "host": sandbox.url, "login": sandbox.username}
    monkeypatch.setenv(
        "AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps({**connection, "password": sandbox.password})
    )
    answer = graphql(query="query Me { myUser { username } }").execute(context())
    assert answer == {"myUser": {"username": sandbox.username}}
    with pytest.raises(AirflowFailException, match="GraphQL"):
        graphql(query="{ myFleet { id } }").execute(context())


@pytest.mark.parametrize("form", [json.dumps, str])
def test_variables_may_be_what_a_template_renders(api: rm.Mocker, form: Any) -> None:
    api.post(f"{URL}/graphql", json={"data": {}})
    graphql(query=ME, variables=form({"id": None})).execute(context())
    assert api.last_request is not None
    assert api.last_request.json()["variables"] == {"id": None}


def test_errors_in_a_200_answer_fail_for_good(api: rm.Mocker) -> None:
    api.post(f"{URL}/graphql", json={"data": None, "errors": [{"message": "no such field"}]})
    with pytest.raises(AirflowFailException, match="no such field"):
        graphql(query=ME).execute(context())


def test_data_beside_errors_are_kept_when_allowed(api: rm.Mocker) -> None:
    answer = {"data": {"a": 1, "b": None}, "errors": [{"message": "no b"}]}
    api.post(f"{URL}/graphql", json=answer)
    assert graphql(query=ME, allow_partial=True).execute(context()) == {"a": 1, "b": None}
    with pytest.raises(AirflowFailException, match="no b") as caught:
        graphql(query=ME).execute(context())
    assert isinstance(caught.value.__cause__, EmnifyGraphqlError)
    assert caught.value.__cause__.data == {"a": 1, "b": None}


@pytest.mark.parametrize("body", [{}, [], [1], "x", 7], ids=repr)
def test_an_answer_with_neither_data_nor_errors_is_an_error(api: rm.Mocker, body: Any) -> None:
    api.post(f"{URL}/graphql", json=body)
    with pytest.raises(EmnifyServerError, match="neither data nor errors"):
        graphql(query=ME).execute(context())
    with pytest.raises(AirflowFailException, match="neither data nor errors"):
        graphql(query="mutation M { m }").execute(context())


def test_a_failing_server_is_left_to_airflow_s_retries(api: rm.Mocker) -> None:
    api.post(f"{URL}/graphql", status_code=503)
    with pytest.raises(EmnifyServerError):
        graphql(query=ME).execute(context())


def test_a_mutation_without_an_answer_is_not_sent_again(api: rm.Mocker) -> None:
    api.post(f"{URL}/graphql", status_code=502)
    with pytest.raises(AirflowFailException, match="not known whether this was done"):
        graphql(query="mutation Rename { rename(id: 7) { id } }").execute(context())
    assert sum(request.path == "/graphql" for request in api.request_history) == 1


def test_a_query_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "me.graphql").write_text(ME)
    with DAG("fleet", schedule=None, template_searchpath=str(tmp_path)) as dag:
        operator = graphql(query="me.graphql")
    operator.dag = dag
    operator.render_template_fields({})
    assert operator.query == ME


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": ""}, "query: ''"),
        ({"query": 7}, "query: 7"),
        ({"query": ME, "variables": [1]}, r"variables: \[1\]"),
        ({"query": ME, "variables": "id=7"}, "variables: 'id=7'"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        graphql(**arguments)
