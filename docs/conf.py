"""How the documentation site is built: ``make docs``."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import airflow_provider_emnify  # noqa: E402 - of this checkout

project = "airflow-provider-emnify"
author = "the maintainers of airflow-provider-emnify"
copyright = "the maintainers of airflow-provider-emnify, Apache License 2.0"
release = version = airflow_provider_emnify.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = False

autodoc_typehints = "none"  # the types stand in the signatures of the source; the parameters say the rest
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
inner = "declared, idempotent, restrict_only_if, resolve, check_arguments, init_task"  # not for DAGs
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": inner}
autodoc_mock_imports: list[str] = []

html_theme = "furo"
html_title = f"airflow-provider-emnify {version}"
html_theme_options = {
    "source_repository": "https://github.com/emnify/airflow-provider-emnify/",
    "source_branch": "main",
    "source_directory": "docs/",
}
# `make linkcheck`: what has no server of its own
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost|airflow\.example\.org|cdn\.emnify\.net|\$)"]
linkcheck_anchors_ignore_for_url = [r"https://github\.com/"]

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True


def inline_diagrams(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put diagrams into the page itself, where they have the colours of its text, also in dark mode."""
    del app, page
    for image in list(doctree.findall(nodes.image)):
        path = ROOT / "docs" / image["uri"]
        if path.suffix == ".svg":
            svg = path.read_text().replace("color: #768390; ", "")
            label = f'<svg role="img" aria-label="{escape(" ".join(image["alt"].split()))}"'
            image.replace_self(nodes.raw("", svg.replace("<svg", label, 1), format="html"))


def setup(app: Sphinx) -> None:
    """Tell Sphinx of what this file adds."""
    app.connect("doctree-resolved", inline_diagrams)
