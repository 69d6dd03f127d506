"""Applying a plan makes the fleet what its source says, once, whatever happens in between."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, EndpointStatus, SimStatus
from airflow_provider_emnify.api.resources.endpoints import Endpoints
from airflow_provider_emnify.api.resources.sims import Sims
from airflow_provider_emnify.api.resources.tags import Tags
from airflow_provider_emnify.operators.fleet import EmnifyApplyFleetOperator
from tests.fleets import ids_of
from tests.operators.fleet.conftest import FIRST_ENDPOINT, FIRST_SPARE, rows_of, spare
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import without_retries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

    Run = Callable[..., Any]

pytestmark = pytest.mark.fleet(10)

MULTI = "/api/v2/endpoint/multi"
WRITES = ("POST", "PATCH", "DELETE", "PUT")


def writes(sandbox: Sandbox) -> int:
    login = sandbox.counts["POST /api/v1/authenticate"]
    return sum(count for name, count in sandbox.counts.items() if name.startswith(WRITES)) - login


def results(result: Any) -> list[dict[str, Any]]:
    with open(result["path"], encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def everything(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return a source that creates, changes, activates, suspends, tags, and leaves devices 9 and 10 out."""
    rows = rows_of(sandbox)[:8]
    rows[0] |= {"name": "Pump", "status": "disabled", "service_profile_id": 2, "imei": "3512345678901201"}
    rows[1] |= {"sim_status": "suspended"}
    rows[2] |= {"tags": ["tracker", "sandbox"]}
    rows[3] |= {"imei_lock": "true", "ip_address": "10.9.9.9"}
    new = [
        spare(sandbox, 0, name="New 1", sim_status="activated", tags="tracker"),
        spare(sandbox, 1, tariff_profile_id=2, status="disabled"),
        spare(sandbox, 2, name="New 3", imei="3512345678901301"),
    ]
    return [*rows, *new]


def check_everything(sandbox: Sandbox) -> None:
    state = sandbox.state
    first, second, third, fourth = (state.endpoints[FIRST_ENDPOINT + number] for number in range(4))
    assert (first.name, first.status, first.service_profile_id) == ("Pump", EndpointStatus.DISABLED, 2)
    assert first.imei == "3512345678901201"
    assert state.sims[second.sim_id].status is SimStatus.SUSPENDED
    assert set(third.tag_ids) == {1, 2}
    assert (fourth.imei_lock, fourth.ip_address) == (True, "10.9.9.9")
    assert FIRST_ENDPOINT + 8 not in state.endpoints
    assert FIRST_ENDPOINT + 9 not in state.endpoints
    created = {device.sim_id: device for device in state.endpoints.values() if device.id > FIRST_ENDPOINT + 9}
    assert set(created) == {FIRST_SPARE, FIRST_SPARE + 1, FIRST_SPARE + 2}
    assert (created[FIRST_SPARE].name, created[FIRST_SPARE].tag_ids) == ("New 1", (2,))
    assert state.sims[FIRST_SPARE].status is SimStatus.ACTIVATED
    assert state.sims[FIRST_SPARE + 1].status is SimStatus.ISSUED
    assert (created[FIRST_SPARE + 1].tariff_profile_id, created[FIRST_SPARE + 1].status) == (2, 1)
    assert created[FIRST_SPARE + 2].imei == "3512345678901301"
    assert len(state.endpoints) == 11


ALL = {"prune": "delete", "max_prune": 2}


def test_a_plan_is_carried_out_and_a_second_time_changes_nothing(
    fleet: Sandbox, plan: Run, apply: Run
) -> None:
    source = everything(fleet)
    made = plan(devices=source, **ALL)
    first = apply(made)
    check_everything(fleet)
    assert {name: first[name] for name in ("done", "skipped", "refused", "unknown")} == {
        "done": 9,
        "skipped": 0,
        "refused": 0,
        "unknown": 0,
    }
    assert {row["result"] for row in results(first)} == {"done"}
    created = {row["endpoint_id"] for row in results(first) if row["action"] == "create"}
    assert created == {*ids_of(fleet)[-3:]}

    before = writes(fleet)
    second = apply(json.dumps(made))
    assert (second["done"], second["skipped"]) == (0, 9)
    assert writes(fleet) == before
    assert plan(devices=source, **ALL)["changes"] == 0


