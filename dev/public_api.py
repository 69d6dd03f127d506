"""Write ``docs/public_api.txt``: every public name with its signature.

What changes in it has to be named in the newest section of CHANGELOG.md: without that, nothing is written.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "public_api.txt"
PACKAGE = "airflow_provider_emnify"
ROOMS = ("operators", "sensors", "triggers", "transfers")
MODULES = ("hooks.emnify", "api", "retry", "assets", "links")
OURS = re.compile(r"Emnify|emnify_")  # names that users import of the rooms; others help inside
HEAD = "# What semantic versioning is about here; `make docs` writes it from the code.\n"


def public_modules() -> list[str]:
    """Return the modules whose names users import."""
    rooms = [
        f"{room}.{module.name}"
        for room in ROOMS
        for module in pkgutil.iter_modules(importlib.import_module(f"{PACKAGE}.{room}").__path__)
        if module.name
        not in {"shared", "idempotency", "sources", "sinks", "batch", "lineage", "first_look", "task"}
    ]
    return [f"{PACKAGE}.{name}" for name in (*MODULES, *rooms)]


def signatures() -> dict[str, str]:
    """Return each public name, ``module.Name`` or ``module.Name.method``, with its signature."""
    found: dict[str, str] = {}
    for module in public_modules():
        for name, value in public_names(module):
            found[f"{module}.{name}"] = signature(value)
            if inspect.isclass(value) and not issubclass(value, Exception):
                found |= {
                    f"{module}.{name}.{method}": signature(function)
                    for method, function in vars(value).items()
                    if not method.startswith("_")
                    and inspect.isfunction(function)
                    and module.endswith((".api", "hooks.emnify"))
                }
    return found


def public_names(module: str) -> Iterator[tuple[str, Any]]:
    """Yield the classes and functions that a module is there for, without imported ones."""
    loaded = importlib.import_module(module)
    for name in getattr(loaded, "__all__", sorted(vars(loaded))):
        value = getattr(loaded, name)
        own = getattr(value, "__module__", "").startswith(module) or hasattr(loaded, "__all__")
        public = module.endswith(".api") or OURS.match(name)
        if public and own and (inspect.isclass(value) or inspect.isfunction(value)):
            yield name, value


def signature(value: Any) -> str:
    """Return names, kinds and defaults of the arguments, or the members of an enum.

    Types are left out, for they may get wider.
    """
    if inspect.isclass(value) and issubclass(value, Enum):
        return f"({', '.join(value.__members__)})"
    try:
        given = inspect.signature(value)
    except (TypeError, ValueError):
        return "()"
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty, default=_default(parameter.default))
        for parameter in given.parameters.values()
    ]
    return str(given.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def _default(value: Any) -> Any:
    plain = value is inspect.Parameter.empty or isinstance(value, (str, int, float, bool, type(None)))
    return (
        value if plain or (isinstance(value, tuple) and all(isinstance(one, str) for one in value)) else ...
    )


def text() -> str:
    """Return the page."""
    lines = [f"{name.removeprefix(PACKAGE + '.')}{arguments}" for name, arguments in signatures().items()]
    return HEAD + "\n".join(sorted(lines)) + "\n"


def unsaid(before: str, after: str, changelog: str) -> list[str]:
    """Return what has changed or gone, and is not named in the newest section of the changelog."""
    newest = re.split(r"^## ", changelog, flags=re.MULTILINE)[1]
    changed = {re.split(r"[(]", line)[0] for line in set(before.splitlines()) - set(after.splitlines())}
    return sorted(
        name for name in changed if name.rpartition(".")[2] not in newest and not name.startswith("#")
    )


def main() -> int:
    """Write the page, unless a change is not in the changelog."""
    after = text()
    before = PAGE.read_text() if PAGE.exists() else ""
    missing = unsaid(before, after, (ROOT / "CHANGELOG.md").read_text())
    if missing:
        print(
            "These public names have changed, and CHANGELOG.md does not name them:",
            *missing,
            sep="\n    ",
            file=sys.stderr,
        )
        return 1
    PAGE.write_text(after)
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
