"""Build ``.venv``: Airflow, this package and its tools. Does nothing when it is there already.

Runs on any Python of 3.11 or later with nothing installed: standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
AIRFLOW = "apache-airflow==3.3.*"


class SetupError(Exception):
    """What is missing, and what to do about it."""


def say(text: str) -> None:
    """Tell at once what is being done."""
    print(f"setup: {text}", flush=True)


def fingerprint() -> str:
    """Everything that decides what belongs into ``.venv``."""
    digest = hashlib.sha256()
    for part in (ROOT / "pyproject.toml", Path(__file__)):
        digest.update(part.read_bytes())
    digest.update(str(ROOT).encode())
    return digest.hexdigest()


def is_installed() -> bool:
    """Tell whether ``.venv`` is whole, of today's pyproject.toml, and its Python still runs."""
    if not STAMP.is_file() or STAMP.read_text().strip() != fingerprint():
        return False
    return subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0


def run(*command: str | Path, problem: str, env: dict[str, str] | None = None) -> None:
    """Run one step with its progress in sight.

    :param command: the program and its arguments
    :param problem: what to tell when it fails
    :param env: its environment, where it is not this process's own
    """
    done = subprocess.run(command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, env=env)
    if done.returncode:
        raise SetupError(problem)


def uv_environment() -> dict[str, str]:
    """Give uv the index and certificates that pip has been set up with, if it has none of its own."""
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & env.keys() and (index := pip_setting("index-url")):
        env["UV_DEFAULT_INDEX"] = index
    if not cache_is_writable():
        env.setdefault("UV_NO_CACHE", "1")
    if "SSL_CERT_FILE" not in env and (certificates := pip_setting("cert")):
        env["SSL_CERT_FILE"] = certificates
    return env


def cache_is_writable() -> bool:
    """Tell whether uv can keep a cache in the user's home: a user of a container may have none."""
    folder = Path(
        os.environ.get("UV_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    )
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def pip_setting(name: str) -> str | None:
    """Read one of pip's settings from its environment variable or its files."""
    if value := os.environ.get("PIP_" + name.upper().replace("-", "_")):
        return value
    for section in ("install", "global"):
        asked = subprocess.run(
            [PYTHON, "-m", "pip", "config", "get", f"{section}.{name}"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip()
    return None


def create_venv() -> None:
    """Make an empty ``.venv``, or keep one whose Python is fine."""
    if VENV.exists():
        probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([PYTHON, "-c", probe], check=False, capture_output=True).returncode == 0:
            return
        say(f"{VENV} does not work any more: making it anew")
        shutil.rmtree(VENV)
    version = "{}.{}".format(*sys.version_info)
    say(f"making .venv with Python {version} ({sys.executable})")
    advice = (
        f"Python {version} at {sys.executable} cannot make virtual environments. "
        f"Debian, Ubuntu: apt install python{version}-venv (or python3-venv), then run make again."
    )
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        raise SetupError(advice)
    run(sys.executable, "-m", "venv", VENV, problem=advice)


def install() -> None:
    """Install uv, then the rest with uv."""
    STAMP.unlink(missing_ok=True)
    unreachable = (
        "The package index could not be reached, or refused. Check the network; behind a mirror or a proxy "
        "set PIP_INDEX_URL (used for uv as well), HTTPS_PROXY or SSL_CERT_FILE. Then run make again."
    )
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("installing uv")
        pip = (PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries=2")
        run(*pip, "install", "uv>=0.9", problem=unreachable)
    say(f"installing {AIRFLOW}, this package and its tools (a minute or two the first time)")
    wanted = (AIRFLOW, "--editable", ".", "--group", "dev")
    run(
        *(uv, "pip", "install", "--python", PYTHON, "--compile-bytecode", *wanted),
        problem=f"uv could not install it all; it says why. Maybe: {unreachable}",
        env=uv_environment(),
    )
    STAMP.write_text(fingerprint() + "\n")


def main() -> int:
    """Set up ``.venv``; one at a time, so that two runs of make do not meet in it."""
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if is_installed():
        return 0
    started = time.monotonic()
    try:
        create_venv()
        install()
    except SetupError as error:
        print(f"\nsetup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; run make again to go on", file=sys.stderr)
        return 130
    say(f"done in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