def test_only_suspensions_take_a_call_for_each_sim(fleet: Sandbox, plan: Run, apply: Run) -> None:
    rows = rows_of(fleet, sim_status="suspended")
    apply(plan(devices=rows))
    assert fleet.counts["PATCH /api/v1/sim/{sim_id}"] == 10
    apply(plan(devices=[{**row, "sim_status": "activated", "name": "x"} for row in rows]))
    assert fleet.counts["PATCH /api/v1/sim/{sim_id}"] == 10
    assert fleet.counts[f"PATCH {MULTI}"] == 1
    assert {sim.status for sim in fleet.state.sims.values() if sim.endpoint_id} == {SimStatus.ACTIVATED}


def test_tags_are_taken_away_only_when_they_are_to_be_exact(fleet: Sandbox, plan: Run, apply: Run) -> None:
    for device in fleet.state.endpoints.values():
        device.tag_ids = (1,)
    apply(plan(devices=rows_of(fleet, tags="tracker")))
    assert {device.tag_ids for device in fleet.state.endpoints.values()} == {(1, 2)}
    made = plan(devices=rows_of(fleet, tags="tracker"), tags="exact")
    assert apply(made)["done"] == 10
    assert {device.tag_ids for device in fleet.state.endpoints.values()} == {(2,)}


def test_devices_known_by_name_are_created_once(fleet: Sandbox, plan: Run, apply: Run) -> None:
    new = {"service_profile_id": 1, "tariff_profile_id": 1}
    made = plan(devices=[{"name": name, **new} for name in ("a, b", "c")], key="name")
    assert apply(made)["done"] == 2
    assert apply(made)["skipped"] == 2
    assert sorted(fleet.state.endpoints[key].name for key in ids_of(fleet)[-2:]) == ["a, b", "c"]
    assert len(fleet.state.endpoints) == 12


def test_a_free_sim_goes_into_a_device_without_one(fleet: Sandbox, plan: Run, apply: Run) -> None:
    device = fleet.state.endpoints[FIRST_ENDPOINT]
    fleet.state.sims[device.sim_id or 0].endpoint_id = None
    device.sim_id = None
    row = {"id": FIRST_ENDPOINT, "iccid": spare(fleet)["iccid"], "sim_status": "activated"}
    made = plan(devices=[row], key="id")
    assert apply(made)["done"] == 1
    assert (device.sim_id, fleet.state.sims[FIRST_SPARE].status) == (FIRST_SPARE, SimStatus.ACTIVATED)
    assert apply(made)["skipped"] == 1


