"""Whatever ``Retry-After`` says: at most 15 minutes of waiting in all, and no error but emnify's."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests_mock as rm
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.transport.backoff import LONGEST_RETRY_AFTER, retry_after
from tests.api.support import AUTHENTICATE, THING, URL, Sleeps, make_client, make_token

NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.integers(0, 1000),
    st.floats(allow_nan=True, allow_infinity=True),
    st.decimals(allow_nan=True, allow_infinity=True),
).map(str)
DATES = st.datetimes(timezones=st.just(UTC)).map(lambda moment: format_datetime(moment, usegmt=True))
SOON = st.integers(-1000, 2000).map(
    lambda seconds: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
)
ODD = ["", " ", "1e3", "0x10", "1,5", "١٢", "12 s", "-", "9" * 400, "Mon, 99 Foo 2026 99:99:99 GMT"]
GARBAGE = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    st.sampled_from(ODD),
)
SAYS = st.none() | st.one_of(NUMBERS, DATES, SOON, GARBAGE)
ANSWER = st.tuples(st.sampled_from([408, 425, 429, 500, 503]), SAYS, SAYS)


@given(
    said=st.lists(ANSWER, max_size=9),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
)
def test_it_ends_in_time_and_well(said: list[tuple[int, str | None, str | None]], method: str) -> None:
    sleeps = Sleeps()
    answers: list[dict[str, Any]] = [
        {"status_code": status, "headers": headers(retry_after, date)} for status, retry_after, date in said
    ]
    with rm.Mocker() as api, make_client(sleep=sleeps, max_retries=8) as client:
        api.post(AUTHENTICATE, json={"auth_token": make_token()})
        api.register_uri(method, f"{URL}{THING}", [*answers, {"json": {"id": 7}}])
        with contextlib.suppress(EmnifyError):
            assert client.request(method, THING) == {"id": 7}
    assert sum(sleeps) <= LONGEST_RETRY_AFTER
    assert all(0 <= seconds <= LONGEST_RETRY_AFTER for seconds in sleeps)


def headers(retry_after: str | None, date: str | None) -> dict[str, str]:
    given_ = {"Retry-After": retry_after, "Date": date}
    return {name: value for name, value in given_.items() if value is not None}


RESENT = [(method, status) for method in ("GET", "POST") for status in (408, 425, 429)] + [
    ("GET", status) for status in (500, 502, 503, 504)
]


@pytest.mark.parametrize(("method", "status"), RESENT)
def test_what_is_asked_is_waited_for_after_every_status_that_is_sent_again(method: str, status: int) -> None:
    sleeps = Sleeps()
    asks = {"status_code": status, "headers": {"Retry-After": "90"}}
    with rm.Mocker() as api, make_client(sleep=sleeps) as client:
        api.post(AUTHENTICATE, json={"auth_token": make_token()})
        api.register_uri(method, f"{URL}{THING}", [asks, {"json": {"id": 7}}])
        assert client.request(method, THING) == {"id": 7}
    assert len(sleeps) == 1
    assert 90 <= sleeps[0] <= 91


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_a_retry_after_beyond_the_bound_is_not_waited_for_and_is_in_the_error(status: int) -> None:
    sleeps = Sleeps()
    with rm.Mocker() as api, make_client(sleep=sleeps) as client:
        api.post(AUTHENTICATE, json={"auth_token": make_token()})
        api.get(f"{URL}{THING}", status_code=status, headers={"Retry-After": "901"})
        with pytest.raises(EmnifyError) as caught:
            client.request("GET", THING)
    assert not sleeps
    assert caught.value.retry_after == 901


@pytest.mark.parametrize("status", [408, 425, 429])
@pytest.mark.parametrize("asked", ["900", "899", "450"])
def test_what_is_asked_is_waited_for_and_no_longer_in_all(asked: str, status: int) -> None:
    sleeps = Sleeps()
    with rm.Mocker() as api, make_client(sleep=sleeps, max_retries=5) as client:
        api.post(AUTHENTICATE, json={"auth_token": make_token()})
        api.get(f"{URL}{THING}", status_code=status, headers={"Retry-After": asked})
        with pytest.raises(EmnifyError):
            client.request("GET", THING)
    assert sleeps
    assert all(seconds >= int(asked) for seconds in sleeps)
    assert sum(sleeps) <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    "own", ["garbage", "", "Mon, 30 Nov 2026 16:55:00", "Mon, 30 Nov 2026 16:55:00 -0000"]
)
@pytest.mark.parametrize("zone", [" GMT", "", " -0000"])
def test_a_date_is_a_date_beside_an_absurd_clock(own: str, zone: str) -> None:
    now = datetime.now(UTC) if own in {"garbage", ""} else datetime(2026, 11, 30, 16, 55, tzinfo=UTC)
    until = f"{now + timedelta(seconds=240):%a, %d %b %Y %H:%M:%S}{zone}"
    assert retry_after({"Retry-After": until, "Date": own}) == pytest.approx(240, abs=5)


@pytest.mark.parametrize(("said", "seconds"), [("5, 5", 5), ("5,  5", 5), ("5, 6", None), ("5, five", None)])
def test_a_wait_that_is_said_twice_is_that_wait(said: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": said}) == seconds
