"""The sandbox calls as emnify does: SMS, receipts, records; signed, and again until they are accepted."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import requests

from airflow_provider_emnify.api.enums import EventType
from airflow_provider_emnify.callbacks.messages import parse_receipt, parse_records, parse_sms, verify_jwt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.allow_openapi_violations  # the OpenAPI has no field for the secret of an API secret

SECRET = "an API secret that is long enough for every algorithm: SHA-512 wants sixty-four octets"


class Receiver:
    """A server of the user's that emnify calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append((self.command, self.path, dict(self.headers), content))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.end_headers()

            do_PATCH = do_PUT = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(content) for _, _, _, content in self.calls]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(2, limits=False)


@pytest.fixture
def called(client: EmnifyClient, receiver: Receiver) -> Callable[..., None]:
    """Have the service profile of the devices call the receiver."""

    def call(secret: str | None = SECRET) -> None:
        callback = client.api_callbacks.create(url=f"{receiver.url}/sms")
        told: dict[str, Any] = {"api_callback_id": callback["id"]}
        if secret is not None:
            told["api_secret_id"] = client.api_secrets.create(secret=secret)["id"]
        client.service_profiles.update(1, **told)

    return call


def until(happened: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.02)


def test_an_sms_of_a_device_is_sent_signed_by_the_api_secret(
    sandbox: Sandbox, called: Callable[..., None], receiver: Receiver
) -> None:
    called()
    endpoint_id = min(sandbox.state.endpoints)
    (number,) = sandbox.send_sms(endpoint_id, "BATTERY 12")
    until(lambda: sandbox.callbacks[0].done)
    ((method, path, headers, content),) = receiver.calls
    assert (method, path) == ("POST", "/sms")
    assert verify_jwt(headers["Authorization"], [SECRET])
    assert jwt.get_unverified_header(headers["Authorization"].split()[1])["alg"] == "HS256"
    message = parse_sms(content)
    assert (message.id, message.body["text"]) == (str(number), "BATTERY 12")
    assert message.body["endpoint"]["id"] == endpoint_id
    assert len(message.body["dest_address"]) <= 7


def test_without_an_api_secret_there_is_no_token(
    sandbox: Sandbox, called: Callable[..., None], receiver: Receiver
) -> None:
    called(None)
    sandbox.send_sms(min(sandbox.state.endpoints), "HELLO")
    until(lambda: receiver.calls)
    assert "Authorization" not in receiver.calls[0][2]


def test_without_a_callback_url_nobody_is_called(sandbox: Sandbox) -> None:
    endpoint_id = min(sandbox.state.endpoints)
    sandbox.send_sms(endpoint_id, "HELLO")
    assert sandbox.callbacks == []
    assert [sms.payload for sms in sandbox.state.sms_of[endpoint_id]] == ["HELLO"]


@pytest.mark.parametrize("status", [500, 503, 429, 400, 401, 404, 302])
def test_anything_but_2xx_is_sent_again(
    sandbox: Sandbox, called: Callable[..., None], receiver: Receiver, status: int
) -> None:
    called()
    receiver.statuses = [status]
    sandbox.send_sms(min(sandbox.state.endpoints), "HELLO")
    until(lambda: sandbox.callbacks[0].done)
    assert sandbox.callbacks[0].statuses == [status, 204]
    assert receiver.bodies[0] == receiver.bodies[1]


def test_a_long_text_comes_in_parts_with_headers(
    sandbox: Sandbox, called: Callable[..., None], receiver: Receiver
) -> None:
    called()
    for text, length in (("x" * 320, 3), ("€" * 160, 3), ("é" * 160, 1), ("жук" * 40, 2)):
        first = len(sandbox.callbacks)
        sandbox.send_sms(min(sandbox.state.endpoints), text)
        until(lambda: all(one.done for one in sandbox.callbacks))
        messages = [parse_sms(content) for _, _, _, content in receiver.calls[first:]]
        assert len(messages) == length
        assert "".join(message.body["text"] for message in messages) == text
        assert [message.part and (message.part.number, message.part.total) for message in messages] == (
            [None] if length == 1 else [(number, length) for number in range(1, length + 1)]
        )


def test_a_receipt_comes_for_an_sms_that_was_sent_through_the_api(
    sandbox: Sandbox, client: EmnifyClient, called: Callable[..., None], receiver: Receiver
) -> None:
    called()
    sent = client.sms.send(min(sandbox.state.endpoints), payload="reboot")
    sandbox.clock.advance(10)
    until(lambda: receiver.calls)
    method, _, headers, content = receiver.calls[0]
    assert method == "PATCH"
    assert verify_jwt(headers["Authorization"], [SECRET])
    receipt = parse_receipt(content)
    assert receipt.id == f"{sent['id']}/4"
    assert receipt.body["delivery_date"]


def stream(client: EmnifyClient, url: str, type_id: int, filters: Any = None, **credentials: Any) -> None:
    destination = {"connection_type": "RestAPI", "credentials": {"url": url, **credentials}}
    client.data_streams.create(
        name="to Airflow", destination=destination, data_stream_type_id=type_id, filters=filters
    )


