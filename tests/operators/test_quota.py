from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emnify.api import EmnifyPartialError, QuotaStatus
from airflow_provider_emnify.operators import quota as module
from airflow_provider_emnify.operators.quota import (
    EmnifyClearQuotaOperator,
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyExtendTrafficLimitOperator,
    EmnifySetQuotaOperator,
    EmnifyTopUpQuotaOperator,
)
from airflow_provider_emnify.sandbox import quotas
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

DATA = "/api/v1/endpoint/{endpoint_id}/quota/data"
EXTENSIONS = "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension"
KINDS = pytest.mark.parametrize("kind", ["data", "sms"])


@pytest.fixture
def fleet(make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    sandbox = make_sandbox(3, limits=False)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    return sandbox


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


def someone_sets(fleet: Sandbox, volume: float) -> None:
    """Have someone set a quota in between two requests."""
    body = {
        "volume": volume,
        "status": {"id": "1"},
        "expiry_date": f"{in_days(fleet, 30):%Y-%m-%dT%H:%M:%SZ}",
    }
    endpoint = fleet.state.endpoints[endpoints(fleet)[0]]
    quotas.assign(fleet.state, endpoint, "data", body, fleet.clock.time(), None)


class TestSet:
    @KINDS
    def test_it_replaces_what_is_left(self, fleet: Sandbox, kind: str) -> None:
        set_quota(fleet, kind).execute(run(fleet))
        use(fleet, 200, kind)
        assert set_quota(fleet, kind).execute(run(fleet, run_id="s")) == endpoints(fleet)
        assert left(fleet, kind) == [500.0] * 3

    def test_everything_that_is_given_is_set(self, fleet: Sandbox) -> None:
        set_quota(fleet, volume="20.5", threshold_volume=2, auto_refill=True).execute(run(fleet))
        quota = fleet.state.quotas[endpoints(fleet)[0], "data"]
        assert (quota.volume, quota.threshold_volume, quota.threshold_percentage) == (20.5, 2, 10)
        assert quota.auto_refill

    def test_a_retry_does_not_fill_up_what_was_used_since(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        use(fleet, 200)
        set_quota(fleet).execute(run(fleet, 2))
        assert left(fleet) == [300.0, 500.0, 500.0]

    def test_a_lost_answer_is_looked_after(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=DATA, drop="after")
        set_quota(fleet).execute(run(fleet))
        assert left(fleet) == [500.0] * 3
        assert fleet.counts[f"POST {DATA}"] == 3

    def test_a_lost_request_is_sent_by_the_next_try(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=DATA, drop="before", skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            set_quota(fleet).execute(run(fleet))
        assert caught.value.done == [str(endpoints(fleet)[0])]
        set_quota(fleet).execute(run(fleet, 2))
        assert left(fleet) == [500.0] * 3
        assert fleet.counts[f"POST {DATA}"] == 4

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"volume": 0}, "volume: 0"),
            ({"volume": "much"}, "volume"),
            ({"volume": True}, "volume"),
            ({"volume": float("nan")}, "volume"),
            ({"quota_type": "voice"}, "quota_type"),
            ({"threshold_percentage": 101}, "threshold_percentage"),
            ({"threshold_volume": -1}, "threshold_volume"),
            ({"expiry_date": "soon"}, "expiry_date"),
            ({"auto_refill": "maybe"}, "auto_refill"),
            ({"quota_type": "sms", "threshold_percentage": None}, "threshold_percentage"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, fleet: Sandbox, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            set_quota(fleet, **arguments)


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

    def test_what_is_added_in_between_is_kept(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        fleet.faults.add(method="GET", path=DATA, skip=1, do=lambda: someone_sets(fleet, 700))
        assert list(top_up(fleet).execute(run(fleet, run_id="s")).values()) == [700.0]

    def test_what_someone_else_sets_at_the_same_moment_is_an_error(self, fleet: Sandbox) -> None:
        set_quota(fleet).execute(run(fleet))
        fleet.faults.add(method="GET", path=DATA, skip=1, do=lambda: someone_sets(fleet, 500))
        with pytest.raises(AirflowFailException, match="by someone else at the same moment: it is 500 MB"):
            top_up(fleet).execute(run(fleet, run_id="s"))

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
        marks = {module.marked(100, run(fleet, run_id=f"run {number}")) for number in range(300)}
        assert len(marks) > 200
        assert all(100 < mark <= 100.001 for mark in marks)
        assert module.marked(1e9, run(fleet)) == module.marked(1e9, run(fleet, 5)) != 1e9


class TestClear:
    @KINDS
    def test_there_is_none_afterwards(self, fleet: Sandbox, kind: Any) -> None:
        set_quota(fleet, kind, endpoint_ids=endpoints(fleet)[:2]).execute(run(fleet))
        operator = EmnifyClearQuotaOperator(task_id="t", endpoint_ids=endpoints(fleet), quota_type=kind)
        assert operator.execute(run(fleet)) == endpoints(fleet)
        assert not fleet.state.quotas


class TestTrafficLimit:
    def extend(self, fleet: Sandbox, **arguments: Any) -> EmnifyExtendTrafficLimitOperator:
        shared = {"endpoint_ids": endpoints(fleet), "volume": 5_000_000}
        return EmnifyExtendTrafficLimitOperator(task_id="t", **{**shared, **arguments})

    def test_each_is_extended(self, fleet: Sandbox) -> None:
        found = self.extend(fleet).execute(run(fleet))
        assert list(found) == [str(key) for key in endpoints(fleet)]
        assert sorted(found.values()) == sorted(fleet.state.extensions)
        assert {extension.volume for extension in fleet.state.extensions.values()} == {5_000_000}

    def test_a_lost_answer_extends_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=EXTENSIONS, drop="after")
        self.extend(fleet).execute(run(fleet))
        assert len(fleet.state.extensions) == 3

    def test_a_retry_extends_what_is_missing(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=EXTENSIONS, drop="before", skip=1)
        with pytest.raises(EmnifyPartialError):
            self.extend(fleet).execute(run(fleet))
        self.extend(fleet).execute(run(fleet, 2))
        assert len(fleet.state.extensions) == 3

    def test_an_older_extension_is_not_taken_for_it(self, fleet: Sandbox) -> None:
        self.extend(fleet).execute(run(fleet))
        fleet.clock.advance(300)
        self.extend(fleet).execute(run(fleet, 2, run_id="s"))
        assert len(fleet.state.extensions) == 6

    def test_each_run_extends(self, fleet: Sandbox) -> None:
        self.extend(fleet).execute(run(fleet))
        self.extend(fleet).execute(run(fleet, run_id="s"))
        assert len(fleet.state.extensions) == 6

    def test_all_are_removed(self, fleet: Sandbox) -> None:
        self.extend(fleet).execute(run(fleet))
        for _ in range(2):
            operator = EmnifyClearTrafficLimitExtensionsOperator(task_id="t", endpoint_ids=endpoints(fleet))
            assert operator.execute(run(fleet)) == endpoints(fleet)
        assert not fleet.state.extensions

    @pytest.mark.parametrize("arguments", [{"volume": 0}, {"volume": "x"}, {"traffic_limit_id": "y"}])
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, fleet: Sandbox, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            self.extend(fleet, **arguments)
