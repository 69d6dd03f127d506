"""What the API says is one line in a message: it forges no line of a log, and steers no terminal."""

from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emnify.api.errors import EmnifyPartialError, error_from_answer, one_line

FORGED = [
    "\r",
    "\n",
    "\r\n",
    "\x1b[2K",
    "\x00",
    "\x7f",
    "\x85",
    "\x9b",
    "\u2028",
    "\u2029",
    "\u202e",
    "\x0b",
    "\x0c",
]


def is_one_line(text: str) -> bool:
    return len(text.splitlines()) <= 1 and text == one_line(text)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500, 503])
@pytest.mark.parametrize("forged", FORGED, ids=repr)
def test_no_error_holds_a_control_character(forged: str, status: int) -> None:
    said = f"no{forged}[2026-01-01] INFO - forged"
    bodies = [
        json.dumps(
            {"message": said, "error_token": said, "errors": [{"field": said, "message": said}, said]}
        ),
        json.dumps({"error": said, "errors": [said]}),
        said,
        f"<html>{said}",
    ]
    for text in bodies:
        error = error_from_answer("GET", "/x", status=status, reason=said, headers={}, text=text)
        assert is_one_line(str(error))
        assert is_one_line(error.message)
        assert is_one_line(str(pickle.loads(pickle.dumps(error))))


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    assert is_one_line(one_line(text))
    assert is_one_line(str(EmnifyPartialError(text, done=[text], not_done=[text], token=text)))
