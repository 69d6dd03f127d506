"""The doctor names what is well and what is not, changes nothing, and shows no secret."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.hooks.doctor.command import main
from airflow_provider_emnify.hooks.doctor.examine import examine
from airflow_provider_emnify.hooks.doctor.finding import Finding, table
from tests.fleets import connection

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = pytest.mark.fleet(3, spare_sims=2, euiccs=1)


def by_name(conn_id: str = "emnify_default") -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(conn_id)}


def test_a_healthy_connection_has_no_failure(fleet: Sandbox) -> None:
    found = by_name()
    assert {finding.what for finding in found.values() if finding.state == "failed"} == set()
    assert found["authentication"].state == "ok"
    assert {
        "versions",
        "connection",
        "DNS",
        "clock",
        "rate limit store",
        "list events",
        "list sims",
        "list tags",
    } <= set(found)


def test_it_only_reads_and_authenticates_once(fleet: Sandbox) -> None:
    by_name()
    assert fleet.authentications == 1
    assert {operation.split()[0] for operation in fleet.counts} == {"GET", "POST"}
    assert [operation for operation in fleet.counts if operation.startswith("POST")] == [
        "POST /api/v1/authenticate"
    ]


def test_calls_of_this_and_other_clients_are_counted(fleet: Sandbox) -> None:
    used = by_name()["limit authenticate"].detail
    assert used.startswith("1 of 100 calls")


@pytest.mark.parametrize(
    ("change", "what", "says"),
    [
        ({"password": ""}, "connection", "password"),
        ({"password": "revoked"}, "authentication", "401"),
        ({"host": "http://emnify.example"}, "connection", "host"),
        ({"host": "https://emnify.invalid"}, "DNS", "emnify.invalid was not found"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], what: str, says: str
) -> None:
    conn = {**json.loads(connection(fleet)), **change}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(conn))
    finding = by_name()[what]
    assert finding.state == "failed"
    assert says in finding.detail
    assert finding.remedy


def test_a_host_that_does_not_listen_fails_the_authentication(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        conn = {
            **json.loads(connection(fleet, max_retries=0)),
            "host": f"http://127.0.0.1:{taken.getsockname()[1]}",
        }
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(conn))
        found = by_name()
    assert found["authentication"].state == "failed"
    assert found["authentication"].remedy.startswith("check the host of the connection, and firewall")
    assert found["lists"].state == "skipped"
    assert "not accepted" not in found["lists"].detail


def test_a_connection_that_does_not_exist_is_said(fleet: Sandbox) -> None:
    found = by_name("emnify_nobody")
    assert found["connection"].detail == "there is no connection 'emnify_nobody'"
    assert "AIRFLOW_CONN_EMNIFY_NOBODY" in found["connection"].remedy


def test_what_may_not_be_read_is_a_warning_by_resource(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", path="/api/v1/user", status=403)
    found = by_name()
    assert (found["list users"].state, found["list sims"].state) == ("warning", "ok")
    assert "403" in found["list users"].detail


@pytest.mark.parametrize(
    ("row", "state", "says"),
    [
        ({"colour": "red"}, "warning", "colour"),
        ({"id": None}, "failed", "have no id"),
        ({"status": {"id": 77, "description": "Melted"}}, "failed", "77"),
        ({"status": {"id": [1]}}, "failed", "[1]"),
        ({"status": {"id": "1"}}, "ok", "5 rows"),
    ],
)
def test_what_emnify_changes_is_seen_before_a_sync_meets_it(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, row: dict[str, Any], state: str, says: str
) -> None:
    from airflow_provider_emnify.api.client import EmnifyClient

    ask = EmnifyClient.request

    def changed(self: EmnifyClient, method: str, path: str, **more: Any) -> Any:
        answer = ask(self, method, path, **more)
        return [{**one, **row} for one in answer] if path == "/api/v1/sim" else answer

    monkeypatch.setattr(EmnifyClient, "request", changed)
    finding = by_name()["list sims"]
    assert (finding.state, says in finding.detail) == (state, True), finding


def test_what_is_no_list_is_no_empty_list(fleet: Sandbox) -> None:
    fleet.faults.add(method="GET", path="/api/v2/tags", status=200, body={"data": 7})
    finding = by_name()["list tags"]
    assert (finding.state, finding.detail) == ("failed", "what it answers is not a list of objects")


def test_a_variable_that_airflow_cannot_read_is_not_missing(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", connection(fleet)[:-1])
    finding = by_name()["connection"]
    assert finding.detail == "AIRFLOW_CONN_EMNIFY_DEFAULT is set, and Airflow cannot read it"


def test_a_connection_of_another_type_is_a_warning(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = {**json.loads(connection(fleet)), "conn_type": "http"}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(conn))
    found = by_name()
    assert (found["connection"].state, found["list sims"].state) == ("warning", "ok")


def test_what_is_logged_does_not_get_into_the_report(
    fleet: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_provider_emnify.hooks.doctor.examine.examine",
        lambda conn_id: [os.write(1, b"a line of a log\n")][:0],
    )
    assert main(["doctor", "--json", "-"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out) == []
    assert said.err == "a line of a log\n"


def test_a_report_that_cannot_be_written_is_said(
    fleet: Sandbox, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["doctor", "--json", f"{tmp_path}/nowhere/report.json"]) == 1
    assert "report.json: No such file or directory" in capsys.readouterr().err


def test_a_store_that_cannot_be_read_is_named(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"redis://:a-secret-password@127.0.0.1:{taken.getsockname()[1]}/0"
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", connection(fleet, rate_limit_store=url))
        found = by_name()
    assert found["rate limit store"].state == "failed"
    assert "a-secret-password" not in table(found.values())


def test_no_secret_is_shown(fleet: Sandbox, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert main(["doctor", "--json", str(report)]) == 0
    shown = capsys.readouterr().out + report.read_text()
    assert fleet.application_token not in shown
    assert {row["state"] for row in json.loads(report.read_text())} <= {"ok", "warning"}


def test_the_exit_status_tells_a_failure(fleet: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--conn-id", "emnify_nobody", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)[-1]["state"] == "failed"


@pytest.mark.parametrize("argv", [[], ["dokter"], ["doctor", "--conn"]])
def test_a_typo_is_an_error_with_the_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(argv)
    assert "usage: python -m airflow_provider_emnify" in capsys.readouterr().err


def test_the_help_says_what_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    assert "Look at everything between this Airflow and emnify, and say" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.airflow
@pytest.mark.skipif(find_spec("airflow.sdk") is None, reason="Airflow 2 takes no commands from providers")
def test_airflow_has_the_command(fleet: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "emnify", "doctor", "--json", "-"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert '"what": "authentication"' in done.stdout
