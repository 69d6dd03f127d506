from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import DAG, AirflowFailException
from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.resources.graphql import EmnifyGraphqlError
from airflow_provider_emnify.hooks.emnify import EmnifyHook
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


def test_errors_in_a_200_answer_fail_without_retry(api: rm.Mocker) -> None:
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
    with pytest.raises(AirflowFailException, match="the outcome is unknown"):
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


# -- all pages of a list ----------------------------------------------------------------------------------

USERS = (
    "query All($page: Int) "
    "{ users(page: $page, per_page: 2) { items { id name } meta { count per_page pages } } }"
)


def pages(api: rm.Mocker, rows: int, spoil: Any = lambda number, found: found, size: int = 2) -> Any:
    """Serve a list in pages; ``spoil`` makes what is sent of each."""

    def answer(request: Any, _: Any) -> Any:
        number = request.json()["variables"]["page"]
        items = [{"id": key, "name": "x"} for key in range((number - 1) * size, min(number * size, rows))]
        meta = {"count": rows, "per_page": size, "pages": -(-rows // size)}
        return {"data": {"users": spoil(number, {"items": items, "meta": meta})}}

    return api.post(f"{URL}/graphql", json=answer)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7])
def test_all_pages_are_read(api: rm.Mocker, rows: int) -> None:
    found = pages(api, rows)
    answer = graphql(query=USERS, all_pages="users").execute(context())
    assert [row["id"] for row in answer["users"]["items"]] == list(range(rows))
    assert answer["users"]["meta"]["count"] == rows
    assert found.call_count == max(-(-rows // 2), 1)


def test_all_pages_of_the_sandbox(make_sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = make_sandbox(limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    with EmnifyHook() as hook:
        for number in range(4):
            hook.get_conn().users.create(username=f"u{number}@example.org", name="U", role_ids=[2])
    answer = graphql(query=USERS, all_pages="users").execute(context())
    assert len({row["id"] for row in answer["users"]["items"]}) == 5
    assert answer["users"]["meta"] == {"count": 5, "per_page": 2, "pages": 3}


FAULTS = {
    "empty": lambda n, found: {**found, "items": []} if n == 2 else found,
    "short": lambda n, found: {**found, "items": found["items"][:1]} if n == 2 else found,
    "the same": lambda n, found: {**found, "items": [{"id": 0, "name": "x"}, {"id": 1, "name": "x"}]},
    "the same without ids": lambda n, found: {**found, "items": [{"name": "x"}, {"name": "x"}]},
    "null": lambda n, found: None if n == 2 else found,
    "no list": lambda n, found: {**found, "items": None} if n == 2 else found,
    "counts less": lambda n, found: {**found, "meta": {"count": 3, "pages": 4}},
    "fewer pages": lambda n, found: {**found, "meta": {"count": 7, "pages": 2}},
    "changes": lambda n, found: {**found, "meta": {"count": 7 + n, "pages": 4}},
    "absurd": lambda n, found: {**found, "meta": {"count": 7, "pages": "9" * 40}},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_all_pages_are_whole_or_refused(api: rm.Mocker, fault: str) -> None:
    found = pages(api, 7, FAULTS[fault])
    with pytest.raises(EmnifyServerError, match="users: the list could not be read as a whole"):
        graphql(query=USERS, all_pages="users").execute(context())
    assert found.call_count <= 12


@pytest.mark.parametrize("fault", ["empty", "short", "null", "no list"])
def test_all_pages_are_read_over_when_a_fault_passes(api: rm.Mocker, fault: str) -> None:
    left = [2]

    def spoil(number: int, found: Any) -> Any:
        return FAULTS[fault](number, found) if number in left and not left.remove(number) else found  # type: ignore[func-returns-value]

    pages(api, 7, spoil)
    answer = graphql(query=USERS, all_pages="users").execute(context())
    assert [row["id"] for row in answer["users"]["items"]] == list(range(7))


@pytest.mark.parametrize(
    ("query", "more", "message"),
    [
        ("{ users { items { id } meta { count pages } } }", {}, r"lacks the variable \$page"),
        ("query ($page: Int) { users { items { id } meta { count pages } } }", {}, r"does not use \$page"),
        (USERS, {"variables": {"page": 1}}, "counts 'page' itself"),
        (USERS, {"all_pages": "users items"}, "not a name of a list"),
        (USERS, {"max_rows": 0}, "max_rows: 0"),
        ("mutation ($page: Int) { m(page: $page) { id } }", {}, "a mutation"),
    ],
)
def test_what_all_pages_lacks_is_named_when_the_dag_is_parsed(
    query: str, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        graphql(query=query, **{"all_pages": "users", **more})


@pytest.mark.parametrize(
    ("found", "name", "message"),
    [
        ({"items": []}, "users", r"does not ask for meta \{ count \}"),
        ({"items": [], "meta": {"count": 0}}, "users", r"does not ask for meta \{ pages \}"),
        ({"meta": {"count": 0, "pages": 0}}, "users", "does not ask for items"),
        ({"items": []}, "endpoints", "there is no endpoints in the data"),
        ({"items": [], "meta": {"count": 10_001, "pages": 101}}, "users", "more than max_rows"),
    ],
)
def test_what_the_answer_lacks_is_named(api: rm.Mocker, found: Any, name: str, message: str) -> None:
    api.post(f"{URL}/graphql", json={"data": {"users": found}})
    with pytest.raises(AirflowFailException, match=message):
        graphql(query=USERS, all_pages=name).execute(context())
