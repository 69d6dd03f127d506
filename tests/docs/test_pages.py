"""The docs say what the code does."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from dev.diagrams import DIAGRAMS, source
from dev.docs import DOCS, pages

if TYPE_CHECKING:
    from pathlib import Path


NOXFILE = DOCS.parent / "noxfile.py"


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_reference_pages_are_those_of_the_code(path: Path) -> None:
    assert path.read_text() == pages()[path], "run `make docs`"


@pytest.mark.parametrize("path", [*DOCS.rglob("*.md"), DOCS.parent / "README.md"], ids=lambda path: path.name)
def test_every_link_within_the_docs_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing


def test_the_table_of_versions_has_every_release_that_is_checked() -> None:
    checked = re.findall(
        r'^    \("([\d.]+)", "([\d.]+)", (?:"([\d-]+)"|None)', NOXFILE.read_text(), re.MULTILINE
    )
    shown = re.findall(
        r"^\| ([\d.]+) \| ([\d.]+) \| ([\w-]+) \|", (DOCS / "versions.md").read_text(), re.MULTILINE
    )
    assert checked
    assert shown == [(release, python, day or "today") for release, python, day in checked]


def public_classes() -> set[str]:
    found = set()
    for room in ("operators", "sensors", "triggers", "transfers"):
        package = import_module(f"airflow_provider_emnify.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            names = vars(import_module(f"{package.__name__}.{module.name}"))
            found |= {name for name in names if re.fullmatch(r"Emnify\w+(Operator|Sensor|Trigger)", name)}
    return found


def test_every_operator_sensor_trigger_and_transfer_is_in_the_reference() -> None:
    modules = {
        module
        for page in (DOCS / "reference").glob("*.md")
        for module in re.findall(r"automodule:: (\S+)", page.read_text())
    }
    shown = {name for module in modules for name in vars(import_module(module))}
    assert public_classes()
    assert public_classes() <= shown


def test_every_result_of_a_benchmark_is_in_the_docs() -> None:
    page = (DOCS / "benchmarks.md").read_text()
    results = (DOCS.parent / "benchmarks" / "results").glob("*.md")
    assert {result.name for result in results} == set(re.findall(r"results/([\w.]+)", page))


def test_every_example_is_in_a_guide() -> None:
    guides = "\n".join(page.read_text() for page in DOCS.rglob("*.md"))
    examples = {path.name for path in (DOCS.parent / "dags_examples").glob("*.py")}
    assert {name for name in examples if f"dags_examples/{name}" not in guides} == set()


def test_every_picture_is_shown_and_small() -> None:
    pages = "\n".join(page.read_text() for page in [*DOCS.rglob("*.md"), DOCS.parent / "README.md"])
    pictures = [*(DOCS / "images").glob("*.png"), *DIAGRAMS.glob("*.svg")]
    assert pictures
    assert not [picture.name for picture in pictures if f"/{picture.name})" not in pages]
    assert not [picture.name for picture in pictures if picture.stat().st_size >= 150_000]


@pytest.mark.parametrize("path", [*DIAGRAMS.glob("*.dot")], ids=lambda path: path.name)
def test_a_diagram_is_drawn_from_its_text(path: Path) -> None:
    assert path.with_suffix(".svg").read_text().startswith(source(path)), "run `make diagrams`"


@pytest.mark.parametrize(
    "word",
    ["backoff", "jitter", "rerun", "cursor", "watermark", "deferred", "duplicates", "self-signed", "429"],
)
def test_what_users_search_for_is_found(word: str) -> None:
    """The search takes no numbers but those of an index entry."""
    found = [path for path in DOCS.glob("*.md") if re.search(rf"\b{word}\b", path.read_text())]
    if word.isdecimal():
        found = [path for path in found if re.search(rf"{{index}}.*\b{word}\b", path.read_text())]
    assert found
