"""The command ``emnify-sandbox``, and the control of a sandbox in another process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_emnify.api.enums import Connectivity
from airflow_provider_emnify.sandbox import Sandbox
from airflow_provider_emnify.sandbox.__main__ import DEFAULT_PORT, main, parse_options
from airflow_provider_emnify.sandbox.control.scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.sandbox.support import Api

COMMAND = [sys.executable, "-m", "airflow_provider_emnify.sandbox"]


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return tmp_path / "ready.json"


@pytest.fixture
def process(ready: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "--port", "0", "--endpoints", "3", "--no-limits", "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_end(
    process: subprocess.Popen[str], ready: Path, number: signal.Signals
) -> None:
    assert process.stdout is not None
    said = list(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
    told = json.loads(ready.read_text())
    assert told["pid"] == process.pid
    credential = {"application_token": told["application_token"]}
    token = requests.post(f"{told['url']}/api/v1/authenticate", json=credential, timeout=10).json()[
        "auth_token"
    ]
    headers = {"Authorization": f"Bearer {token}"}
    answers = [
        requests.get(f"{told['url']}/api/v1/endpoint?page=1", headers=headers, timeout=10) for _ in range(20)
    ]
    assert {(answer.status_code, len(answer.json())) for answer in answers} == {(200, 3)}
    process.send_signal(number)
    answered, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    lines = answered.splitlines()
    assert len(lines) == 21
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /api/v1/endpoint\?page=1 200 \d+ ms", lines[-1])
    assert f"export AIRFLOW_CONN_EMNIFY_DEFAULT='{told['connection']}'\n" in said
    assert not ready.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "x"], "'x' is not a whole number from 0 to 65535"),
        (["--port", "70000"], "'70000' is not a whole number from 0 to 65535"),
        (["--endpoints", "-5"], "not a whole number from 0"),
        (["--endpoints", "100000000"], "'100000000' is not a whole number from 0 to 5000000"),
        (["--token-life", "0"], "'0' is not a number of seconds above 0"),
        (["--online-after", "soon"], "'soon' is not a number of seconds, 0 or more"),
        (["--create-answer", "mail"], "invalid choice"),
        (["--scenario", "large"], "invalid choice"),
        (["--scenario", "smal"], "; did you mean 'small'?"),
        (["--sede", "7"], "unrecognized arguments: --sede 7; did you mean '--seed'?"),
        (["--host", "http://localhost"], "'http://localhost' is not a host name or IP address"),
        (["--allow-host", "airflow:8100"], "'airflow:8100' is not a host name or IP address"),
        (["--application-token", "ü"], "an application token is of printable ASCII characters"),
    ],
)
def test_bad_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 2


def test_a_port_in_use_is_named(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    port = sandbox.url.rpartition(":")[2]
    assert main(["--port", port]) == 1
    assert capsys.readouterr().err.startswith(f"emnify-sandbox: cannot listen on 127.0.0.1 port {port}: ")


def test_an_address_that_is_not_here_is_not_blamed_on_the_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--host", "[2001:db8::1]"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("emnify-sandbox: cannot listen on 2001:db8::1 port 0: ")
    assert "--port" not in said


@pytest.mark.parametrize("name", ["nowhere/ready.json", "folder", "folder/..", ".", ".."])
def test_a_ready_file_that_cannot_be_written_is_named_and_nothing_is_left(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    (here / "folder").mkdir(parents=True)
    monkeypatch.chdir(here)
    assert main(["--port", "0", "--ready-file", name]) == 1
    assert capsys.readouterr().err.startswith(f"emnify-sandbox: cannot write {name}: ")
    assert sorted(tmp_path.rglob("*")) == [here, here / "folder"]


def test_the_help_names_every_option_and_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said and scenario.about in said for name, scenario in SCENARIOS.items())
    assert "default: None" not in said
    assert "default: False" not in said


def test_what_is_given_goes_before_what_a_scenario_sets() -> None:
    assert parse_options(["--scenario", "small"]).endpoints == 10
    options = parse_options(["--events", "7", "--scenario", "small"])
    assert (options.endpoints, options.events, options.port) == (10, 7, DEFAULT_PORT)
    assert parse_options([]).endpoints == 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_what_its_name_says(name: str) -> None:
    scenario = SCENARIOS[name]
    sandbox = Sandbox(**scenario.settings)
    scenario.begin(sandbox)
    endpoints, sims = sandbox.state.endpoints.values(), sandbox.state.sims
    expected = {
        "small": len(endpoints) == 10,
        "fleet-10k": len(endpoints) == 10_000,
        "flaky": len(sandbox.faults) == 3,
        "blocked-devices": sum(endpoint.blocked for endpoint in endpoints) == 5,
        "idle-sims": sum(
            sims[endpoint.sim_id or 0].status == 1 and endpoint.connectivity is Connectivity.OFFLINE
            for endpoint in endpoints
        )
        == 16,
        "esim": len(sandbox.state.euiccs) == 10,
    }
    assert expected[name]


def test_the_same_seed_gives_the_same_ids_and_token() -> None:
    def facts(seed: int | None) -> tuple[Any, ...]:
        sandbox = Sandbox(3, events=5, euiccs=1, seed=seed)
        endpoints = [event.endpoint and event.endpoint["id"] for event in sandbox.state.events.values()]
        return (
            sandbox.application_token,
            sandbox.state.lookups.euicc_actions,
            endpoints,
            sandbox.state.new_uuid(),
        )

    assert facts(7) == facts(7)
    assert facts(7)[0] != facts(8)[0]
    assert facts(7)[1:] != facts(8)[1:]
    assert facts(None)[0] != facts(None)[0]
    assert facts(None)[1:] == facts(0)[1:]


def test_the_application_token_can_be_chosen(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(application_token="mine")
    assert sandbox.application_token == "mine"
    assert connect(sandbox, {"application_token": "mine"}).get("/api/v1/endpoint").status_code == 200
    assert "mine" in sandbox.secrets


def control(sandbox: Sandbox, method: str, path: str, body: Any = None) -> requests.Response:
    return requests.request(method, f"{sandbox.url}/_sandbox/{path}", json=body, timeout=10)


def test_a_sandbox_is_controlled_over_http(sandbox: Sandbox, api: Api) -> None:
    fault = {"method": "GET", "path": "/api/v1/user", "status": 500}
    assert control(sandbox, "POST", "faults", fault).json() == {"faults": 1}
    assert [api.get("/api/v1/user").status_code for _ in range(2)] == [500, 200]
    before = sandbox.clock.time()
    assert control(sandbox, "POST", "clock", {"advance": 1000}).json()["time"] >= before + 1000
    assert control(sandbox, "POST", "tokens/revoke").json() == {"revoked": 1}
    assert api.get("/api/v1/user").status_code == 401
    told = control(sandbox, "GET", "counts").json()
    assert (told["requests"], told["authentications"], told["failures"]) == (4, 1, [])
    assert told["counts"]["GET /api/v1/user"] == 3
    assert told["statuses"] == {"200": 2, "500": 1, "401": 1}
    log = control(sandbox, "GET", "log").json()
    assert [entry["template"] for entry in log][1:] == ["/api/v1/user"] * 3
    assert log[0]["body"] == {"application_token": "***"}
    control(sandbox, "POST", "faults", fault)
    assert control(sandbox, "DELETE", "faults").json() == {"faults": 0}
    assert sandbox.requests == 4


def test_devices_and_outcomes_are_controlled_over_http(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1, euiccs=1)
    api = connect(sandbox)
    device = "endpoints/1000001"
    path = "/api/v1/endpoint/1000001"

    def connectivity() -> str:
        return str(api.get(f"{path}/connectivity").json()["status"]["description"])

    assert control(sandbox, "POST", f"{device}/block").json() == {"done": None}
    assert connectivity() == "BLOCKED"
    control(sandbox, "POST", f"{device}/block", {"blocked": False})
    control(sandbox, "POST", f"{device}/power", {"on": False})
    assert connectivity() == "OFFLINE"
    control(sandbox, "POST", f"{device}/power", {"on": True})
    control(sandbox, "POST", "clock", {"advance": 3})
    assert connectivity() == "ONLINE"
    assert control(sandbox, "POST", "endpoints", {"number": 2}).json() == {"done": [1_000_002, 1_000_003]}
    assert control(sandbox, "POST", "outcomes", {"kind": "sms", "of": 1_000_001}).json() == {"outcomes": 1}
    location = api.post(f"{path}/sms", {"payload": "Hello"}).headers["Location"]
    control(sandbox, "POST", "clock", {"advance": 3})
    assert api.get(location).json()["status"]["id"] == 5
    control(sandbox, "POST", "outcomes", {"kind": "data_stream", "times": None})
    assert control(sandbox, "DELETE", "outcomes").json() == {"outcomes": 0}
    quota = {"volume": 10, "expiry_date": "2090-01-01", "status": {"id": "1"}}
    api.post(f"{path}/quota/data", {**quota, "action_on_exhaustion": {"id": "1"}})
    assert control(sandbox, "POST", f"{device}/consume", {"volume": 4}).json() == {"done": 6.0}
    assert control(sandbox, "POST", "euiccs").json() == {"done": 3_000_002}
    control(sandbox, "POST", "sim_batches", {"bic": "MINE-1", "quantity": 2})
    assert len(api.patch("/api/v1/sim_batch/bic/MINE-1", {}).json()["sim"]) == 2
    user = api.new_user()
    control(sandbox, "POST", "users/new@example.com/activate")
    assert api.get(f"/api/v1/user/{user}").json()["status"]["id"] == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("endpoints/7/block", {}, 404, "there is no 7"),
        ("endpoints/x/block", {}, 404, "there is no 'x'"),
        ("endpoints/7/power", {"on": True}, 404, "there is no 7"),
        ("endpoints/7/power", {"on": "yes"}, 400, "on has invalid format: expecting Boolean"),
        ("endpoints/7/power", {}, 400, "on is required"),
        ("endpoints/7/consume", {"volume": 1}, 404, "there is no 7"),
        ("endpoints/7/consume", {"volume": -1}, 400, "a number of MB or SMS, at least 0"),
        ("endpoints/7/consume", {"volume": 1, "kind": "mail"}, 400, "one of data, sms"),
        ("users/7/activate", None, 404, "User with id 7"),
        ("outcomes", {"kind": "weather"}, 400, "expecting one of sms, connectivity_info"),
        ("outcomes", {"kind": "cloud_connect", "status": 5}, 400, "expecting one of 2, 7, 8"),
        ("outcomes", {}, 400, "kind is required"),
        ("outcomes", {"kind": "sms", "times": 0}, 400, "times is at least 1, not 0"),
        ("sim_batches", {"colour": "red"}, 400, "colour: no such field; allowed: bic, quantity, "),
        ("endpoints", {"number": 0}, 400, "a whole number, at least 1"),
        ("endpoints", {"number": 1.5}, 400, "a whole number, at least 1"),
        ("euiccs", [], 400, "must be a JSON object"),
        ("faults", {}, 400, "a fault needs a status"),
        (
            "faults",
            {"colour": "red"},
            400,
            "POST /_sandbox/faults - colour: no such field; allowed: method, ",
        ),
        ("faults", {"do": "x"}, 400, "do: no such field"),
        ("faults", {"status": 500, "path": "("}, 400, "nor a regular expression"),
        ("faults", {"delay": "long"}, 400, "expecting a number of seconds"),
        ("faults", {"status": 0}, 400, "status is from 200 to 599, not 0"),
        ("faults", {"status": 999}, 400, "status is from 200 to 599, not 999"),
        ("faults", {"status": 500, "times": 0}, 400, "times is at least 1, not 0"),
        ("faults", {"status": 500, "skip": -1}, 400, "skip is at least 0, not -1"),
        ("faults", {"partial": -1}, 400, "partial is at least 0, not -1"),
        ("faults", {"truncate": -1}, 400, "truncate is at least 0, not -1"),
        ("faults", {"headers": {"Retry-After": 1}}, 400, "'Retry-After' with 1 is not a header"),
        ("faults", {"headers": {"X": "a\r\nY: b"}}, 400, "is not a header that can be sent"),
        ("faults", {"headers": {"X": "€"}}, 400, "'X' with '€' is not a header that can be sent"),
        ("faults", {"headers": {"": "x"}}, 400, "'' with 'x' is not a header that can be sent"),
        ("clock", {"advance": 1e12}, 400, "up to the year 9999, not by 1000000000000.0 seconds"),
        ("clock", {"advance": -1}, 400, "a number of seconds, at least 0"),
        ("clock", {"advance": "soon"}, 400, "a number of seconds, at least 0"),
        ("counts", {}, 405, "there is no POST"),
        ("weather", {}, 404, "there is no POST /_sandbox/weather"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(
    sandbox: Sandbox, path: str, body: Any, status: int, detail: str
) -> None:
    answer = control(sandbox, "POST", path, body)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b'{"a":' * 200 + b"1" + b"}" * 200])
def test_a_body_that_is_no_json_is_refused(sandbox: Sandbox, body: bytes) -> None:
    answer = requests.post(f"{sandbox.url}/_sandbox/clock", data=body, timeout=10)
    assert (answer.status_code, len(answer.json()["detail"]) > 0) == (400, True)


def test_the_control_paths_tell_of_themselves(sandbox: Sandbox) -> None:
    rows = {(row["method"], row["path"]): row for row in control(sandbox, "GET", "paths").json()}
    assert rows["POST", "/_sandbox/clock"] == {
        "method": "POST",
        "path": "/_sandbox/clock",
        "does": "Move the clock on.",
        "fields": {"advance": "a number of seconds, at least 0"},
    }
    assert all(row["does"] for row in rows.values())
