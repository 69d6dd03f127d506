"""Who is let in, how much of it, and what is answered: over ASGI, on a real metadata database."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.callbacks.conftest import OTHER, SECRET, event, kept, signed, sms, usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.callbacks.conftest import Door

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("known_assets")]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_an_sms_signed_by_the_secret_becomes_an_event_of_the_asset(door: Door, algorithm: str) -> None:
    answer = door.sms(sms(), token=signed(algorithm=algorithm))
    assert (answer.status, answer.body) == (200, {"outcome": "event"})
    (extra,) = kept()
    assert extra["text"] == "BATTERY 12"
    assert extra["endpoint"] == {"id": 1000001, "name": "Pump"}
    assert extra["submit_date"] == "2026-11-30T12:00:00.000+0000"
    assert extra["connection"] == "emnify_default"
    assert extra["received_at"]


def tokens() -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    now = int(time.time())
    head, body, signature = signed().split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    deep = base64.urlsafe_b64encode(b"[" * 20_000).rstrip(b"=").decode()
    return {
        "another key": signed(OTHER),
        "an empty key": _forged(b""),
        "expired": signed(exp=now - 90),
        "not yet": signed(nbf=now + 3600),
        "no algorithm": f"{none}.{body}.",
        "no algorithm, signed": f"{none}.{body}.{signature}",
        "asymmetric": jwt.encode({}, private, algorithm="RS256"),
        "changed": f"{head}.{base64.urlsafe_b64encode(b'{}').decode().rstrip('=')}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "nested": f"{deep}.{body}.{signature}",
        "exp is no number": signed(exp="tomorrow"),
        "not in ASCII": "äöü.äöü.äöü",
        "nothing": "",
    }


def _forged(key: bytes) -> str:
    import hashlib
    import hmac

    head, body, _ = signed().split(".")
    made = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


@pytest.mark.parametrize("what", tokens())
def test_a_wrong_token_is_a_401_whose_body_is_not_read(door: Door, what: str) -> None:
    answer = door.send("POST", "/emnify_default/sms", sms(), token=tokens()[what])
    assert answer.status == 401
    assert SECRET not in str(answer.body)
    assert door.sent == []
    assert kept() == []


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer", "bearer ", "Token " + "x" * 50])
def test_a_missing_token_is_a_401(door: Door, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    assert door.send("POST", "/emnify_default/sms", sms(), headers=headers).status == 401
    assert kept() == []


def test_claims_of_emnify_s_own_do_not_matter(door: Door) -> None:
    token = signed(aud="somebody", iss="emnify", sub="7", iat=int(time.time()) + 600, exp=time.time() + 60)
    assert door.sms(sms(), token=token).status == 200


def test_clocks_may_differ_by_a_minute(door: Door) -> None:
    now = int(time.time())
    for number, claims in enumerate(({"exp": now - 40}, {"nbf": now + 40})):
        assert door.sms(sms(number), token=signed(**claims)).status == 200


def test_each_of_several_secrets_is_taken_while_they_are_rotated(
    door: Door, connection: Callable[..., None]
) -> None:
    connection(api_secret=[SECRET, OTHER])
    assert door.sms(sms(1), token=signed(SECRET)).status == 200
    assert door.sms(sms(2), token=signed(OTHER)).status == 200
    assert door.sms(sms(3), token=signed("a third one" * 8)).status == 401
    assert len(kept()) == 2


def test_a_rotated_secret_is_read_anew_without_a_restart(
    door: Door, connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert door.sms(sms(1)).status == 200
    connection(api_secret=OTHER)
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 16)
    assert door.sms(sms(2), token=signed(SECRET)).status == 401
    assert door.sms(sms(2), token=signed(OTHER)).status == 200


@pytest.mark.parametrize("extra", [{}, {"api_secret": ""}, {"api_secret": []}, {"api_secret": 7}])
def test_without_a_secret_the_path_is_refused(
    door: Door, connection: Callable[..., None], extra: dict[str, Any]
) -> None:
    connection(**extra)
    assert door.sms(sms()).status == 403
    assert door.stream(event()).status == 403
    assert kept() == kept("events") == []


def test_unsigned_callbacks_are_taken_when_the_configuration_says_so_loudly(
    open_door: Callable[..., Door], connection: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    door = open_door(unsigned=True)
    assert "WHOEVER REACHES" in caplog.text
    assert door.send("POST", "/emnify_default/sms", sms(1)).status == 401, "it has a secret"
    connection()
    door = open_door(unsigned=True)
    assert door.send("POST", "/emnify_default/sms", sms(1)).status == 200
    assert door.stream(event(), secret="anything").status == 200


def test_a_data_stream_is_known_by_the_secret_in_its_path(door: Door) -> None:
    assert door.stream(event(), secret="guessed").status == 401
    assert door.stream(event(), secret="part-of-the-pat").status == 401
    assert door.send("POST", "/emnify_default/stream", event()).status == 404
    assert kept("events") == []
    assert door.stream(event()).status == 200
    (extra,) = kept("events")
    assert (extra["id"], extra["type"]) == (1, "Create PDP Context")
    assert door.stream(usage()).status == 200
    assert kept("usage")[0]["volume"] == {"total": 1.5, "rx": 0.5, "tx": 1.0}


@pytest.mark.parametrize("secret", ["part-of-the-path", "with/a/slash", "ä secret", "guessed"])
def test_a_secret_in_a_path_is_in_no_access_log(
    door: Door, connection: Callable[..., None], secret: str
) -> None:
    connection(stream_secret=["part-of-the-path", "with/a/slash", "ä secret"])
    assert door.stream(event(), secret=secret).status == (401 if secret == "guessed" else 200)
    assert door.scope["path"] == "/emnify_default/stream/***", "what servers log once the answer is sent"
    assert secret not in str(door.scope["raw_path"])
    assert door.send("GET", f"/emnify_default/stream/{secret}").status == 405
    assert secret not in str(door.scope["path"]) + str(door.scope["raw_path"])


def test_a_connection_that_is_not_named_is_not_served(door: Door) -> None:
    assert door.send("POST", "/other/sms", sms(), token=signed()).status == 404
    assert door.send("POST", "/other/stream/x", event()).status == 404
    assert door.send("DELETE", "/emnify_default/sms", sms(), token=signed()).status == 405
    assert door.send("GET", "/", b"").status == 404


def test_a_connection_that_is_not_there_is_a_503(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_EMNIFY_DEFAULT")
    answer = door.sms(sms())
    assert answer.status == 503
    assert answer.body["detail"] == "the connection cannot be read (AirflowNotFoundException)"


def test_a_body_that_is_too_large_is_a_413_whatever_its_content_length_says(door: Door) -> None:
    large = sms(text="x") | {"more": "x" * (1 << 20)}
    assert door.sms(large).status == 413
    assert door.sent == [], "its length says so"
    assert door.sms(large, headers={"content-length": "10"}).status == 413
    assert len(door.sent) < 20
    assert kept() == []


def test_a_stream_may_send_more_than_an_sms_but_not_all(door_with_files: Door) -> None:
    many = [event(number, description="x" * 1000) for number in range(2000)]
    assert door_with_files.stream(many).status == 200
    assert door_with_files.stream(b"[" + b" " * (16 << 20) + b"]").status == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b"{",
        b'{"id": NaN}',
        b'{"id": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b"1" * 5000,
        [],
        "text",
        None,
        {},
        sms(True),
        sms(-1),
        sms(1.5),
        {**sms(), "id": "7 "},
        {**sms(), "id": "9" * 40},
        {**sms(), "payload": None},
        {**sms(), "payload": 12},
        {**sms(), "payload": "x" * 5001},
        {**sms(), "endpoint": None},
        {**sms(), "endpoint": {"name": "Pump"}},
        {**sms(), "endpoint": 7},
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_is_no_sms_is_a_400_with_the_reason(door: Door, body: Any) -> None:
    answer = door.sms(body)
    assert answer.status == 400
    assert answer.body["detail"]
    assert kept() == []


@pytest.mark.parametrize("body", [b"1", [1], [{}], {}, {"id": 1}, {**event(), "id": None}, ["x", None]])
def test_what_is_no_record_is_a_400_with_the_reason(door_with_files: Door, body: Any) -> None:
    assert door_with_files.stream(body).status == 400


@pytest.mark.parametrize("status", [None, {}, {"id": True}, [], ""])
def test_a_receipt_without_a_status_is_a_400(door: Door, status: Any) -> None:
    assert door.sms({**sms(), "status": status}, method="PATCH").status == 400


def test_more_than_so_many_in_a_minute_is_a_429_that_says_when(open_door: Callable[..., Door]) -> None:
    door = open_door(per_minute=3)
    assert [door.sms(sms(number)).status for number in range(5)] == [200, 200, 200, 429, 429]
    assert 1 <= int(door.sms(sms(9)).headers["retry-after"]) <= 60
    assert len(kept()) == 3


def test_who_is_not_let_in_takes_no_place_of_others(open_door: Callable[..., Door]) -> None:
    door = open_door(per_minute=1)
    for _ in range(5):
        assert door.sms(sms(), token=signed(OTHER)).status == 401
    assert door.sms(sms()).status == 200


def test_what_is_refused_is_said_once_an_hour_with_how_often(
    door: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        door.sms(b"no JSON")
    assert caplog.text.count("Refused a callback of connection 'emnify_default' with 400") == 1
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 3601)
    door.sms(b"no JSON")
    assert "(4 more since it was last said)" in caplog.text


def test_what_cannot_be_kept_is_a_503_and_made_when_it_is_sent_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.assets.manager import AssetManager

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the database has gone away")

    with monkeypatch.context() as patch:
        patch.setattr(AssetManager, "register_asset_change", fail)
        assert door.sms(sms()).status == 503
    assert kept() == []
    assert door.sms(sms()).body == {"outcome": "event"}
    assert len(kept()) == 1
