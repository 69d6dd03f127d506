from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, SmsStatus
from airflow_provider_emnify.operators.base import waiting
from airflow_provider_emnify.operators.sms import EmnifyCancelSmsOperator, EmnifySendSmsOperator
from tests.fleets import a_minute_later
from tests.operators.deferring import deferred, resume
from tests.operators.support import run

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

SMS = "/api/v1/endpoint/{endpoint_id}/sms"
LONG = "pump " * 40  # 200 characters: two parts


pytestmark = pytest.mark.fleet(3, prepare=a_minute_later)


def send(**arguments: Any) -> EmnifySendSmsOperator:
    return EmnifySendSmsOperator(task_id="t", **{"text": "on", **arguments})


def sent(fleet: Sandbox) -> list[Any]:
    return [entry.body for entry in fleet.log if entry.method == "POST" and entry.template == SMS]


def online(fleet: Sandbox) -> list[int]:
    return sorted(fleet.state.endpoints)


@pytest.fixture
def clock_goes_on(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the sandbox's clock go on, instead of sleeping between two looks."""
    clock = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=fleet.clock.advance)
    monkeypatch.setattr(waiting, "time", clock)


class TestSend:
    def test_each_endpoint_gets_each_part(self, fleet: Sandbox) -> None:
        one, two, _ = online(fleet)
        found = send(endpoint_ids=f"[{one}, {two}]", text=LONG).execute(run(fleet))
        assert list(found) == [str(one), str(two)]
        assert all(len(ids) == 2 for ids in found.values())
        assert [body["udh"][8:] for body in sent(fleet)] == ["0201", "0202"] * 2
        assert {body["dcs"] for body in sent(fleet)} == {0}
        assert sent(fleet)[0]["payload"] + sent(fleet)[1]["payload"] == LONG
        for key, ids in found.items():
            assert [fleet.state.sms[number].endpoint_id for number in ids] == [int(key)] * 2

    def test_what_gsm_does_not_have_goes_as_ucs2(self, fleet: Sandbox) -> None:
        send(endpoint_ids=online(fleet)[0], text="насос 7 😀").execute(run(fleet))
        assert sent(fleet) == [{"payload": "насос 7 😀", "dcs": 8}]

    def test_sender_callback_and_expiry_are_passed_on(self, fleet: Sandbox) -> None:
        later = datetime.fromtimestamp(fleet.clock.time(), UTC) + timedelta(hours=1)
        send(
            endpoint_ids=online(fleet)[0], source_address="Pumps", dest_address="cb", expiry_date=str(later)
        ).execute(run(fleet))
        (body,) = sent(fleet)
        assert body["source_address"] == "Pumps"
        assert body["source_address_type"] == {"id": 208}
        assert body["dest_address"] == "cb"
        assert body["expiry_date"] == later.strftime("%Y-%m-%dT%H:%M:%SZ")

    @pytest.mark.parametrize("nothing", [None, "", " ", "None", "null"])
    def test_what_a_template_renders_none_to_is_no_sender(self, fleet: Sandbox, nothing: str | None) -> None:
        send(endpoint_ids=online(fleet)[0], text="on", source_address=nothing, dest_address=nothing).execute(
            run(fleet)
        )
        assert sent(fleet) == [{"payload": "on", "dcs": 0}]

    def test_nothing_is_sent_to_nobody(self, fleet: Sandbox) -> None:
        before = fleet.requests
        assert send(endpoint_ids="").execute(run(fleet)) == {}
        assert fleet.requests == before

    def test_one_that_is_refused_keeps_no_other_from_it(self, fleet: Sandbox) -> None:
        one, two, _ = online(fleet)
        with pytest.raises(AirflowFailException, match=r"endpoint 7: .*404") as caught:
            send(endpoint_ids=[one, 7, two]).execute(run(fleet))
        partial = caught.value.__cause__
        assert isinstance(partial, EmnifyPartialError)
        assert (partial.done, partial.not_done) == ([str(one), str(two)], ["7"])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"text": "a" * 40000}, "255 is the most"),
            ({"source_address": "TwelveLetter"}, "source_address"),
            ({"poll_interval": -1}, "poll_interval"),
            ({"poll_interval": float("nan")}, "poll_interval"),
            ({"poll_interval": float("inf")}, "poll_interval"),
            ({"timeout": "1h"}, "timeout"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            send(**{"endpoint_ids": [1], **arguments})


class TestWait:
    def test_it_waits_in_the_worker(self, fleet: Sandbox, clock_goes_on: None) -> None:
        found = send(
            endpoint_ids=online(fleet), text=LONG, wait_for_completion=True, poll_interval=5
        ).execute(run(fleet))
        numbers = [number for ids in found.values() for number in ids]
        assert {fleet.state.sms[number].status for number in numbers} == {SmsStatus.DELIVERED}

    def test_it_waits_in_the_triggerer(self, fleet: Sandbox) -> None:
        operator = send(
            endpoint_ids=online(fleet), wait_for_completion=True, deferrable=True, poll_interval=0.02
        )
        deferral = deferred(operator, run(fleet))
        numbers = sorted(fleet.state.sms)
        assert len(numbers) == 3
        fleet.clock.advance(60)
        found = resume(operator, deferral)
        assert sorted(number for ids in found.values() for number in ids) == numbers
        assert list(found) == [str(key) for key in online(fleet)]

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_one_that_fails_fails_the_task(
        self, fleet: Sandbox, clock_goes_on: None, deferrable: bool
    ) -> None:
        operator = send(
            endpoint_ids=online(fleet), wait_for_completion=True, deferrable=deferrable, poll_interval=0.1
        )
        fleet.outcomes.add("sms", online(fleet)[1])
        if deferrable:
            deferral = deferred(operator, run(fleet))
            fleet.clock.advance(60)
            with pytest.raises(AirflowFailException, match="Absent subscriber"):
                resume(operator, deferral)
        else:
            with pytest.raises(AirflowFailException, match="Absent subscriber"):
                operator.execute(run(fleet))

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_the_undelivered_are_reported_when_time_runs_out(
        self, fleet: Sandbox, clock_goes_on: None, deferrable: bool
    ) -> None:
        operator = send(
            endpoint_ids=online(fleet),
            wait_for_completion=True,
            deferrable=deferrable,
            timeout=0,
            on_timeout="return",
        )
        task = run(fleet)
        states = resume(operator, deferred(operator, task)) if deferrable else operator.execute(task)
        assert states.keys() == {f"{sms.endpoint_id}/{sms.id}" for sms in fleet.state.sms.values()}
        assert set(states.values()) <= {"Pending", "In progress"}


class TestCancel:
    def test_what_is_not_delivered_is_cancelled(self, fleet: Sandbox) -> None:
        found = send(endpoint_ids=online(fleet)[:2]).execute(run(fleet))
        seen = EmnifyCancelSmsOperator(task_id="t", sms_ids=str(found)).execute(run(fleet))
        assert set(seen.values()) == {"Canceled"}
        assert {sms.status for sms in fleet.state.sms.values()} == {SmsStatus.CANCELED}
        assert EmnifyCancelSmsOperator(task_id="t", sms_ids=list(seen)).execute(run(fleet)) == seen

    def test_what_is_delivered_stays_so(self, fleet: Sandbox) -> None:
        found = send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.clock.advance(60)
        seen = EmnifyCancelSmsOperator(task_id="t", sms_ids=found).execute(run(fleet))
        assert list(seen.values()) == ["Delivered"]

    def test_one_that_is_delivered_at_that_moment_is_no_error(self, fleet: Sandbox) -> None:
        found = send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.faults.add(method="DELETE", path=SMS + "/{sms_id}", do=lambda: fleet.clock.advance(60))
        seen = EmnifyCancelSmsOperator(task_id="t", sms_ids=found).execute(run(fleet))
        assert list(seen.values()) == ["Delivered"]

    def test_an_unknown_one_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="404"):
            EmnifyCancelSmsOperator(task_id="t", sms_ids=f"{online(fleet)[0]}/7").execute(run(fleet))

    @pytest.mark.parametrize("sms_ids", ["7", "{7: [8}", {"x": [1]}, [7, 8]])
    def test_what_is_no_pair_is_refused_when_the_dag_is_parsed(self, sms_ids: Any) -> None:
        with pytest.raises(ValueError, match="sms_ids"):
            EmnifyCancelSmsOperator(task_id="t", sms_ids=sms_ids)
