"""What each run adds is added once, whenever Airflow's task state store fails."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowException
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.operators.quota import EmnifyExtendTrafficLimitOperator, EmnifyTopUpQuotaOperator
from tests.fleets import ids_of
from tests.operators.euicc.test_base import Store
from tests.operators.quota.test_traffic_limit import EXTENSIONS
from tests.operators.quota.volumes import DATA, left, set_quota
from tests.operators.support import run

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(3)


class FlakyStore(Store):
    """A store that fails at one call."""

    def __init__(self, fails_at: int) -> None:
        super().__init__()
        self.calls, self.fails_at = count(), fails_at

    def get(self, key: str, default: Any = None) -> Any:
        self.fails = next(self.calls) == self.fails_at
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.fails = next(self.calls) == self.fails_at
        super().set(key, value)


def until_it_is_done(fleet: Sandbox, make: Callable[[], Any], store: Store) -> None:
    for number in range(1, 6):
        try:
            make().execute({**run(fleet, number), "task_state_store": store})
        except (AirflowException, EmnifyError):
            continue
        return
    pytest.fail("no attempt has succeeded")


@pytest.mark.parametrize("fails_at", range(24))
def test_limits_are_extended_once_each(fleet: Sandbox, fails_at: int) -> None:
    fleet.faults.add(method="POST", path=EXTENSIONS, drop="before", skip=1)

    def extend() -> EmnifyExtendTrafficLimitOperator:
        return EmnifyExtendTrafficLimitOperator(task_id="t", endpoint_ids=ids_of(fleet), volume=5_000_000)

    until_it_is_done(fleet, extend, FlakyStore(fails_at))
    assert sorted(one.endpoint_id for one in fleet.state.extensions.values()) == ids_of(fleet)


@pytest.mark.parametrize("fails_at", range(30))
def test_quotas_are_topped_up_once_each(fleet: Sandbox, fails_at: int) -> None:
    set_quota(fleet).execute(run(fleet, run_id="before"))
    fleet.clock.advance(3600)
    fleet.faults.add(method="POST", path=DATA, drop="before", skip=1)

    def top_up() -> EmnifyTopUpQuotaOperator:
        return EmnifyTopUpQuotaOperator(task_id="t", endpoint_ids=ids_of(fleet), volume=100)

    until_it_is_done(fleet, top_up, FlakyStore(fails_at))
    assert left(fleet) == [600.0, 600.0, 600.0]
