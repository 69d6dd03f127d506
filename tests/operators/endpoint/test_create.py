from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import (
    EmnifyPartialError,
    EndpointStatus,
    SimStatus,
)
from airflow_provider_emnify.api.resources.endpoints import Endpoints
from airflow_provider_emnify.operators.endpoint import EmnifyCreateEndpointsOperator
from airflow_provider_emnify.sandbox.world import provisioning
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID
from tests.fleets import ids_of
from tests.operators.idempotency.overlapping import at_once, elsewhere, in_turn
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

MULTI = "/api/v2/endpoint/multi"


pytestmark = pytest.mark.fleet(10)


def create(**arguments: Any) -> EmnifyCreateEndpointsOperator:
    return EmnifyCreateEndpointsOperator(
        task_id="t", **{"service_profile_id": 1, "tariff_profile_id": 1, **arguments}
    )


def create_at_emnify(sandbox: Sandbox, name: str) -> None:
    """Have another run create an endpoint in between two requests."""
    body = {"name": name, "service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}
    provisioning.create(sandbox.state, body, None, ORGANISATION_ID)


def named(sandbox: Sandbox, name: str) -> list[int]:
    return sorted(key for key, endpoint in sandbox.state.endpoints.items() if endpoint.name == name)


class TestCreate:
    def test_endpoints_are_created_in_the_order_asked(self, fleet: Sandbox) -> None:
        rows = [
            {"name": "pump 2", "sim_id": 2000002, "activate_sim": True, "tags": "pump,berlin"},
            {"name": "pump 1", "sim_id": "2000001"},
            {"sim_id": 2000003, "sim_status": "activated"},
            {"name": "no sim yet", "imei_lock": False},
        ]
        ids = create(endpoints=rows, status="disabled").execute(context())
        found = [fleet.state.endpoints[key] for key in ids]
        assert [endpoint.sim_id for endpoint in found] == [2000002, 2000001, 2000003, None]
        assert [endpoint.name for endpoint in found[:2]] == ["pump 2", "pump 1"]
        assert {endpoint.status for endpoint in found} == {EndpointStatus.DISABLED}
        sims = [fleet.state.sims[number].status for number in (2000001, 2000002, 2000003)]
        assert sims == [SimStatus.ISSUED, SimStatus.ACTIVATED, SimStatus.ACTIVATED]
        assert fleet.counts[f"POST {MULTI}"] == 1

    def test_what_a_template_renders_none_to_is_not_sent(self, fleet: Sandbox) -> None:
        nothing = dict.fromkeys(("tags", "imei", "ip_address", "sim_id", "iccid", "imei_lock"), "None")
        (key,) = create(endpoints=[{"name": "Pump 7", **nothing}]).execute(context())
        made = fleet.state.endpoints[key]
        assert (made.name, made.tags, made.imei, made.sim_id) == ("Pump 7", None, None, None)

    def test_activation_is_always_said_on_the_wire(self, fleet: Sandbox) -> None:
        create(endpoints=[{"name": "a", "sim_id": 2000001}]).execute(context())
        sent = next(entry for entry in fleet.log if entry.template == MULTI)
        assert sent.body["endpoints"] == [{"name": "a", "sim": {"id": 2000001, "activate": False}}]
        assert sent.body["status"] == {"id": 0}

    @pytest.mark.parametrize("count", [1, 8], ids=["one by one", "from the list"])
    @pytest.mark.parametrize("sims", [True, False], ids=["by SIM", "by name"])
    def test_a_second_run_creates_nothing(self, fleet: Sandbox, count: int, sims: bool) -> None:
        rows = [{"name": f"pump {n}", **({"sim_id": 2000001 + n} if sims else {})} for n in range(count)]
        ids = create(endpoints=rows).execute(context())
        assert create(endpoints=rows).execute(context()) == ids
        assert fleet.counts[f"POST {MULTI}"] == 1

    def test_rows_of_one_name_are_as_many_endpoints(self, fleet: Sandbox) -> None:
        rows = [{"name": "twin"}, {"name": "twin"}]
        ids = create(endpoints=rows).execute(context())
        assert len(set(ids)) == 2
        assert create(endpoints=[*rows, {"name": "twin"}]).execute(context())[:2] == ids
        assert sum(e.name == "twin" for e in fleet.state.endpoints.values()) == 3

    def test_only_what_is_missing_is_created(self, fleet: Sandbox) -> None:
        rows = [{"name": "a", "sim_id": 2000001}, {"name": "b"}, {"name": "c, d"}]
        first = create(endpoints=rows[:1]).execute(context())
        ids = create(endpoints=rows).execute(context())
        assert ids[:1] == first
        assert len(set(ids)) == 3
        assert create(endpoints=rows).execute(context()) == ids

    def test_a_failed_chunk_is_completed_by_the_next_try(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = make_sandbox(limits=False)
        without_retries(sandbox, monkeypatch)
        rows = [{"name": f"pump {number}"} for number in range(2003)]
        sandbox.faults.add(method="POST", path=MULTI, partial=2, skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            create(endpoints=rows).execute(context())
        assert len(caught.value.done) == 2002
        assert set(caught.value.done) == set(ids_of(sandbox))
        assert caught.value.not_done == ["'pump 2002'"]
        ids = create(endpoints=rows).execute(context(try_number=2))
        assert len(set(ids)) == 2003
        assert ids == sorted(ids)
        assert len(ids_of(sandbox)) == 2003
        sizes = [len(e.body["endpoints"]) for e in sandbox.log if e.template == MULTI]
        assert sizes == [2000, 3, 1]

    @pytest.mark.parametrize("fault", [{"drop": "before"}, {"partial": 2}, {"drop": "after"}], ids=str)
    def test_of_one_name_those_of_one_request_are_not_taken_for_those_of_the_next(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, fault: Any
    ) -> None:
        sandbox = make_sandbox(limits=False)
        without_retries(sandbox, monkeypatch)
        rows = [{"name": "twin"}] * 2003
        sandbox.faults.add(method="POST", path=MULTI, skip=1, **fault)
        if fault != {"drop": "after"}:
            with pytest.raises(EmnifyPartialError):
                create(endpoints=rows).execute(context())
        ids = create(endpoints=rows).execute(context(try_number=2))
        assert sorted(ids) == ids_of(sandbox)
        assert len(ids) == 2003

    def test_a_lost_answer_creates_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=MULTI, drop="after")
        ids = create(endpoints=[{"name": "a"}, {"name": "b", "sim_id": 2000001}]).execute(context())
        assert [fleet.state.endpoints[key].name for key in ids] == ["a", "b"]
        assert len(ids_of(fleet)) == 12

    def test_a_sim_on_another_endpoint_is_an_error_before_anything_is_created(self, fleet: Sandbox) -> None:
        taken = next(e for e in fleet.state.endpoints.values() if e.sim_id)
        rows = [{"name": "new"}, {"name": "mine", "sim_id": taken.sim_id}]
        with pytest.raises(AirflowFailException, match=rf"SIM {taken.sim_id} is on endpoint {taken.id}"):
            create(endpoints=rows).execute(context())
        assert fleet.counts[f"POST {MULTI}"] == 0

    def test_a_sim_that_does_not_exist_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no SIM 99"):
            create(endpoints=[{"sim_id": 99}]).execute(context())
        assert fleet.counts[f"POST {MULTI}"] == 0

    def test_fail_fails_before_anything_is_created(self, fleet: Sandbox) -> None:
        first = create(endpoints=[{"name": "a"}]).execute(context())
        operator = create(endpoints=[{"name": "a"}, {"name": "b"}], if_exists="fail")
        with pytest.raises(AirflowFailException, match=rf"1 exist already \({first[0]} 'a'\)"):
            operator.execute(context())
        assert fleet.counts[f"POST {MULTI}"] == 1

    def test_fail_takes_what_its_own_first_try_created(self, fleet: Sandbox) -> None:
        now = fleet.clock.time()
        first = create(endpoints=[{"name": "a"}]).execute(context(run_started=now))
        operator = create(endpoints=[{"name": "a"}, {"name": "b"}], if_exists="fail")
        ids = operator.execute(context(try_number=2, run_started=now))
        assert ids[:1] == first
        assert len(ids) == 2

    @pytest.mark.parametrize("nothing", [[], "[]", "", None, ()])
    def test_nothing_is_done_for_nothing(self, fleet: Sandbox, nothing: Any) -> None:
        assert create(endpoints=nothing).execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize("form", [json.dumps, str])
    def test_rows_may_be_what_a_template_renders(self, fleet: Sandbox, form: Callable[[Any], str]) -> None:
        rows = [{"name": "a", "sim_id": 2000001, "activate_sim": True, "tags": None}]
        operator = create(endpoints=form(rows), service_profile_id="1", status="1")
        ids = operator.execute(context())
        assert fleet.state.endpoints[ids[0]].status is EndpointStatus.DISABLED
        assert fleet.state.sims[2000001].status is SimStatus.ACTIVATED

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"endpoints": [{"nmae": "a"}]}, "nmae"),
            ({"endpoints": [{"tags": "a"}]}, "needs a name, sim_id or iccid"),
            ({"endpoints": [{"name": ""}]}, "needs a name, sim_id or iccid"),
            ({"endpoints": [{"name": "None", "sim_id": "None"}]}, "needs a name, sim_id or iccid"),
            ({"endpoints": [{"sim_id": 1}, {"sim_id": "1"}]}, "SIM 1 is in more than one row"),
            ({"endpoints": [{"sim_id": "x"}]}, "sim_id"),
            ({"endpoints": [{"name": "a", "imei_lock": "maybe"}]}, "imei_lock: 'maybe'"),
            ({"endpoints": ["a"]}, "'a' is not a dict"),
            ({"endpoints": "pumps"}, "'pumps' is not a list of dicts"),
            (
                {"endpoints": [], "status": "deleted"},
                "status: 'deleted' is not a valid endpoint status; allowed: enabled, disabled",
            ),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            create(**arguments)


