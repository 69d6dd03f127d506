"""The tests on every supported pair of Airflow and Python, and the built wheel in clean environments.

``nox --list`` shows the sessions; those tagged ``ci`` run for every change. Interpreters are looked for on
this machine; none is downloaded.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nox

if TYPE_CHECKING:
    from collections.abc import Callable

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"

if not os.access(Path.home(), os.W_OK):
    os.environ.setdefault("UV_NO_CACHE", "1")  # a user without a home has no place for uv's cache

# Releases of Airflow, each with a Python that it supports, the day whose packages it is installed with (as
# its constraint file has them; None is today), and whether CI runs it.
RELEASES = (
    ("2.11.0", "3.11", "2025-05-22", True),
    ("2.11.2", "3.12", "2026-04-15", False),
    ("3.0.6", "3.12", "2025-09-02", True),
    ("3.1.0", "3.12", "2025-09-27", False),
    ("3.1.8", "3.13", "2026-03-20", True),
    ("3.2.2", "3.13", "2026-06-20", True),
    ("3.3.0", "3.12", "2026-07-20", False),
    ("3.3.2", "3.13", None, True),
)
WITH_FAB = ("3.0.6",)  # for its form of connections; 3.1.0 is the one that is checked without
EVER = "2100-01-01"  # pyrate-limiter is in no constraint file: it may be newer than the rest

# Airflow 2.11 does not support Python 3.13.
AIRFLOWS = {"2.11": ("3.11", "3.12"), "3.3": ("3.11", "3.12", "3.13")}
FORMS = {
    "2.11": ("tests/ui/test_connection_form_2.py",),
    "3.1": ("tests/ui/test_connection_form.py",),
}


@functools.cache
def interpreter(version: str) -> str | None:
    """Find a Python that really runs: a shim of pyenv may exist and only say that it does not."""
    versions = Path.home() / ".pyenv" / "versions"
    candidates = [shutil.which(f"python{version}"), shutil.which("python3")]
    candidates += [str(found) for found in versions.glob(f"{version}.*/bin/python")]
    for candidate in filter(None, candidates):
        probe = "import sys; print('{}.{}'.format(*sys.version_info)); print(sys.executable)"
        answer = subprocess.run([candidate, "-c", probe], check=False, capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.startswith(f"{version}\n"):
            return answer.stdout.split("\n")[1]
    return None


def tests(session: nox.Session, airflow: str) -> None:
    """Run every test but those that start Airflow's own processes; arguments after ``--`` go to pytest."""
    session.install(f"apache-airflow=={airflow}.*", "--editable", ".", "--group", "test")
    pytest(session, "-n", "2", "-m", "not system", *session.posargs)


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest. In CI, where a busy machine may upset a test of timing, what failed is run again, alone."""
    if "CI" not in os.environ:
        session.run("pytest", *arguments)
        return
    cache = (
        "-o",
        f"cache_dir={Path(session.virtualenv.location).resolve() / 'pytest'}",
    )  # of this session alone
    session.run("pytest", *cache, *arguments, success_codes=[0, 1])
    session.run("pytest", *cache, "--last-failed", "--last-failed-no-failures=none", success_codes=[0, 5])


def system(session: nox.Session, airflow: str) -> None:
    """Run the tests that start Airflow's own processes, one after another."""
    session.install(f"apache-airflow=={airflow}.*", "--editable", ".", "--group", "test")
    pytest(session, "-m", "system", "tests/system", *session.posargs)


def ui(session: nox.Session, airflow: str) -> None:
    """Look at the form of connections with a browser: before 3.2 Airflow gets it in another way."""
    session.install(f"apache-airflow=={airflow}.*", "--editable", ".", "--group", "test", "playwright")
    pytest(session, "-r", "s", "-m", "ui", *FORMS[airflow], *session.posargs)


