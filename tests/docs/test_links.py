"""Links to the outside have a form that can be right; `make linkcheck` asks their servers."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.api_facts import FACTS
from tests.docs.blocks import ROOT

SHOWN = [
    ROOT / "pyproject.toml",
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/[!_]*/*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("airflow_provider_emnify/**/*.py"),
    *ROOT.glob("dags_examples/*.py"),
]
API = "https://docs.emnify.com/developers/api/"
OWN = re.compile(r"127\.0\.0\.1|::1|proxy|airflow\.example\.org|.*[{$\\]")  # examples, and patterns


@pytest.fixture(scope="module")
def links() -> set[str]:
    """What the docs, the docstrings and the package's metadata link to."""
    found = {
        link.rstrip(".,;:")
        for path in SHOWN
        for link in re.findall(r"https?://[^\s)<>\"'`|\]]+", path.read_text())
    }
    return {
        link for link in found if not OWN.match(urlsplit(link.replace("[", "")).netloc.rpartition("@")[2])
    }


def test_they_are_https(links: set[str]) -> None:
    assert len(links) > 200
    assert [link for link in links if not link.startswith("https://")] == []


def test_a_page_is_spelled_in_one_way(links: set[str]) -> None:
    spelled: dict[str, set[str]] = {}
    for link in links:
        spelled.setdefault(link.rstrip("/").removeprefix("https://www.").lower(), set()).add(link)
    assert [ways for ways in spelled.values() if len(ways) > 1] == []


def test_a_page_of_an_operation_is_one_of_emnifys(links: set[str]) -> None:
    known = {f"{API}{operation['page']}" for operation in json.loads(FACTS.read_text()).values()}
    assert len(known) == 214
    assert [link for link in links if link.startswith(API) and link not in known] == []
