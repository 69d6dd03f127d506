from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_emnify import retry
from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import (
    EmnifyAuthenticationError,
    EmnifyConflictError,
    EmnifyConnectionError,
    EmnifyError,
    EmnifyNotFoundError,
    EmnifyPartialError,
    EmnifyPermissionError,
    EmnifyRateLimitError,
    EmnifyServerError,
    EmnifyUnknownOutcomeError,
    EmnifyValidationError,
)
from airflow_provider_emnify.retry import EMNIFY_RETRY_POLICY, fail_without_retry, is_permanent

LASTING = [
    EmnifyAuthenticationError,
    EmnifyPermissionError,
    EmnifyNotFoundError,
    EmnifyConflictError,
    EmnifyValidationError,
    EmnifyUnknownOutcomeError,
]
PASSING = [EmnifyRateLimitError, EmnifyServerError, EmnifyConnectionError]

on_3_3 = pytest.mark.skipif(EMNIFY_RETRY_POLICY is None, reason="retry policies came with Airflow 3.3")


@pytest.mark.parametrize("kind", LASTING)
def test_a_permanent_error_fails_at_once(kind: type[EmnifyError]) -> None:
    error = kind("no", status=400, method="GET", path="/x")
    with pytest.raises(AirflowFailException, match="GET /x answered 400: no") as caught, fail_without_retry():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_left_to_airflow_s_retries(kind: type[EmnifyError]) -> None:
    with pytest.raises(kind), fail_without_retry():
        raise kind("later")


def test_a_bad_argument_fails_at_once() -> None:
    with pytest.raises(AirflowFailException, match="endpoint_ids"), fail_without_retry():
        raise ValueError("endpoint_ids: 'x' is not a valid id")


def test_an_error_of_airflow_goes_through_as_it_is() -> None:
    error = AirflowFailException("as it is")
    with pytest.raises(AirflowFailException) as caught, fail_without_retry():
        raise error
    assert caught.value is error


def test_other_errors_are_none_of_its_business() -> None:
    with pytest.raises(KeyError), fail_without_retry():
        raise KeyError("x")


def test_an_unknown_outcome_may_be_retried_by_what_is_idempotent() -> None:
    with pytest.raises(EmnifyUnknownOutcomeError), fail_without_retry(idempotent=True):
        raise EmnifyUnknownOutcomeError("lost")


@pytest.mark.parametrize("kind", [*LASTING, *PASSING])
def test_a_write_done_in_part_is_as_lasting_as_what_stopped_it(kind: type[EmnifyError]) -> None:
    partial = EmnifyPartialError("half", done=[1], not_done=[2])
    partial.transient = kind("x").transient
    partial.__cause__ = kind("x")
    assert is_permanent(partial) is (kind in LASTING)


def decide(error: BaseException) -> Any:
    return EMNIFY_RETRY_POLICY.evaluate(error, 1, 3)


@on_3_3
@pytest.mark.parametrize("kind", LASTING)
def test_the_policy_fails_permanent_errors(kind: type[EmnifyError]) -> None:
    assert decide(kind("no")).action.value == "fail"
    assert "no" in decide(kind("no")).reason


@on_3_3
@pytest.mark.parametrize("kind", PASSING)
def test_the_policy_retries_what_may_pass(kind: type[EmnifyError]) -> None:
    assert decide(kind("later")).action.value == "retry"


@on_3_3
def test_the_policy_waits_as_long_as_the_api_asked() -> None:
    error = EmnifyRateLimitError("slow down")
    assert decide(error).retry_delay is None
    error.retry_after = 42.0
    assert decide(error).retry_delay == timedelta(seconds=42)


@on_3_3
@pytest.mark.parametrize(
    "asked", [float("inf"), float("nan"), -5, 1e19, 86_400, 10**20, 10**400, "soon", True]
)
@pytest.mark.parametrize("kind", [EmnifyRateLimitError, EmnifyServerError])
def test_the_policy_waits_a_quarter_of_an_hour_at_most(kind: Any, asked: Any) -> None:
    error = kind("slow down")
    error.retry_after = asked
    delay = decide(error).retry_delay
    assert delay is None or timedelta(0) <= delay <= timedelta(minutes=15)


@on_3_3
def test_the_policy_leaves_other_errors_to_the_task() -> None:
    assert decide(KeyError("x")).action.value == "default"


@on_3_3
def test_the_policy_can_be_a_task_s() -> None:
    from airflow_provider_emnify.airflow_names import BaseOperator

    operator = BaseOperator(task_id="a", retries=3, retry_policy=EMNIFY_RETRY_POLICY)
    assert operator.retry_policy is EMNIFY_RETRY_POLICY
    policy = type(EMNIFY_RETRY_POLICY)
    assert isinstance(policy.deserialize(EMNIFY_RETRY_POLICY.serialize()), policy)


def test_the_policy_in_default_args_runs_on_each_version() -> None:
    from airflow_provider_emnify.airflow_names import DAG, BaseOperator

    with DAG("with_policy", schedule=None, default_args={"retry_policy": retry.EMNIFY_RETRY_POLICY}):
        assert BaseOperator(task_id="a").task_id == "a"
