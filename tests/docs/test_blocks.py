"""Every code block of the README and the docs runs, against the sandbox."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import FENCE, KNOWN, ROOT, SYBIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DIRECTIVES = {
    "eval-rst",
    "toctree",
    "include",
    "literalinclude",
    "image",
    "index",
    "figure",
    "grid",
    "tip",
    "note",
    "warning",
}

pytestmark = [
    pytest.mark.fleet(20, spare_sims=20, online_after=0),
    pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="the docs show the names of Airflow 3"),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_runs(
    page: Path, fleet: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del fleet
    monkeypatch.chdir(tmp_path)
    document = SYBIL.parse(page)
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_has_a_language_that_is_run_or_only_shown(page: Path) -> None:
    text = re.sub(r"```+\s*$", "", page.read_text(), flags=re.MULTILINE)
    assert {language for language in FENCE.findall(text) if language not in DIRECTIVES} <= KNOWN


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_an_example_is_shown_with_all_that_it_takes_to_copy_it(page: Path) -> None:
    shown = re.findall(r"^```\{literalinclude\} .*\n((?::.*\n)*)", page.read_text(), re.MULTILINE)
    assert all(':start-at: "from __future__"' in options for options in shown)
