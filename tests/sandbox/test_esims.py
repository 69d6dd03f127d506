"""Operations on eUICCs and on eSIMs: scheduled now, over later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

EUICC = "/api/v1/euicc/3000001"
OPERATIONS = f"{EUICC}/operation"
SIM_OPERATIONS = "/api/v1/sim/operation"


pytestmark = pytest.mark.fleet(euiccs=3)


@pytest.fixture
def esims(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def action(api: Api, name: str, path: str = "euicc") -> dict[str, int]:
    rows = api.get(f"/api/v1/{path}/operation/action").json()
    return {"id": next(row["id"] for row in rows if row["description"] == name)}


def schedule(api: Api, name: str, profile: int | None = None, **fields: Any) -> str:
    if profile is not None:
        fields["iccid_with_luhn"] = api.get(EUICC).json()["profile"][profile]["iccid_with_luhn"]
    answer = api.post(OPERATIONS, [{"action": action(api, name), **fields}])
    assert answer.status_code == 201, answer.text
    (operation,) = answer.json()
    assert "finalization_date" not in operation
    return f"{OPERATIONS}/{operation['id']}"


def profiles(api: Api) -> list[str]:
    return [profile["status"]["description"] for profile in api.get(EUICC).json()["profile"]]


def test_an_operation_is_over_later(fleet: Sandbox, esims: Api) -> None:
    path = schedule(esims, "Enable profile", 1)
    assert esims.get(path).json()["status"]["description"] == "Pending"
    assert profiles(esims) == ["Enabled", "Disabled"]
    fleet.clock.advance(3)
    assert esims.get(path).json()["status"]["description"] == "In progress"
    fleet.clock.advance(3)
    over = esims.get(path).json()
    assert (over["status"]["description"], "error" in over) == ("Completed", False)
    assert over["finalization_date"] > over["creation_date"]
    assert profiles(esims) == ["Disabled", "Enabled"]
    assert esims.get(OPERATIONS, sort="-creation_date").json() == [over]


def test_profiles_are_downloaded_and_deleted(fleet: Sandbox, esims: Api) -> None:
    schedule(esims, "Download profile", activation_code="LPA:1$x$y", enable=True)
    fleet.clock.advance(6)
    assert profiles(esims) == ["Disabled", "Disabled", "Enabled"]
    refused, deleted = schedule(esims, "Delete profile", 2), schedule(esims, "Delete profile", 1)
    fleet.clock.advance(6)
    assert esims.get(refused).json()["error"]["message"] == "Profile is enabled"
    assert "error" not in esims.get(deleted).json()
    assert profiles(esims) == ["Disabled", "Enabled"]


def test_an_operation_can_be_ordered_to_fail(fleet: Sandbox, esims: Api) -> None:
    fleet.outcomes.add("euicc_operation", 3_000_001, message="Not enough memory", reason=7)
    first, second = schedule(esims, "Audit eUICC"), schedule(esims, "Audit eUICC")
    fleet.clock.advance(6)
    assert esims.get(first).json()["error"] == {"reason": 7, "message": "Not enough memory"}
    assert esims.get(first).json()["finalization_date"]
    assert "error" not in esims.get(second).json()


def test_an_operation_is_canceled_until_it_is_over(fleet: Sandbox, esims: Api) -> None:
    path = schedule(esims, "Enable profile", 1)
    assert esims.delete(path).status_code == 204
    fleet.clock.advance(6)
    assert esims.get(path).json()["status"]["description"] == "Canceled"
    assert esims.get(path).json()["error"]["message"] == "Operation canceled"
    assert profiles(esims) == ["Enabled", "Disabled"]
    again = esims.delete(path)
    assert (again.status_code, again.json()["status_code"]) == (409, 409)


def test_an_operation_expires(make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]) -> None:
    sandbox = make_sandbox(euiccs=1, operations_after=7200)
    api = connect(sandbox)
    path = schedule(api, "Audit eUICC", validity_period=3600)
    sandbox.clock.advance(3601)
    over = api.get(path).json()
    assert (over["status"]["description"], over["error"]["message"]) == ("Expired", "Operation expired")


@pytest.mark.allow_openapi_violations
def test_a_bad_order_is_refused_as_a_whole(fleet: Sandbox, esims: Api) -> None:
    good = {"action": action(esims, "Audit eUICC")}
    for bad in (
        {"action": {"id": 1}},
        {"action": action(esims, "Enable profile")},
        {"action": action(esims, "Enable profile"), "iccid_with_luhn": "1"},
        {"action": action(esims, "Download profile")},
        {},
    ):
        answer = esims.post(OPERATIONS, [good, bad])
        assert (answer.status_code, answer.json()["status_code"]) == (400, 400)
        assert set(answer.json()) == {"status_code", "message"}
    assert esims.post(OPERATIONS, []).status_code == 400
    assert not fleet.state.euicc_operations


def test_only_iot_euiccs_have_operations(fleet: Sandbox, esims: Api) -> None:
    number = fleet.add_euicc(iot=False)
    assert esims.get(f"/api/v1/euicc/{number}").json()["supported_profile_type"]["description"] == "Consumer"
    answer = esims.get(f"/api/v1/euicc/{number}/operation")
    assert (answer.status_code, set(answer.json())) == (404, {"status_code", "message"})
    assert esims.get("/api/v1/euicc/7").json()["status_code"] == 404


def test_the_ids_of_actions_and_statuses_depend_on_the_seed(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    apis = [connect(make_sandbox(seed=seed)) for seed in (0, 0, 1)]
    for path in ("euicc/operation/action", "euicc/operation/status", "sim/operation/action"):
        first, same, other = (api.get(f"/api/v1/{path}").json() for api in apis)
        assert first == same != other
        assert [row["description"] for row in first] == [row["description"] for row in other]


def trigger(api: Api, target: list[dict[str, Any]]) -> str:
    body = {"action": action(api, "Unlink profile", "sim"), "target": target}
    answer = api.post(SIM_OPERATIONS, body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["finalization_date"] is None
    return f"{SIM_OPERATIONS}/{answer.json()['id']}"


def test_a_sim_operation_can_fail_in_part(fleet: Sandbox, esims: Api) -> None:
    rows = esims.get("/api/v1/euicc").json()
    first, second, third = ({"eid": row["eid"]} for row in rows)
    sims = [sim.id for sim in fleet.state.sims.values() if sim.eid]
    fleet.outcomes.add("sim_operation", second["eid"], message="Profile is locked")
    path = trigger(esims, [{"sim": {"id": sims[0]}}, second, third])
    fleet.clock.advance(6)
    over = esims.get(path).json()
    assert (over["total_count"], over["failed_count"], over["success_count"]) == (3, 1, 2)
    assert over["error"] == [{"eid": second["eid"], "message": "Profile is locked"}]
    assert over["status"]["description"] == "Partially failed"
    assert esims.get("/api/v1/sim/unlinked_product_stats").json()[0]["quantity"] == 2
    unlinked = esims.post("/api/v1/euicc/unlinked_validation", {"target": [first, second, third]}).json()
    assert unlinked == [first, third]


def test_a_sim_operation_that_succeeds_has_no_error(fleet: Sandbox, esims: Api) -> None:
    path = trigger(esims, [{"eid": esims.get(EUICC).json()["eid"]}])
    fleet.clock.advance(6)
    over = esims.get(path).json()
    assert (over["failed_count"], "error" in over, over["status"]["description"]) == (0, False, "Completed")
    assert esims.get(SIM_OPERATIONS, q=f"id:{over['id']}").json() == [over]


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ([], 400),
        ([{}], 400),
        ([{"sim": {"id": 2_000_001}}], 400),
        ([{"sim": {"id": 7}}], 404),
        ([{"eid": "7"}], 404),
    ],
)
def test_a_sim_operation_needs_esims(esims: Api, target: list[Any], status: int) -> None:
    body = {"action": action(esims, "Link profile", "sim"), "target": target}
    answer = esims.post(SIM_OPERATIONS, body)
    assert (answer.status_code, answer.json()["status_code"]) == (status, status)