class TestDrift:
    @pytest.fixture
    def made(self, fleet: Sandbox, plan: Run) -> Any:
        made = plan(devices=everything(fleet), **ALL)
        fleet.state.endpoints[FIRST_ENDPOINT].name = "Someone's"
        fleet.state.endpoints[FIRST_ENDPOINT + 1].name = "not touched by the plan"
        fleet.state.sims[FIRST_SPARE + 101].status = SimStatus.ISSUED
        del fleet.state.endpoints[FIRST_ENDPOINT + 2], fleet.state.endpoints[FIRST_ENDPOINT + 9]
        return made

    def test_nothing_is_done_and_what_has_changed_is_named(
        self, fleet: Sandbox, made: Any, apply: Run
    ) -> None:
        with pytest.raises(AirflowFailException, match="3 devices have changed since it was made") as caught:
            apply(made)
        for text in (
            "(endpoint 1000001): name is",
            "(endpoint 1000002): sim_status is issued now, and was activated in the plan",
            "(endpoint 1000003): it no longer exists",
        ):
            assert text in str(caught.value)
        assert writes(fleet) == 0

    def test_the_others_go_on_when_asked(self, fleet: Sandbox, made: Any, apply: Run) -> None:
        result = apply(made, on_drift="skip")
        assert {name: result[name] for name in ("done", "skipped", "refused", "unknown")} == {
            "done": 5,
            "skipped": 1,
            "refused": 3,
            "unknown": 0,
        }
        assert fleet.state.endpoints[FIRST_ENDPOINT].name == "Someone's"
        assert fleet.state.endpoints[FIRST_ENDPOINT + 3].imei_lock
        assert len(result["first"]) == 3
        assert {row["reason"] for row in results(result) if row["result"] == "refused"} >= {
            "it no longer exists"
        }

    def test_a_sim_that_went_into_another_device_is_drift(
        self, fleet: Sandbox, plan: Run, apply: Run, tmp_path: Path
    ) -> None:
        made = plan(devices=[spare(fleet, name="New")])
        apply(plan(devices=[spare(fleet, name="Other")], plan_path=f"{tmp_path}/other.jsonl"))
        with pytest.raises(AirflowFailException, match="name is Other now, and was none in the plan"):
            apply(made)
        assert len(fleet.state.endpoints) == 11


