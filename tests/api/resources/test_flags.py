"""Arguments that are true or false, also as the texts that rows, forms and variables hold."""

from __future__ import annotations

import inspect

import pytest

from tests.api.resources.test_operations import CALLS, full_calls, make


def flags_of(call: str) -> list[str]:
    """The arguments of a call that are true or false."""
    hints = inspect.get_annotations(CALLS[call][0])
    return [name for name, hint in hints.items() if hint in {"bool", "bool | None"}]


FLAGS = [(call, name) for call in CALLS for name in flags_of(call)]


def test_there_are_calls_with_flags() -> None:
    assert {"endpoints.delete_many", "sims.migrate", "endpoints.create"} <= {call for call, _ in FLAGS}


@pytest.mark.parametrize("text", ["False", "false", " 0 ", "no", "True", "1", "YES"])
@pytest.mark.parametrize(("call", "name"), FLAGS)
def test_the_text_of_a_flag_is_what_it_says(call: str, name: str, text: str) -> None:
    is_true = text.strip().lower() in {"true", "1", "yes"}
    for arguments in full_calls(call):
        if name in arguments:
            assert make(call, {**arguments, name: text}) == make(call, {**arguments, name: is_true})


@pytest.mark.parametrize(("call", "name"), FLAGS)
def test_a_text_that_is_no_flag_is_refused(call: str, name: str) -> None:
    for arguments in full_calls(call):
        for text in ("maybe", "2", "None"):
            with pytest.raises(ValueError, match=rf"{name}: '{text}' is not valid; allowed: True, False"):
                make(call, {**arguments, name: text})
