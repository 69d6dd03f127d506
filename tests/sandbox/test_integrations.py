"""Data streams and Cloud Connect: created now, there later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

STREAMS = "/api/v2/data_stream"
CONNECT = "/api/v1/cnc/breakout"
DATADOG = {"connection_type": "Datadog", "credentials": {"api_key": "very-secret-key"}}
URL = {"url": "http://127.0.0.1:9/records"}
WEBHOOK = {"connection_type": "RestAPI", "credentials": URL}
GATEWAY = {
    "type": "1",
    "name": "gateway",
    "vpc_cidr": ["10.1.0.0/16"],
    "region": "eu-west-1",
    "aws_account_id": "123456789012",
}
VPN = {"type": {"id": "2"}, "name": "vpn", "public_ip": "192.0.2.1", "on_prem_cidr": ["10.2.0.0/16"]}
DAY = 86_400


def status(api: Api, location: str) -> int:
    found = api.get(location).json()
    return int((found[0] if isinstance(found, list) else found)["status"]["id"])


def create(api: Api, path: str, body: dict[str, Any]) -> str:
    answer = api.post(path, body)
    assert (answer.status_code, answer.content) == (201, b""), answer.text
    return answer.headers["Location"]


def stream(api: Api, **fields: Any) -> str:
    return create(api, STREAMS, {"name": "usage", "destination": DATADOG, **fields})


def test_a_stream_is_pending_then_runs(sandbox: Sandbox, api: Api) -> None:
    location = stream(api, data_stream_type={"id": 2})
    assert location == f"{STREAMS}/1"
    assert status(api, location) == 4
    sandbox.clock.advance(3)
    (row,) = api.get(STREAMS).json()
    assert (row["id"], row["name"], row["status"]) == (1, "usage", {"id": 1, "description": "Running"})
    assert row["data_stream_type"] == {"id": 2, "description": "Event"}


def test_a_stream_is_changed_paused_and_deleted_a_little_later(sandbox: Sandbox, api: Api) -> None:
    location = stream(api)
    sandbox.clock.advance(3)
    paused = api.patch(location, {"status": {"id": 2}, "name": "other"})
    assert (paused.status_code, paused.content) == (202, b"{}")
    sandbox.clock.advance(3)
    assert (status(api, location), api.get(location).json()["name"]) == (2, "other")
    assert api.send("DELETE", location).status_code == 202
    assert api.get(location).status_code == 200
    assert api.send("DELETE", location).status_code == 409
    sandbox.clock.advance(3)
    assert api.get(location).status_code == 404


def test_a_stream_that_fails_is_restarted(sandbox: Sandbox, api: Api) -> None:
    sandbox.outcomes.add("data_stream", "usage")
    location = stream(api)
    sandbox.clock.advance(3)
    assert status(api, location) == 3
    assert api.send("POST", f"{location}/restart").status_code == 202
    assert status(api, location) == 4
    sandbox.clock.advance(3)
    assert status(api, location) == 1


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"destination": {"connection_type": "Fax", "credentials": {}}},
        {"destination": {"connection_type": "S3", "credentials": {"region": "eu-west-1"}}},
        {"filters": [{"field": "weather", "value": ["x"]}]},
        {"filters": [{"or": [{"field": "weather_id", "value": 1}]}]},
        {"filters": [{"field": "sim"}]},
        {"filters": [{"value": 7}]},
        {"filters": [{"or": [{"or": 7}]}]},
        {"filters": [{"or": [{"field": 7, "value": "x"}]}]},
        {"filters": [{"or": [7]}]},
        {"destination": {**WEBHOOK, "credentials": {**URL, "headers": "X-Key: 7"}}},
        {"destination": {**WEBHOOK, "credentials": {**URL, "headers": [7]}}},
        {"destination": {**WEBHOOK, "credentials": {**URL, "method": "GET"}}},
        {"destination": {**WEBHOOK, "credentials": {**URL, "size": "x"}}},
        {"destination": {**WEBHOOK, "credentials": {**URL, "size": 0}}},
        {"data_stream_type": {"id": 7}},
        {"status": {"id": 3}},
    ],
)
def test_a_bad_stream_is_refused(sandbox: Sandbox, api: Api, fields: dict[str, Any]) -> None:
    answer = api.post(STREAMS, {"name": "usage", "destination": DATADOG, **fields})
    assert (answer.status_code, "error_token" in answer.json()) == (422, True)
    assert not sandbox.state.data_streams


def test_a_vpn_becomes_active_with_its_tunnel(sandbox: Sandbox, api: Api) -> None:
    location = create(api, f"{CONNECT}/vpn", VPN)
    assert status(api, location) == 3
    sandbox.clock.advance(3)
    assert (status(api, location), "tunnel_information" in api.get(location).json()[0]) == (4, False)
    sandbox.clock.advance(3)
    (row,) = api.get(location).json()
    assert row["status"] == {"id": 5, "description": "Active"}
    assert row["tunnel_information"]["psk"] in sandbox.secrets
    assert "tunnel_information" not in api.get(CONNECT).json()[0]


@pytest.mark.parametrize("failure", [7, 8])
def test_an_attachment_can_be_ordered_to_fail(sandbox: Sandbox, api: Api, failure: int) -> None:
    sandbox.outcomes.add("cloud_connect", "vpn", status=failure)
    location = create(api, f"{CONNECT}/vpn", VPN)
    sandbox.clock.advance(6)
    assert status(api, location) == failure
    assert api.send("DELETE", location).status_code == 400


def test_an_offer_that_nobody_accepts_is_made_again_after_seven_days(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(token_life=30 * DAY)
    api = connect(sandbox)
    sandbox.outcomes.add("cloud_connect", status=2)
    location = create(api, f"{CONNECT}/tgw", GATEWAY)
    sandbox.clock.advance(6 * DAY)
    assert status(api, location) == 2
    assert api.send("PATCH", location).status_code == 404
    sandbox.clock.advance(DAY)
    assert api.send("PATCH", location).status_code == 200
    sandbox.clock.advance(6)
    assert status(api, location) == 5


def test_a_deleted_attachment_is_left_out_of_the_list(sandbox: Sandbox, api: Api) -> None:
    first, _ = create(api, f"{CONNECT}/vpn", VPN), create(api, f"{CONNECT}/tgw", GATEWAY)
    assert [row["id"] for row in api.get(CONNECT, type="2").json()] == [1]
    assert api.send("DELETE", first).status_code == 200
    assert status(api, first) == 6
    sandbox.clock.advance(6)
    assert status(api, first) == 7
    assert [row["id"] for row in api.get(CONNECT).json()] == [2]
    assert [row["id"] for row in api.get(CONNECT, status="7").json()] == [1]


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tgw", {**GATEWAY, "region": "moon-1"}),
        ("tgw", {**GATEWAY, "vpc_cidr": ["x"]}),
        ("tgw", {**GATEWAY, "vpc_cidr": []}),
        ("tgw", {**GATEWAY, "aws_account_id": "1"}),
        ("vpn", {**VPN, "public_ip": "x"}),
        ("vpn", {**VPN, "psk": "0123456789"}),
        ("vpn", {**VPN, "type": {"id": "1"}}),
        ("vpn", {**VPN, "on_prem_cidr": ["10.0.0.0/16"] * 4}),
    ],
)
def test_a_bad_attachment_is_refused(sandbox: Sandbox, api: Api, path: str, body: dict[str, Any]) -> None:
    assert api.post(f"{CONNECT}/{path}", body).status_code == 400
    assert not sandbox.state.attachments


def test_secrets_of_destinations_and_tunnels_are_not_recorded(sandbox: Sandbox, api: Api) -> None:
    stream(api)
    create(api, f"{CONNECT}/vpn", {**VPN, "psk": "very.secret.psk"})
    assert "very" not in repr(sandbox.log)
    assert "very.secret.psk" in sandbox.secrets
