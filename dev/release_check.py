"""All that has to hold before a release: ``make release-check``, or ``make release-check VERSION=1.2.3``.

Builds wheel and sdist into ``dist/``, checks their contents and metadata, installs the wheel alone beside the
oldest and the newest Airflow, runs the demo DAG from the wheel, builds the docs, and looks at the licences.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
BIN = ROOT / ".venv" / "bin"
NAME = "airflow-provider-emnify"
IN_SDIST = ("airflow_provider_emnify", "dags_examples", "tests", "docs", "benchmarks", "README.md", "LICENSE")
FREE = re.compile(r"apache|mit|bsd|psf|python software|mpl|mozilla|isc|unlicense", re.IGNORECASE)


class ReleaseCheckError(Exception):
    """What does not hold, and what to do about it."""


def run(*command: str | Path) -> None:
    """Run a program of this checkout, with what it prints."""
    if subprocess.run(command, check=False, cwd=ROOT).returncode:
        raise ReleaseCheckError(f"{' '.join(map(str, command))} failed")


def build() -> tuple[Path, Path]:
    """Build into an empty ``dist/``."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(BIN / "uv", "build", "--quiet", "--out-dir", DIST)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run(BIN / "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def check_version(wheel: Path, wanted: str | None) -> None:
    """The package's version is the one asked for, and has a section in the changelog."""
    version = wheel.name.split("-")[1]
    if wanted is not None and wanted != version:
        raise ReleaseCheckError(f"the tag says {wanted}, the package {version}: set __version__")
    if f"## [{version}]" not in (ROOT / "CHANGELOG.md").read_text():
        raise ReleaseCheckError(f"CHANGELOG.md has no section '## [{version}]'")


def read(wheel: Path, name: str) -> str:
    """Return a file of the wheel's metadata."""
    with zipfile.ZipFile(wheel) as archive:
        return next((archive.read(one).decode() for one in archive.namelist() if one.endswith(name)), "")


def check_contents(wheel: Path, sdist: Path) -> None:
    """The wheel holds the package alone; the sdist all that its tests need."""
    run(
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, 'dev'); import check_wheel; "
        f"from pathlib import Path; check_wheel.contents(Path({str(wheel)!r}))",
    )
    if "apache_airflow_provider" not in read(wheel, "entry_points.txt"):
        raise ReleaseCheckError("the wheel has no entry point apache_airflow_provider")
    if relative := re.findall(r"\]\((?!https:|#)[^)]*", read(wheel, "METADATA")):
        raise ReleaseCheckError(f"links of the README that lead nowhere on PyPI: {relative}")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    missing = [part for part in IN_SDIST if not any(name.split("/")[0] == part for name in names)]
    if missing:
        raise ReleaseCheckError(f"the sdist lacks {', '.join(missing)}")


def check_licences() -> None:
    """What is installed with the package has a licence that lets it be used so."""
    wanted = [Requirement(line) for line in requires(NAME) or ()]
    for requirement in wanted:
        if requirement.marker is not None and "extra" not in str(requirement.marker):
            continue
        meta = distribution(requirement.name).metadata
        texts = [meta.get("License-Expression") or "", (meta.get("License") or "")[:200]]
        texts += [line for line in meta.get_all("Classifier") or () if line.startswith("License")]
        known = next((text for text in texts if FREE.search(text)), None)
        if known is None:
            raise ReleaseCheckError(f"{requirement.name}: its licence is not known here: {texts}")
        print(f"licence: {requirement.name}: {known.splitlines()[0]}")


def main() -> int:
    """Check it all, in the order of what takes longest."""
    try:
        wheel, sdist = build()
        check_version(wheel, next(iter(sys.argv[1:]), None))
        check_contents(wheel, sdist)
        check_licences()
        run("make", "docs")
        run(BIN / "nox", "--non-interactive", "--session", "wheel-2.11", "wheel-3.3", "--", "demo")
    except ReleaseCheckError as error:
        print(f"\nrelease-check: {error}", file=sys.stderr)
        return 1
    print(f"\nrelease-check: {wheel.name} and {sdist.name} can be released")
    return 0


if __name__ == "__main__":
    sys.exit(main())
