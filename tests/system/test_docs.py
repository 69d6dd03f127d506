"""The docs say what the code does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dev.docs import DOCS, pages

if TYPE_CHECKING:
    from pathlib import Path


NOXFILE = DOCS.parent / "noxfile.py"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_reference_pages_are_those_of_the_code(path: Path) -> None:
    assert path.read_text() == pages()[path], "run `make docs`"


@pytest.mark.parametrize("path", [*DOCS.glob("*.md"), DOCS.parent / "README.md"], ids=lambda path: path.name)
def test_every_link_within_the_docs_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text()
    pages = {page.name for page in DOCS.glob("*.md")} - {"index.md"}
    assert {page for page in pages if page not in index} == set()


def test_the_table_of_versions_has_every_release_that_is_checked() -> None:
    checked = re.findall(
        r'^    \("([\d.]+)", "([\d.]+)", (?:"([\d-]+)"|None)', NOXFILE.read_text(), re.MULTILINE
    )
    shown = re.findall(
        r"^\| ([\d.]+) \| ([\d.]+) \| ([\w-]+) \|", (DOCS / "versions.md").read_text(), re.MULTILINE
    )
    assert checked
    assert shown == [(release, python, day or "today") for release, python, day in checked]
