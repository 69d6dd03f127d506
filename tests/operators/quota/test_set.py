from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.operators.quota import EmnifyClearQuotaOperator
from tests.fleets import ids_of
from tests.operators.quota.volumes import DATA, KINDS, left, set_quota, use
from tests.operators.support import run

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(3)


class TestSet:
    @KINDS
    def test_it_replaces_what_is_left(self, fleet: Sandbox, kind: str) -> None:
        set_quota(fleet, kind).execute(run(fleet))
        use(fleet, 200, kind)
        assert set_quota(fleet, kind).execute(run(fleet, run_id="s")) == ids_of(fleet)
        assert left(fleet, kind) == [500.0] * 3

    def test_everything_that_is_given_is_set(self, fleet: Sandbox) -> None:
        set_quota(fleet, volume="20.5", threshold_volume=2, auto_refill=True).execute(run(fleet))
        quota = fleet.state.quotas[ids_of(fleet)[0], "data"]
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
        assert caught.value.done == [str(ids_of(fleet)[0])]
        set_quota(fleet).execute(run(fleet, 2))
        assert left(fleet) == [500.0] * 3
        assert fleet.counts[f"POST {DATA}"] == 4

    def test_an_sms_quota_needs_a_percentage(self, fleet: Sandbox) -> None:
        with pytest.raises(ValueError, match="threshold_percentage: emnify needs it for an SMS quota"):
            set_quota(fleet, "sms", threshold_percentage=None)


class TestClear:
    @KINDS
    def test_there_is_none_afterwards(self, fleet: Sandbox, kind: Any) -> None:
        set_quota(fleet, kind, endpoint_ids=ids_of(fleet)[:2]).execute(run(fleet))
        operator = EmnifyClearQuotaOperator(task_id="t", endpoint_ids=ids_of(fleet), quota_type=kind)
        assert operator.execute(run(fleet)) == ids_of(fleet)
        assert not fleet.state.quotas
