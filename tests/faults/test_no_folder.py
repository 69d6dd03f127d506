"""No temporary folder, no home, an unknown user: one warning, then memory, and the task succeeds."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile

import pytest

from airflow_provider_emnify.api.limits import fallback as limit_fallback
from tests.faults.each import CASES
from tests.faults.in_process import InProcess
from tests.openapi import ROOT
from tests.operators.support import context

STORES = {"rate_limit_store": "host", "token_cache": "host"}


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> InProcess:
    made = InProcess(3, extra=STORES)
    made.reach(monkeypatch)
    return made


def test_a_task_without_a_folder_to_write_to_succeeds(
    sandbox: InProcess, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(limit_fallback, "FALLBACKS", {})
    case = next(case for case in CASES if case.name == "EmnifyUpdateEndpointsOperator")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            case.make(sandbox).execute(context())
    assert case.done is not None
    assert case.done(sandbox)
    said = [record.getMessage() for record in caplog.records if "airflow_provider_emnify" in record.name]
    assert [text.partition(" (")[0] for text in said] == [
        "The token cache cannot be used",
        "The rate limit store host",
        "The token cache cannot be used",  # of the second task
    ]
    assert all("No usable temporary directory" in text for text in said)


MOUNTS = """mount -o remount,bind,ro / &&
for folder in /tmp /var/tmp /dev/shm; do
    test ! -d $folder || { mount --bind $folder $folder && mount -o remount,bind,ro $folder; }
done;"""
READ_ONLY = """
import logging, os, sys, tempfile
sys.path.insert(0, ROOT)
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import pytest
from airflow_provider_emnify.api import Credentials, EmnifyClient, Limits
from airflow_provider_emnify.api.transport.token_cache import TokenCache
from tests.faults.in_process import InProcess

try:
    tempfile.gettempdir()
except FileNotFoundError:
    print("nowhere")
sandbox = InProcess(2)
with pytest.MonkeyPatch.context() as patch:
    sandbox.reach(patch)
    for _ in range(2):
        credentials = Credentials(application_token=sandbox.application_token)
        limits, cache = Limits("host"), TokenCache(credentials, sandbox.url)
        with EmnifyClient(credentials, base_url=sandbox.url, limits=limits, token_cache=cache) as client:
            print(len(list(client.endpoints.list())), "endpoints")
"""


def test_on_a_root_that_is_read_only_everything_works() -> None:
    """In a mount namespace without a place to write to, as a user whom nobody knows."""
    code = READ_ONLY.replace("ROOT", repr(str(ROOT)))
    user = "setpriv --reuid 54321 --regid 54321 --clear-groups"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{MOUNTS} cd / && exec {user} {sys.executable} -c "$0"', code],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
        timeout=100,
    )
    if "nowhere" not in done.stdout:
        pytest.skip(f"no read-only root can be had here: {done.stderr.strip()[-200:] or done.stdout}")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.endswith("endpoints")] == ["2 endpoints"] * 2, done.stderr
    assert sum("The rate limit store host" in line for line in lines) == 1
    assert sum("The token cache cannot be used" in line for line in lines) == 2  # of two clients
