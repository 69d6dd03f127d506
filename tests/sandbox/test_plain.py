"""Profiles, limits, address spaces, name servers, volumes, automations, callbacks: kept as they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.telling import AUTOMATION, EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

SERVICE, TARIFF = "/api/v1/service_profile", "/api/v1/tariff_profile"
SPACE, DNS, AUTOMATIONS = "/api/v1/ip_address_space", "/api/v1/dns", "/api/v1/automation"
NAMES = {"primary": "192.0.2.1", "secondary": "192.0.2.2", "ip_address_version": 4}


def created(api: Api, path: str, body: dict[str, Any]) -> str:
    """Create something whose id only the header says, and return its path."""
    answer = api.post(path, body)
    assert (answer.status_code, answer.content) == (201, b"")
    return answer.headers["Location"]


def findings(answer: Any) -> list[tuple[int, str]]:
    assert (answer.status_code, answer.json()["error_code"]) == (422, 1400)
    return [(error["error_code"], error["message"]) for error in answer.json()["errors"]]


@pytest.mark.allow_openapi_violations
def test_a_service_profile_is_what_it_is_told_to_be(api: Api) -> None:
    path = created(api, SERVICE, {"name": "Trackers", "allowed_4g": False, "dns": {"id": 1}})
    profile = api.get(path).json()
    assert (profile["name"], profile["allowed_4g"], profile["allowed_3g"]) == ("Trackers", False, True)
    assert (profile["dns"], profile["service"], profile["used_count"]) == ({"id": 1}, [], 0)
    assert profile["esme_interface_type"] == {"id": 3, "description": "Web UI"}
    assert profile["breakout_region"] == {"id": 1, "name": "eu-west-1"}
    assert api.patch(path, {"dns": None, "apply_data_quota": True, "unknown": 1}).status_code == 201
    changed = api.get(path).json()
    assert "dns" not in changed
    assert "unknown" not in changed
    assert (changed["apply_data_quota"], changed["name"]) == (True, "Trackers")
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_profile_can_be_given_to_an_endpoint_and_is_then_kept(api: Api) -> None:
    service = created(api, SERVICE, {"name": "Trackers"})
    tariff = created(api, TARIFF, {"name": "Cheap", "tariff": {"id": 2}})
    profiles = {
        "service_profile": {"id": int(service.rpartition("/")[2])},
        "tariff_profile": {"id": int(tariff.rpartition("/")[2])},
    }
    number = api.new_endpoint(**profiles)
    for path in (service, tariff):
        answer = api.delete(path)
        assert (answer.status_code, answer.json()["error_token"]) == (409, "NotAllowed")
    assert api.get(tariff).json()["used_count"] == "1"
    assert [row["id"] for row in api.get("/api/v1/endpoint", q="service_profile:trackers").json()] == [number]
    api.patch(service, {"name": "Sensors"})
    assert api.get("/api/v1/endpoint", q="service_profile:trackers").json() == []
    assert [row["id"] for row in api.get("/api/v1/endpoint", q="service_profile:sensors").json()] == [number]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (SERVICE, {}, (1402, "ServiceProfile - name is required.")),
        (
            SERVICE,
            {"name": "x", "allowed_3g": 1},
            (1403, "ServiceProfile - allowed_3g has invalid format: expecting Bo"),
        ),
        (SERVICE, {"name": "x", "dns": {"id": 9}}, (1401, "Invalid reference to dns with id 9")),
        (TARIFF, {"name": "x", "tariff": {"id": 9}}, (1401, "Invalid reference to tariff with id 9")),
        (
            DNS,
            {**NAMES, "primary": "here"},
            (1403, "Dns - primary has invalid format: expecting an IP address."),
        ),
        (
            SPACE,
            {"ip_address_space": "x", "ip_address_version": 4},
            (1403, "IpAddressSpace - ip_address_space"),
        ),
        (
            SPACE,
            {"ip_address_space": "8.8.8.0/24", "ip_address_version": 4},
            (1406, "IpAddressSpace - 8.8.8.0/24"),
        ),
        (AUTOMATIONS, {**AUTOMATION, "actionable_event": {}}, (1402, "Automation - actionable_event needs")),
        (
            AUTOMATIONS,
            {**AUTOMATION, "actionable_event": {"custom_event": {"id": "x"}}},
            (1401, "Invalid reference to custom_event with id x"),
        ),
        (
            AUTOMATIONS,
            {**AUTOMATION, "configured_actions": [{"action": {"id": "9"}}]},
            (1401, "Invalid reference to Action with id 9"),
        ),
        ("/api/v1/api_callback", {"url": "ftp://x"}, (1403, "ApiCallback - url has invalid format")),
    ],
)
@pytest.mark.allow_openapi_violations
def test_what_is_wrong_with_a_body_is_told_as_a_finding(
    api: Api, path: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    before = api.get(path).json()
    (code, message), *_ = findings(api.post(path, body))
    assert (code, message[: len(expected[1])]) == expected
    assert api.get(path).json() == before


def test_a_service_and_its_limit_hold_each_other(api: Api) -> None:
    one = f"{SERVICE}/1"
    assert api.put(f"{one}/service/21").status_code == 409
    assert api.put(f"{one}/service/21/traffic_limit/3").status_code == 200
    assert api.get(one).json()["service"][0] == {
        "id": 21,
        "description": "MT SMS",
        "traffic_limit": [{"id": 3}],
    }
    assert api.put(f"{one}/service/21/traffic_limit/3").status_code == 409
    assert api.put(f"{one}/service/21/traffic_limit/4").status_code == 404
    assert api.put(f"{one}/service/21/traffic_limit/9").status_code == 404
    assert api.delete(f"{one}/service/21").status_code == 409
    assert api.delete(f"{one}/service/21/traffic_limit/3").status_code == 200
    assert api.delete(f"{one}/service/21/traffic_limit/3").status_code == 404
    assert api.delete(f"{one}/service/21").status_code == 204
    assert api.delete(f"{one}/service/21").status_code == 404
    assert api.put(f"{one}/service/21/traffic_limit/3").status_code == 422


@pytest.mark.allow_openapi_violations
def test_there_is_one_data_limit_of_each_kind(api: Api) -> None:
    path, limit = f"{SERVICE}/1/traffic_limit", {"service": {"id": "38"}, "volume": 1000}
    assert api.post(path, {**limit, "volume": 0}).status_code == 400
    assert api.post(f"{SERVICE}/9/traffic_limit", limit).status_code == 403
    first = created(api, path, limit)
    assert api.post(path, limit).status_code == 409
    created(api, path, {**limit, "satellite_only": True})
    assert api.delete(first).status_code == 204
    assert [row["satellite_only"] for row in api.get(path).json()] == [True]
    assert api.delete(path).status_code == 204
    assert api.get(path).json() == []


def test_the_quotas_of_a_profile_are_removed_together(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(2)
    api = connect(sandbox)
    quota = {"volume": 1, "expiry_date": "2090-01-01T00:00:00Z", "status": {"id": "1"}}
    for number in (1_000_001, 1_000_002):
        body = {**quota, "action_on_exhaustion": {"id": "1"}}
        assert api.post(f"/api/v1/endpoint/{number}/quota/data", body).status_code == 201
    api.patch("/api/v1/endpoint/1000002", {"service_profile": {"id": 2}})
    assert api.delete(f"{SERVICE}/1/quota/data").status_code == 204
    assert list(sandbox.state.quotas) == [(1_000_002, "data")]
    assert api.delete(f"{SERVICE}/1/quota/voice").status_code == 400


def test_a_tariff_profile_has_one_inclusive_volume(api: Api) -> None:
    one = f"{TARIFF}/1"
    assert api.put(f"{one}/inclusive_volume/1").status_code == 409
    assert api.put(f"{one}/inclusive_volume/2").status_code == 404
    volumes = "/api/v1/organisation/my/inclusive_volume"
    assert api.send("PUT", f"{volumes}/2", {"pooled": False}).status_code == 201
    assert api.delete(f"{one}/inclusive_volume/2").status_code == 400
    assert api.delete(f"{one}/inclusive_volume/1").status_code == 204
    assert "inclusive_volume" not in api.get(one).json()
    assert api.put(f"{one}/inclusive_volume/2").status_code == 204
    assert api.get(one).json()["inclusive_volume"]["volume"] == 1000.0
    assert [row["pooled"] for row in api.get(f"{volumes}/active").json()] == [True, False]


def test_another_tariff_takes_the_rate_zones(sandbox: Sandbox, api: Api) -> None:
    assert api.put(f"{TARIFF}/1/ratezone_selection/2").status_code == 204
    assert api.put(f"{TARIFF}/1/ratezone_selection/2").status_code == 409
    assert api.patch(f"{TARIFF}/1", {"tariff": {"id": 1}}).status_code == 204
    assert sandbox.state.tariff_profiles[1]["ratezones"] == [1, 2]
    assert api.patch(f"{TARIFF}/1", {"tariff": {"id": 2}}).status_code == 204
    assert sandbox.state.tariff_profiles[1]["ratezones"] == []
    assert api.patch("/api/v1/organisation/100/tariff", {"id": 2}).status_code == 200
    assert [row["tariff"]["name"] for row in api.get(TARIFF).json()] == ["Second tariff"] * 2


def test_a_blocked_operator_and_its_technologies_are_two_things(api: Api) -> None:
    path = f"/api/v2{TARIFF.removeprefix('/api/v1')}/1/operator_blocklist/operator"
    before = sum(row["redundancy_count"] for row in api.get(f"{TARIFF}/1/coverage").json())
    assert api.post(f"{path}/3/rat_type", {"rat_types": [{"id": 6}]}).status_code == 204
    assert api.put(f"{path}/3").status_code == 204
    assert sum(row["redundancy_count"] for row in api.get(f"{TARIFF}/1/coverage").json()) == before - 1
    assert api.delete(f"{path}/3").status_code == 204
    blocked = {"operator": False, "rat_types": [{"id": 6, "description": "4G"}]}
    assert [row["blocklist"] for row in api.get(path).json()] == [blocked]
    assert api.delete(f"{path}/3").status_code == 404
    assert api.delete(f"{path}/3/rat_type/6").status_code == 204
    assert api.get(path).json() == []
    assert findings(api.post(f"{path}/3/rat_type", {"rat_types": [{"id": 99}]}))[0][0] == 1401


def test_address_spaces_do_not_overlap(api: Api) -> None:
    body = {"ip_address_space": "192.168.0.0/16", "ip_address_version": 4}
    assert api.post(SPACE, body).json()["available_count"] == 2**16
    assert api.post(SPACE, {**body, "ip_address_space": "192.168.7.0/24"}).status_code == 409
    offered = api.get(f"{SPACE}/available").json()
    assert len({row["id"] for row in offered}) == 10
    taken = f"{SPACE}/{offered[0]['id']}"
    assert [api.put(taken).status_code for _ in range(2)] == [204, 409]
    assert api.put(f"{SPACE}/99999").status_code == 404
    assert offered[0]["id"] not in {row["id"] for row in api.get(f"{SPACE}/available").json()}
    api.new_endpoint(ip_address_space={"id": offered[0]["id"]})
    assert api.delete(taken).status_code == 409


def test_name_servers_in_use_stay(api: Api) -> None:
    path = created(api, DNS, NAMES)
    api.patch(f"{SERVICE}/1", {"dns": {"id": int(path.rpartition("/")[2])}})
    assert api.delete(path).status_code == 409
    api.patch(f"{SERVICE}/1", {"dns": {"id": None}})
    assert api.delete(path).status_code == 204
    assert api.delete(path).status_code == 404


def test_an_automation_names_the_event_that_starts_it(sandbox: Sandbox, api: Api) -> None:
    event = api.post("/api/v1/event/custom/configuration", EVENT).json()
    started = {"actionable_event": {"custom_event": {"id": event["id"]}}}
    automation = api.post(AUTOMATIONS, {**AUTOMATION, **started}).json()
    path = f"{AUTOMATIONS}/{automation['id']}"
    assert automation["actionable_event"] == {"custom_event": event}
    assert automation["last_execution"] == ""
    assert api.delete(f"/api/v1/event/custom/configuration/{event['id']}").status_code == 409
    sandbox.clock.advance(60)
    changed = api.patch(path, {"status": "inactive"}).json()
    assert (changed["status"], changed["name"]) == ("inactive", AUTOMATION["name"])
    assert changed["modified_at"] > changed["created_at"]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_what_an_id_means_is_found_or_not(api: Api) -> None:
    for path in (
        f"{AUTOMATIONS}/action/9",
        f"{AUTOMATIONS}/x",
        "/api/v1/event/custom/template/9",
        f"{TARIFF}/9",
    ):
        answer = api.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, 1201), path


def test_an_id_that_is_no_number_is_a_bad_request_as_recorded(api: Api) -> None:
    for path in ("endpoint/x", "sim/1.5", f"sim/{2**63}", "service_profile/%20", "data_stream/-"):
        answer = api.get(f"/api/{'v2' if path.startswith('data') else 'v1'}/{path}")
        assert (answer.status_code, answer.json()["error_token"]) == (400, "BadRequest"), path
        assert "id as Long" in answer.json()["message"]


def test_a_missing_endpoint_has_the_recorded_form_where_there_is_one(api: Api) -> None:
    answer = api.patch("/api/v1/endpoint/-1", {"name": "x"})
    assert (answer.status_code, answer.json()["error_token"]) == (404, "InvalidReference")
    assert answer.json()["message"] == "Endpoint with Id '-1' not found."
    assert api.get("/api/v1/endpoint/-1").json()["error_token"] == "NotFound"
