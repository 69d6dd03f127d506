from __future__ import annotations

import pytest

from airflow_provider_emnify.api.limits import fallback, presence


@pytest.fixture(autouse=True)
def every_store_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget which stores have failed in another test: a process remembers it for a minute.

    No test is the first of its process to use a store.
    """
    presence.enter()
    monkeypatch.setattr(fallback, "FALLBACKS", {})
