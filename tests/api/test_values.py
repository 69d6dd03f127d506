"""Ids, statuses and errors as they are given and shown."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from airflow_provider_emnify.api import (
    Connectivity,
    EmnifyPartialError,
    EmnifyValidationError,
    EndpointStatus,
    SimStatus,
    SmsStatus,
    UserStatus,
)
from airflow_provider_emnify.api.errors import error_from_answer
from airflow_provider_emnify.api.values import parse_day, parse_ids, parse_moment, parse_user_ids


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (7, [7]),
        ("7", [7]),
        ([7, "8"], [7, 8]),
        ((7, 8), [7, 8]),
        ("[1, 2]", [1, 2]),
        ("(1, 2)", [1, 2]),
        ("['1', '2']", [1, 2]),
        ("1,2", [1, 2]),
        (" 1 , 2 ", [1, 2]),
        ([1, 1, 2, 1], [1, 2]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.values(), [1]),
        ([], []),
        ("", []),
        ("  ", []),
        ("[]", []),
        (None, []),
        ("None", []),
    ],
)
def test_ids_come_in_every_form_that_a_dag_gives_them(value: Any, ids: list[int]) -> None:
    assert parse_ids(value, "endpoint_ids") == ids


@pytest.mark.parametrize(
    "value",
    ["abc", "1,,2", "1;2", -1, 1.5, True, [None], {"name": 1}, "[1, 2", "{{ ids }}", b"1", "\u0661"],
)
def test_anything_else_is_an_error_that_shows_the_value(value: Any) -> None:
    with pytest.raises(ValueError, match="endpoint_ids") as caught:
        parse_ids(value, "endpoint_ids")
    shown = value[0] if isinstance(value, list) else value.split(",")[1] if value == "1,,2" else value
    assert repr(shown) in str(caught.value)


def test_users_are_named_by_number_or_username() -> None:
    assert parse_user_ids("7, ann@example.org") == [7, "ann@example.org"]
    with pytest.raises(ValueError, match=r"user_ids.*'ann'"):
        parse_user_ids("ann")


@pytest.mark.parametrize("value", [datetime.min, date.min, "0001-01-01", datetime.min.replace(tzinfo=UTC)])
def test_a_moment_long_ago_is_one_that_can_be_read_again(value: Any) -> None:
    assert parse_moment(value, "since") == "0001-01-01T00:00:00Z"
    assert parse_moment(parse_moment(value, "since"), "since") == "0001-01-01T00:00:00Z"
    assert parse_day(value, "since") == "0001-01-01"


@pytest.mark.parametrize("value", [EndpointStatus.DISABLED, 1, "1", "disabled", "DISABLED", " Disabled "])
def test_a_status_is_given_as_enum_name_or_number(value: Any) -> None:
    assert EndpointStatus.parse(value) is EndpointStatus.DISABLED


@pytest.mark.parametrize("value", ["activation_pending", "Activation pending", "activation-pending", 0])
def test_a_name_of_two_words_is_given_in_any_spelling(value: Any) -> None:
    assert UserStatus.parse(value) is UserStatus.ACTIVATION_PENDING
    assert UserStatus.ACTIVATION_PENDING.label == "Activation pending"


@pytest.mark.parametrize("value", ["enabeld", 9, "9", None, True, 1.0, [], "-1", SimStatus.ACTIVATED])
def test_an_unknown_status_is_an_error_that_lists_what_is_allowed(value: Any) -> None:
    with pytest.raises(ValueError, match="allowed: enabled, disabled, deleted"):
        EndpointStatus.parse(value)


def test_connectivity_is_given_by_name() -> None:
    assert Connectivity.parse("online") is Connectivity.ONLINE
    with pytest.raises(ValueError, match="attached, online, offline, blocked"):
        Connectivity.parse("on-line")


@pytest.mark.parametrize(
    ("start", "targets"),
    [
        (SimStatus.ISSUED, {SimStatus.ACTIVATED, SimStatus.FACTORY_TEST}),
        (SimStatus.ACTIVATED, {SimStatus.SUSPENDED}),
        (SimStatus.SUSPENDED, {SimStatus.ACTIVATED}),
        (SimStatus.FACTORY_TEST, {SimStatus.ACTIVATED}),
        (SimStatus.DELETED, set()),
    ],
)
def test_a_sim_may_go_where_emnify_lets_it(start: SimStatus, targets: set[SimStatus]) -> None:
    assert {status for status in SimStatus if start.may_become(status)} == targets | {start}


def test_sms_statuses_have_emnifys_numbers() -> None:
    assert [status.value for status in SmsStatus] == [1, 2, 3, 4, 5, 6, 7]


def test_a_validation_error_lists_every_field_error() -> None:
    error = error_from_answer(
        "POST",
        "/api/v1/user",
        status=422,
        reason="",
        headers={},
        text=json.dumps(
            {
                "error_code": 1400,
                "error_token": "InputValidationFailed",
                "message": "no",
                "errors": [
                    {"field": "name", "message": "is missing"},
                    {"error_token": "Required"},
                    "text",
                    {"message": "m"},
                ],
            }
        ),
    )
    assert isinstance(error, EmnifyValidationError)
    assert error.field_errors == ["name: is missing", "Required", "text", "m"]
    for part in (
        "1400",
        "InputValidationFailed",
        "name: is missing",
        "Required",
        "text",
        "POST /api/v1/user",
    ):
        assert part in str(error)


def test_a_partial_error_lists_what_is_done_and_what_is_not() -> None:
    error = EmnifyPartialError("chunk 2 failed", done=[1, 2], not_done=list(range(3, 30)))
    assert "done (2): 1, 2" in str(error)
    assert "not done (27): 3, 4" in str(error)
    assert str(error).endswith("and 7 more")
