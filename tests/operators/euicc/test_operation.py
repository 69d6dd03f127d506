from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.api.resources.euiccs import Euiccs
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator
from tests.operators.deferring import deferred, resume, stored
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

OPERATIONS = "/api/v1/euicc/{euicc_id}/operation"
ONE = f"{OPERATIONS}/{{operation_id}}"


pytestmark = pytest.mark.fleet(euiccs=3, operations_after=60)


def audit(sandbox: Sandbox, **arguments: Any) -> EmnifyEuiccOperationOperator:
    given = {
        "euicc_ids": [*sandbox.state.euiccs],
        "action": "Audit eUICC",
        "poll_interval": 0.01,
        **arguments,
    }
    return EmnifyEuiccOperationOperator(task_id="t", **given)


def scheduled(sandbox: Sandbox) -> int:
    return sandbox.counts[f"POST {OPERATIONS}"]


def eids(sandbox: Sandbox) -> list[str]:
    return [euicc.eid for euicc in sandbox.state.euiccs.values()]


def keys(sandbox: Sandbox) -> list[str]:
    return [f"{one.euicc_id}/{one.id}" for one in sandbox.state.euicc_operations.values()]


def with_store(store: Store, **arguments: Any) -> Any:
    return {**context(**arguments), "task_state_store": store}


