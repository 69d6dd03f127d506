"""The public API is what docs/public_api.txt says, and does not change without a line in the changelog."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from dev.public_api import HEAD, PAGE, text, unsaid

AFTER = f"{HEAD}operators.user.EmnifyCreateUserOperator(*, username)\n"
BEFORE = f"{HEAD}operators.user.EmnifyCreateUserOperator(*, username, name)\n"


@pytest.mark.skipif(
    find_spec("airflow.sdk") is None, reason="defaults that Airflow gives differ on Airflow 2"
)
def test_the_public_api_is_as_the_docs_say() -> None:
    assert PAGE.read_text() == text(), "run `make docs`, with a line in CHANGELOG.md for what has changed"


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("- `EmnifyCreateUserOperator` needs no `name`.", []),
        ("- Something else.", ["operators.user.EmnifyCreateUserOperator"]),
    ],
)
def test_a_change_has_to_be_in_the_newest_section(newest: str, expected: list[str]) -> None:
    changelog = f"# Changelog\n\n## [Unreleased]\n\n{newest}\n\n## [0.1.0]\n\n- EmnifyCreateUserOperator\n"
    assert unsaid(BEFORE, AFTER, changelog) == expected


def test_what_is_new_needs_no_line() -> None:
    assert unsaid(HEAD, BEFORE, "# Changelog\n\n## [Unreleased]\n") == []
