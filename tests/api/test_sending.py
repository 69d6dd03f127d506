"""How a request is sent: what is sent again and what never, how long is waited, and where it may go."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from airflow_provider_emnify.api import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from tests.api.support import (
    AUTHENTICATE,
    THING,
    URL,
    Sleeps,
    free_port,
    http,
    make_client,
    make_token,
    raw_server,
)

if TYPE_CHECKING:
    from pathlib import Path

    import requests_mock as rm

USER = "/api/v1/user"
HTML = {"Content-Type": "text/html"}
TOKEN = http("200 OK", f'{{"auth_token": "{make_token()}"}}', Content_Type="application/json")
OK = http("200 OK", '{"id": 7}', Content_Type="application/json")


@pytest.fixture
def api(requests_mock: rm.Mocker) -> rm.Mocker:
    requests_mock.post(AUTHENTICATE, json={"auth_token": make_token()})
    return requests_mock


def sent(api: rm.Mocker) -> list[str]:
    return [f"{r.method} {r.path}" for r in api.request_history if r.path != "/api/v1/authenticate"]


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
    with pytest.raises(EmnifyUnknownOutcomeError, match="look first") as caught:
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
    with pytest.raises(EmnifyConnectionError, match=rf"127.0.0.1:{port} could not be reached.*refused"):
        client.request(method, THING)
    assert len(sleeps) == 2


def test_a_host_without_an_address_is_told_as_such(api: rm.Mocker) -> None:
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
    assert make_client().request("POST", USER, json={}, repeatable=True) == {"id": 1}


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
    assert make_client().create(USER, json={})["id"] == 42


def test_create_looks_for_what_it_may_have_made(api: rm.Mocker) -> None:
    api.post(URL + USER, status_code=502)
    assert make_client().create(USER, json={}, find=lambda: {"id": 42}) == {"id": 42}
    assert len(sent(api)) == 1


def test_create_sends_again_only_what_emnify_itself_keeps_unique(api: rm.Mocker) -> None:
    api.post(URL + USER, [{"status_code": 502}, {"status_code": 201, "json": {"id": 43}}])
    assert make_client().create(USER, json={}, find=lambda: None, unique=True) == {"id": 43}
    api.post(URL + USER, status_code=502)
    with pytest.raises(EmnifyUnknownOutcomeError):
        make_client().create(USER, json={}, find=lambda: None)
    with pytest.raises(EmnifyUnknownOutcomeError):
        make_client().create(USER, json={})
    assert len(sent(api)) == 4


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("../../user/1", "..%2F..%2Fuser%2F1"),
        ("a/b", "a%2Fb"),
        ("é", "%C3%A9"),
        ("me@example.org", "me%40example.org"),
        ("a?b#c", "a%3Fb%23c"),
        ("50%", "50%25"),
        (7, "7"),
    ],
)
def test_path_parameters_are_percent_encoded_on_the_wire(value: object, encoded: str) -> None:
    with raw_server(TOKEN, OK) as (url, requests_seen), make_client(base_url=url) as client:
        client.request("GET", "/api/v1/user/{user_id}", path_params={"user_id": value})
        assert requests_seen[1].split(b"\r\n")[0] == f"GET /api/v1/user/{encoded} HTTP/1.1".encode()


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_parameter_that_leads_elsewhere_is_refused(api: rm.Mocker, value: str) -> None:
    with pytest.raises(ValueError, match="user_id"):
        make_client().request("DELETE", "/api/v1/user/{user_id}", path_params={"user_id": value})
    assert not api.request_history


@pytest.mark.parametrize("path", ["https://evil.example/x", "//evil.example/x", "api/v1/user", "/api?x=1"])
def test_a_path_that_is_none_is_refused(api: rm.Mocker, path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        make_client().request("GET", path)
    assert not api.request_history


def test_a_missing_path_parameter_is_named(api: rm.Mocker) -> None:
    with pytest.raises(ValueError, match="user_id: missing"):
        make_client().request("GET", "/api/v1/user/{user_id}")
    assert not api.request_history


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"])
@pytest.mark.parametrize("path", [THING, "/api/v1/authenticate"])
def test_a_redirect_to_another_host_carries_no_secret(status: str, path: str) -> None:
    with raw_server(OK) as (elsewhere, stolen):
        redirect = http(status, Location=f"{elsewhere}/api")
        answers = (redirect,) if "authenticate" in path else (TOKEN, redirect)
        with (
            raw_server(*answers) as (url, _),
            make_client(base_url=url) as client,
            pytest.raises(EmnifyError, match=r"redirect to 127\.0\.0\.1"),
        ):
            client.request("GET", THING)
        assert not stolen


def test_a_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(TOKEN, OK) as (url, requests_seen), make_client(base_url=url) as client:
        client.request("GET", THING)
    assert b"Basic" not in b"".join(requests_seen)
    assert b"Authorization: Bearer " in requests_seen[1]


@pytest.mark.parametrize(
    "url",
    ["http://cdn.emnify.net", "http://10.0.0.5", "http://localhost.evil.example", "http://127.0.0.1.nip.io"],
)
def test_plain_http_is_refused_but_for_a_loopback_host(url: str) -> None:
    with pytest.raises(ValueError, match="in the clear"):
        make_client(base_url=url)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080", "http://127.0.0.1:1", "http://127.8.9.1", "http://[::1]:80"]
)
def test_plain_http_to_a_loopback_host_is_fine(url: str) -> None:
    make_client(base_url=url).close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://cdn.emnify.net/api/v1", "more than a scheme and a host"),
        ("ftp://cdn.emnify.net", "no base URL"),
        ("cdn.emnify.net", "no base URL"),
        ("https://", "no base URL"),
        ("https://user:pw@cdn.emnify.net", "no user or password"),
        ("https://cdn.emnify.net:port", "no URL"),
        ("https://cdn.emnify.net?x=1", "more than a scheme and a host"),
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_client(base_url=url)


def self_signed(directory: Path) -> Path:
    """Write a certificate that nobody trusts, with its key, into one file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, traditional, plain))
    return path


