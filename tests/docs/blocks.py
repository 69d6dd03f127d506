"""How each kind of code block in the docs is run. A kind, or a command, that is not known here fails.

Not really run, but checked as far as can be without a network or an hour's time: ``pip`` (the extras that
it names exist), ``make`` (the target exists), ``docker``, ``git`` and ``airflow`` servers.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from sybil import Example

ROOT = Path(__file__).parents[2]
SHOWN_ONLY = {"text", "mermaid", "ini", "dockerfile", "yaml", "toml"}
FENCE = re.compile(r"^```\{?([\w-]+)", re.MULTILINE)


def commands(source: str) -> list[str]:
    """Return the commands of a console block, without prompts, comments and what they print."""
    found: list[str] = []
    continued = False
    for line in source.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
        elif continued:
            found[-1] = f"{found[-1]}\n{line}"
        continued = line.endswith("\\")
    return found


def run_console(example: Example) -> None:
    """Run what stands behind each ``$``."""
    told = commands(example.parsed)
    assert told, "a console block has lines that begin with '$ '"
    for command in told:
        words = shlex.split(command.replace("\\\n", " "), comments=True)
        program = next(word for word in words if "=" not in word.partition("/")[0] or word.startswith("-"))
        COMMANDS[program](command, words)


def run_bash(example: Example) -> None:
    """Run a script; what it exports is there for the blocks after it."""
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = f"set -euo pipefail\n{example.parsed}\n{show}"
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    exported = json.loads(done.stdout.splitlines()[-1])
    changed = {name: value for name, value in exported.items() if os.environ.get(name) != value}
    for name, value in changed.items():
        if name.startswith("AIRFLOW_CONN_"):
            check_connection(value)


def check_json(example: Example) -> None:
    value = json.loads(example.parsed)
    if "conn_type" in value:
        check_connection(example.parsed)


def check_connection(text: str) -> None:
    from airflow_provider_emnify.airflow_names import Connection
    from airflow_provider_emnify.hooks.connection import ConnectionSettings

    conn = Connection(conn_id="emnify_docs", uri=text) if "://" in text[:20] else Connection.from_json(text)
    conn.conn_id = "emnify_docs"
    ConnectionSettings.from_airflow(conn)


def send_graphql(example: Example) -> None:
    from airflow_provider_emnify.hooks.emnify import EmnifyHook

    with EmnifyHook() as hook:
        assert hook.get_conn().graphql(example.parsed, {"page": 1})


def make(command: str, words: list[str]) -> None:
    del command
    subprocess.run(["make", "-n", *words[1:]], check=True, capture_output=True, cwd=ROOT)


def pip(command: str, words: list[str]) -> None:
    del command
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (wanted,) = [word for word in words if word.startswith(project["name"])]
    extras = re.findall(r"\[(.*)\]", wanted)
    known = project["optional-dependencies"]
    assert all(extra.strip() in known for extra in ",".join(extras).split(",") if extra), wanted


def run_sandbox(command: str, words: list[str]) -> None:
    """Start the sandbox with these options, on a free port, until it has printed its connection."""
    del command
    program = [sys.executable, "-m", "airflow_provider_emnify.sandbox", *words[1:], "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        try:
            line = next((line for line in sandbox.stdout if line.startswith("export AIRFLOW_CONN_")), None)
        finally:
            sandbox.terminate()
    assert line is not None, f"{words}: no connection was printed"
    check_connection(shlex.split(line)[1].partition("=")[2])


def run_here(command: str, words: list[str]) -> None:
    """Run a command of this package."""
    del words
    command = re.sub(r"\bpython3?\b", sys.executable, command, count=1)
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, cwd=ROOT)


def not_here(command: str, words: list[str]) -> None:
    """It needs a network, or starts what does not end."""
    del command, words


COMMANDS: dict[str, Callable[[str, list[str]], None]] = {
    "make": make,
    "pip": pip,
    "emnify-sandbox": run_sandbox,
    "python": run_here,
    "python3": not_here,
    "git": not_here,
    "docker": not_here,
    "source": not_here,
    "airflow": not_here,
    "cd": not_here,
    "cp": not_here,
    "export": not_here,
}

SYBIL = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("console", run_console),
        CodeBlockParser("bash", run_bash),
        CodeBlockParser("json", check_json),
        CodeBlockParser("graphql", send_graphql),
        SkipParser(),
    ]
)
KNOWN = {"python", "console", "bash", "json", "graphql"} | SHOWN_ONLY
