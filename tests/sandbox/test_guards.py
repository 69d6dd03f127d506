"""The fixtures and guards that all tests of this project rely on, in a test run of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.openapi import ROOT

TESTS = """
import os, tempfile, threading
import pytest, requests

def ask(sandbox, **params):
    body = {"application_token": sandbox.application_token}
    token = requests.post(sandbox.url + "/api/v1/authenticate", json=body).json()["auth_token"]
    headers = {"Authorization": "Bearer " + token}
    return requests.get(sandbox.url + "/api/v1/user", params=params, headers=headers)

def test_good(sandbox):
    assert ask(sandbox, page=1).ok

def test_violation(sandbox):
    assert ask(sandbox, colour="red").ok

@pytest.mark.allow_openapi_violations
def test_violation_on_purpose(sandbox):
    assert ask(sandbox, colour="red").ok

def test_thread_left_behind():
    threading.Thread(target=threading.Event().wait, args=(6,)).start()

def test_sandbox_left_behind():
    from airflow_provider_emnify.sandbox import Sandbox
    Sandbox().start()

def test_client(client):
    assert client.request("GET", "/api/v1/organisation/my")["name"] == "Sandbox"

def test_connection(sandbox_connection):
    assert os.environ["AIRFLOW_CONN_EMNIFY_DEFAULT"] == sandbox_connection.airflow_connection

def test_home():
    home = os.environ["AIRFLOW_HOME"]
    assert "emnify-" in home and os.path.isdir(home) and tempfile.gettempdir() == home
    print("HOME=" + os.environ["AIRFLOW_HOME"])
"""


def run(path: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rA",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        str(path),
    ]
    variables = {"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        command, cwd=path, env=variables, capture_output=True, text=True, check=False, timeout=120
    )
    assert "no tests ran" not in ran.stdout, ran.stderr
    return ran.stdout


def test_what_breaks_the_openapi_or_is_left_behind_fails_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    output = run(tmp_path)
    failed = {
        line.split("::")[1].split()[0] for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))
    }
    assert failed == {"test_violation", "test_thread_left_behind", "test_sandbox_left_behind"}, output
    assert "query colour: is no parameter of this operation" in output
    home = next(line for line in output.splitlines() if line.startswith("HOME="))
    assert not Path(home.removeprefix("HOME=")).exists()
