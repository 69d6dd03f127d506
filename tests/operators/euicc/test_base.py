from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.operators.euicc.base import find_action, parse_action

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
    "wanted", ["1", "Enable profile", "enable_profile", "ENABLE-PROFILE", " enable  profile "]
)
def test_an_action_is_known_by_its_id_or_its_name_in_any_spelling(wanted: str) -> None:
    assert find_action(ACTIONS, wanted) == (1, "Enable profile")


@pytest.mark.parametrize("wanted", ["enable", "3", "delete", "profile"])
def test_an_unknown_action_is_answered_with_all_there_are(wanted: str) -> None:
    with pytest.raises(ValueError, match=rf"action: '{wanted}' .*'Enable profile' \(1\), 'Disable"):
        find_action(ACTIONS, wanted)


@pytest.mark.parametrize(
    "broken", [{"id": 3}, {"id": 3, "description": None}, {"description": "Audit"}, {}, None]
)
def test_an_action_without_id_or_description_is_an_error_of_the_server_where_it_may_be_meant(
    broken: Any,
) -> None:
    assert find_action([broken, *ACTIONS], "1") == (1, "Enable profile")
    with pytest.raises(EmnifyServerError, match="no id or no description, and '3' is none of the others"):
        find_action([*ACTIONS, broken], "3")


@pytest.mark.parametrize("given", ["", " - ", True, None, [1]])
def test_what_is_neither_id_nor_name_of_an_action_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"action: .* is neither an id nor a name"):
        parse_action(given, "action")
