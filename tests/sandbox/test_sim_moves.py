"""SIMs that move to another Workspace, and batches that are registered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

PATH = "/api/v1/sim/migration/workspace"
ADMIN = {"username": "admin@example.com", "password": hashlib.sha1(b"sandbox-password").hexdigest()}
TARGET = {"target_workspace": {"id": 101}}
SIM, USED = 2_000_001, 2_000_101


pytestmark = pytest.mark.fleet(2)


@pytest.fixture
def admin(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet, ADMIN)


def test_a_dry_run_says_what_would_move(fleet: Sandbox, admin: Api) -> None:
    answer = admin.post(PATH, {"sims": [{"id": SIM}, {"id": SIM}], **TARGET})
    assert answer.status_code == 200
    summary = answer.json()
    assert (summary["sim_count"], summary["dry_run"]) == (1, True)
    assert summary["target_workspace"] == {"id": 101, "name": "Second Workspace"}
    assert summary["sims"][0]["source_workspace"] == {"id": 100, "name": "Sandbox"}
    assert fleet.state.sims[SIM].organisation_id == 100


def test_a_real_run_moves_suspends_and_detaches(fleet: Sandbox, admin: Api) -> None:
    body = {"sims": [{"id": USED}], "dry_run": False, "auto_detach_devices": True, **TARGET}
    summary = admin.post(PATH, body).json()
    assert summary["sims"][0]["endpoint"] == {"id": 1_000_001, "name": "Device 1"}
    sim = fleet.state.sims[USED]
    assert (sim.organisation_id, int(sim.status), sim.endpoint_id) == (101, 2, None)
    assert admin.get(f"/api/v1/sim/{USED}").status_code == 404
    assert admin.get("/api/v1/sim").headers["X-Total-Count"] == "101"
    switch = {"target_organisation": {"id": 101}}
    token = admin.post("/api/v1/authenticate/workspace", switch).json()["auth_token"]
    admin.session.headers["Authorization"] = f"Bearer {token}"
    assert [row["id"] for row in admin.get("/api/v1/sim").json()] == [USED]


@pytest.mark.parametrize("digits", [19, 20])
def test_sims_are_named_by_iccid_or_a_range_of_them(fleet: Sandbox, admin: Api, digits: int) -> None:
    sims = [fleet.state.sims[SIM + number] for number in range(5)]
    iccids = [sim.iccid if digits == 19 else sim.iccid_with_luhn for sim in sims]
    assert admin.post(PATH, {"iccids": iccids, **TARGET}).json()["sim_count"] == 5
    span = {"start": iccids[1], "end": iccids[3]}
    rows = admin.post(PATH, {"iccid_range": span, **TARGET}).json()["sims"]
    assert [row["id"] for row in rows] == [SIM + 1, SIM + 2, SIM + 3]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sims": [{"id": USED}]}, 1503),
        ({"sims": [{"id": SIM}], "allowed_sim_statuses": [{"id": 1}]}, 1502),
        ({"sims": [{"id": SIM}], "target_workspace": {"id": 100}}, 1505),
    ],
)
def test_sims_that_cannot_move_are_named(
    fleet: Sandbox, admin: Api, openapi: Any, body: dict[str, Any], code: int
) -> None:
    answer = admin.post(PATH, {**TARGET, "dry_run": False, **body})
    told = answer.json()
    assert (answer.status_code, told["status_code"]) == (409, 409)
    (error,) = told["errors"]
    assert (error["error_code"], error["sims"][0]["id"]) == (code, body["sims"][0]["id"])
    assert openapi.response_violations("POST", PATH, 409, answer.content) == []
    assert {sim.organisation_id for sim in fleet.state.sims.values()} == {100}


@pytest.mark.allow_openapi_violations
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"sims": []}, 400),
        ({"sims": [{"id": SIM}], "iccids": ["1"]}, 400),
        ({"sims": [{"id": 7}]}, 404),
        ({"iccids": ["7"]}, 404),
        ({"iccid_range": {"start": "1", "end": "2"}}, 404),
        ({"sims": [{"id": SIM}], "target_workspace": {"id": 7}}, 404),
        ({"sims": [{"id": SIM}], "allowed_sim_statuses": [{"id": 3}]}, 400),
    ],
)
def test_a_migration_that_makes_no_sense_is_refused(admin: Api, body: dict[str, Any], status: int) -> None:
    assert admin.post(PATH, {**TARGET, **body}).status_code == status


def test_at_most_500_move_at_once(make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]) -> None:
    api = connect(make_sandbox(spare_sims=501), ADMIN)
    sims = [{"id": SIM + number} for number in range(501)]
    assert api.post(PATH, {"sims": sims, **TARGET}).status_code == 400
    assert api.post(PATH, {"sims": sims[1:], **TARGET}).json()["sim_count"] == 500


def test_an_application_token_moves_nothing(fleet: Sandbox, connect: Callable[..., Api]) -> None:
    answer = connect(fleet).post(PATH, {"sims": [{"id": SIM}], **TARGET})
    assert answer.status_code == 403
    assert "user credentials" in answer.json()["message"]


def test_a_batch_is_registered_once(fleet: Sandbox, admin: Api) -> None:
    path = "/api/v1/sim_batch/bic/SANDBOX-0001"
    batch = admin.get(path)
    assert (batch.status_code, batch.json()["quantity"]) == (200, "10")
    registered = admin.patch(path, {"sim_status": {"id": 1}}).json()["sim"]
    assert [row["id"] for row in registered] == list(range(2_000_103, 2_000_113))
    assert {row["status"]["id"] for row in registered} == {1}
    assert admin.get("/api/v1/sim").headers["X-Total-Count"] == "112"
    assert admin.get(path).status_code == 400
    assert admin.patch(path, {}).status_code == 422
    assert len(fleet.state.sims) == 112


def test_a_batch_that_cannot_be_registered_says_why(fleet: Sandbox, admin: Api) -> None:
    fleet.add_batch("BLOCKED-1", registrable=False)
    fleet.add_batch("OLD-1", registered=True)
    statuses = [
        admin.get(f"/api/v1/sim_batch/bic/{bic}").status_code
        for bic in ("BLOCKED-1", "OLD-1", "UNKNOWN-1", "%3F%3F")
    ]
    assert statuses == [422, 400, 404, 422]
    for status in (3, 4, 99):
        body = {"sim_status": {"id": status}}
        assert admin.patch("/api/v1/sim_batch/bic/SANDBOX-0001", body).status_code == 422
