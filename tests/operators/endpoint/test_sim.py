from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, SimStatus
from airflow_provider_emnify.operators.endpoint import EmnifyAssignSimOperator, EmnifyReleaseSimOperator
from tests.fleets import ids_of
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

MULTI = "/api/v2/endpoint/multi"
FREE = [2000001, 2000002, 2000003]


def three_without_sims(sandbox: Sandbox) -> None:
    for key in sorted(sandbox.state.endpoints)[:3]:
        endpoint = sandbox.state.endpoints[key]
        assert endpoint.sim_id is not None
        sandbox.state.sims[endpoint.sim_id].endpoint_id = None
        endpoint.sim_id = None


pytestmark = pytest.mark.fleet(10, prepare=three_without_sims)


def assign(**arguments: Any) -> EmnifyAssignSimOperator:
    return EmnifyAssignSimOperator(task_id="t", **arguments)


def release(**arguments: Any) -> EmnifyReleaseSimOperator:
    return EmnifyReleaseSimOperator(task_id="t", **arguments)


def sims_in(sandbox: Sandbox, ids: list[int]) -> list[int | None]:
    return [sandbox.state.endpoints[key].sim_id for key in ids]


class TestAssign:
    def test_each_endpoint_gets_its_sim_in_order(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[2::-1]
        assert assign(endpoint_ids=ids, sim_ids=FREE).execute(context()) == ids
        assert sims_in(fleet, ids) == FREE
        assert {fleet.state.sims[number].status for number in FREE} == {SimStatus.ISSUED}
        assert fleet.counts[f"PATCH {MULTI}"] == 1

    def test_a_second_run_changes_nothing(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:3]
        assign(endpoint_ids=ids[:2], sim_ids=FREE[:2]).execute(context())
        assert assign(endpoint_ids=str(ids), sim_ids=str(FREE)).execute(context()) == ids
        sent = [entry.body for entry in fleet.log if entry.template == MULTI]
        assert sent[1:] == [[{"id": ids[2], "sim": {"id": FREE[2]}}]]
        assign(endpoint_ids=ids, sim_ids=FREE).execute(context())
        assert fleet.counts[f"PATCH {MULTI}"] == 2

    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:2]
        fleet.faults.add(method="PATCH", path=MULTI, drop="after")
        assert assign(endpoint_ids=ids, sim_ids=FREE[:2]).execute(context()) == ids
        assert sims_in(fleet, ids) == FREE[:2]

    def test_another_sim_is_released_first_if_asked(self, fleet: Sandbox) -> None:
        key = ids_of(fleet)[5]
        other = fleet.state.endpoints[key].sim_id
        assert other is not None
        operator = assign(endpoint_ids=key, sim_ids=FREE[0], replace=True)
        assert operator.execute(context()) == [key]
        assert sims_in(fleet, [key]) == [FREE[0]]
        assert fleet.state.sims[other].endpoint_id is None
        assert fleet.state.sims[other].status is SimStatus.ACTIVATED

    def test_what_cannot_be_done_is_named_before_anything_is_changed(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)
        taken = fleet.state.endpoints[ids[9]].sim_id
        fleet.state.sims[FREE[1]].status = SimStatus.DELETED
        with pytest.raises(AirflowFailException) as caught:
            assign(endpoint_ids=ids[:4], sim_ids=[FREE[1], taken, 99, FREE[0]]).execute(context())
        for reason in (
            f"there is no SIM {FREE[1]}",
            f"SIM {taken} is in endpoint {ids[9]}",
            "there is no SIM 99",
            f"endpoint {ids[3]} has SIM",
            "nothing was changed",
        ):
            assert reason in str(caught.value)
        assert fleet.counts[f"PATCH {MULTI}"] == 0

    def test_an_endpoint_that_does_not_exist_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no endpoint 99"):
            assign(endpoint_ids=99, sim_ids=FREE[0]).execute(context())

    @pytest.mark.parametrize("count", [2, 3], ids=["one by one", "from the list"])
    def test_a_failed_request_says_what_is_done(self, fleet: Sandbox, count: int) -> None:
        ids = ids_of(fleet)[:count]
        fleet.faults.add(method="PATCH", path=MULTI, partial=1, times=None)
        with pytest.raises(EmnifyPartialError) as caught:
            assign(endpoint_ids=ids, sim_ids=FREE[:count]).execute(context())
        assert caught.value.done == ids[:1]
        assert caught.value.not_done == ids[1:]
        fleet.faults.clear()
        assert assign(endpoint_ids=ids, sim_ids=FREE[:count]).execute(context(try_number=2)) == ids
        assert sims_in(fleet, ids) == FREE[:count]

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert assign(endpoint_ids=[], sim_ids="").execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"endpoint_ids": [1, 2]}, "2 different endpoints and 1 different SIMs"),
            ({"endpoint_ids": [1, 2], "sim_ids": [3, 3]}, "2 different endpoints and 1 different SIMs"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            assign(**{"endpoint_ids": [1], "sim_ids": [2], **arguments})


class TestRelease:
    def test_the_sims_of_endpoints_come_out_and_keep_their_status(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[2:6]
        numbers = [fleet.state.endpoints[key].sim_id for key in ids[1:]]
        assert release(endpoint_ids=ids).execute(context()) == ids
        assert sims_in(fleet, ids) == [None] * 4
        assert {fleet.state.sims[number].status for number in numbers if number} == {SimStatus.ACTIVATED}
        [sent] = [entry.body for entry in fleet.log if entry.template == MULTI]
        assert sent == [{"id": key, "sim": {"id": None}} for key in ids[1:]]

    @pytest.mark.parametrize("count", [2, 7], ids=["one by one", "from the list"])
    def test_sims_come_out_of_wherever_they_are(self, fleet: Sandbox, count: int) -> None:
        ids = ids_of(fleet)[3 : 3 + count]
        numbers = [*sims_in(fleet, ids), FREE[0]]
        assert release(sim_ids=numbers).execute(context()) == numbers
        assert sims_in(fleet, ids) == [None] * count
        assert release(sim_ids=numbers).execute(context()) == numbers
        assert fleet.counts[f"PATCH {MULTI}"] == 1

    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="PATCH", path=MULTI, drop="after")
        ids = ids_of(fleet)[5:7]
        assert release(endpoint_ids=ids).execute(context()) == ids
        assert sims_in(fleet, ids) == [None, None]

    @pytest.mark.parametrize(
        ("given", "message"), [({"endpoint_ids": 99}, "no endpoint 99"), ({"sim_ids": 99}, "no SIM 99")]
    )
    def test_what_does_not_exist_is_an_error(self, fleet: Sandbox, given: Any, message: str) -> None:
        with pytest.raises(AirflowFailException, match=message):
            release(**given).execute(context())

    @pytest.mark.parametrize("field", ["endpoint_ids", "sim_ids"])
    def test_nothing_is_done_for_nothing(self, fleet: Sandbox, field: str) -> None:
        assert release(**{field: "[]"}).execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize("given", [{}, {"endpoint_ids": [1], "sim_ids": [2]}])
    def test_either_endpoints_or_sims_are_given(self, given: Any) -> None:
        with pytest.raises(ValueError, match="endpoint_ids, select, sim_ids: give one of them"):
            release(**given)
