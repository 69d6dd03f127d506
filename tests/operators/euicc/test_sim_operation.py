from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.api.resources.sim_operations import SimOperations
from airflow_provider_emnify.operators.euicc import EmnifySimOperationOperator
from tests.operators.deferring import deferred, resume, stored
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

PATH = "/api/v1/sim/operation"
with_and_without_store = pytest.mark.parametrize("with_it", [True, False], ids=["with a store", "without"])


pytestmark = pytest.mark.fleet(euiccs=4, operations_after=60)


def sim_ids(sandbox: Sandbox) -> list[int]:
    return [sim.id for sim in sandbox.state.sims.values() if sim.eid is not None]


def eids(sandbox: Sandbox) -> list[str]:
    return [sim.eid for sim in sandbox.state.sims.values() if sim.eid is not None]


def link(sandbox: Sandbox, **arguments: Any) -> EmnifySimOperationOperator:
    given = {"sim_ids": sim_ids(sandbox), "action": "Link profile", "deferrable": True, **arguments}
    return EmnifySimOperationOperator(task_id="t", poll_interval=0.01, **given)


def sent(sandbox: Sandbox) -> list[Any]:
    return [
        entry.body["target"] for entry in sandbox.log if entry.method == "POST" and entry.template == PATH
    ]


def store_if(with_it: bool) -> dict[str, Any]:
    return {"task_state_store": Store()} if with_it else {}


