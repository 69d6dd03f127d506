"""How the documentation site is built: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

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
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_mock_imports: list[str] = []

html_theme = "furo"
html_title = f"airflow-provider-emnify {version}"
html_theme_options = {
    "source_repository": "https://github.com/emnify/airflow-provider-emnify/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
