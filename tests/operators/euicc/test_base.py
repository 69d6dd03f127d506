from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_emnify.operators.euicc.base import OwnOperations, find_action
from tests.operators.support import context

ACTIONS: list[dict[str, Any]] = [
    {"id": 1, "description": "Enable profile"},
    {"id": 2, "description": "Disable profile"},
]
LOG = logging.getLogger("test")
NOW = datetime(2025, 5, 4, 12, 0, tzinfo=UTC)


class Store:
    """Airflow's task state store, as a task sees it from 3.3 on."""

    def __init__(self, fails: bool = False) -> None:
        self.kept: dict[str, Any] = {}
        self.fails = fails

    def get(self, key: str, default: Any = None) -> Any:
        if self.fails:
            raise RuntimeError("the store is away")
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        if self.fails:
            raise RuntimeError("the store is away")
        self.kept[key] = value


def row(minutes: float) -> dict[str, Any]:
    return {"creation_date": (NOW + timedelta(minutes=minutes)).isoformat()}


@pytest.mark.parametrize(
    "wanted", [1, "1", "Enable profile", "enable_profile", "ENABLE-PROFILE", " enable  profile "]
)
def test_an_action_is_known_by_its_id_or_its_name_in_any_spelling(wanted: Any) -> None:
    assert find_action(ACTIONS, wanted) == ACTIONS[0]


@pytest.mark.parametrize("wanted", ["enable", 3, "", True, None, "profile"])
def test_any_other_action_is_refused(wanted: Any) -> None:
    with pytest.raises(ValueError, match="action: "):
        find_action(ACTIONS, wanted)


def test_an_unknown_action_is_answered_with_all_there_are() -> None:
    with pytest.raises(ValueError, match=r"'Enable profile' \(1\), 'Disable profile' \(2\)"):
        find_action(ACTIONS, "delete")


class TestWithAirflowsStore:
    def test_the_ids_of_all_tries_are_this_task_s_own(self) -> None:
        kept = {**context(), "task_state_store": Store()}
        own = OwnOperations(kept, LOG)
        assert not own.has("a", row(0))
        own.soon()
        own.now("a")
        again = OwnOperations(kept, LOG)
        assert again.ids == ["a"]
        assert again.has("a", row(-999_999))

    def test_what_was_begun_before_its_answer_came_is_this_task_s_own(self) -> None:
        kept = {**context(try_number=2), "task_state_store": Store()}
        OwnOperations(kept, LOG).soon()
        own = OwnOperations(kept, LOG)
        now = datetime.now(UTC)
        assert own.has("a", {"creation_date": now.isoformat()})
        assert not own.has("a", {"creation_date": (now - timedelta(minutes=5)).isoformat()})
        assert not own.has("a", {})

    def test_a_retry_that_began_nothing_owns_nothing(self) -> None:
        own = OwnOperations(
            {**context(try_number=2, run_started=NOW.timestamp()), "task_state_store": Store()}, LOG
        )
        assert not own.has("a", row(5))

    def test_a_store_that_fails_costs_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        store = Store(fails=True)
        kept = {**context(try_number=2, run_started=NOW.timestamp()), "task_state_store": store}
        own = OwnOperations(kept, LOG)
        own.soon()
        own.now("a")
        assert own.has("b", row(5))
        assert "task state store failed" in caplog.text

    def test_a_store_that_fails_later_costs_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        store = Store()
        own = OwnOperations({**context(), "task_state_store": store}, LOG)
        store.fails = True
        own.now("a")
        assert own.ids == ["a"]
        assert "task state store failed" in caplog.text


class TestWithoutAStore:
    def test_a_retry_owns_what_was_created_since_the_run_started(self) -> None:
        own = OwnOperations(context(try_number=2, run_started=NOW.timestamp()), LOG)
        assert own.has("a", row(5))
        assert own.has("a", row(-0.5))
        assert not own.has("a", row(-5))

    def test_a_first_try_owns_nothing(self) -> None:
        own = OwnOperations(context(run_started=NOW.timestamp()), LOG)
        assert not own.has("a", row(5))
        own.soon()
        own.now("a")
        assert own.has("a", row(5))