def test_tls_is_verified(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection, context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1000)
        except OSError:
            pass

    thread = threading.Thread(target=serve)
    thread.start()
    sleeps = Sleeps()
    with pytest.raises(EmnifyConnectionError, match=r"no trusted TLS connection.*certificate") as caught:
        make_client(base_url=f"https://127.0.0.1:{port}", sleep=sleeps).authenticate()
    assert not sleeps
    assert not caught.value.transient
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status_code": 404}, EmnifyNotFoundError, "404"),
        ({"status_code": 422, "text": "<p>no</p>", "headers": HTML}, EmnifyValidationError, "HTML"),
        ({"status_code": 422, "text": ""}, EmnifyValidationError, "422"),
        ({"status_code": 404, "text": '{"error_code": 12'}, EmnifyNotFoundError, "no JSON"),
        ({"status_code": 404, "json": ["what"]}, EmnifyNotFoundError, "what"),
        ({"status_code": 404, "json": {"status_code": 404, "message": "gone"}}, EmnifyNotFoundError, "gone"),
        ({"status_code": 418, "text": "x" * 10_000_000}, EmnifyError, "10000023 characters"),
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
    with pytest.raises(EmnifyServerError, match="no JSON"):
        make_client(max_retries=1).request("GET", THING)
    assert len(sent(api)) == 2
    api.post(URL + USER, text=text, status_code=201)
    with pytest.raises(EmnifyUnknownOutcomeError, match="no JSON"):
        make_client().request("POST", USER, json={})
    assert len(sent(api)) == 3


def test_an_answer_that_breaks_off_is_tried_again() -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    with raw_server(TOKEN, broken, OK) as (url, _), make_client(base_url=url) as client:
        assert client.request("GET", THING) == {"id": 7}


def test_a_large_answer_and_an_empty_one_are_fine(api: rm.Mocker) -> None:
    api.get(URL + THING, [{"json": {"text": "x" * 10_000_000}}, {"status_code": 204}, {"text": "  "}])
    client = make_client()
    assert len(client.request("GET", THING)["text"]) == 10_000_000
    assert client.request("GET", THING) is None
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
