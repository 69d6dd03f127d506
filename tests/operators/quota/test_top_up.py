from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, EmnifyUnknownOutcomeError, QuotaStatus
from airflow_provider_emnify.api.resources.quotas import Quotas
from airflow_provider_emnify.operators.quota import EmnifyTopUpQuotaOperator
from airflow_provider_emnify.sandbox.world import quotas
from tests.fleets import ids_of
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.quota.volumes import DATA, KINDS, in_days, left, set_quota, use
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(3)


def top_up(fleet: Sandbox, kind: str = "data", **arguments: Any) -> EmnifyTopUpQuotaOperator:
    shared = {"endpoint_ids": ids_of(fleet)[0], "volume": 100, "quota_type": kind}
    return EmnifyTopUpQuotaOperator(task_id="t", **{**shared, **arguments})


def someone_sets(fleet: Sandbox, volume: float, added: float | None = None, kind: Any = "data") -> None:
    """Have someone set a quota in between two requests."""
    body: dict[str, Any] = {
        "volume": volume,
        "last_volume_added": volume if added is None else added,
        "status": {"id": "1"},
        "expiry_date": f"{in_days(fleet, 30):%Y-%m-%dT%H:%M:%SZ}",
    }
    endpoint = fleet.state.endpoints[ids_of(fleet)[0]]
    quotas.assign(fleet.state, endpoint, kind, body)


