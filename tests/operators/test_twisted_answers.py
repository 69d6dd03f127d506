"""A row whose fields are not what they are elsewhere ends a task with an error, or changes nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowException
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.operators.cloud_connect import EmnifyCreateCloudConnectOperator
from airflow_provider_emnify.operators.quota import EmnifyTopUpQuotaOperator
from airflow_provider_emnify.operators.sim import EmnifyRegisterSimBatchOperator
from airflow_provider_emnify.operators.tag import EmnifyRemoveTagsOperator
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

ODD: list[Any] = [None, {}, [], "x", 7, [None], [7], [{}], {"id": {}}, True]
each_odd = pytest.mark.parametrize("odd", ODD, ids=repr)


def with_a_batch(sandbox: Sandbox) -> None:
    sandbox.add_batch("new", 2)


pytestmark = [
    pytest.mark.fleet(2, retries=False, prepare=with_a_batch),
    pytest.mark.usefixtures("no_sleep"),
]


def ends_well(operator: Any) -> Any:
    """Run a task that may fail, with an error of emnify or Airflow; return its result."""
    with contextlib.suppress(EmnifyError, AirflowException):
        return operator.execute(context())
    return None


@pytest.mark.parametrize(
    "field",
    [
        "status",
        "expiry_date",
        "auto_refill",
        "threshold_percentage",
        "threshold_volume",
        "volume",
        "last_volume_added",
    ],
)
@each_odd
def test_a_quota_that_is_odd(fleet: Sandbox, field: str, odd: Any) -> None:
    row = {"status": {"id": "1"}, "volume": 5, "expiry_date": "2099-01-01T00:00:00Z", field: odd}
    fleet.faults.add(method="GET", path="/quota/data$", status=200, body=row)
    ends_well(EmnifyTopUpQuotaOperator(task_id="t", endpoint_ids=min(fleet.state.endpoints), volume=5))


@pytest.mark.parametrize("field", ["type", "status", "name", "accept_attachment_expiry_date"])
@each_odd
def test_an_attachment_that_is_odd(fleet: Sandbox, field: str, odd: Any) -> None:
    row = {"id": 7, "name": "office", "type": {"id": 2}, "status": {"id": 5}, field: odd}
    one = {"X-Total-Count": "1", "X-Total-Pages": "1"}
    fleet.faults.add(method="GET", path="/breakout", status=200, body=[row], headers=one)
    ends_well(
        EmnifyCreateCloudConnectOperator(
            task_id="t",
            name="office",
            type="vpn",
            public_ip="203.0.113.7",
            on_prem_cidr="10.8.0.0/16",
        )
    )


@each_odd
def test_a_batch_that_is_odd(fleet: Sandbox, odd: Any) -> None:
    fleet.faults.add(method="PATCH", path="/sim_batch/", status=200, body={"sim": odd}, acted=True)
    ends_well(EmnifyRegisterSimBatchOperator(task_id="t", bic="new", sim_status="issued"))


@each_odd
def test_a_tag_that_is_odd(fleet: Sandbox, odd: Any) -> None:
    tags = {"total": 1, "page": 1, "page_size": 9, "last_page": 1, "data": [{"id": 7, "name": odd}]}
    fleet.faults.add(method="GET", path="/api/v2/tags", status=200, body=tags, times=None)
    ends_well(EmnifyRemoveTagsOperator(task_id="t", endpoint_ids=[min(fleet.state.endpoints)], tags="pump"))
