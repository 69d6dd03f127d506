"""The example DAGs run on the installed Airflow."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, SimStatus
from tests.system.conftest import EXAMPLES, NEED_AIRFLOW_3

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.filterwarnings("default")]


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(endpoints=7, spare_sims=5, online_after=0)


def states(run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in run.get_task_instances()}


def report_of(run: Any) -> dict[str, Any]:
    report: dict[str, Any] = run.get_task_instance("report").xcom_pull(task_ids="report")
    return report


def test_every_example_loads(examples: Any) -> None:
    everywhere = {path.stem for path in EXAMPLES.glob("*.py")} - NEED_AIRFLOW_3
    assert set(examples.dags) == {*everywhere, *NEED_AIRFLOW_3} - too_new()


def test_every_example_says_what_it_is_for_and_is_retried(examples: Any) -> None:
    for dag in examples.dags.values():
        assert dag.doc_md
        assert "emnify" in dag.tags
        assert dag.default_args["retries"] >= 1, dag.dag_id
        assert all(dag.params.get_param(name).description for name in dag.params), dag.dag_id
        unnamed = [
            task.task_id
            for task in dag.tasks
            if hasattr(task, "expand_input") and not task.map_index_template
        ]
        assert not unnamed, dag.dag_id


def too_new() -> set[str]:
    """Return the examples that need a newer Airflow than the installed one: they have no DAG there."""
    return set() if find_spec("airflow.sdk") else NEED_AIRFLOW_3


def test_onboard_creates_a_user_and_devices_that_are_enabled_and_online(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    run = run_example("onboard", devices=3, username="ops@example.org")

    assert set(states(run).values()) == {"success"}, states(run)
    assert [user.username for user in sandbox.state.users.values()][1:] == ["ops@example.org"]
    report = report_of(run)
    assert len(report["endpoints"]) == 3
    for row in report["endpoints"]:
        endpoint = sandbox.state.endpoints[row["id"]]
        assert endpoint.status is EndpointStatus.ENABLED
        assert endpoint.connectivity is Connectivity.ONLINE
        assert sandbox.state.sims[endpoint.sim_id].status is SimStatus.ACTIVATED
        assert (row["status"], row["connectivity"]) == ("Enabled", "ONLINE")
    assert report["user"]["username"] == "ops@example.org"


def test_onboard_again_adds_devices_and_keeps_the_user(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    for _ in range(2):
        assert set(states(run_example("onboard", devices=2)).values()) == {"success"}

    assert sandbox.counts["POST /api/v1/user"] == 1
    assert len(sandbox.state.endpoints) == 7 + 4


def test_onboard_without_enough_sims_fails_at_once_and_creates_no_device(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    run = run_example("onboard", devices=6)

    assert states(run)["pick_sims"] == "failed"
    assert states(run)["create_endpoints"] == "upstream_failed"
    assert len(sandbox.state.endpoints) == 7


def test_fleet_status_reports_and_changes_nothing(run_example: Callable[..., Any], sandbox: Sandbox) -> None:
    run = run_example("fleet_status", look_up=2)

    assert set(states(run).values()) == {"success"}, states(run)
    assert report_of(run) == {
        "organisation": "Sandbox",
        "endpoints": {"Enabled": 7},
        "sims": {"Activated": 7, "Issued": 5},
        "connectivity": [
            {"id": 1000007, "name": "Device 7", "connectivity": "ONLINE"},
            {"id": 1000006, "name": "Device 6", "connectivity": "ONLINE"},
        ],
    }
    written = {operation for operation in sandbox.counts if not operation.startswith("GET ")}
    assert written == {"POST /api/v1/authenticate"}


def test_on_device_blocked_has_nothing_to_report_when_it_is_run_by_hand(
    run_example: Callable[..., Any],
) -> None:
    if too_new():
        pytest.skip("asset watchers need Airflow 3")
    run = run_example("on_device_blocked")

    assert set(states(run).values()) == {"success"}, states(run)
    assert report_of(run) == []


def test_a_rejected_token_is_tried_once(
    run_example: Callable[..., Any], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = sandbox.airflow_connection.replace(sandbox.application_token, "revoked-long-ago")
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", wrong)

    run = run_example("fleet_status")

    assert states(run)["organisation"] == "failed"
    assert sandbox.authentications == 1
