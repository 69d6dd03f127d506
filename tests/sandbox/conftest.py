"""The sandbox's own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sandbox.support import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_emnify.sandbox import Sandbox


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
