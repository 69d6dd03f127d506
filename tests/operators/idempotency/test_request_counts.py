"""What operators cost in requests, besides the authentication, when nothing goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.operators.data_stream import EmnifyCreateDataStreamOperator
from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifySetEndpointStatusOperator,
)
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator
from airflow_provider_emnify.operators.quota import EmnifyTopUpQuotaOperator
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.operators.tag import EmnifyAddTagsOperator
from tests.operators.support import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.operators.base import EmnifyBaseOperator
    from airflow_provider_emnify.sandbox import Sandbox

FIRST_EUICC = 3_000_001
S3 = {
    "connection_type": "S3",
    "format": "CSV",
    "credentials": {"region": "eu-west-1", "bucket_name": "b", "role_arn": "arn:aws:iam::1:role/e"},
}


def send_sms(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifySendSmsOperator(task_id="t", endpoint_ids=ids, text="reboot")


def create_stream(ids: list[int]) -> EmnifyBaseOperator:
    del ids
    return EmnifyCreateDataStreamOperator(
        task_id="t", name="usage", data_stream_type_id=1, destination=dict(S3)
    )


def create_10000(ids: list[int]) -> EmnifyBaseOperator:
    del ids
    rows = [{"name": f"new pump {number}"} for number in range(10_000)]
    return EmnifyCreateEndpointsOperator(
        task_id="t", endpoints=rows, service_profile_id=1, tariff_profile_id=1
    )


def set_status(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifySetEndpointStatusOperator(task_id="t", endpoint_ids=ids, status="disabled")


def top_up(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifyTopUpQuotaOperator(task_id="t", endpoint_ids=ids[0], volume=100, expiry_date="2099-01-01")


def tag(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifyAddTagsOperator(task_id="t", endpoint_ids=ids[0], tag_ids=1)


def new_tag(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifyAddTagsOperator(task_id="t", endpoint_ids=ids[0], tags="brand new", create_missing=True)


def tag_10000(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifyAddTagsOperator(task_id="t", endpoint_ids=ids[:10_000], tag_ids=1)


def audit(ids: list[int]) -> EmnifyBaseOperator:
    del ids
    return EmnifyEuiccOperationOperator(
        task_id="t", euicc_ids=FIRST_EUICC, action="Audit eUICC", wait_for_completion=False
    )


def set_status_of_6(ids: list[int]) -> EmnifyBaseOperator:
    return EmnifySetEndpointStatusOperator(task_id="t", endpoint_ids=ids[5::16_000][:6], status="disabled")


COUNTS: list[tuple[str, int, Callable[[list[int]], EmnifyBaseOperator], int]] = [
    ("one SMS", 1, send_sms, 1),
    ("500 SMS", 500, send_sms, 505),
    ("a data stream", 1, create_stream, 2),
    ("an eUICC operation", 1, audit, 3),
    ("a tag", 1, tag, 1),
    ("a tag that is created, with a look for it and at the endpoint", 1, new_tag, 4),
    ("tagging 10,000 of 20,000", 20_000, tag_10000, 26),
    ("a top-up", 1, top_up, 3),
    ("creating 10,000 endpoints by name in a fleet of 20,000", 20_000, create_10000, 27),
    ("the status of 20,000", 20_000, set_status, 31),
    ("the status of 6 in a fleet of 100,000: 6 reads and a write", 100_000, set_status_of_6, 7),
]
"""What is done, in a fleet of how many, and the most requests that it may cost."""


@pytest.mark.parametrize(("what", "fleet", "make", "most"), COUNTS, ids=[row[0] for row in COUNTS])
def test_it_costs_no_more_requests(
    make_sandbox: Callable[..., Sandbox],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    fleet: int,
    make: Callable[[list[int]], Any],
    most: int,
) -> None:
    sandbox = make_sandbox(fleet, limits=False, euiccs=1)
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    make(sorted(sandbox.state.endpoints)).execute(context())
    requests = sandbox.requests - 1
    print(f"{what}: {requests} requests (at most {most})")  # noqa: T201 - it is what one looks for
    assert requests <= most
