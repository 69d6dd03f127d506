"""The sandbox's own tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emnify.sandbox.world import clock
from tests.sandbox.support import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.sandbox import Sandbox


START = datetime(2027, 5, 12, 10, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def time_stands_still_until_a_test_moves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clocks of sandboxes begin at one moment, on any day, and go on only where a test says so."""
    began = time.perf_counter()
    still = SimpleNamespace(time=lambda: START, perf_counter=lambda: began)
    monkeypatch.setattr(clock, "time", still)


@pytest.fixture
def connect() -> Iterator[Callable[..., Api]]:
    """Connect to a sandbox, with the application token or another credential."""
    apis: list[Api] = []

    def connect(sandbox: Sandbox, body: dict[str, str] | None = None) -> Api:
        apis.append(Api(sandbox, body))
        return apis[-1]

    yield connect
    for api in apis:
        api.close()


@pytest.fixture
def api(sandbox: Sandbox, connect: Callable[..., Api]) -> Api:
    """The sandbox, by its application token."""
    return connect(sandbox)