class TestReport:
    def test_all_euiccs_are_waited_for_in_the_triggerer(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True)
        deferral = deferred(operator)
        assert scheduled(fleet) == 3
        assert deferral.timeout is not None
        assert deferral.timeout > timedelta(days=2)
        fleet.clock.advance(60)
        requests = fleet.requests
        assert resume(operator, deferral) == {
            "operation_ids": keys(fleet),
            "succeeded": 3,
            "failed": {},
            "pending": [],
        }
        assert fleet.requests - requests == 4  # a token, and a look at each

    def test_or_in_the_worker(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox = make_sandbox(limits=False, euiccs=2, operations_after=0)
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
        assert audit(sandbox).execute(context())["succeeded"] == 2

    def test_the_report_so_far_can_be_the_result_when_time_runs_out(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True, timeout=0, on_timeout="return")
        deferral = deferred(operator)
        first, *_ = fleet.state.euicc_operations.values()
        first.final = fleet.clock.time()
        report = resume(operator, deferral)
        assert report["succeeded"] == 1
        assert report["pending"] == [fleet.state.euiccs[key].eid for key in [*fleet.state.euiccs][1:]]
        assert report["failed"] == {}

    def test_waiting_can_be_left_to_a_sensor(self, fleet: Sandbox) -> None:
        report = audit(fleet, wait_for_completion=False, deferrable=True).execute(context())
        eids = [euicc.eid for euicc in fleet.state.euiccs.values()]
        assert report == {"operation_ids": keys(fleet), "succeeded": 0, "failed": {}, "pending": eids}

    def test_what_is_asked_for_is_sent(self, fleet: Sandbox) -> None:
        euicc = next(iter(fleet.state.euiccs.values()))
        iccid = euicc.profiles[1].iccid_with_luhn
        audit(
            fleet,
            euicc_ids=str(euicc.id),
            action="enable_profile",
            iccid_with_luhn=iccid,
            rollback="True",
            validity_period=timedelta(hours=1),
            wait_for_completion=False,
        ).execute(context())
        [sent] = [
            entry.body for entry in fleet.log if entry.method == "POST" and entry.template == OPERATIONS
        ]
        [enable] = [
            number for number, name in fleet.state.lookups.euicc_actions.items() if name == "Enable profile"
        ]
        assert sent == [
            {"action": {"id": enable}, "iccid_with_luhn": iccid, "rollback": True, "validity_period": 3600}
        ]

    def test_failures_are_reported_by_eid(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("euicc_operation", eids(fleet)[1], message="no space", reason=7)
        operator = audit(fleet, deferrable=True)
        deferral = deferred(operator)
        fleet.clock.advance(60)
        with pytest.raises(EmnifyPartialError, match=r"failed for 1 of 3: .*no space \(reason 7\)") as caught:
            resume(operator, deferral)
        assert caught.value.done == [eids(fleet)[0], eids(fleet)[2]]
        assert caught.value.not_done == [eids(fleet)[1]]

    def test_the_report_can_be_had_instead_of_the_failure(self, fleet: Sandbox) -> None:
        fleet.outcomes.add("euicc_operation", eids(fleet)[1], message="no space", reason=7)
        operator = audit(fleet, deferrable=True, fail_on_error=False)
        deferral = deferred(operator)
        fleet.clock.advance(60)
        report = resume(operator, deferral)
        assert report["succeeded"] == 2
        assert report["failed"] == {eids(fleet)[1]: "no space (reason 7)"}

    def test_an_operation_that_expires_has_failed(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True, validity_period=30)
        deferral = deferred(operator)
        fleet.clock.advance(30)
        with pytest.raises(EmnifyPartialError, match="failed for 3 of 3"):
            resume(operator, deferral)

    def test_an_euicc_that_takes_no_operations_does_not_keep_the_others_from_it(self, fleet: Sandbox) -> None:
        next(iter(fleet.state.euiccs.values())).iot = False
        operator = audit(fleet, deferrable=True)
        deferral = deferred(operator)
        assert scheduled(fleet) == 2
        fleet.clock.advance(60)
        with pytest.raises(AirflowFailException, match=r"failed for 1 of 3.*404"):
            resume(operator, deferral)

    def test_no_wait_outlives_its_time(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True, timeout=0)
        with pytest.raises(AirflowFailException, match="Time ran out"):
            resume(operator, deferred(operator))


class TestSafeToRepeat:
    def test_a_lost_answer_schedules_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=OPERATIONS, drop="after")
        report = audit(fleet, wait_for_completion=False).execute(context())
        assert report["operation_ids"] == keys(fleet)
        assert len(keys(fleet)) == 3
        assert scheduled(fleet) == 3

    @pytest.mark.parametrize("with_it", [True, False], ids=["with a store", "without"])
    def test_a_worker_that_died_right_after_sending_schedules_nothing_twice(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, with_it: bool
    ) -> None:
        kept: Any = {"task_state_store": Store()} if with_it else {}
        started = fleet.clock.time()

        class DiedError(BaseException):
            pass

        plain = Euiccs.schedule_operation

        def die(*args: Any, **kwargs: Any) -> None:
            plain(*args, **kwargs)
            raise DiedError

        with monkeypatch.context() as patch:
            patch.setattr(Euiccs, "schedule_operation", die)
            with pytest.raises(DiedError):
                audit(fleet, euicc_ids=[*fleet.state.euiccs][:1]).execute({**context(), **kept})
        fleet.clock.advance(60)
        operator = audit(fleet, deferrable=True)
        deferral = deferred(operator, {**context(try_number=2, run_started=started), **kept})
        fleet.clock.advance(60)
        assert resume(operator, deferral)["succeeded"] == 3
        assert len(keys(fleet)) == 3

    @pytest.mark.parametrize("with_it", [True, False], ids=["with a store", "without"])
    @pytest.mark.parametrize("over", [True, False], ids=["over", "under way"])
    def test_a_task_that_is_cleared_finds_its_own_operations(
        self, fleet: Sandbox, with_it: bool, over: bool
    ) -> None:
        kept: Any = {"task_state_store": Store()} if with_it else {}
        started = fleet.clock.time()
        deferred(audit(fleet, deferrable=True), {**context(), **kept})
        fleet.clock.advance(60 if over else 10)
        again = audit(fleet, deferrable=True)
        task_context = {**context(try_number=2, run_started=started), **kept}
        if over:
            report = again.execute(task_context)
        else:
            deferral = deferred(again, task_context)
            fleet.clock.advance(60)
            report = resume(again, deferral)
        assert report["succeeded"] == 3
        assert scheduled(fleet) == 3

    def test_two_runs_that_overlap_share_what_is_under_way(self, fleet: Sandbox) -> None:
        first, second = audit(fleet, deferrable=True), audit(fleet, deferrable=True)
        deferrals = [deferred(first), deferred(second)]
        fleet.clock.advance(60)
        reports = [resume(one, deferral) for one, deferral in zip((first, second), deferrals, strict=True)]
        assert reports[0] == reports[1]
        assert scheduled(fleet) == 3

    def test_two_runs_that_look_at_the_same_moment_share_it(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs = [lambda: audit(fleet, wait_for_completion=False).execute(context()) for _ in range(2)]
        one, two = in_turn(monkeypatch, Euiccs, "schedule_operation", *runs)
        assert one == two
        assert scheduled(fleet) == 3

    def test_another_run_does_it_anew_when_it_is_over(self, fleet: Sandbox) -> None:
        deferred(audit(fleet, deferrable=True))
        fleet.clock.advance(60)
        deferred(audit(fleet, deferrable=True))
        assert scheduled(fleet) == 6

    def test_an_operation_of_another_kind_is_not_taken_for_it(self, fleet: Sandbox) -> None:
        euicc = next(iter(fleet.state.euiccs.values()))
        first, second = (profile.iccid_with_luhn for profile in euicc.profiles)
        for iccid in (first, second):
            audit(
                fleet,
                euicc_ids=euicc.id,
                action="Enable profile",
                iccid_with_luhn=iccid,
                wait_for_completion=False,
            ).execute(context())
        audit(fleet, euicc_ids=euicc.id, wait_for_completion=False).execute(context())
        assert scheduled(fleet) == 3

    def test_what_was_undone_since_is_done_again(self, fleet: Sandbox) -> None:
        euicc = next(iter(fleet.state.euiccs.values()))
        iccid = euicc.profiles[1].iccid_with_luhn
        store, started = Store(), fleet.clock.time()
        settings = {"euicc_ids": euicc.id, "iccid_with_luhn": iccid, "wait_for_completion": False}
        audit(fleet, action="Enable profile", **settings).execute(with_store(store))
        fleet.clock.advance(60)
        audit(fleet, action="Disable profile", **settings).execute(context())
        fleet.clock.advance(60)
        again = audit(fleet, action="Enable profile", **settings)
        again.execute(with_store(store, try_number=2, run_started=started))
        assert scheduled(fleet) == 3

    @pytest.mark.parametrize("with_it", [True, False], ids=["with a store", "without"])
    def test_a_retry_schedules_only_what_failed(self, fleet: Sandbox, with_it: bool) -> None:
        kept: Any = {"task_state_store": Store()} if with_it else {}
        started = fleet.clock.time()
        fleet.outcomes.add("euicc_operation", eids(fleet)[1])
        first = audit(fleet, deferrable=True)
        deferral = deferred(first, {**context(), **kept})
        fleet.clock.advance(60)
        with pytest.raises(EmnifyPartialError) as caught:
            resume(first, deferral)
        assert caught.value.transient
        second = audit(fleet, deferrable=True)
        deferral = deferred(second, {**context(try_number=2, run_started=started), **kept})
        assert scheduled(fleet) == 4
        fleet.clock.advance(60)
        assert resume(second, deferral)["succeeded"] == 3

    def test_a_download_of_someone_else_is_not_taken_for_this_one(self, fleet: Sandbox) -> None:
        settings: Any = {"euicc_ids": next(iter(fleet.state.euiccs)), "action": "Download profile"}
        for code in ("LPA:1$a$AAAA", "LPA:1$a$BBBB"):
            audit(fleet, **settings, activation_code=code, wait_for_completion=False).execute(context())
        assert scheduled(fleet) == 2
        started = fleet.clock.time()
        audit(fleet, **settings, activation_code="LPA:1$a$BBBB", wait_for_completion=False).execute(
            context(try_number=2, run_started=started)
        )
        assert scheduled(fleet) == 2

    def test_an_outage_half_way_is_left_to_airflow_s_retries(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        fleet.faults.add(method="POST", path=OPERATIONS, drop="before", skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            audit(fleet, deferrable=True).execute(context())
        assert caught.value.done == eids(fleet)[:1]
        started = fleet.clock.time()
        audit(fleet, wait_for_completion=False).execute(context(try_number=2, run_started=started))
        assert len(keys(fleet)) == 3


class TestCancel:
    def test_what_was_scheduled_is_cancelled_when_the_task_is_killed(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True)
        deferred(operator)
        operator.on_kill()
        assert fleet.counts[f"DELETE {ONE}"] == 3
        assert {one.status for one in fleet.state.euicc_operations.values()} == {"Canceled"}

    def test_and_in_the_triggerer(self, fleet: Sandbox) -> None:
        trigger = stored(deferred(audit(fleet, deferrable=True)))
        assert [call["arguments"] for call in trigger.cancel] == [
            {"euicc_id": one.euicc_id, "operation_id": one.id}
            for one in fleet.state.euicc_operations.values()
        ]

    def test_unless_that_is_not_wanted(self, fleet: Sandbox) -> None:
        operator = audit(fleet, deferrable=True, cancel_on_kill=False)
        assert not stored(deferred(operator)).cancel
        operator.on_kill()
        assert fleet.counts[f"DELETE {ONE}"] == 0

    def test_an_operation_of_someone_else_goes_on(self, fleet: Sandbox) -> None:
        deferred(audit(fleet, deferrable=True))
        second = audit(fleet, deferrable=True)
        assert not stored(deferred(second)).cancel
        second.on_kill()
        assert fleet.counts[f"DELETE {ONE}"] == 0

    def test_a_retry_can_cancel_what_the_first_try_scheduled(self, fleet: Sandbox) -> None:
        store = Store()
        deferred(audit(fleet, deferrable=True), with_store(store))
        assert (
            len(stored(deferred(audit(fleet, deferrable=True), with_store(store, try_number=2))).cancel) == 3
        )


def test_an_unknown_action_is_answered_with_all_there_are(fleet: Sandbox) -> None:
    with pytest.raises(
        AirflowFailException, match=r"'Swap profile' is not a valid action; allowed: .*'Enable profile'"
    ):
        audit(fleet, action="Swap profile").execute(context())
    assert scheduled(fleet) == 0


def test_an_unknown_euicc_is_an_error_before_anything_is_scheduled(fleet: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="no eUICC 99; nothing was scheduled"):
        audit(fleet, euicc_ids=[*fleet.state.euiccs, 99]).execute(context())
    assert scheduled(fleet) == 0


@pytest.mark.parametrize("nothing", [[], "[]", "", None])
def test_nothing_is_done_for_nothing(fleet: Sandbox, nothing: Any) -> None:
    report = audit(fleet, euicc_ids=nothing).execute(context())
    assert report == {"operation_ids": [], "succeeded": 0, "failed": {}, "pending": []}
    assert fleet.requests == 0


def test_the_activation_code_is_in_no_log_and_no_deferral(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(EmnifyEuiccOperationOperator, "log", logging.getLogger("operator"))
    caplog.set_level(logging.DEBUG)
    operator = audit(fleet, action="Download profile", activation_code="LPA:1$a$SECRET-7", deferrable=True)
    deferral = deferred(operator)
    assert "SECRET-7" not in caplog.text
    assert "SECRET-7" not in json.dumps([deferral.trigger.serialize(), deferral.kwargs])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"euicc_ids": "x"}, "euicc_ids: 'x'"),
        ({"action": ""}, "action: ''"),
        ({"action": None}, "action: None"),
        ({"iccid_with_luhn": "89-49"}, "iccid_with_luhn: '89-49'"),
        ({"enable": "maybe"}, "enable: 'maybe'"),
        ({"validity_period": 0}, "validity_period: 0"),
        ({"validity_period": "soon"}, "validity_period: 'soon'"),
        ({"wait_for_completion": 1}, "wait_for_completion: 1"),
        ({"fail_on_error": "never"}, "fail_on_error: 'never'"),
        ({"timeout": -1}, "timeout: -1"),
    ],
)
def test_bad_arguments_are_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmnifyEuiccOperationOperator(task_id="t", **{"euicc_ids": 1, "action": 1, **arguments})
