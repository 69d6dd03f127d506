from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emnify.operators.euicc.base import find_action

ACTIONS: list[dict[str, Any]] = [
    {"id": 1, "description": "Enable profile"},
    {"id": 2, "description": "Disable profile"},
]


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
