"""The rooms of the package: arrows run one way, no two files import each other, and no room is crowded.

Imports count wherever they stand: at the top, in a function, or for type checking alone.
"""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import airflow_provider_emnify

PACKAGE = Path(airflow_provider_emnify.__file__).parent
ROOT = PACKAGE.parent
NAME = PACKAGE.name
MOST_ENTRIES = 16
MOST_LINES = 400
ONE_FILE_A_RESOURCE = ("resources", "routes")

#: What a room, or a file, may import of the package, and what it may not import of all.
ONLY = {
    "api": ("api", "__version__"),
    "sandbox": ("sandbox", "api.enums", "__version__"),
}
NEVER = {
    "api": ("airflow",),
    "sandbox": ("airflow",),
    "api.resources": (f"{NAME}.api.client",),
    "api.transport": (f"{NAME}.api.client", f"{NAME}.api.resources"),
    "hooks": tuple(f"{NAME}.{room}" for room in ("operators", "sensors", "triggers", "transfers", "sandbox")),
    "triggers": tuple(
        f"{NAME}.{room}" for room in ("operators", "sensors", "transfers", "sandbox", "api.client")
    ),
    "sensors": tuple(f"{NAME}.{room}" for room in ("operators", "transfers", "sandbox", "api.client")),
    "operators": tuple(f"{NAME}.{room}" for room in ("sensors", "sandbox", "api.client")),
    "transfers": tuple(f"{NAME}.{room}" for room in ("sensors", "sandbox", "api.client")),
}
BY_THE_HOOK_ONLY = ("requests", "urllib3", "httpx", "aiohttp")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def files() -> dict[str, Path]:
    return {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports() -> dict[str, set[str]]:
    """What each file of the package imports: modules, and names of modules, by their full names."""
    found: dict[str, set[str]] = {}
    for module, path in files().items():
        here = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        names = found.setdefault(module, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = here[: len(here) - node.level + 1] if node.level else []
                root = ".".join([*base, *([node.module] if node.module else [])])
                names |= {f"{root}.{alias.name}" for alias in node.names}
    return found


def is_in(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def arrows_from(room: str) -> list[tuple[str, str]]:
    inside = f"{NAME}.{room}"
    return [
        (file, name) for file, names in imports().items() if is_in(file, inside) for name in sorted(names)
    ]


@pytest.mark.parametrize("room", ONLY)
def test_a_room_knows_these_alone(room: str) -> None:
    allowed = [f"{NAME}.{other}" for other in ONLY[room]]
    assert arrows_from(room)
    assert not [
        (file, name) for file, name in arrows_from(room) if is_in(name, NAME) and not is_in(name, *allowed)
    ]


@pytest.mark.parametrize("room", NEVER)
def test_a_room_never_knows_these(room: str) -> None:
    assert arrows_from(room)
    assert not [(file, name) for file, name in arrows_from(room) if is_in(name, *NEVER[room])]


@pytest.mark.parametrize("room", ["operators", "sensors", "triggers", "transfers"])
def test_what_airflow_knows_of_emnify_goes_through_the_client(room: str) -> None:
    assert not [(file, name) for file, name in arrows_from(room) if is_in(name, *BY_THE_HOOK_ONLY)]


def test_the_hook_alone_makes_clients() -> None:
    makers = set()
    for module, path in files().items():
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if any(getattr(func, "id", getattr(func, "attr", None)) == "EmnifyClient" for func in calls):
            makers.add(module)
    assert makers == {f"{NAME}.hooks.emnify"}


def test_no_two_files_import_each_other_in_a_circle() -> None:
    graph = {}
    for module, names in imports().items():
        known = set()
        for name in names:
            target = name
            while target and target not in files():
                target = target.rpartition(".")[0]
            known.add(target)
        graph[module] = known - {module, NAME, ""}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def is_room(path: Path) -> bool:
    return path.is_dir() and path.name != "__pycache__"


def test_no_folder_is_crowded() -> None:
    folders = [
        path for path in (PACKAGE, *PACKAGE.rglob("*")) if path.is_dir() and path.name != "__pycache__"
    ]
    entries = {
        str(folder.relative_to(ROOT)): len(
            [entry for entry in folder.iterdir() if entry.suffix == ".py" or is_room(entry)]
        )
        for folder in folders
        if folder.name not in ONE_FILE_A_RESOURCE
    }
    assert not {folder: count for folder, count in entries.items() if count > MOST_ENTRIES}


@pytest.mark.parametrize("folder", ["airflow_provider_emnify", "tests", "dags_examples", "dev", "benchmarks"])
def test_no_file_is_long(folder: str) -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert lines
    assert not {path: count for path, count in lines.items() if count > MOST_LINES}


def test_no_function_of_the_package_has_more_than_ten_branches() -> None:
    """Ruff refuses them (C901): here only that nobody switches it off."""
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "C90" in ruff["select"]
    assert ruff["mccabe"]["max-complexity"] <= 10
    exempt = [
        codes
        for pattern, codes in ruff["per-file-ignores"].items()
        if not pattern.startswith(("tests", "dev", "bench"))
    ]
    assert not [code for codes in exempt for code in codes if code.startswith("C9")]
    assert not [module for module, path in files().items() if "C901" in path.read_text()]
