"""The example that makes a fleet what a table says: on the installed Airflow, with a person's approval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.transfers.sql import sql_hook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.filterwarnings("default")]

FIRST, SPARE = 1_000_001, 2_000_001
COLUMNS = (
    "iccid",
    "name",
    "status",
    "sim_status",
    "service_profile",
    "tariff_profile",
    "tags",
    "activate_on",
)
PROFILES = ("Default service profile", "Default tariff profile")


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(endpoints=4, spare_sims=5, limits=False)


@pytest.fixture
def warehouse(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: Any) -> Any:
    """A database in which the table says: change one, suspend one, create two, and one row is wrong."""
    pytest.importorskip("airflow.providers.sqlite", reason="apache-airflow-providers-sqlite")
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "w.db")}
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_WAREHOUSE", json.dumps(connection))
    hook: Any = sql_hook("emnify_warehouse")
    iccids = {
        device.id: sandbox.state.sims[device.sim_id or 0].iccid for device in sandbox.state.endpoints.values()
    }
    free = [sandbox.state.sims[SPARE + number].iccid_with_luhn for number in range(2)]
    rows = [
        (iccids[FIRST], "Pump 1", "disabled", None, None, None, "tracker", None),
        (iccids[FIRST + 1], None, None, "suspended", None, None, None, None),
        (iccids[FIRST + 2], "Device 3", "enabled", None, None, None, None, None),
        (free[0], "New 1", None, "activated", *PROFILES, None, None),
        (free[1], "New 2", None, None, *PROFILES, "tracker", "2999-01-01"),
        ("123", "nobody", None, None, None, None, None, None),
    ]
    hook.run("CREATE TABLE emnify_fleet (" + ", ".join(f"{name} VARCHAR(250)" for name in COLUMNS) + ")")
    hook.insert_rows("emnify_fleet", rows)
    return hook


def states(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def test_a_fleet_becomes_what_the_table_says_when_a_person_approves(
    run_example: Callable[..., Any],
    sandbox: Sandbox,
    warehouse: Any,
    tmp_path: Path,
    person: Callable[[str], None],
) -> None:
    person("Approve")
    run = run_example("fleet_from_table", plans=f"file://{tmp_path}/plans")
    assert set(states(run).values()) == {"success"}, states(run)
    (plan,) = [path for path in (tmp_path / "plans").iterdir() if not path.name.endswith(".result.jsonl")]
    about = json.loads(plan.read_text().splitlines()[0])
    assert about["counts"] == {
        "create": 2,
        "change": 1,
        "activate": 1,
        "suspend": 1,
        "tag": 2,
        "delete": 0,
        "refuse": 1,
    }
    if "approve" not in states(run):
        assert len(sandbox.state.endpoints) == 4
        return
    first = sandbox.state.endpoints[FIRST]
    assert (first.name, first.status, first.tag_ids) == ("Pump 1", EndpointStatus.DISABLED, (2,))
    assert sandbox.state.sims[sandbox.state.endpoints[FIRST + 1].sim_id].status is SimStatus.SUSPENDED
    created = {device.name: device for key, device in sandbox.state.endpoints.items() if key > FIRST + 3}
    assert set(created) == {"New 1", "New 2"}
    assert sandbox.state.sims[SPARE].status is SimStatus.ACTIVATED
    assert sandbox.state.sims[SPARE + 1].status is SimStatus.ISSUED
    columns = "done, skipped, refused, not_known, bad_rows"
    assert [tuple(row) for row in warehouse.get_records(f"SELECT {columns} FROM emnify_fleet_report")] == [
        (4, 0, 0, 0, 1)
    ]


def test_nothing_is_changed_when_a_person_rejects(
    run_example: Callable[..., Any],
    sandbox: Sandbox,
    warehouse: Any,
    tmp_path: Path,
    person: Callable[[str], None],
    examples: Any,
) -> None:
    if "approve" not in examples.dags["fleet_from_table"].task_ids:
        pytest.skip("approvals need Airflow 3.1")
    person("Reject")
    run = run_example("fleet_from_table", plans=f"file://{tmp_path}/plans")
    assert states(run)["apply"] == "skipped"
    assert {name.partition(" ")[0] for name in sandbox.counts} == {"GET", "POST"}
    assert (
        sum(count for name, count in sandbox.counts.items() if name.startswith("POST"))
        == sandbox.authentications
    )


def test_nobody_is_asked_when_the_fleet_is_so_already(
    run_example: Callable[..., Any], sandbox: Sandbox, warehouse: Any, tmp_path: Path
) -> None:
    warehouse.run("DELETE FROM emnify_fleet WHERE name <> 'Device 3' OR name IS NULL")
    run = run_example("fleet_from_table", plans=f"file://{tmp_path}/plans")
    assert states(run)["plan"] == "success"
    assert states(run).get("approve", "skipped") == "skipped"
