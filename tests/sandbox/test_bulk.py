"""The bulk calls: at most 2,000, all or nothing, in parts by a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sandbox.support import Api

PATH = "/api/v2/endpoint/multi"
SIM = 2_000_001
SHARED = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}


pytestmark = pytest.mark.fleet(5, limits=True)


@pytest.fixture
def bulk(fleet: Sandbox, connect: Callable[..., Api]) -> Api:
    return connect(fleet)


def test_2000_endpoints_are_created_at_once(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(spare_sims=2000)
    endpoints = [{"name": f"Device {n}", "sim": {"id": SIM + n, "activate": True}} for n in range(2000)]
    created = connect(sandbox).post(PATH, {**SHARED, "endpoints": endpoints})
    assert (created.status_code, len(created.json())) == (201, 2000)
    assert [row["sim"]["id"] for row in created.json()] == [SIM + n for n in range(2000)]
    assert len(sandbox.state.endpoints) == 2000


@pytest.mark.parametrize("number", [0, 2001])
def test_none_and_more_than_2000_are_refused(fleet: Sandbox, bulk: Api, number: int) -> None:
    answer = bulk.post(PATH, {**SHARED, "endpoints": [{"name": "x"}] * number})
    assert (answer.status_code, answer.json()["error_code"]) == (422, 1400)
    assert len(fleet.state.endpoints) == 5


def test_one_bad_item_and_nothing_is_created(fleet: Sandbox, bulk: Api) -> None:
    for bad in ({"sim": {"id": SIM + 100}}, {"sim": {"id": 7}}, {"sim": {"id": SIM}}):
        items = [{"name": "good", "sim": {"id": SIM}}, {"name": "bad", **bad}]
        assert bulk.post(PATH, {**SHARED, "endpoints": items}).status_code in {409, 422}
    assert len(fleet.state.endpoints) == 5
    assert fleet.state.sims[SIM].endpoint_id is None


def test_each_endpoint_is_changed_in_its_own_way(bulk: Api) -> None:
    changes = [
        {"id": 1_000_001, "name": "One"},
        {"id": 1_000_002, "status": {"id": 1}},
        {"id": 1_000_003, "sim": {"id": None}},
    ]
    assert bulk.patch(PATH, changes).status_code == 204
    one, two, three = bulk.get("/api/v1/endpoint").json()[:3]
    assert (one["name"], two["status"]["id"], three["sim"]) == ("One", 1, None)


@pytest.mark.parametrize(("status", "answer"), [(1, 204), (5, 409), (2, 422)])
def test_a_bulk_update_sets_two_sim_statuses_only(bulk: Api, status: int, answer: int) -> None:
    changes = [{"id": 1_000_001, "sim": {"status": {"id": status}}}]
    assert bulk.patch(PATH, changes).status_code == answer


def test_factory_test_is_5_in_a_bulk_update(bulk: Api) -> None:
    changes = [{"id": 1_000_001, "sim": {"id": SIM, "status": {"id": 5}}}]
    assert bulk.patch(PATH, changes).status_code == 204
    assert bulk.get(f"/api/v1/sim/{SIM}").json()["status"]["id"] == 4


def test_an_unknown_endpoint_and_nothing_is_changed(fleet: Sandbox, bulk: Api) -> None:
    assert bulk.patch(PATH, [{"id": 1_000_001, "name": "x"}, {"id": 7, "name": "x"}]).status_code == 404
    assert bulk.delete(PATH, [{"id": 1_000_001}, {"id": 7}]).status_code == 404
    assert [endpoint.name for endpoint in fleet.state.endpoints.values()] == [
        f"Device {n}" for n in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("params", "status"), [({}, 2), ({"delete_sims": "false"}, 2), ({"delete_sims": "true"}, 3)]
)
def test_deleted_endpoints_release_their_sims(bulk: Api, params: dict[str, str], status: int) -> None:
    assert bulk.delete(PATH, [{"id": 1_000_001}, {"id": 1_000_002}], **params).status_code == 204
    assert [row["id"] for row in bulk.get("/api/v1/endpoint").json()] == [1_000_003, 1_000_004, 1_000_005]
    sim = bulk.get(f"/api/v1/sim/{SIM + 100}").json()
    assert (sim["status"]["id"], "endpoint" in sim) == (status, False)


def test_a_fault_applies_the_first_items_only(fleet: Sandbox, bulk: Api) -> None:
    fleet.faults.add(path=PATH, partial=2)
    items = [{"id": 1_000_000 + n} for n in range(1, 5)]
    assert bulk.delete(PATH, items).status_code == 500
    assert list(fleet.state.endpoints) == [1_000_003, 1_000_004, 1_000_005]
    fleet.faults.add(method="POST", path=PATH, partial=1)
    assert bulk.post(PATH, {**SHARED, "endpoints": [{"name": "a"}, {"name": "b"}]}).status_code == 500
    assert [endpoint.name for endpoint in fleet.state.endpoints.values()][3:] == ["a"]
    fleet.faults.add(method="PATCH", path=PATH, partial=0)
    assert bulk.patch(PATH, [{"id": 1_000_003, "name": "c"}]).status_code == 500
    assert fleet.state.endpoints[1_000_003].name == "Device 3"
