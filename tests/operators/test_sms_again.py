"""SMS of a task that runs again, or of two runs that overlap: none is sent twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import (
    EmnifyPartialError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    SmsStatus,
)
from airflow_provider_emnify.api.resources.sms import Sms
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.sandbox.world import messaging
from tests.fleets import a_minute_later
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import elsewhere, in_turn
from tests.operators.support import run, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

SMS = "/api/v1/endpoint/{endpoint_id}/sms"
LONG = "pump " * 40  # 200 characters: two parts


pytestmark = pytest.mark.fleet(3, prepare=a_minute_later)


def send(**arguments: Any) -> EmnifySendSmsOperator:
    return EmnifySendSmsOperator(task_id="t", **{"text": "on", **arguments})


def online(fleet: Sandbox) -> list[int]:
    return sorted(fleet.state.endpoints)


def someone_sends(fleet: Sandbox, text: str) -> None:
    """Have an SMS sent to the first endpoint in between two requests."""
    state, endpoint = fleet.state, fleet.state.endpoints[online(fleet)[0]]
    sim = state.sim_of(endpoint)
    assert sim is not None
    messaging.send(state, endpoint, sim, {"payload": text})


class TestAgain:
    def test_a_lost_answer_sends_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=SMS, drop="after")
        found = send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet))
        assert found[str(online(fleet)[0])] == sorted(fleet.state.sms)
        assert len(fleet.state.sms) == 2

    def test_a_lost_request_is_sent_by_the_next_try(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=SMS, drop="before")
        with pytest.raises(EmnifyPartialError):
            send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet, 2))
        assert len(fleet.state.sms) == 1

    def test_a_worker_s_death_after_sending_sends_nothing_twice(self, fleet: Sandbox) -> None:
        first = send(endpoint_ids=online(fleet), text=LONG)
        first.execute(run(fleet))
        fleet.clock.advance(5)
        second = send(endpoint_ids=online(fleet), text=LONG)
        again = second.execute(run(fleet, 2))
        assert len(fleet.state.sms) == 6
        assert sorted(number for ids in again.values() for number in ids) == sorted(fleet.state.sms)

    def test_an_attempt_on_another_host_sends_nothing_twice(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It shares no lock with the first, but looks all the same."""
        there, to = elsewhere(fleet, monkeypatch), online(fleet)
        first = send(endpoint_ids=to).execute(run(fleet))
        assert send(endpoint_ids=to, emnify_conn_id=there).execute(run(fleet, 2)) == first
        assert len(fleet.state.sms) == 3

    def test_a_death_between_two_parts_is_completed(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        fleet.faults.add(method="POST", path=SMS, status=500, skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet))
        assert isinstance(caught.value.__cause__, EmnifyServerError | Exception)
        send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet, 2))
        parts = [sms.udh for sms in fleet.state.sms.values()]
        assert len(parts) == 2
        assert parts[0][:8] == parts[1][:8]

    def test_a_cleared_task_of_a_finished_run_sends_nothing_twice(self, fleet: Sandbox) -> None:
        due = datetime.fromtimestamp(fleet.clock.time(), UTC)
        first = send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.clock.advance(7200)
        cleared = run(fleet, 2, clear_number=1, run_after=due)
        assert send(endpoint_ids=online(fleet)[0]).execute(cleared) == first
        assert len(fleet.state.sms) == 1

    @pytest.mark.parametrize("status", [SmsStatus.FAILED, SmsStatus.EXPIRED, SmsStatus.CANCELED])
    def test_what_did_not_arrive_is_sent_again(self, fleet: Sandbox, status: SmsStatus) -> None:
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        (only,) = fleet.state.sms.values()
        only.status = status
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet, 2))
        assert len(fleet.state.sms) == 2

    def test_another_run_sends_its_own(self, fleet: Sandbox) -> None:
        send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet))
        fleet.clock.advance(1)
        send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet, run_id="s"))
        assert len(fleet.state.sms) == 4

    def test_what_came_before_the_first_attempt_is_not_taken_for_its_own(self, fleet: Sandbox) -> None:
        """The run began an hour ago: Airflow's store knows when the first attempt acted."""
        began = datetime.fromtimestamp(fleet.clock.time(), UTC) - timedelta(hours=1)
        kept: dict[str, Any] = {"task_state_store": Store()}
        someone_sends(fleet, "on")
        next(iter(fleet.state.sms.values())).submitted -= 1800
        fleet.faults.add(method="POST", path=SMS, drop="before")
        with pytest.raises(EmnifyPartialError):
            send(endpoint_ids=online(fleet)[0]).execute({**run(fleet, start_date=began), **kept})
        send(endpoint_ids=online(fleet)[0]).execute({**run(fleet, 2, start_date=began), **kept})
        assert len(fleet.state.sms) == 2

    def test_an_older_one_of_the_same_text_is_not_taken_for_it(self, fleet: Sandbox) -> None:
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.clock.advance(600)
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet, 2))
        assert len(fleet.state.sms) == 2