class TestReport:
    def test_one_operation_for_all_is_waited_for_in_the_triggerer(self, fleet: Sandbox) -> None:
        operator = link(fleet, sim_ids=sim_ids(fleet)[:2], eids=eids(fleet)[2:], product_id="1")
        deferral = deferred(operator)
        [targets] = sent(fleet)
        assert targets == [{"sim": {"id": key}} for key in sim_ids(fleet)[:2]] + [
            {"eid": eid} for eid in eids(fleet)[2:]
        ]
        fleet.clock.advance(60)
        report = resume(operator, deferral)
        assert report == {
            "operation_ids": [*fleet.state.sim_operations],
            "succeeded": 4,
            "failed": {},
            "pending": [],
        }

    def test_or_in_the_worker(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = make_sandbox(limits=False, euiccs=2, operations_after=0)
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
        assert link(sandbox, deferrable=False).execute(context())["succeeded"] == 2

    def test_partial_failures_are_reported_by_eid(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("sim_operation", eids(fleet)[1], message="no credit")
        operator = link(fleet)
        deferral = deferred(operator)
        fleet.clock.advance(60)
        with pytest.raises(EmnifyPartialError, match=r"failed for 1 of 4: .*\(no credit\)") as caught:
            resume(operator, deferral)
        assert caught.value.not_done == [eids(fleet)[1]]
        assert len(caught.value.done) == 3
        assert caught.value.transient

    def test_the_report_can_be_had_instead_of_the_failure(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("sim_operation", times=None, message="no credit")
        operator = link(fleet, fail_on_error=False)
        deferral = deferred(operator)
        fleet.clock.advance(60)
        report = resume(operator, deferral)
        assert report["succeeded"] == 0
        assert report["failed"] == dict.fromkeys(eids(fleet), "no credit")


class TestSafeToRepeat:
    def test_a_lost_answer_begins_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=PATH, drop="after")
        report = link(fleet, wait_for_completion=False).execute(context())
        assert report["operation_ids"] == [*fleet.state.sim_operations]
        assert len(report["operation_ids"]) == 1

    @with_and_without_store
    def test_a_worker_that_died_right_after_sending_begins_nothing_twice(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, with_it: bool
    ) -> None:
        kept, started = store_if(with_it), fleet.clock.time()

        class DiedError(BaseException):
            pass

        plain = SimOperations.trigger

        def die(*args: Any, **kwargs: Any) -> None:
            plain(*args, **kwargs)
            raise DiedError

        with monkeypatch.context() as patch:
            patch.setattr(SimOperations, "trigger", die)
            with pytest.raises(DiedError):
                link(fleet).execute({**context(), **kept})
        fleet.clock.advance(60)
        report = link(fleet).execute({**context(try_number=2, run_started=started), **kept})
        assert report["succeeded"] == 4
        assert len(sent(fleet)) == 1

    @with_and_without_store
    @pytest.mark.parametrize("over", [True, False], ids=["over", "under way"])
    def test_a_task_that_is_cleared_finds_its_own_operation(
        self, fleet: Sandbox, with_it: bool, over: bool
    ) -> None:
        kept, started = store_if(with_it), fleet.clock.time()
        deferred(link(fleet), {**context(), **kept})
        fleet.clock.advance(60 if over else 10)
        again, task_context = link(fleet), {**context(try_number=2, run_started=started), **kept}
        if over:
            report = again.execute(task_context)
        else:
            deferral = deferred(again, task_context)
            fleet.clock.advance(60)
            report = resume(again, deferral)
        assert report["succeeded"] == 4
        assert len(sent(fleet)) == 1

    def test_two_runs_that_look_at_the_same_moment_share_it(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = [lambda: link(fleet, wait_for_completion=False).execute(context()) for _ in range(2)]
        one, two = in_turn(monkeypatch, SimOperations, "trigger", *runs)
        assert one == two
        assert len(sent(fleet)) == 1

    def test_two_runs_that_overlap_share_what_is_under_way_sim_by_sim(self, fleet: Sandbox) -> None:
        first, second = link(fleet, sim_ids=sim_ids(fleet)[:3]), link(fleet, sim_ids=sim_ids(fleet)[1:])
        deferrals = [deferred(first), deferred(second)]
        assert [len(targets) for targets in sent(fleet)] == [3, 1]
        fleet.clock.advance(60)
        reports = [resume(one, deferral) for one, deferral in zip((first, second), deferrals, strict=True)]
        assert [report["succeeded"] for report in reports] == [3, 3]

    def test_a_failure_of_a_sim_that_is_not_its_own_is_no_failure(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("sim_operation", eids(fleet)[0])
        deferred(link(fleet))
        second = link(fleet, sim_ids=sim_ids(fleet)[1:])
        deferral = deferred(second)
        fleet.clock.advance(60)
        assert resume(second, deferral)["succeeded"] == 3

    def test_another_run_does_it_anew_when_it_is_over(self, fleet: Sandbox) -> None:
        deferred(link(fleet))
        fleet.clock.advance(60)
        deferred(link(fleet))
        assert len(sent(fleet)) == 2

    @with_and_without_store
    def test_what_was_undone_since_is_done_again(self, fleet: Sandbox, with_it: bool) -> None:
        kept, started = store_if(with_it), fleet.clock.time()
        deferred(link(fleet), {**context(), **kept})
        fleet.clock.advance(60)
        deferred(link(fleet, sim_ids=sim_ids(fleet)[0], action="Unlink profile"))
        fleet.clock.advance(60)
        deferred(link(fleet), {**context(try_number=2, run_started=started), **kept})
        assert [len(targets) for targets in sent(fleet)] == [4, 1, 1]

    @with_and_without_store
    def test_a_retry_is_only_for_what_failed(self, fleet: Sandbox, with_it: bool) -> None:
        kept, started = store_if(with_it), fleet.clock.time()
        fleet.outcomes.add("sim_operation", eids(fleet)[1])
        first = link(fleet)
        deferral = deferred(first, {**context(), **kept})
        fleet.clock.advance(60)
        with pytest.raises(EmnifyPartialError):
            resume(first, deferral)
        second = link(fleet)
        deferral = deferred(second, {**context(try_number=2, run_started=started), **kept})
        assert sent(fleet)[1:] == [[{"sim": {"id": sim_ids(fleet)[1]}}]]
        fleet.clock.advance(60)
        assert resume(second, deferral)["succeeded"] == 4

    def test_operations_of_long_ago_are_not_read(self, fleet: Sandbox) -> None:
        deferred(link(fleet))
        for operation in fleet.state.sim_operations.values():
            operation.created -= 8 * 86_400
        deferred(link(fleet))
        assert len(sent(fleet)) == 2


def test_a_kill_says_what_goes_on(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(EmnifySimOperationOperator, "log", logging.getLogger("operator"))
    operator = link(fleet)
    assert not stored(deferred(operator)).cancel
    operator.on_kill()
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert next(iter(fleet.state.sim_operations)) in warning


def test_an_unknown_action_is_answered_with_all_there_are(fleet: Sandbox) -> None:
    with pytest.raises(
        AirflowFailException, match=r"'Enable profile' is not a valid action; allowed: .*'Link profile'"
    ):
        link(fleet, action="Enable profile").execute(context())


def test_an_unknown_sim_is_an_error_before_anything_begins(fleet: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="no SIM 99; nothing was begun"):
        link(fleet, sim_ids=[*sim_ids(fleet), 99]).execute(context())
    assert sent(fleet) == []


@pytest.mark.parametrize("nothing", [{"sim_ids": []}, {"sim_ids": None, "eids": "[]"}])
def test_nothing_is_done_for_nothing(fleet: Sandbox, nothing: Any) -> None:
    report = link(fleet, **nothing).execute(context())
    assert report == {"operation_ids": [], "succeeded": 0, "failed": {}, "pending": []}
    assert fleet.requests == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sim_ids": None}, "sim_ids, select, eids: give one of"),
        ({"sim_ids": "x"}, "sim_ids: 'x'"),
        ({"eids": "8904"}, "eids: 8904 is not a valid eID"),
        ({"product_id": "x"}, "product_id: 'x'"),
        ({"action": " "}, "action: ' '"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifySimOperationOperator(task_id="t", **{"sim_ids": 1, "action": 1, **arguments})
