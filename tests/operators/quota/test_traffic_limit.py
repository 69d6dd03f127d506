from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.api.resources.traffic_limits import TrafficLimits
from airflow_provider_emnify.operators.quota import (
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyExtendTrafficLimitOperator,
)
from tests.fleets import ids_of
from tests.operators.euicc.test_base import Store
from tests.operators.idempotency.overlapping import in_turn
from tests.operators.support import run

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

EXTENSIONS = "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension"


pytestmark = pytest.mark.fleet(3)


class TestExtensions:
    def extend(self, fleet: Sandbox, **arguments: Any) -> EmnifyExtendTrafficLimitOperator:
        shared = {"endpoint_ids": ids_of(fleet), "volume": 5_000_000}
        return EmnifyExtendTrafficLimitOperator(task_id="t", **{**shared, **arguments})

    def test_each_is_extended(self, fleet: Sandbox) -> None:
        found = self.extend(fleet).execute(run(fleet))
        assert list(found) == [str(key) for key in ids_of(fleet)]
        assert sorted(found.values()) == sorted(fleet.state.extensions)
        assert {extension.volume for extension in fleet.state.extensions.values()} == {5_000_000}
        assert fleet.counts[f"GET {EXTENSIONS}"] == 0

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

    def test_what_another_run_adds_meanwhile_is_not_taken_for_one_s_own(self, fleet: Sandbox) -> None:
        """With Airflow's task state store, an attempt knows which extensions it may have made."""
        store = Store()
        fleet.faults.add(method="POST", path=EXTENSIONS, drop="before", skip=1)
        with pytest.raises(EmnifyPartialError):
            self.extend(fleet).execute({**run(fleet), "task_state_store": store})
        self.extend(fleet, endpoint_ids=ids_of(fleet)[2:]).execute(run(fleet, run_id="other"))
        self.extend(fleet).execute({**run(fleet, 2), "task_state_store": store})
        assert [one.endpoint_id for one in fleet.state.extensions.values()].count(ids_of(fleet)[2]) == 2
        assert len(fleet.state.extensions) == 4

    @pytest.mark.parametrize("fails", [True, False])
    def test_a_store_that_was_away_extends_nothing_twice_and_is_warned_of_once_a_try(
        self, fleet: Sandbox, fails: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("WARNING")
        self.extend(fleet).execute({**run(fleet), "task_state_store": Store(fails=True)})
        self.extend(fleet).execute({**run(fleet, 2), "task_state_store": Store(fails=fails)})
        assert len(fleet.state.extensions) == 3
        assert caplog.text.count("task state store failed") == 1 + fails

    def test_each_run_extends(self, fleet: Sandbox) -> None:
        self.extend(fleet).execute(run(fleet))
        self.extend(fleet).execute(run(fleet, run_id="s"))
        assert len(fleet.state.extensions) == 6

    def test_a_killed_attempt_is_recognised(self, fleet: Sandbox) -> None:
        first = self.extend(fleet).execute(run(fleet))
        assert self.extend(fleet).execute(run(fleet, 2)) == first
        assert len(fleet.state.extensions) == 3

    @pytest.mark.parametrize("drop", ["after", None])
    def test_two_runs_that_overlap_each_extend(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, drop: str | None
    ) -> None:
        if drop:
            fleet.faults.add(method="POST", path=EXTENSIONS, drop=drop)
        key = ids_of(fleet)[0]
        one, two = in_turn(
            monkeypatch,
            TrafficLimits,
            "extend",
            lambda: self.extend(fleet, endpoint_ids=key).execute(run(fleet)),
            lambda: self.extend(fleet, endpoint_ids=key).execute(run(fleet, run_id="s")),
        )
        assert sorted([*one.values(), *two.values()]) == sorted(fleet.state.extensions)
        assert len(fleet.state.extensions) == 2

    def test_all_are_removed(self, fleet: Sandbox) -> None:
        self.extend(fleet).execute(run(fleet))
        for _ in range(2):
            operator = EmnifyClearTrafficLimitExtensionsOperator(task_id="t", endpoint_ids=ids_of(fleet))
            assert operator.execute(run(fleet)) == ids_of(fleet)
        assert not fleet.state.extensions
