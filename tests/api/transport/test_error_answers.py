"""What kind of error an answer means: its status, its code, and a body that can be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests_mock as rm
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyConnectionError,
    EmnifyError,
    EmnifyNetworkStateError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyPermissionError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.errors import error_from_answer
from tests.api.support import (
    AUTHENTICATE,
    THING,
    URL,
    make_client,
    make_token,
)
from tests.api.transport.test_answers import DEEP, api, call

__all__ = ["api"]


def answer_as(error: type[EmnifyError], method: str = "GET", path: str = THING, **told: Any) -> EmnifyError:
    body = told.pop("body", {})
    text = body if isinstance(body, str) else json.dumps(body)
    made = error_from_answer(
        method, path, status=told["status"], reason="", headers=told.get("headers", {}), text=text
    )
    assert type(made) is error
    return made


@pytest.mark.parametrize(
    "body", [{}, "", "<p>gone</p>", [1], {"error_code": 1401}, {"error_code": 1201}, {"error_code": 1400},
             {"error_code": 1104}, {"error_code": 1405}, {"error_code": "x"}, {"error_code": 1e400}],
)  # fmt: skip
@pytest.mark.parametrize("status", [404, 410])
def test_that_a_thing_is_missing_is_said_by_the_status(status: int, body: Any) -> None:
    answer_as(EmnifyNotFoundError, status=status, body=body)


def test_that_no_address_is_left_is_a_conflict() -> None:
    answer_as(EmnifyConflictError, status=404, body={"error_code": 1601, "error_token": "Unavailable"})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 1201, EmnifyValidationError),
        (422, 1201, EmnifyValidationError),
        (422, 1405, EmnifyConflictError),
        (400, 1104, EmnifyPermissionError),
        (500, 1405, EmnifyServerError),
        (503, 1201, EmnifyServerError),
        (418, None, EmnifyValidationError),
        (451, None, EmnifyPermissionError),
        (300, None, EmnifyError),
        (304, None, EmnifyError),
        (0, None, EmnifyServerError),
        (199, None, EmnifyServerError),
        (520, None, EmnifyServerError),
        (599, None, EmnifyServerError),
        (600, None, EmnifyServerError),
        (999, None, EmnifyServerError),
        (408, None, EmnifyConnectionError),
        (425, None, EmnifyConnectionError),
    ],
)
def test_every_status_has_its_kind(status: int, code: int | None, kind: type[EmnifyError]) -> None:
    answer_as(kind, status=status, body={"error_code": code} if code else "")


@pytest.mark.parametrize("status", [408, 425])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_what_was_not_acted_on_is_sent_again(api: rm.Mocker, method: str, status: int) -> None:
    api.request(method, URL + THING, [{"status_code": status}, {"json": {"id": 1}}])
    client = make_client()
    assert client.request(method, THING, json={} if method == "POST" else None) == {"id": 1}
    assert client.stats.retries == 1


@pytest.mark.parametrize("status", [199, 520, 599, 600, 999])
def test_a_status_that_says_nothing_leaves_the_outcome_of_a_post_unknown(api: rm.Mocker, status: int) -> None:
    api.post(URL + THING, status_code=status, json={"id": 1})
    with pytest.raises(EmnifyUnknownOutcomeError):
        make_client().request("POST", THING, json={})
    api.get(URL + THING, [{"status_code": status, "json": {}}, {"json": {"id": 1}}])
    assert make_client().request("GET", THING) == {"id": 1}


STATES = [
    "Unknown Subscriber", "Unknown Location", "External Network", "Network Element Not Available",
    "Data Missing", "Unexpected Data Value",
]  # fmt: skip


@pytest.mark.parametrize("form", ["message", "token", "text", "error"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("path", ["/api/v1/endpoint/5/connectivity", "/api/v1/endpoint/5/connectivity_info"])
def test_a_state_of_the_network_is_no_missing_device(path: str, state: str, form: str) -> None:
    bodies: dict[str, Any] = {
        "message": {"error_code": 4711, "message": f"{state.lower()}."},
        "token": {"error_code": 1201, "error_token": state.replace(" ", "")},
        "text": state,
        "error": {"error": state.upper().replace(" ", "_")},
    }
    error = answer_as(EmnifyNetworkStateError, path=path, status=404, body=bodies[form])
    assert error.transient
    answer_as(EmnifyNotFoundError, path="/api/v1/endpoint/5", status=404, body=bodies[form])


def test_a_state_of_the_network_is_not_asked_for_again_at_once(api: rm.Mocker) -> None:
    path = "/api/v1/endpoint/5/connectivity"
    api.get(URL + path, status_code=404, json={"message": "Unknown Location"})
    client = make_client()
    with pytest.raises(EmnifyNetworkStateError):
        client.endpoints.connectivity(5)
    assert client.stats.retries == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


NAMES = ("error_code", "error_token", "message", "errors", "status_code", "error")


@given(
    status=st.integers(0, 999),
    body=JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)),
    path=st.sampled_from([THING, "/api/v1/endpoint/5/connectivity"]),
)
def test_an_error_is_made_of_any_json(status: int, body: Any, path: str) -> None:
    text = json.dumps(body)
    error = error_from_answer("GET", path, status=status, reason="", headers={}, text=text)
    assert isinstance(error, EmnifyError)
    assert len(str(error).encode()) < 100_000
    assert isinstance(error.field_errors, list)


@given(text=st.text() | st.sampled_from([DEEP, '{"errors": ' + DEEP + "}", '{"error_code": 1e999}', "\x00<"]))
def test_an_error_is_made_of_any_text(text: str) -> None:
    str(error_from_answer("GET", THING, status=422, reason="", headers={}, text=text)).encode()


@pytest.mark.parametrize(
    "errors",
    [
        [{"field": "imei", "message": "has invalid format"}],
        [{"path": "imei", "message": "imei has invalid format"}],
        {"imei": "has invalid format"},
        "imei has invalid format",
        ["imei has invalid format"],
    ],
)
@pytest.mark.parametrize("status", [400, 409, 422])
def test_the_message_of_a_bulk_error_has_the_field_errors(api: rm.Mocker, status: int, errors: Any) -> None:
    api.get(rm.ANY, json=[])
    api.get(f"{URL}/api/v2/tags", json={"total": 0, "page": 1, "page_size": 1, "last_page": 1, "data": []})
    body = {"error_code": 1400, "error_token": "InputValidationFailed", "message": "Input validation failed"}
    for method in ("post", "patch", "delete"):
        getattr(api, method)(rm.ANY, status_code=status, json={**body, "errors": errors})
    api.post(AUTHENTICATE, json={"auth_token": make_token()})
    client = make_client(max_retries=0)
    for many in ("endpoints.create_many", "endpoints.update_many", "tags.assign_many"):
        with pytest.raises(EmnifyPartialError) as caught:
            call(client, many)
        last = str(caught.value).splitlines()[-1]
        assert "Input validation failed" in last
        assert "has invalid format" in last
        assert "imei" in last
        assert "not done (1)" in last
