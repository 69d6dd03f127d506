from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, EmnifyUnknownOutcomeError, QuotaStatus
from airflow_provider_emnify.api.resources.quotas import Quotas
from airflow_provider_emnify.operators.quota import EmnifySetQuotaOperator, EmnifyTopUpQuotaOperator
from airflow_provider_emnify.operators.quota import base as quota_settings
from airflow_provider_emnify.operators.quota import top_up as module
from airflow_provider_emnify.sandbox.world import quotas
from tests.operators.idempotency.overlapping import at_once, elsewhere, in_turn
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

DATA = "/api/v1/endpoint/{endpoint_id}/quota/data"
KINDS = pytest.mark.parametrize("kind", ["data", "sms"])


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = make_sandbox(3, limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    return sandbox


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; none of them is taken."""
    waits: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=waits.append)
    monkeypatch.setattr(module, "time", clock)
    return waits


def in_days(fleet: Sandbox, days: float) -> datetime:
    return datetime.fromtimestamp(fleet.clock.time(), UTC) + timedelta(days=days)


def endpoints(fleet: Sandbox) -> list[int]:
    return sorted(fleet.state.endpoints)


def left(fleet: Sandbox, kind: str = "data") -> list[float]:
    return [
        fleet.state.quotas[key, kind].volume for key in endpoints(fleet) if (key, kind) in fleet.state.quotas
    ]


def set_quota(fleet: Sandbox, kind: str = "data", **arguments: Any) -> EmnifySetQuotaOperator:
    shared = {"endpoint_ids": endpoints(fleet), "volume": 500, "expiry_date": in_days(fleet, 30)}
    return EmnifySetQuotaOperator(
        task_id="t", **{**shared, "quota_type": kind, "threshold_percentage": 10, **arguments}
    )


def top_up(fleet: Sandbox, kind: str = "data", **arguments: Any) -> EmnifyTopUpQuotaOperator:
    shared = {"endpoint_ids": endpoints(fleet)[0], "volume": 100, "quota_type": kind}
    return EmnifyTopUpQuotaOperator(task_id="t", **{**shared, **arguments})


def use(fleet: Sandbox, volume: float, kind: Any = "data") -> None:
    endpoint = fleet.state.endpoints[endpoints(fleet)[0]]
    quotas.consume(fleet.state, endpoint, kind, volume, fleet.clock.time())


def someone_sets(fleet: Sandbox, volume: float, added: float | None = None, kind: Any = "data") -> None:
    """Have someone set a quota in between two requests."""
    body: dict[str, Any] = {
        "volume": volume,
        "last_volume_added": volume if added is None else added,
        "status": {"id": "1"},
        "expiry_date": f"{in_days(fleet, 30):%Y-%m-%dT%H:%M:%SZ}",
    }
    endpoint = fleet.state.endpoints[endpoints(fleet)[0]]
    quotas.assign(fleet.state, endpoint, kind, body, fleet.clock.time(), None)


class TestTopUp:
    @KINDS
    def test_it_adds_to_what_is_left_and_keeps_the_rest(self, fleet: Sandbox, kind: str) -> None:
        set_quota(fleet, kind, threshold_volume=3, auto_refill=True).execute(run(fleet))
        use(fleet, 200.25, kind)
        first = endpoints(fleet)[0]
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
        assert operator.execute(run(fleet)) == {str(endpoints(fleet)[0]): 100.0}

    def test_where_there_is_none_it_needs_to_know_until_when(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="give expiry_date"):
            top_up(fleet).execute(run(fleet))

    def test_an_expired_one_needs_it_too(self, fleet: Sandbox) -> None:
        set_quota(fleet, expiry_date=in_days(fleet, 1)).execute(run(fleet))
        fleet.clock.advance(2 * 86_400)
        with pytest.raises(AirflowFailException, match="give expiry_date"):
            top_up(fleet).execute(run(fleet, run_id="s"))
        top_up(fleet, expiry_date=in_days(fleet, 1)).execute(run(fleet, run_id="s"))
        assert fleet.state.quotas[endpoints(fleet)[0], "data"].status is QuotaStatus.ACTIVE

    def test_an_exhausted_one_is_active_again(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        use(fleet, 600)
        top_up(fleet).execute(run(fleet, run_id="s"))
        quota = fleet.state.quotas[endpoints(fleet)[0], "data"]
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
        assert found == {str(endpoints(fleet)[0]): max(0.0, 600.0 - used)}

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
        found = top_up(fleet).execute(run(fleet, 2, run_id="tuesday"))
        assert list(found.values()) == [700.0]

    def test_each_run_adds(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        for run_id in ("a", "b", "c"):
            top_up(fleet).execute(run(fleet, run_id=run_id))
        assert left(fleet)[0] == 800.0

    def test_without_its_mark_a_retry_does_not_guess(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An emnify that rounds what was added last."""
        set_quota(fleet).execute(run(fleet))
        monkeypatch.setattr(quotas, "float", round, raising=False)
        assert list(top_up(fleet).execute(run(fleet, run_id="s")).values()) == [600.0]
        with pytest.raises(AirflowFailException, match="100 were added last, by an earlier try or"):
            top_up(fleet).execute(run(fleet, 2, run_id="s"))
        assert left(fleet)[0] == 600

    def test_an_unknown_endpoint_is_an_error(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match=r"endpoint 7: .*404"):
            top_up(fleet, endpoint_ids=7, expiry_date=in_days(fleet, 1)).execute(run(fleet))

    def test_a_mark_is_the_task_instance_s_own(self, fleet: Sandbox) -> None:
        marks = {quota_settings.marked(100, run(fleet, run_id=f"run {number}")) for number in range(300)}
        assert len(marks) > 200
        assert all(100 < mark <= 100.001 for mark in marks)
        assert quota_settings.marked(1e9, run(fleet)) == quota_settings.marked(1e9, run(fleet, 5)) != 1e9


class TestOverlap:
    @pytest.fixture(autouse=True)
    def _quota(self, fleet: Sandbox) -> None:
        """There are 500 MB."""
        set_quota(fleet).execute(run(fleet, run_id="before"))

    def add(self, fleet: Sandbox, run_id: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: top_up(fleet, **arguments).execute(run(fleet, run_id=run_id))

    def test_two_runs_lose_nothing(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        key = str(endpoints(fleet)[0])
        one, two = in_turn(
            monkeypatch, Quotas, "set_data", self.add(fleet, "a"), self.add(fleet, "b", volume=50)
        )
        assert left(fleet)[0] == 650.0
        assert one[key] in {600.0, 650.0}
        assert two == {key: 650.0}

    @pytest.mark.parametrize("volume", [10, 100, 300])
    def test_of_two_hosts_that_share_nothing_the_one_whose_addition_is_lost_fails(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, volume: float
    ) -> None:
        there = elsewhere(fleet, monkeypatch)
        both_have_written = threading.Barrier(2, timeout=60)
        monkeypatch.setattr(module.time, "sleep", lambda _: both_have_written.wait())
        one, two = at_once(
            monkeypatch,
            Quotas,
            "set_data",
            self.add(fleet, "a"),
            self.add(fleet, "b", volume=volume, emnify_conn_id=there),
        )
        assert two == {str(endpoints(fleet)[0]): 500.0 + volume}
        assert isinstance(one, AirflowFailException)
        assert isinstance(one.__cause__, EmnifyUnknownOutcomeError)
        assert "the 100 of this task seem to be lost. Check these endpoints" in str(one)

    def test_it_reads_back_once_when_another_host_would_have_written(
        self, fleet: Sandbox, waits: list[float]
    ) -> None:
        before = fleet.counts[f"GET {DATA}"]
        top_up(fleet, endpoint_ids=endpoints(fleet)).execute(run(fleet))
        (wait,) = waits
        assert 4 < wait <= 5
        assert fleet.counts[f"GET {DATA}"] == before + 6
        waits.clear()
        top_up(fleet, endpoint_ids=endpoints(fleet)).execute(run(fleet, 2))
        assert waits == []

    @pytest.mark.parametrize("kind", ["data", "sms"])
    def test_what_is_added_on_top_is_kept(self, fleet: Sandbox, kind: Any) -> None:
        set_quota(fleet, kind).execute(run(fleet, run_id="before"))
        path = DATA.replace("data", kind)
        fleet.faults.add(method="GET", path=path, skip=1, do=lambda: someone_sets(fleet, 640, 50, kind))
        assert list(top_up(fleet, kind).execute(run(fleet)).values()) == [640.0]  # 10 were used

    @pytest.mark.parametrize(
        "then",
        [
            [(500, 500)],  # set, in the portal
            [(700, 700)],  # set, to more than there was
            [(600, 100)],  # added to what there was before
            [(800, 300)],  # more was added to what there was before
            [(600, 100), (700, 100)],  # and then something on top
        ],
    )
    def test_what_someone_else_sets_at_the_same_moment_is_an_error(
        self, fleet: Sandbox, then: list[tuple[float, float]]
    ) -> None:
        def someone() -> None:
            for volume, added in then:
                someone_sets(fleet, volume, added)

        fleet.faults.add(method="GET", path=DATA, skip=1, do=someone)
        with pytest.raises(AirflowFailException, match="seem to be lost") as caught:
            top_up(fleet).execute(run(fleet))
        assert isinstance(caught.value.__cause__, EmnifyUnknownOutcomeError)

    def test_others_are_topped_up_all_the_same(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="GET", path=DATA, skip=3, do=lambda: someone_sets(fleet, 500))
        with pytest.raises(AirflowFailException, match="2 of 3 are done"):
            top_up(fleet, endpoint_ids=endpoints(fleet)).execute(run(fleet))
        assert left(fleet) == [500.0, 600.0, 600.0]

    @pytest.mark.parametrize(("added", "lost"), [(200, True), (None, False)])
    def test_a_task_that_is_slow_to_write_tells_what_it_has_overwritten(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, added: float | None, lost: bool
    ) -> None:
        """The other host has read back by then, and its addition was there."""
        clock = iter([0.0, 6.0])
        monkeypatch.setattr(module.time, "monotonic", lambda: next(clock, 6.0))
        if added is not None:
            fleet.faults.add(method="POST", path=DATA, do=lambda: someone_sets(fleet, 500 + added, added))
        if lost:
            with pytest.raises(AirflowFailException, match=r"the 200\.0 that someone else has added"):
                top_up(fleet).execute(run(fleet))
        else:
            assert list(top_up(fleet).execute(run(fleet)).values()) == [600.0]

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

    def test_a_killed_try_whose_addition_was_overwritten_is_not_repeated(self, fleet: Sandbox) -> None:
        top_up(fleet).execute(run(fleet))
        someone_sets(fleet, 550, 50)
        with pytest.raises(AirflowFailException, match="seem to be lost") as caught:
            top_up(fleet).execute(run(fleet, 2))
        assert isinstance(caught.value.__cause__, EmnifyUnknownOutcomeError)
        assert left(fleet)[0] == 550.0

    @pytest.mark.parametrize("told", ["text", "nothing"])
    def test_events_may_tell_it_as_text_or_not_at_all(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, told: str
    ) -> None:
        top_up(fleet).execute(run(fleet))
        top_up(fleet, volume=50).execute(run(fleet, run_id="other"))
        for event in fleet.state.events.values():
            event.detail = json.dumps(event.detail) if told == "text" else None  # type: ignore[assignment]
        if told == "text":
            assert list(top_up(fleet).execute(run(fleet, 2)).values()) == [650.0]
        else:
            with pytest.raises(AirflowFailException, match="perhaps by an earlier try too: nothing"):
                top_up(fleet).execute(run(fleet, 2))
        assert left(fleet)[0] == 650.0

    def test_with_one_event_that_tells_nothing_it_was_someone_else(self, fleet: Sandbox) -> None:
        """This run's first try died before it did anything."""
        for event in fleet.state.events.values():
            event.detail = None
        assert list(top_up(fleet).execute(run(fleet, 2)).values()) == [600.0]
