"""What a server may answer: nothing but an ``EmnifyError`` leaves the client; what is wrong is no success."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
import requests_mock as rm
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api import (
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
)
from airflow_provider_emnify.api.transport.answers import Shape, created_id, decimal, number
from tests.api.resources.samples import samples
from tests.api.resources.test_operations import CALLS
from tests.api.support import (
    AUTHENTICATE,
    OK,
    THING,
    TOKEN,
    URL,
    created,
    http,
    make_client,
    make_token,
    raw_server,
)

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient


DEEP = "[" * 100_000 + "]" * 100_000  # past what any Python reads
# Answers that hold what no operation promises, by what they look like.


WRONG = {
    "empty": "",
    "null": "null",
    "text": '"done"',
    "number": "7",
    "true": "true",
    "list of numbers": "[1, 2]",
    "list of lists": "[[]]",
    "cut": '{"id": 4',
    "page": "<html>Welcome to the hotel</html>",
    "deep": DEEP,
    "error": '{"error_code": 1201, "error_token": "NotFound", "message": "gone"}',
}
OBJECT, LIST = {"object": "{}"}, {"list": "[]"}


NO_ID = {
    "no id": '{"name": 5}',
    "id null": '{"id": null}',
    "id {}": '{"id": {}}',
    "id true": '{"id": true}',
    "id 2**63": '{"id": 9223372036854775808}',
    "id 10**23": '{"id": 100000000000000000000000}',
}
# Wrong below the top: what is an object or a text elsewhere is something else here.


TWISTED = {
    "id": 7, "name": 5, "username": 5, "status": "on", "sim": 3, "endpoint": [1], "roles": {"id": 1},
    "organisation": "Acme", "action": [], "product": 4, "target": [5, {"sim": 6, "eid": {}}], "error": 5,
    "tag_assignments": "red", "type": [[]], "subscriber_info": "gone", "failed_count": "many",
    "finalization_date": 5, "total_count": [], "submit_date": {}, "payload": 5, "udh": [],
}  # fmt: skip


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return requests_mock


def call(client: EmnifyClient, name: str) -> Any:
    """Make a call with made-up arguments and read all of its answer."""
    method, _ = CALLS[name]
    values = {key: first for key, (first, _) in samples(name, method).items()}
    if name == "sims.migrate":
        values = {"sim_ids": [1], "target_workspace_id": 2, "dry_run": False}
    resource, _, attribute = name.partition(".")
    answer = getattr(getattr(client, resource), attribute)(**values)
    return list(answer) if isinstance(answer, Iterator) else answer


def wrong_for(shape: Shape) -> dict[str, str]:
    if shape.kind == "nothing":
        return {name: WRONG[name] for name in ("cut", "page", "deep", "error")}
    wrong = dict(WRONG)
    if shape.kind == "acknowledgement":
        del wrong["list of numbers"], wrong["list of lists"]
        return wrong
    if shape.kind in {"list", "page"}:
        wrong |= OBJECT
    if shape.kind in {"object", "page"}:
        wrong |= LIST
    if shape.ids is not None and shape.kind == "object":
        wrong |= NO_ID | OBJECT
    if shape.ids is not None and shape.kind == "list":
        wrong |= {name: f"[{text}]" for name, text in NO_ID.items()}
    return wrong


EACH = [(name, how) for name, (_, found) in CALLS.items() for how in wrong_for(found.shape)]


@pytest.mark.parametrize(("name", "how"), EACH)
def test_a_wrong_answer_is_an_error_of_emnify_and_never_a_success(
    api: rm.Mocker, name: str, how: str
) -> None:
    declared = CALLS[name][1]
    text = wrong_for(declared.shape)[how]
    api.register_uri(rm.ANY, rm.ANY, text=text)
    api.post(AUTHENTICATE, [{"json": {"auth_token": make_token()}}, {"text": text}])
    with pytest.raises(EmnifyError) as caught:
        call(make_client(max_retries=1), name)
    assert isinstance(caught.value, (EmnifyServerError, EmnifyUnknownOutcomeError, EmnifyPartialError))


@pytest.mark.parametrize(
    ("name", "declared"),
    [(n, d) for n, (_, d) in CALLS.items() if d.shape.kind == "object"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_read_is_sent_again_and_a_write_is_of_unknown_outcome(
    api: rm.Mocker, name: str, declared: Any
) -> None:
    none = {"X-Total-Count": "0", "X-Total-Pages": "0"}
    api.get(rm.ANY, json=[], headers=none)
    api.register_uri(declared.method, rm.ANY, text="")
    tags = {"total": 0, "page": 1, "page_size": 1, "last_page": 1, "data": []}
    api.get(f"{URL}/api/v2/tags", json=tags)
    api.post(AUTHENTICATE, [{"json": {"auth_token": make_token()}}, {"text": ""}])
    idempotent = declared.method != "POST" if declared.idempotent is None else declared.idempotent
    client = make_client(max_retries=2)
    with pytest.raises(EmnifyServerError if idempotent else EmnifyUnknownOutcomeError):
        call(client, name)
    if idempotent:
        assert client.stats.retries == 2
    elif not name.endswith((".create", ".add_data_limit")):  # these look for it, and may send it again
        assert client.stats.retries == 0


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_is_twisted_below_the_top_raises_nothing_else(api: rm.Mocker, name: str) -> None:
    row = dict(TWISTED)
    declared = CALLS[name][1]
    if declared.shape.ids is str:
        row["id"] = "a7"

    def answer(request: Any, _: Any) -> Any:
        if request.path.startswith("/api/v2/tags") and request.method == "GET":
            return {"total": 1, "page": 1, "page_size": 9, "last_page": 1, "data": [row]}
        return [row] if request.method == "GET" and declared.shape.kind not in {"object"} else row

    api.register_uri(rm.ANY, rm.ANY, json=answer)
    api.post(AUTHENTICATE, [{"json": {"auth_token": make_token()}}, {"json": row}])
    with contextlib.suppress(EmnifyError):
        call(make_client(max_retries=0), name)


@pytest.mark.parametrize("status", [201, 204])
def test_what_is_done_can_be_said_without_a_body(api: rm.Mocker, status: int) -> None:
    api.register_uri(rm.ANY, f"{URL}/api/v2/data_stream/7", status_code=status)
    make_client().data_streams.delete(7)


@pytest.mark.parametrize("created", ["endpoints.create", "users.create", "sms.send"])
def test_what_was_created_is_known_by_its_location_alone(api: rm.Mocker, created: str) -> None:
    api.get(rm.ANY, json=[])
    api.post(rm.ANY, status_code=201, headers={"Location": f"{URL}/api/v1/thing/42"})
    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    assert call(make_client(), created)["id"] == 42


BAD_LOCATIONS = [
    "", " ", "/", "?id=5", "#5", "http://[::1/", "http://[::1", "https://cdn.emnify.net",
    "https://cdn.emnify.net/api/v1/user", "/api/v1/user/", "http://h:99999999/", "\xff\xfe", "/user/\xb2",
    "/user/%00", "//", "http://", "/user/%5B", "/user/7 8", "x" * 70_000,
]  # fmt: skip


@pytest.mark.parametrize("location", BAD_LOCATIONS)
def test_a_location_that_names_nothing_leaves_the_outcome_unknown(api: rm.Mocker, location: str) -> None:
    api.post(f"{URL}/api/v1/user", status_code=201, headers={"Location": location})
    with pytest.raises(EmnifyUnknownOutcomeError, match="no id of what was created"):
        created("/api/v1/user", json={}, ids=int)
    assert created("/api/v1/user", json={}, find=lambda: {"id": 5}) in [{"id": 5}, {"id": 7}]


@given(location=st.text(max_size=60))
def test_no_location_raises_anything(location: str) -> None:
    for kind in (int, str, None):
        assert isinstance(created_id({"Location": location}, None, kind), (int, str, type(None)))


LOST = {"exc": requests.exceptions.ReadTimeout}


@pytest.mark.parametrize("lost", [LOST, {"status_code": 502}, {"status_code": 200, "text": "<p>"}])
def test_a_404_to_the_repeat_of_a_delete_is_its_success(api: rm.Mocker, lost: Any) -> None:
    gone = {"status_code": 404, "json": {"error_code": 1401}}
    api.delete(f"{URL}/api/v1/endpoint/7", [lost, lost, gone])
    make_client().endpoints.delete(7)
    api.delete(f"{URL}/api/v2/data_stream/7", [lost, gone])
    make_client().data_streams.delete(7)


@pytest.mark.parametrize(
    "first",
    [{"status_code": 429}, {"status_code": 408}, {"exc": requests.exceptions.ConnectTimeout}],
)
def test_a_404_to_a_delete_that_was_never_acted_on_stays_one(api: rm.Mocker, first: Any) -> None:
    api.delete(f"{URL}/api/v1/endpoint/7", [first, {"status_code": 404}])
    with pytest.raises(EmnifyNotFoundError):
        make_client().endpoints.delete(7)


def test_a_404_to_the_repeat_of_a_delete_of_many_is_looked_into(api: rm.Mocker) -> None:
    api.delete(f"{URL}/api/v1/sim/multi", [LOST, {"status_code": 404}])
    api.get(f"{URL}/api/v1/sim/1", status_code=404)
    api.get(f"{URL}/api/v1/sim/2", json={"id": 2, "status": {"id": 1}})
    with pytest.raises(EmnifyPartialError) as caught:
        make_client().sims.delete_many([1, 2])
    assert (caught.value.done, caught.value.not_done) == ([1], [2])


def test_an_empty_200_within_the_headers_is_sent_again() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Le"
    with raw_server(TOKEN, cut, OK) as (url, _), make_client(base_url=url) as client:
        assert client.organisations.my()["id"] == 7


@pytest.mark.parametrize("location", [one for one in BAD_LOCATIONS if one.strip() and one.isascii()])
def test_a_redirect_to_nowhere_is_an_error(location: str) -> None:
    moved = http("302 Found", Location=location[:9000])
    with (
        raw_server(TOKEN, moved) as (url, _),
        make_client(base_url=url, max_retries=0) as client,
        pytest.raises(EmnifyError, match="302"),
    ):
        client.request("GET", THING)


@pytest.mark.parametrize("found", [None, {}, [], "x", "", True, float("nan"), [7], {"id": 7}, "7" * 400])
def test_what_is_no_number_is_none(found: Any) -> None:
    assert number({"id": found}, "id") is None
    assert decimal({"id": found}, "id") is None
    assert number([found], "id") is None
    assert decimal(found, "id") is None or found == {"id": 7}


def test_a_number_can_be_a_text() -> None:
    assert (number({"a": "7"}, "a"), decimal({"a": "7.5"}, "a")) == (7, 7.5)
