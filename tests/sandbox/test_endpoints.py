"""Endpoints and SIMs one by one, and the life of a device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

SIM = 2_000_001
DEVICE = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}


def connectivity(api: Api, number: int) -> str:
    return str(api.get(f"/api/v1/endpoint/{number}/connectivity").json()["status"]["description"])


def test_a_created_endpoint_is_answered_whole(api: Api) -> None:
    created = api.post("/api/v1/endpoint", {**DEVICE, "name": "One", "sim": {"id": SIM, "activate": True}})
    endpoint = created.json()
    assert created.status_code == 201
    assert (endpoint["name"], endpoint["sim"]["id"], endpoint["sim"]["status"]["id"]) == ("One", SIM, 1)
    assert (endpoint["tags"], endpoint["imei"]) == (None, None)
    assert api.get(f"/api/v1/endpoint/{endpoint['id']}").json()["created"].endswith("+0000")
    assert api.get(f"/api/v1/sim/{SIM}").json()["endpoint"] == {"id": endpoint["id"]}


def test_a_creation_can_answer_as_older_ones_did(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    created = connect(make_sandbox(create_answer="location")).post("/api/v1/endpoint", DEVICE)
    assert (created.status_code, created.content) == (201, b"")
    assert created.headers["Location"] == "/api/v1/endpoint/1000001"


@pytest.mark.allow_openapi_violations
def test_a_creation_can_answer_200(make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]) -> None:
    created = connect(make_sandbox(create_answer="ok")).post("/api/v1/endpoint", DEVICE)
    assert (created.status_code, created.json()["id"]) == (200, 1_000_001)


@pytest.mark.allow_openapi_violations
def test_a_422_lists_every_wrong_field(api: Api) -> None:
    answer = api.post("/api/v1/endpoint", {"name": 7, "status": {"id": "0"}, "service_profile": {"id": 1}})
    assert (answer.status_code, answer.json()["error_code"]) == (422, 1400)
    assert sorted(error["message"] for error in answer.json()["errors"]) == [
        "Endpoint - name has invalid format: expecting String.",
        "Endpoint - status - id has invalid format: expecting Number.",
        "Endpoint - tariff_profile is required.",
    ]


@pytest.mark.parametrize(
    ("fields", "status", "token"),
    [
        ({"service_profile": {"id": 99}}, 422, "InputValidationFailed"),
        ({"status": {"id": 2}}, 422, "InputValidationFailed"),
        ({"sim": {"id": 99}}, 422, "InputValidationFailed"),
        ({"ip_address": "300.1.1.1"}, 422, "InputValidationFailed"),
        ({"ip_address": "10.0.0.99"}, 409, "Duplicated"),
        ({"sim": {"id": SIM}}, 409, "SimInUse"),
        ({"sim": {"id": SIM + 1, "status": {"id": 2}}}, 409, "InvalidSimStatus"),
    ],
)
def test_a_refused_creation_leaves_nothing(
    sandbox: Sandbox, api: Api, fields: dict[str, object], status: int, token: str
) -> None:
    api.new_endpoint(ip_address="10.0.0.99", sim={"id": SIM})
    answer = api.post("/api/v1/endpoint", {**DEVICE, **fields})
    assert (answer.status_code, answer.json()["error_token"]) == (status, token)
    assert len(sandbox.state.endpoints) == 1


def test_a_sim_is_activated_only_when_asked(api: Api) -> None:
    api.new_endpoint(sim={"id": SIM})
    assert api.get(f"/api/v1/sim/{SIM}").json()["status"]["description"] == "Issued"


def test_activation_goes_into_factory_test_where_that_mode_is_on(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    api = connect(make_sandbox(factory_test_mode=True))
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    assert api.get(f"/api/v1/sim/{SIM}").json()["status"] == {"id": 4, "description": "Factory test"}
    api.patch(f"/api/v1/endpoint/{number}/connectivity", {"location": None})
    assert api.get(f"/api/v1/sim/{SIM}").json()["status"]["id"] == 1


def test_an_update_changes_what_it_names(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint(name="One", tags="a")
    path = f"/api/v1/endpoint/{number}"
    sandbox.clock.advance(60)
    assert api.patch(path, {"name": "Two", "service_profile": {"id": 2}}).status_code == 204
    endpoint = api.get(path).json()
    assert (endpoint["name"], endpoint["tags"], endpoint["service_profile"]["id"]) == ("Two", "a", 2)
    assert endpoint["last_updated"] > endpoint["created"]


def test_a_sim_is_assigned_and_released_by_an_update(api: Api) -> None:
    path = f"/api/v1/endpoint/{api.new_endpoint()}"
    assert api.patch(path, {"sim": {"id": SIM, "status": {"id": 1}}}).status_code == 204
    assert api.get(path).json()["sim"]["status"]["id"] == 1
    assert api.delete(path).status_code == 409
    assert api.patch(path, {"sim": {"id": None}}).status_code == 204
    assert api.get(path).json()["sim"] is None
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("moves", "allowed"),
    [
        ([1], True),
        ([4], True),
        ([4, 1], True),
        ([1, 2, 1], True),
        ([1, 1], True),
        ([2], False),
        ([3], False),
        ([1, 0], False),
        ([1, 4], False),
        ([4, 2], False),
        ([1, 2, 4], False),
    ],
)
def test_a_sim_takes_only_the_statuses_that_follow(api: Api, moves: list[int], allowed: bool) -> None:
    path = f"/api/v1/sim/{SIM}"
    answers = [api.patch(path, {"status": {"id": move}}) for move in moves]
    assert answers[-1].status_code == (204 if allowed else 409)
    assert api.get(path).json()["status"]["id"] == (moves[-1] if allowed else [0, *moves][-2])


def test_a_deleted_sim_stays_deleted(api: Api) -> None:
    api.new_endpoint(sim={"id": SIM + 1})
    assert api.delete(f"/api/v1/sim/{SIM + 1}").status_code == 403
    assert api.delete("/api/v1/sim/multi", [{"id": SIM}, {"id": SIM + 1}]).status_code == 403
    assert api.delete(f"/api/v1/sim/{SIM}").status_code == 204
    assert api.delete("/api/v1/sim/multi", [{"id": SIM + 2}, {"id": SIM + 3}]).status_code == 204
    assert api.get(f"/api/v1/sim/{SIM + 3}").json()["status"]["id"] == 3
    assert api.patch(f"/api/v1/sim/{SIM}", {"status": {"id": 1}}).status_code == 409


def test_free_sims_are_found(api: Api) -> None:
    api.new_endpoint(sim={"id": SIM})
    free = api.get("/api/v1/sim", q="endpoint:null,status:0", per_page=2)
    assert (free.headers["X-Total-Count"], free.json()[0]["id"]) == ("99", SIM + 1)


def test_a_device_attaches_and_goes_online_after_its_activation(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    assert api.get(f"/api/v1/endpoint/{number}/connectivity").json() == {"status": {"description": "OFFLINE"}}
    sandbox.clock.advance(1)
    assert connectivity(api, number) == "ATTACHED"
    sandbox.clock.advance(2)
    online = api.get(f"/api/v1/endpoint/{number}/connectivity").json()
    assert (online["status"], set(online)) == (
        {"description": "ONLINE"},
        {"status", "location", "pdp_context", "services"},
    )
    events = api.get(f"/api/v1/endpoint/{number}/event").json()
    assert [event["event_type"]["description"] for event in events] == [
        "SIM Assigned",
        "SIM activation",
        "Update location",
        "Update GPRS location",
        "Create PDP Context",
    ]
    assert api.get(f"/api/v1/sim/{SIM}/event").json() == events


@pytest.mark.parametrize("cause", ["disabled", "suspended", "released", "off"])
def test_a_device_goes_offline_when_it_may_not_connect(sandbox: Sandbox, api: Api, cause: str) -> None:
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    sandbox.clock.advance(3)
    if cause == "disabled":
        api.patch(f"/api/v1/endpoint/{number}", {"status": {"id": 1}})
    elif cause == "suspended":
        api.patch(f"/api/v1/sim/{SIM}", {"status": {"id": 2}})
    elif cause == "released":
        api.patch(f"/api/v1/endpoint/{number}", {"sim": {"id": None}})
    else:
        sandbox.power(number, on=False)
    assert connectivity(api, number) == "OFFLINE"
    sandbox.clock.advance(10)
    assert connectivity(api, number) == "OFFLINE"


def test_what_was_under_way_does_not_happen_once_the_device_is_disabled(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    sandbox.clock.advance(2)
    api.patch(f"/api/v1/endpoint/{number}", {"status": {"id": 1}})
    api.patch(f"/api/v1/endpoint/{number}", {"status": {"id": 0}})
    sandbox.clock.advance(1.5)
    assert connectivity(api, number) == "ATTACHED"
    sandbox.clock.advance(1.5)
    assert connectivity(api, number) == "ONLINE"


def test_a_blocked_device_says_so_until_the_block_is_lifted(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    sandbox.block(number)
    sandbox.clock.advance(10)
    assert connectivity(api, number) == "BLOCKED"
    assert api.get("/api/v1/event", q="type:11").json()[0]["alert"] is True
    sandbox.block(number, blocked=False)
    sandbox.clock.advance(3)
    assert connectivity(api, number) == "ONLINE"


def test_a_device_can_be_one_that_never_comes_online(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(online_after=math.inf)
    api = connect(sandbox)
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    sandbox.clock.advance(1_000_000)
    api = connect(sandbox)
    assert connectivity(api, number) == "OFFLINE"


def test_a_reset_is_followed_by_a_new_connection(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1)
    api = connect(sandbox)
    path = "/api/v1/endpoint/1000001/connectivity"
    for body, after in (
        ({"location": None, "pdp_context": None}, "OFFLINE"),
        ({"pdp_context": None}, "ATTACHED"),
    ):
        assert api.patch(path, body).status_code == 204
        assert connectivity(api, 1_000_001) == after
        sandbox.clock.advance(3)
        assert connectivity(api, 1_000_001) == "ONLINE"


def test_a_failed_location_hides_in_a_200(sandbox: Sandbox, api: Api) -> None:
    number = api.new_endpoint(sim={"id": SIM, "activate": True})
    path = f"/api/v1/endpoint/{number}/connectivity_info"
    assert api.get(path).json()["subscriber_info"] == {"success": False, "error": "Absent subscriber"}
    sandbox.clock.advance(3)
    assert api.get(path).json()["subscriber_info"]["success"] is True


def test_tags_are_assigned_once(api: Api) -> None:
    path = f"/api/v2/endpoint/{api.new_endpoint()}/tags"
    assert [api.post(path, {"id": number}).status_code for number in (1, 1, 99)] == [201, 409, 422]
    assert [tag["name"] for tag in api.get(path).json()] == ["sandbox"]
    assert [api.delete(f"{path}/1").status_code for _ in range(2)] == [200, 404]


def test_endpoints_are_filtered(make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]) -> None:
    api = connect(make_sandbox(20, limits=False))
    api.new_endpoint(name="Spare", tags="attic", sim={"id": SIM})

    def count(q: str) -> int:
        return len(api.get("/api/v1/endpoint", q=q).json())

    assert count("sim_status:1") == 20
    assert count("sim_status:0,name:spare") == 1
    assert count("tags:attic") == 1
    assert count("id:1000007") == 1
    assert count("iccid:898830300000200010") == 0
    assert [row["id"] for row in api.get("/api/v1/endpoint", sort="-id", per_page=2).json()] == [
        1000021,
        1000020,
    ]