def lowest(session: nox.Session) -> None:
    """Run every test with the oldest dependencies that pyproject.toml allows."""
    folder = Path(session.virtualenv.location).resolve()
    pins, limits = folder / "lowest.txt", folder / "limits.txt"
    # Later ones need a newer pyjwt, and a newer Airflow, than they say.
    limits.write_text("flask-jwt-extended<4.7.2\nuniversal-pathlib<0.3\n")
    session.run_install(
        *("uv", "pip", "compile", "--quiet", "--resolution=lowest-direct", "--extra=sandbox", "--extra=sql"),
        *("--python", str(session.python), "--constraint", str(limits), "--output-file", str(pins)),
        "pyproject.toml",
        external=True,
    )
    session.install("--constraint", str(pins), "--editable", ".", "--group", "test")
    pytest(session, "-n", "2", "-m", "not system", *session.posargs)


def snowflake(session: nox.Session) -> None:
    """Run the tests of transfers into Snowflake, on an emulator of it."""
    wanted = ("apache-airflow==3.3.*", "--editable", ".", "--group", "test", "--group", "snowflake")
    session.install(*wanted)
    pytest(session, "tests/transfers/test_snowflake.py", *session.posargs)


def wheel(session: nox.Session, airflow: str) -> None:
    """Install the built wheel alone: everything imports, and Airflow knows the provider.

    With ``-- demo`` the example DAG then runs from it, on a real scheduler and triggerer.
    """
    folder = Path(session.create_tmp()).resolve()
    for old in folder.glob("*.whl"):
        old.unlink()
    session.run_install("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), external=True)
    (built,) = folder.glob("*.whl")
    session.install(f"apache-airflow=={airflow}.*")
    session.install("--reinstall-package", "airflow-provider-emnify", str(built))
    session.env["AIRFLOW_HOME"] = str(folder)
    session.chdir(folder)  # the checkout must not be what is imported
    dev = Path(__file__).parent / "dev"
    session.run("python", str(dev / "check_wheel.py"), str(built))
    if "demo" in session.posargs:
        session.install(f"{built}[sandbox,sql,parquet,redis]", "psutil")
        session.run("python", str(dev / "check_airflow.py"))


def release(session: nox.Session, airflow: str, day: str | None) -> None:
    """Check a release of Airflow with the packages of its day: imports, form, and a run with a triggerer."""
    days = ("--exclude-newer", day, "--exclude-newer-package", f"pyrate-limiter={EVER}") if day else ()
    wanted = (f"apache-airflow=={airflow}", "--editable", ".[sandbox,sql,parquet,redis]", "psutil")
    form = ("apache-airflow-providers-fab",) if airflow in WITH_FAB else ()
    session.install(*days, *wanted, *form)
    session.run("python", "dev/check_airflow.py", *session.posargs)


def register(
    name: str, version: str, run: Callable[[nox.Session], None], doc: str | None, *, ci: bool
) -> None:
    """Make a nox session of a function, under a name that tells Airflow and Python."""
    run.__doc__ = doc
    tags = [name.partition("-")[0], "ci"] if ci else [name.partition("-")[0]]
    nox.session(run, name=name, python=interpreter(version), tags=tags)


for _airflow, _pythons in AIRFLOWS.items():
    _found = [version for version in _pythons if interpreter(version)]
    for _version in _found:
        _name, _newest = f"tests-{_airflow}-py{_version}", _version == _found[-1]
        register(_name, _version, lambda s, a=_airflow: tests(s, a), tests.__doc__, ci=_newest)
    for _version in _found[:1]:
        _name = f"wheel-{_airflow}"
        register(_name, _version, lambda s, a=_airflow: wheel(s, a), wheel.__doc__, ci=True)
        _name = f"system-{_airflow}"
        register(_name, _version, lambda s, a=_airflow: system(s, a), system.__doc__, ci=False)
for _airflow, _version, _day, _ci in RELEASES:
    if interpreter(_version):
        _name = f"matrix-{_airflow}"
        register(_name, _version, lambda s, a=_airflow, d=_day: release(s, a, d), release.__doc__, ci=_ci)
    else:
        print(f"matrix-{_airflow} is left out: no Python {_version} on this machine", file=sys.stderr)
for _airflow in FORMS:
    if interpreter("3.12"):
        register(f"ui-{_airflow}", "3.12", lambda s, a=_airflow: ui(s, a), ui.__doc__, ci=True)
if interpreter("3.11"):
    register("tests-lowest", "3.11", lowest, lowest.__doc__, ci=False)
    register("snowflake", "3.11", snowflake, snowflake.__doc__, ci=False)
