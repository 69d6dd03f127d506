from __future__ import annotations

import pytest

from airflow_provider_emnify.triggers.base import HAS_WATCHERS
from airflow_provider_emnify.triggers.event import EmnifyEventTrigger
from airflow_provider_emnify.triggers.status import EmnifyStatusTrigger


@pytest.mark.skipif(HAS_WATCHERS, reason="for Airflow 2")
def test_a_trigger_of_asset_watchers_says_that_it_needs_airflow_3() -> None:
    with pytest.raises(RuntimeError, match=r"EmnifyEventTrigger .* needs Airflow 3. On Airflow 2, use Emn"):
        EmnifyEventTrigger()
    with pytest.raises(RuntimeError, match="needs Airflow 3"):
        EmnifyStatusTrigger(endpoint_ids=1, target_status="enabled")
