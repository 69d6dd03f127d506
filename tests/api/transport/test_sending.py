"""How a request is sent: what is sent again and what never, and how long is waited."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import requests
import time_machine

from airflow_provider_emnify.api import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.api.transport import sending
from tests.api.support import (
    AUTHENTICATE,
    OK,
    THING,
    TOKEN,
    URL,
    Sleeps,
    created,
    free_port,
    make_client,
    make_token,
    raw_server,
)

if TYPE_CHECKING:
    import requests_mock as rm

USER = "/api/v1/user"
HTML = {"Content-Type": "text/html"}


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return requests_mock


def sent(api: rm.Mocker) -> list[str]:
    return [f"{r.method} {r.path}" for r in api.request_history if r.path != "/api/v1/authenticate"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("1.5"), b"1"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_is_not_json_is_not_sent_and_is_no_lost_answer(
    api: rm.Mocker, method: str, number: Any
) -> None:
    sleeps = Sleeps()
    with pytest.raises(ValueError, match=f"{method} {THING}: the body is not JSON"):
        make_client(sleep=sleeps).request(method, THING, json={"volume": number})
    assert sent(api) == []
    assert len(sleeps) == 0


def test_an_error_of_another_kind_after_a_body_was_sent_is_not_laid_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(response: requests.Response) -> bytes:
        response.close()
        raise TypeError("no bytes")

    with raw_server(TOKEN, OK) as (url, requests_seen), make_client(base_url=url) as client:
        client.request("GET", THING)
        monkeypatch.setattr(sending, "read_body", fail)
        with pytest.raises(TypeError, match="no bytes"):
            client.request("POST", THING, json={"volume": 1})
    assert len(requests_seen) == 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_may_be_repeated_is_sent_again_after_a_5xx(api: rm.Mocker, method: str, status: int) -> None:
    api.request(method, URL + THING, [{"status_code": status}, {"status_code": status}, {"json": {"id": 7}}])
    sleeps = Sleeps()
    client = make_client(sleep=sleeps)
    assert client.request(method, THING) == {"id": 7}
    assert len(sent(api)) == 3
    assert len(sleeps) == 2
    assert client.stats.retries == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_post_is_never_sent_again_after_a_5xx(api: rm.Mocker, status: int) -> None:
    api.post(URL + USER, status_code=status)
    with pytest.raises(EmnifyUnknownOutcomeError, match="check first") as caught:
        make_client().request("POST", USER, json={})
    assert sent(api) == ["POST /api/v1/user"]
    assert caught.value.status == status
    assert not caught.value.transient


def test_a_429_is_waited_for_by_any_request(api: rm.Mocker) -> None:
    api.post(URL + USER, [{"status_code": 429}, {"status_code": 429}, {"json": {"id": 1}}])
    assert make_client().request("POST", USER, json={}) == {"id": 1}
    assert len(sent(api)) == 3


def test_no_more_than_max_retries(api: rm.Mocker) -> None:
    api.get(URL + THING, status_code=503)
    with pytest.raises(EmnifyServerError):
        make_client(max_retries=3).request("GET", THING)
    assert len(sent(api)) == 4
    api.get(URL + THING, status_code=429, json={"error_code": 1105, "message": "Too many"})
    with pytest.raises(EmnifyRateLimitError):
        make_client(max_retries=0).request("GET", THING)
    assert len(sent(api)) == 5


def test_waits_grow_exponentially_with_full_jitter(api: rm.Mocker) -> None:
    api.get(URL + THING, status_code=503)
    waits = []
    for _ in range(60):
        sleeps = Sleeps()
        with pytest.raises(EmnifyServerError):
            make_client(max_retries=8, sleep=sleeps).request("GET", THING)
        waits.append(list(sleeps))
    for nth, most in enumerate([1, 2, 4, 8, 16, 32, 60, 60]):
        seen = [run[nth] for run in waits]
        assert 0 <= min(seen) < most * 0.2
        assert most * 0.8 < max(seen) <= most


def test_retry_after_in_seconds_is_honoured(api: rm.Mocker) -> None:
    api.get(URL + THING, [{"status_code": 429, "headers": {"Retry-After": "17"}}, {"json": {}}])
    sleeps = Sleeps()
    make_client(sleep=sleeps).request("GET", THING)
    assert len(sleeps) == 1
    assert 17 <= sleeps[0] <= 18


@pytest.mark.parametrize("shift", [0, -12 * 3600, 12 * 3600])
def test_retry_after_as_a_date_is_held_against_the_answers_own_clock(api: rm.Mocker, shift: int) -> None:
    headers = {
        "Retry-After": "Wed, 21 Oct 2026 07:28:40 GMT",
        "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
    }
    api.get(URL + THING, [{"status_code": 503, "headers": headers}, {"json": {}}])
    sleeps = Sleeps()
    with time_machine.travel(1_792_567_680 + shift, tick=False):
        make_client(sleep=sleeps).request("GET", THING)
    assert 40 <= sleeps[0] <= 41


@pytest.mark.parametrize("value", ["soon", "", "-5"])
def test_a_retry_after_that_makes_no_sense_does_no_harm(api: rm.Mocker, value: str) -> None:
    api.get(URL + THING, [{"status_code": 429, "headers": {"Retry-After": value}}, {"json": {"id": 7}}])
    sleeps = Sleeps()
    assert make_client(sleep=sleeps).request("GET", THING) == {"id": 7}
    assert 0 <= sleeps[0] <= 1


def test_an_api_that_asks_to_wait_for_hours_is_an_error_that_says_how_long(api: rm.Mocker) -> None:
    api.get(URL + THING, status_code=429, headers={"Retry-After": "7200"})
    sleeps = Sleeps()
    with pytest.raises(EmnifyRateLimitError) as caught:
        make_client(sleep=sleeps).request("GET", THING)
    assert caught.value.retry_after == 7200
    assert not sleeps


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_was_never_made_is_tried_again(method: str) -> None:
    sleeps = Sleeps()
    port = free_port()
    client = make_client(base_url=f"http://127.0.0.1:{port}", max_retries=2, sleep=sleeps)
    with pytest.raises(
        EmnifyConnectionError, match=rf"127.0.0.1:{port} could not be reached: .*refused"
    ) as told:
        client.request(method, THING)
    assert len(sleeps) == 2
    assert "Connection(" not in str(told.value)


def test_a_proxy_that_refuses_is_told_from_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EmnifyConnectionError, match=r"the proxy to cdn.emnify.net could not be reached: "):
        make_client(max_retries=0).request("GET", THING)


def test_a_host_without_an_address_is_reported_as_such(api: rm.Mocker) -> None:
    api.get(URL + THING, exc=requests.exceptions.ConnectTimeout)
    with pytest.raises(EmnifyConnectionError, match=r"cdn.emnify.net could not be reached within 10 s"):
        make_client(max_retries=1).request("GET", THING)
    assert len(sent(api)) == 2


def test_a_reset_connection_is_tried_again_for_a_get() -> None:
    with raw_server(TOKEN, None, OK) as (url, requests_seen), make_client(base_url=url) as client:
        assert client.request("GET", THING) == {"id": 7}
        assert len(requests_seen) == 3


def test_a_reset_connection_leaves_the_outcome_of_a_post_unknown() -> None:
    with raw_server(TOKEN, None) as (url, requests_seen), make_client(base_url=url) as client:
        with pytest.raises(EmnifyUnknownOutcomeError, match="broke"):
            client.request("POST", USER, json={})
        assert len(requests_seen) == 2


def test_a_timeout_is_tried_again_for_a_get_and_not_for_a_post(api: rm.Mocker) -> None:
    api.get(URL + THING, [{"exc": requests.exceptions.ReadTimeout}, {"json": {"id": 7}}])
    assert make_client(timeout=3).request("GET", THING) == {"id": 7}
    api.post(URL + USER, exc=requests.exceptions.ReadTimeout)
    with pytest.raises(EmnifyUnknownOutcomeError, match="did not answer within 3 s"):
        make_client(timeout=3).request("POST", USER, json={})
    assert sent(api) == [f"GET {THING}", f"GET {THING}", f"POST {USER}"]


def test_every_request_has_a_timeout(api: rm.Mocker) -> None:
    api.get(URL + THING, json={})
    make_client(timeout=4).request("GET", THING)
    make_client(timeout=90).request("GET", THING)
    assert [r.timeout for r in api.request_history] == [(4, 4), (4, 4), (10.0, 90), (10.0, 90)]


def test_a_post_may_be_called_repeatable(api: rm.Mocker) -> None:
    api.post(URL + USER, [{"status_code": 502}, {"json": {"id": 1}}])
    assert make_client().request("POST", USER, json={}, idempotent=True) == {"id": 1}


def test_501_is_not_tried_again(api: rm.Mocker) -> None:
    api.post(URL + USER, status_code=501)
    with pytest.raises(EmnifyServerError):
        make_client().request("POST", USER, json={})
    assert len(sent(api)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status_code": 201, "headers": {"Location": "https://cdn.emnify.net/api/v1/user/42"}},
        {"status_code": 201, "headers": {"location": "/api/v1/user/42/"}, "json": {}},
        {"status_code": 201, "json": {"id": 42, "name": "Ann"}},
        {"status_code": 200, "json": {"id": 42, "name": "Ann"}},
    ],
    ids=["Location and no body", "relative Location", "201 and a body", "200 and a body"],
)
def test_create_returns_the_id_in_every_form_of_answer(api: rm.Mocker, answer: dict) -> None:
    api.post(URL + USER, **answer)
    assert created(USER, json={})["id"] == 42


def test_create_looks_for_what_it_may_have_made(api: rm.Mocker) -> None:
    api.post(URL + USER, status_code=502)
    assert created(USER, json={}, find=lambda: {"id": 42}) == {"id": 42}
    assert len(sent(api)) == 1


def test_create_sends_again_only_what_emnify_itself_keeps_unique(api: rm.Mocker) -> None:
    api.post(URL + USER, [{"status_code": 502}, {"status_code": 201, "json": {"id": 43}}])
    assert created(USER, json={}, find=lambda: None, unique=True) == {"id": 43}
    api.post(URL + USER, status_code=502)
    with pytest.raises(EmnifyUnknownOutcomeError):
        created(USER, json={}, find=lambda: None)
    with pytest.raises(EmnifyUnknownOutcomeError):
        created(USER, json={})
    assert len(sent(api)) == 4


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status_code": 404}, EmnifyNotFoundError, "404"),
        ({"status_code": 422, "text": "<p>no</p>", "headers": HTML}, EmnifyValidationError, "HTML"),
        ({"status_code": 422, "text": ""}, EmnifyValidationError, "422"),
        ({"status_code": 404, "text": '{"error_code": 12'}, EmnifyNotFoundError, "not JSON"),
        ({"status_code": 404, "json": ["what"]}, EmnifyNotFoundError, "what"),
        ({"status_code": 404, "json": {"status_code": 404, "message": "gone"}}, EmnifyNotFoundError, "gone"),
        ({"status_code": 418, "text": "x" * 10_000_000}, EmnifyError, "10000024 characters"),
    ],
    ids=["empty", "HTML", "empty 422", "truncated", "other JSON", "eUICC form", "10 MB"],
)  # fmt: skip
def test_an_error_of_any_form_becomes_the_right_kind(
    api: rm.Mocker, answer: dict, kind: type[EmnifyError], words: str
) -> None:
    api.get(URL + THING, **answer)
    with pytest.raises(kind, match=words) as caught:
        make_client().request("GET", THING)
    assert len(str(caught.value)) < 1000
    assert caught.value.method == "GET"
    assert caught.value.path == THING


@pytest.mark.parametrize("text", ["<html>hello</html>", '{"id": 4', "plain"])
def test_a_success_that_is_no_json_is_tried_again_and_then_an_error(api: rm.Mocker, text: str) -> None:
    api.get(URL + THING, text=text)
    with pytest.raises(EmnifyServerError, match="not JSON"):
        make_client(max_retries=1).request("GET", THING)
    assert len(sent(api)) == 2
    api.post(URL + USER, text=text, status_code=201)
    with pytest.raises(EmnifyUnknownOutcomeError, match="not JSON"):
        make_client().request("POST", USER, json={})
    assert len(sent(api)) == 3


def test_an_answer_that_breaks_off_is_tried_again() -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    with raw_server(TOKEN, broken, OK) as (url, _), make_client(base_url=url) as client:
        assert client.request("GET", THING) == {"id": 7}


def test_a_large_answer_and_one_without_content_are_fine(api: rm.Mocker) -> None:
    api.get(URL + THING, [{"json": {"text": "x" * 10_000_000}}, {"status_code": 204}])
    client = make_client()
    assert len(client.request("GET", THING)["text"]) == 10_000_000
    assert client.request("GET", THING) is None


def test_a_query_is_written_as_emnify_does(api: rm.Mocker) -> None:
    api.get(URL + THING, json={})
    make_client().request("GET", THING, params={"delete_sims": True, "q": "status:0,name:a b", "none": None})
    assert api.request_history[-1].query == "delete_sims=true&q=status%3a0%2cname%3aa+b"


def test_what_it_does_is_counted(api: rm.Mocker) -> None:
    api.get(URL + THING, [{"status_code": 503}, {"json": {}}])
    told: dict[str, float] = {}

    def on_metric(name: str, amount: float) -> None:
        told[name] = told.get(name, 0) + amount

    client = make_client(on_metric=on_metric)
    client.request("GET", THING)
    assert told == {"authentications": 1, "requests": 3, "retries": 1}
    assert client.stats.requests == 3


def test_the_user_agent_names_the_provider(api: rm.Mocker) -> None:
    api.get(URL + THING, json={})
    make_client().request("GET", THING)
    assert api.request_history[-1].headers["User-Agent"].startswith("airflow-provider-emnify/")


def test_a_404_to_the_repeat_of_a_delete_is_its_success_also_after_a_401(api: rm.Mocker) -> None:
    answers = [{"exc": requests.ReadTimeout}, {"status_code": 401}, {"status_code": 404}]
    api.delete(URL + "/api/v1/user/7", answers)
    assert make_client().request("DELETE", "/api/v1/user/7") is None