class TestPlans:
    def test_another_plan_than_the_approved_one_is_refused(
        self, fleet: Sandbox, plan: Run, apply: Run
    ) -> None:
        made = plan(devices=rows_of(fleet, name="x"))
        plan(devices=rows_of(fleet, status="disabled"))
        with pytest.raises(AirflowFailException, match="has changed since it was made, and approved"):
            apply(made)
        assert writes(fleet) == 0
        assert apply(made["path"])["done"] == 10

    def test_a_plan_with_bad_rows_is_refused(
        self, fleet: Sandbox, plan: Run, apply: Run, tmp_path: Path
    ) -> None:
        with pytest.raises(AirflowFailException):
            plan(devices=[{"iccid": "1"}, *rows_of(fleet, name="x")])
        with pytest.raises(
            AirflowFailException, match="is refused for its bad rows: 10 changed, 1 rows refused"
        ):
            apply(f"{tmp_path}/plan.jsonl")

    @pytest.mark.parametrize("body", ["", "{}\n", "[]\n", "x", '{"emnify_fleet_plan": 2}\n'])
    def test_what_is_no_plan_is_refused(self, apply: Run, tmp_path: Path, body: str) -> None:
        (tmp_path / "plan.jsonl").write_text(body)
        with pytest.raises(AirflowFailException, match="is not a plan of a fleet"):
            apply(f"{tmp_path}/plan.jsonl")

    def test_an_empty_plan_asks_nothing_of_emnify(self, fleet: Sandbox, plan: Run, apply: Run) -> None:
        made = plan(devices=[])
        before = fleet.requests
        assert apply(made)["done"] == 0
        assert fleet.requests == before

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ({"plan": ""}, "plan: ''"),
            ({"plan": {"digest": "a"}}, "plan: path: None"),
            ({"plan": "a", "on_drift": "go"}, "on_drift: 'go'"),
            ({"plan": "a", "fail_on_error": "perhaps"}, "fail_on_error"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(self, arguments: Any, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            EmnifyApplyFleetOperator(task_id="t", **arguments)


class TestRefusals:
    """emnify does not say which device of a bulk call it refuses."""

    @pytest.fixture
    def made(self, fleet: Sandbox, plan: Run) -> Any:
        rows = rows_of(fleet, name="x")
        rows[6]["ip_address"] = "10.8.8.8"
        made = plan(
            devices=[
                *rows,
                spare(fleet, 0, name="n"),
                spare(fleet, 1, name="m", ip_address="10.8.8.8", ip_address_space_id=1),
            ]
        )
        fleet.state.endpoints[FIRST_ENDPOINT + 1].ip_address = "10.8.8.8"  # taken meanwhile
        return made

    def test_it_is_found_out_and_the_others_go_on(self, fleet: Sandbox, made: Any, apply: Run) -> None:
        result = apply(made, fail_on_error=False)
        assert (result["done"], result["refused"]) == (10, 2)
        refused = [row for row in results(result) if row["result"] == "refused"]
        assert [row["row"] for row in refused] == [7, 12]
        assert all("10.8.8.8 is in use" in row["reason"] for row in refused)
        assert sum(device.name == "x" for device in fleet.state.endpoints.values()) == 9
        assert len(fleet.state.endpoints) == 11

    def test_the_task_fails_by_default_when_the_others_are_done(
        self, fleet: Sandbox, made: Any, apply: Run
    ) -> None:
        with pytest.raises(
            AirflowFailException, match=r"could not apply the plan to .*10\.8\.8\.8 is in use"
        ):
            apply(made)
        assert sum(device.name == "x" for device in fleet.state.endpoints.values()) == 9


class DiedError(BaseException):
    """The worker was killed."""


STEPS: list[tuple[type, str]] = [
    (Endpoints, "create_many"),
    (Endpoints, "update_many"),
    (Sims, "update"),
    (Tags, "assign_many"),
    (Endpoints, "delete_many"),
]


@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize(("owner", "method"), STEPS, ids=[step[1] for step in STEPS])
def test_a_killed_attempt_is_completed_by_the_next(
    fleet: Sandbox,
    plan: Run,
    apply: Run,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    method: str,
    arrived: bool,
) -> None:
    source = everything(fleet)
    made = plan(devices=source, **ALL)
    plain = getattr(owner, method)

    def die(*args: Any, **kwargs: Any) -> None:
        if arrived:
            plain(*args, **kwargs)
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, die)
        with pytest.raises(DiedError):
            apply(made)
    result = apply(made, 2)
    check_everything(fleet)
    assert (result["refused"], result["unknown"]) == (0, 0)
    assert plan(devices=source, **ALL)["changes"] == 0


@pytest.mark.parametrize(
    "fault", [{"drop": "after"}, {"drop": "before"}, {"status": 500}, {"status": 500, "acted": True}]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", MULTI), ("PATCH", MULTI), ("DELETE", MULTI)),
        ("PATCH", "/api/v1/sim/{sim_id}"),
        ("POST", "/api/v2/bulk-operations/endpoint/add-tags"),
    ],
)
def test_a_lost_answer_loses_and_doubles_nothing(
    fleet: Sandbox, plan: Run, apply: Run, monkeypatch: pytest.MonkeyPatch, method: str, path: str, fault: Any
) -> None:
    source = everything(fleet)
    made = plan(devices=source, **ALL)
    without_retries(fleet, monkeypatch)
    fleet.faults.add(method=method, path=path, **fault)
    with contextlib.suppress(EmnifyPartialError):  # which Airflow retries
        apply(made)
    apply(made, 2)
    check_everything(fleet)
    assert plan(devices=source, **ALL)["changes"] == 0


def test_what_is_unknown_is_said_when_nobody_can_look(
    fleet: Sandbox, plan: Run, apply: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = plan(devices=[*rows_of(fleet, name="x")])
    without_retries(fleet, monkeypatch)
    fleet.faults.add(method="PATCH", path=MULTI, drop="after")
    fleet.faults.add(method="GET", path="/api/v1/endpoint", status=500, times=1, skip=1)
    with pytest.raises(EmnifyPartialError, match="what it did could not be read"):
        apply(made)
    assert {row["result"] for row in results({"path": f"{tmp_path}/plan.result.jsonl"})} == {"unknown"}
    assert apply(made, 2)["skipped"] == 10


def test_two_applies_that_overlap_create_each_device_once(
    fleet: Sandbox, plan: Run, apply: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(devices=everything(fleet), **ALL)
    one, two = in_turn(monkeypatch, Endpoints, "create_many", lambda: apply(made), lambda: apply(made))
    check_everything(fleet)
    assert not [result for result in (one, two) if isinstance(result, Exception)]
