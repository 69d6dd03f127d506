"""Draw the docs' diagrams: each ``docs/diagrams/*.dot`` becomes the SVG beside it. Needs Graphviz.

The SVGs are committed, so that ``make docs`` needs none. Each says which text it was drawn from.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

DIAGRAMS = Path(__file__).resolve().parent.parent / "docs" / "diagrams"
STYLE = (
    "-Gbgcolor=transparent",
    "-Gfontname=sans-serif",
    "-Glabeljust=l",
    "-Gstyle=rounded",
    "-Nfontname=sans-serif",
    "-Nshape=box",
    "-Nstyle=rounded",
    "-Nmargin=0.2,0.12",
    "-Efontname=sans-serif",
    "-Efontsize=12",
    "-Gfontsize=12",
)
# A page gives its own colour, light or dark; shown as a picture it is a grey that both take.
ROOT = '<svg fill="currentColor" style="color: #768390; max-width: 100%; height: auto"'
TINTS = {"good": "#2da44e", "bad": "#cf222e"}


def source(path: Path) -> str:
    """Return the line by which an SVG names the text that it is drawn from."""
    return f"<!-- {path.name}, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()} -->"


def drawn(path: Path) -> str:
    """Draw a diagram in the colour of the text around it."""
    command = ("dot", "-Tsvg", *STYLE, path)
    svg = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    svg = svg[svg.index("<svg") :].replace("<svg", ROOT, 1).replace('"black"', '"currentColor"')
    svg = re.sub(r"<!-- .*? -->\n|<title>.*?</title>\n", "", svg)
    for name, tint in TINTS.items():
        box = rf'(class="node {name}">\s*<path) fill="none"'
        svg = re.sub(box, rf'\1 fill="{tint}" fill-opacity="0.2"', svg)
    return f"{source(path)}\n{svg}"


def main() -> int:
    """Draw them all."""
    if shutil.which("dot") is None:
        print("This needs Graphviz (Debian, Ubuntu: apt install graphviz; macOS: brew install graphviz)")
        return 1
    for path in sorted(DIAGRAMS.glob("*.dot")):
        path.with_suffix(".svg").write_text(drawn(path))
        print(f"drawn: {path.with_suffix('.svg').relative_to(DIAGRAMS.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