def test_a_webhook_gets_each_event_by_itself_or_in_lists(
    sandbox: Sandbox, client: EmnifyClient, receiver: Receiver
) -> None:
    stream(client, f"{receiver.url}/single", 2, size=1)
    stream(client, f"{receiver.url}/bulk", 2, headers=["X-Key: 7"])
    sandbox.clock.advance(10)
    sandbox.state  # noqa: B018 - lets happen what is due
    for endpoint_id in sorted(sandbox.state.endpoints):
        sandbox.block(endpoint_id)
    until(lambda: sandbox.callbacks and all(one.done for one in sandbox.callbacks))
    single = [json.loads(content) for _, path, _, content in receiver.calls if path == "/single"]
    bulk = [json.loads(content) for _, path, _, content in receiver.calls if path == "/bulk"]
    assert len(single) >= 2
    assert sorted(one["id"] for one in single) == sorted(one["id"] for many in bulk for one in many)
    assert len(bulk) < len(single)
    assert all(headers["X-Key"] == "7" for _, path, headers, _ in receiver.calls if path == "/bulk")
    for _, _, _, content in receiver.calls:
        assert parse_records(content).kind == "events"  # type: ignore[union-attr]


def test_a_webhook_gets_usage_and_a_filter_chooses_events(
    sandbox: Sandbox, client: EmnifyClient, receiver: Receiver
) -> None:
    stream(client, f"{receiver.url}/usage", 1, size=1, method="PUT")
    filters = [{"field": "event_type_id", "value": [0]}]
    stream(client, f"{receiver.url}/none", 2, filters)
    sandbox.clock.advance(10)
    sandbox.block(min(sandbox.state.endpoints))
    client.quotas.set_data(max(sandbox.state.endpoints), volume=10, expiry_date="2090-01-01T00:00:00Z")
    sandbox.consume(max(sandbox.state.endpoints), 1.5)
    until(lambda: receiver.calls)
    ((method, path, _, content),) = receiver.calls
    assert (method, path) == ("PUT", "/usage")
    record = parse_records(content)
    assert record is not None
    assert (record.kind, record.body["volume"]["total"]) == ("usage", 1.5)


@pytest.mark.parametrize("value", [13, "13", [13], ["13"]])
def test_a_filter_takes_one_value_or_a_list(
    sandbox: Sandbox, client: EmnifyClient, receiver: Receiver, value: Any
) -> None:
    stream(client, f"{receiver.url}/records", 2, [{"field": "event_type_id", "value": value}], size=1)
    sandbox.clock.advance(10)
    for kind in (1, 3, 13):
        sandbox.raise_event(kind=EventType(kind))
    until(lambda: sandbox.callbacks and sandbox.callbacks[-1].done)
    assert [body["event_type"]["id"] for body in receiver.bodies] == [13]


@pytest.mark.parametrize("secret", ["\ud800", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"])
def test_a_secret_that_signs_nothing_stops_no_other_call(
    sandbox: Sandbox, client: EmnifyClient, called: Callable[..., None], receiver: Receiver, secret: str
) -> None:
    called(secret)
    endpoint_id = min(sandbox.state.endpoints)
    sandbox.send_sms(endpoint_id, "UNSIGNED")
    until(lambda: sandbox.callbacks[0].statuses)
    client.service_profiles.update(1, api_secret_id=None)
    sandbox.send_sms(endpoint_id, "HELLO")
    until(lambda: sandbox.callbacks[1].done)
    assert (sandbox.callbacks[0].done, len(receiver.calls)) == (False, 1)


def test_a_control_path_makes_a_device_send_an_sms_and_another_lists_what_was_sent(
    sandbox: Sandbox, called: Callable[..., None], receiver: Receiver
) -> None:
    called()
    session = requests.Session()
    session.trust_env = False
    path = f"{sandbox.url}/_sandbox/endpoints/{min(sandbox.state.endpoints)}/sms"
    assert session.post(path, json={"text": "HELLO", "dest_address": "777"}).status_code == 200
    until(lambda: sandbox.callbacks[0].done)
    (told,) = session.get(f"{sandbox.url}/_sandbox/callbacks").json()
    assert (told["method"], told["statuses"], told["body"]["dest_address"]) == ("POST", [204], "777")
    assert SECRET not in json.dumps(told)
    for bad in ({}, {"text": ""}, {"text": 7}, {"text": "x", "from": "y"}):
        assert session.post(path, json=bad).status_code == 400
    assert session.post(f"{sandbox.url}/_sandbox/endpoints/7/sms", json={"text": "x"}).status_code == 404


def test_what_a_service_profile_uses_is_not_deleted(
    client: EmnifyClient, called: Callable[..., None]
) -> None:
    from airflow_provider_emnify.api import EmnifyConflictError

    called()
    (callback,), (secret,) = [*client.api_callbacks.list()], [*client.api_secrets.list()]
    assert "secret" not in secret
    assert client.api_secrets.get(secret["id"])["secret"] == SECRET
    with pytest.raises(EmnifyConflictError):
        client.api_callbacks.delete(callback["id"])
    client.service_profiles.update(1, api_callback_id=None, api_secret_id=None)
    client.api_callbacks.delete(callback["id"])
    client.api_secrets.delete(secret["id"])
    assert [*client.api_callbacks.list(), *client.api_secrets.list()] == []


def test_a_sandbox_that_stops_calls_nobody_any_more(
    make_sandbox: Callable[..., Sandbox], receiver: Receiver
) -> None:
    sandbox = make_sandbox(1)
    state = sandbox.state
    state.api_callbacks[1] = {"id": 1, "url": receiver.url}
    state.service_profiles[1]["api_callback"] = {"id": 1}
    receiver.statuses = [500] * 50
    sandbox.send_sms(min(state.endpoints), "HELLO")
    until(lambda: receiver.calls)
    sandbox.stop()
    calls = len(receiver.calls)
    sandbox.send_sms(min(state.endpoints), "HELLO AGAIN")
    assert len(receiver.calls) == calls