class TestOverlap:
    @pytest.mark.parametrize("text", ["on", LONG], ids=["short", "long"])
    def test_two_runs_at_the_same_moment_send_it_once(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        to = online(fleet)[:2]
        one, two = in_turn(
            monkeypatch,
            Sms,
            "send",
            lambda: send(endpoint_ids=to, text=text).execute(run(fleet)),
            lambda: send(endpoint_ids=to, text=text).execute(run(fleet, run_id="s")),
        )
        assert one == two
        assert [number for ids in one.values() for number in ids] == sorted(fleet.state.sms)

    def test_other_texts_and_endpoints_are_each_sent(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, _ = online(fleet)
        one, two = in_turn(
            monkeypatch,
            Sms,
            "send",
            lambda: send(endpoint_ids=[first, second], text="on").execute(run(fleet)),
            lambda: send(endpoint_ids=[first, second], text="off").execute(run(fleet, run_id="s")),
        )
        assert len({number for sent in (one, two) for ids in sent.values() for number in ids}) == 4

    @pytest.mark.parametrize("drop", ["after", "before"])
    def test_an_answer_that_is_lost_while_another_run_sends_the_same(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, drop: str
    ) -> None:
        """On one host: the second sees what the first has sent, or sends it in its stead."""
        fleet.faults.add(method="POST", path=SMS, drop=drop)
        one, two = in_turn(
            monkeypatch,
            Sms,
            "send",
            lambda: send(endpoint_ids=online(fleet)[0]).execute(run(fleet)),
            lambda: send(endpoint_ids=online(fleet)[0]).execute(run(fleet, run_id="s")),
        )
        (only,) = fleet.state.sms
        assert two == {str(online(fleet)[0]): [only]}
        if drop == "after":
            assert one == two
        else:
            assert isinstance(one.__cause__, EmnifyUnknownOutcomeError)
        again = send(endpoint_ids=online(fleet)[0]).execute(run(fleet, 2))
        assert again == two

    def test_a_task_that_follows_sends_its_own(self, fleet: Sandbox) -> None:
        """In the same run, in the same second."""
        first = send(endpoint_ids=online(fleet)).execute(run(fleet))
        second = send(endpoint_ids=online(fleet)).execute(run(fleet, run_id="s"))
        assert len(fleet.state.sms) == 6
        assert not {*map(str, first.values())} & {*map(str, second.values())}

    def test_a_long_text_of_which_another_run_has_sent_a_part_is_completed(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parts of the same text go together, whoever has sent them."""
        fleet.faults.add(method="POST", path=SMS, status=422, skip=1)
        one, two = in_turn(
            monkeypatch,
            Sms,
            "send",
            lambda: send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet)),
            lambda: send(endpoint_ids=online(fleet)[0], text=LONG).execute(run(fleet, run_id="s")),
        )
        assert isinstance(one, AirflowFailException)
        assert sorted(two[str(online(fleet)[0])]) == sorted(fleet.state.sms)
        assert len({sms.udh[:8] for sms in fleet.state.sms.values()}) == 1  # type: ignore[index]
        assert len(fleet.state.sms) == 2

    def test_an_earlier_attempt_is_known_to_the_second_by_the_journal(self, fleet: Sandbox) -> None:
        """What another run sent before it began is not taken for its own, however soon before."""
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.clock.advance(7200)
        long_ago = datetime.fromtimestamp(fleet.clock.time() - 9000, UTC)
        acted = datetime.fromtimestamp(fleet.clock.time() - 600, UTC)
        journal = Store()
        journal.set("emnify_acts_since", acted.isoformat())
        for store, count in (({}, 1), ({"task_state_store": journal}, 2)):
            send(endpoint_ids=online(fleet)[0]).execute({**run(fleet, 2, start_date=long_ago), **store})
            assert len(fleet.state.sms) == count

    def test_a_lost_request_is_not_taken_for_what_an_earlier_task_has_sent(self, fleet: Sandbox) -> None:
        send(endpoint_ids=online(fleet)[0]).execute(run(fleet))
        fleet.faults.add(method="POST", path=SMS, drop="before")
        with pytest.raises(EmnifyPartialError, match="could not send the SMS"):
            send(endpoint_ids=online(fleet)[0]).execute(run(fleet, run_id="s"))

    def test_what_another_run_has_sent_is_not_cancelled(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        second = send(endpoint_ids=online(fleet)[0])
        in_turn(
            monkeypatch,
            Sms,
            "send",
            lambda: send(endpoint_ids=online(fleet)[0]).execute(run(fleet)),
            lambda: second.execute(run(fleet, run_id="s")),
        )
        second.on_kill()
        assert {sms.status for sms in fleet.state.sms.values()} != {SmsStatus.CANCELED}