COUNTS = pytest.mark.parametrize("count", [2, 8], ids=["one by one", "from the list"])


class TestOverlap:
    @COUNTS
    def test_two_runs_create_by_name_once(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        rows = [{"name": f"pump {number}"} for number in range(count)]
        one, two = in_turn(
            monkeypatch,
            Endpoints,
            "create_many",
            lambda: create(endpoints=rows).execute(context()),
            lambda: create(endpoints=rows).execute(context()),
        )
        assert one == two
        assert len(ids_of(fleet)) == 10 + count

    def test_by_sim_nothing_is_waited_for(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """emnify refuses a second one, and the run that it refuses uses the first."""
        rows = [{"name": "pump", "sim_id": 2000001}]
        there = elsewhere(fleet, monkeypatch)
        one, two = at_once(
            monkeypatch,
            Endpoints,
            "create_many",
            lambda: create(endpoints=rows).execute(context()),
            lambda: create(endpoints=rows, emnify_conn_id=there).execute(context()),
        )
        assert named(fleet, "pump") == one
        assert two == one

    @pytest.mark.parametrize("at", ["per_page=1(&|$)", MULTI], ids=["before the call", "in it"])
    def test_what_another_run_gives_a_sim_to_meanwhile_is_used(self, fleet: Sandbox, at: str) -> None:
        def other_run() -> None:
            endpoint = next(e for e in fleet.state.endpoints.values() if e.sim_id is None)
            endpoint.sim_id, endpoint.name = 2000001, None
            fleet.state.sims[2000001].endpoint_id = endpoint.id

        bare = fleet.state.endpoints[ids_of(fleet)[0]]
        fleet.state.sims[bare.sim_id or 0].endpoint_id, bare.sim_id = None, None
        fleet.faults.add(path=at, do=other_run)
        ids = create(endpoints=[{"sim_id": 2000001}, {"name": "b", "sim_id": 2000002}]).execute(context())
        assert ids == [bare.id, named(fleet, "b")[0]]

    @pytest.mark.parametrize("others", [2, 3])
    def test_what_several_runs_give_sims_to_one_after_another_is_used(
        self, fleet: Sandbox, others: int
    ) -> None:
        sims = range(2000001, 2000001 + others)
        bare = [fleet.state.endpoints[key] for key in ids_of(fleet)[:others]]
        for endpoint in bare:
            fleet.state.sims[endpoint.sim_id or 0].endpoint_id, endpoint.sim_id = None, None
        left = [*zip(bare, sims, strict=True)]

        def other_run() -> None:
            endpoint, sim_id = left.pop()
            endpoint.sim_id, fleet.state.sims[sim_id].endpoint_id = sim_id, endpoint.id

        fleet.faults.add(path=MULTI, do=other_run, times=others)
        assert create(endpoints=[{"sim_id": sim_id} for sim_id in sims]).execute(context()) == [
            one.id for one in bare
        ]

    def test_a_sim_that_emnify_refuses_all_the_same_is_an_error(self, fleet: Sandbox) -> None:
        fleet.faults.add(path=MULTI, status=409, body={"error_code": 1503, "message": "in use"})
        with pytest.raises(AirflowFailException, match="SIM 2000001"):
            create(endpoints=[{"sim_id": 2000001}]).execute(context())
        assert fleet.counts[f"POST {MULTI}"] == 1
