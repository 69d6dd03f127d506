"""The example DAGs of the guides run on the installed Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import Connectivity, EndpointStatus, SimStatus
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from tests.system.test_examples import report_of, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emnify.sandbox import Sandbox

pytestmark = [pytest.mark.airflow, pytest.mark.filterwarnings("default")]
SECONDS = {"sms_delivered_after": 0, "operations_after": 0, "streams_running_after": 0, "online_after": 0}


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox(endpoints=7, spare_sims=5, euiccs=2, **SECONDS)


def tag(endpoint_ids: list[int], tags: str) -> None:
    with EmnifyHook() as hook:
        for endpoint_id in endpoint_ids:
            hook.get_conn().endpoints.update(endpoint_id, tags=tags)


def all_good(run: Any) -> bool:
    assert set(states(run).values()) == {"success"}, states(run)
    return True


def write_csv(path: Path, sims: list[Any], names: list[str]) -> str:
    rows = [f"{name},{sim.iccid_with_luhn},pump" for name, sim in zip(names, sims, strict=True)]
    path.write_text("\n".join(["name,iccid,tags", *rows]) + "\n")
    return path.as_uri()


def spare(sandbox: Sandbox) -> list[Any]:
    used = {endpoint.sim_id for endpoint in sandbox.state.endpoints.values()}
    return [sim for sim in sandbox.state.sims.values() if sim.id not in used]


def test_onboard_from_csv_creates_the_devices_of_a_file_once(
    run_example: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    uri = write_csv(tmp_path / "devices.csv", spare(sandbox)[:2], ["Pump 1", "Pump 2"])
    for _ in range(2):
        assert all_good(run_example("onboard_from_csv", path=uri))

    made = [endpoint for endpoint in sandbox.state.endpoints.values() if endpoint.name.startswith("Pump")]
    assert sorted(endpoint.name for endpoint in made) == ["Pump 1", "Pump 2"]
    assert {endpoint.connectivity for endpoint in made} == {Connectivity.ONLINE}


def test_onboard_from_csv_refuses_a_file_with_a_row_that_is_wrong(
    run_example: Callable[..., Any], sandbox: Sandbox, tmp_path: Path
) -> None:
    sim = spare(sandbox)[0]
    uri = write_csv(tmp_path / "devices.csv", [sim, sim], ["Pump 1", "Pump 2"])
    run = run_example("onboard_from_csv", path=uri)

    assert states(run)["read_devices"] == "failed"
    assert len(sandbox.state.endpoints) == 7


def test_retire_devices_deletes_only_what_is_confirmed(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    old = list(sandbox.state.endpoints)[:2]
    sims = [sandbox.state.endpoints[key].sim_id for key in old]
    tag(old, "retire")

    assert states(run_example("retire_devices"))["delete"] == "skipped"
    assert {sandbox.state.endpoints[key].status for key in old} == {EndpointStatus.DISABLED}
    assert {sandbox.state.sims[key].status for key in sims} == {SimStatus.SUSPENDED}

    assert all_good(run_example("retire_devices", confirm=True))
    with EmnifyHook() as hook:
        left = {row["id"] for row in hook.get_conn().endpoints.list()}
    assert len(left) == 5
    assert not left & set(old)


def test_sms_campaign_sends_each_device_one_text_and_reports(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    pumps = list(sandbox.state.endpoints)[:3]
    tag(pumps, "pump")

    run = run_example("sms_campaign")

    assert all_good(run)
    assert report_of(run) == {"delivered": [str(key) for key in sorted(pumps, reverse=True)]}
    assert sandbox.counts["POST /api/v1/endpoint/{endpoint_id}/sms"] == 3


def test_top_up_quotas_tops_up_what_is_used_up(run_example: Callable[..., Any], sandbox: Sandbox) -> None:
    empty, full, without = list(sandbox.state.endpoints)[:3]
    tag([empty, full, without], "pump")
    with EmnifyHook() as hook:
        for endpoint_id in (empty, full):
            hook.get_conn().quotas.set_data(endpoint_id, volume=10, expiry_date="2999-01-01T00:00:00Z")
    sandbox.consume(empty, 10)

    assert all_good(run_example("top_up_quotas", megabytes=40))

    volumes = {key: float(quota.volume) for (key, _), quota in sandbox.state.quotas.items()}
    assert volumes == {empty: 40.0, full: 10.0}


def test_top_up_quotas_refuses_more_than_the_bound(run_example: Callable[..., Any], sandbox: Sandbox) -> None:
    devices = list(sandbox.state.endpoints)[:2]
    tag(devices, "pump")
    with EmnifyHook() as hook:
        for endpoint_id in devices:
            hook.get_conn().quotas.set_data(endpoint_id, volume=10, expiry_date="2999-01-01T00:00:00Z")
            sandbox.consume(endpoint_id, 10)

    run = run_example("top_up_quotas", most=1)

    assert states(run) == {"exhausted": "failed", "top_up": "upstream_failed"}


def test_esim_profile_carries_an_operation_out(run_example: Callable[..., Any], sandbox: Sandbox) -> None:
    with EmnifyHook() as hook:
        euiccs = [row["id"] for row in hook.get_conn().euiccs.list()]
    run = run_example("esim_profile", euicc_ids=euiccs)

    assert all_good(run)
    assert report_of(run)["succeeded"] == 2


def test_data_stream_to_s3_creates_one_stream_that_runs(
    run_example: Callable[..., Any], sandbox: Sandbox
) -> None:
    for _ in range(2):
        assert all_good(run_example("data_stream_to_s3"))

    assert sandbox.counts["POST /api/v2/data_stream"] == 1