class TestTopUp:
    @KINDS
    def test_it_adds_to_what_is_left_and_keeps_the_rest(self, fleet: Sandbox, kind: str) -> None:
        set_quota(fleet, kind, threshold_volume=3, auto_refill=True).execute(run(fleet))
        use(fleet, 200.25, kind)
        first = ids_of(fleet)[0]
        before = fleet.state.quotas[first, kind]
        assert top_up(fleet, kind).execute(run(fleet, run_id="s")) == {str(first): 399.75}
        after = fleet.state.quotas[first, kind]
        for name in ("threshold_percentage", "threshold_volume", "auto_refill"):
            assert getattr(after, name) == getattr(before, name)
        assert abs(after.expires - before.expires) < 1
        assert left(fleet, kind) == [399.75, 500.0, 500.0]

    @KINDS
    def test_where_there_is_none_it_is_the_first(self, fleet: Sandbox, kind: str) -> None:
        operator = top_up(fleet, kind, expiry_date=in_days(fleet, 1), threshold_percentage=5)
        assert operator.execute(run(fleet)) == {str(ids_of(fleet)[0]): 100.0}

    def test_where_there_is_none_it_needs_to_know_until_when(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="give expiry_date"):
            top_up(fleet).execute(run(fleet))

    def test_an_expired_one_needs_it_too(self, fleet: Sandbox) -> None:
        set_quota(fleet, expiry_date=in_days(fleet, 1)).execute(run(fleet))
        fleet.clock.advance(2 * 86_400)
        with pytest.raises(AirflowFailException, match="give expiry_date"):
            top_up(fleet).execute(run(fleet, run_id="s"))
        top_up(fleet, expiry_date=in_days(fleet, 1)).execute(run(fleet, run_id="s"))
        assert fleet.state.quotas[ids_of(fleet)[0], "data"].status is QuotaStatus.ACTIVE

    def test_an_exhausted_one_is_active_again(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        use(fleet, 600)
        top_up(fleet).execute(run(fleet, run_id="s"))
        quota = fleet.state.quotas[ids_of(fleet)[0], "data"]
        assert (quota.status, quota.volume) == (QuotaStatus.ACTIVE, 100.0)

    @pytest.mark.parametrize("used", [0, 30, 250, 1000])
    @KINDS
    def test_a_retry_adds_nothing_twice_whatever_was_used_since(
        self, fleet: Sandbox, kind: str, used: float
    ) -> None:
        set_quota(fleet, kind).execute(run(fleet))
        top_up(fleet, kind).execute(run(fleet, run_id="s"))
        use(fleet, used, kind)
        found = top_up(fleet, kind).execute(run(fleet, 2, run_id="s"))
        assert found == {str(ids_of(fleet)[0]): max(0.0, 600.0 - used)}

    def test_a_lost_answer_adds_nothing_twice(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        fleet.faults.add(method="POST", path=DATA, drop="after")
        assert list(top_up(fleet).execute(run(fleet, run_id="s")).values()) == [600.0]

    def test_a_lost_request_is_sent_by_the_next_try(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        fleet.faults.add(method="POST", path=DATA, drop="before")
        with pytest.raises(EmnifyPartialError):
            top_up(fleet).execute(run(fleet, run_id="s"))
        assert list(top_up(fleet).execute(run(fleet, 2, run_id="s")).values()) == [600.0]

    def test_a_retry_after_the_run_before_adds(self, fleet: Sandbox) -> None:
        """The run before has added the same volume, and this one died before it did anything."""
        set_quota(fleet).execute(run(fleet))
        top_up(fleet).execute(run(fleet, run_id="monday"))
        fleet.clock.advance(3600)
        found = top_up(fleet).execute(run(fleet, 2, run_id="tuesday"))
        assert list(found.values()) == [700.0]

    def test_each_run_adds(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        for run_id in ("a", "b", "c"):
            top_up(fleet).execute(run(fleet, run_id=run_id))
        assert left(fleet)[0] == 800.0

    def test_an_unknown_endpoint_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match=r"endpoint 7: .*404"):
            top_up(fleet, endpoint_ids=7, expiry_date=in_days(fleet, 1)).execute(run(fleet))


class TestOverlap:
    @pytest.fixture(autouse=True)
    def _quota(self, fleet: Sandbox) -> None:
        """There are 500 MB."""
        set_quota(fleet).execute(run(fleet, run_id="before"))

    def add(self, fleet: Sandbox, run_id: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: top_up(fleet, **arguments).execute(run(fleet, run_id=run_id))

    def test_two_runs_lose_nothing(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        key = str(ids_of(fleet)[0])
        one, two = in_turn(
            monkeypatch, Quotas, "set_data", self.add(fleet, "a"), self.add(fleet, "b", volume=50)
        )
        assert left(fleet)[0] == 650.0
        assert one[key] in {600.0, 650.0}
        assert two == {key: 650.0}

    @pytest.mark.parametrize("kind", ["data", "sms"])
    def test_a_killed_try_is_recognised_although_someone_has_added_since(
        self, fleet: Sandbox, kind: Any
    ) -> None:
        set_quota(fleet, kind).execute(run(fleet, run_id="before"))
        top_up(fleet, kind).execute(run(fleet))
        use(fleet, 30, kind)
        top_up(fleet, kind, volume=50).execute(run(fleet, run_id="other"))
        assert list(top_up(fleet, kind).execute(run(fleet, 2)).values()) == [620.0]
        assert left(fleet, kind)[0] == 620.0

    @pytest.mark.parametrize("told", ["text", "nothing"])
    def test_events_may_tell_it_as_text_or_not_at_all(self, fleet: Sandbox, told: str) -> None:
        top_up(fleet).execute(run(fleet))
        top_up(fleet, volume=50).execute(run(fleet, run_id="other"))
        for event in fleet.state.events.values():
            event.detail = json.dumps(event.detail) if told == "text" else None  # type: ignore[assignment]
        if told == "text":
            assert list(top_up(fleet).execute(run(fleet, 2)).values()) == [650.0]
        else:
            with pytest.raises(AirflowFailException, match="events do not tell: nothing") as caught:
                top_up(fleet).execute(run(fleet, 2))
            assert isinstance(caught.value.__cause__, EmnifyUnknownOutcomeError)
        assert left(fleet)[0] == 650.0


class TestJournal:
    """On Airflow 3.3 a killed attempt has noted what there was and what it was to be."""

    @pytest.fixture(autouse=True)
    def _quota(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet, run_id="before"))
        fleet.clock.advance(3600)

    @pytest.mark.parametrize("used", [0, 99, 400])
    @pytest.mark.parametrize("arrived", [True, False])
    def test_a_killed_attempt_is_told_from_another_run_that_adds_the_same(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, arrived: bool, used: float
    ) -> None:
        plain, store = Quotas.set_data, Store()

        class DiedError(BaseException):
            pass

        def die(*args: Any, **kwargs: Any) -> None:
            if arrived:
                plain(*args, **kwargs)
            raise DiedError

        top_up(fleet).execute(run(fleet, run_id="other"))
        with monkeypatch.context() as patch:
            patch.setattr(Quotas, "set_data", die)
            with pytest.raises(DiedError):
                top_up(fleet).execute({**run(fleet), "task_state_store": store})
        use(fleet, used)
        found = top_up(fleet).execute({**run(fleet, 2), "task_state_store": store})
        assert list(found.values()) == [700.0 - used]

    def test_what_another_run_adds_meanwhile_is_not_taken_for_one_s_own(self, fleet: Sandbox) -> None:
        store = Store()
        fleet.faults.add(method="GET", path="/api/v1/endpoint/{endpoint_id}/quota/data", status=500, times=9)
        with pytest.raises(EmnifyPartialError):
            top_up(fleet).execute({**run(fleet), "task_state_store": store})
        fleet.faults.clear()
        top_up(fleet).execute(run(fleet, run_id="other"))
        found = top_up(fleet).execute({**run(fleet, 2), "task_state_store": store})
        assert list(found.values()) == [700.0]

    def test_a_task_that_is_cleared_adds_nothing_twice(self, fleet: Sandbox) -> None:
        store = Store()
        for number in (1, 2):
            top_up(fleet).execute({**run(fleet, number), "task_state_store": store})
            use(fleet, 550)
            fleet.clock.advance(600)
        assert left(fleet)[0] == 0.0


def test_an_odd_status_is_a_server_error(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quotas, "get_data", lambda *_: {"volume": 1, "status": {"id": 77}})
    with pytest.raises(EmnifyPartialError, match=r"the status is unusable: 77 is not a valid") as caught:
        top_up(fleet, expiry_date=in_days(fleet, 1)).execute(run(fleet))
    assert caught.value.transient


def test_the_volume_that_is_asked_for_is_written(fleet: Sandbox) -> None:
    set_quota(fleet).execute(run(fleet))
    top_up(fleet).execute(run(fleet, run_id="s"))
    quota = fleet.state.quotas[ids_of(fleet)[0], "data"]
    assert (quota.volume, quota.last_volume_added) == (600.0, 100.0)
