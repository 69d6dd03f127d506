"""Each sensor follows what the sandbox really does: an SMS on its way, a quota, an operation, a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.api.enums import SimStatus
from airflow_provider_emnify.operators.cloud_connect import EmnifyCreateCloudConnectOperator
from airflow_provider_emnify.operators.data_stream import EmnifyCreateDataStreamOperator
from airflow_provider_emnify.operators.euicc import (
    EmnifyEuiccOperationOperator,
    EmnifySimOperationOperator,
)
from airflow_provider_emnify.operators.sms import EmnifySendSmsOperator
from airflow_provider_emnify.sandbox.world.devices import set_sim_status
from airflow_provider_emnify.sensors.cloud_connect import EmnifyCloudConnectSensor
from airflow_provider_emnify.sensors.data_stream import EmnifyDataStreamSensor
from airflow_provider_emnify.sensors.euicc import EmnifyEuiccOperationSensor, EmnifySimOperationSensor
from airflow_provider_emnify.sensors.quota import EmnifyQuotaSensor
from airflow_provider_emnify.sensors.sim import EmnifySimBatchSensor, EmnifySimStatusSensor
from airflow_provider_emnify.sensors.sms import EmnifySmsDeliverySensor
from tests.operators.deferring import deferred
from tests.operators.support import context
from tests.operators.test_cloud_connect import TGW
from tests.operators.test_data_stream import S3
from tests.sensors.modes import run
from tests.sensors.test_sensors import in_each_mode, options

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox
    from tests.sensors.modes import Mode


pytestmark = pytest.mark.fleet(2, retries=False, euiccs=2, operations_after=60)


def ids_of(operator: Any) -> list[Any]:
    """Have an operator begin something, and return the ids of what it would wait for."""
    trigger: Any = deferred(operator).trigger
    ids: list[Any] = trigger.wait["ids"]
    return ids


def follow(sandbox: Sandbox, sensor: Any) -> set[str]:
    """Run a sensor while an hour passes, after its first look; return the states that it saw in the end."""

    def change(look: int) -> None:
        if look == 2:
            sandbox.clock.advance(3600)

    before = sandbox.requests
    seen = run(sensor, before_look=change)
    assert sandbox.requests - before > 2  # it had to wait
    return set(seen.values())


@in_each_mode
class TestOnTheSandbox:
    def test_sms(self, fleet: Sandbox, mode: Mode) -> None:
        begin = EmnifySendSmsOperator(task_id="t", endpoint_ids=[*fleet.state.endpoints], text="reboot")
        sent = begin.execute(context())
        assert follow(fleet, EmnifySmsDeliverySensor(**options(mode), sms_ids=str(sent))) == {"Delivered"}

    def test_euicc_operations(self, fleet: Sandbox, mode: Mode) -> None:
        begin = EmnifyEuiccOperationOperator(
            task_id="t", euicc_ids=[*fleet.state.euiccs], action="Audit eUICC", deferrable=True
        )
        sensor = EmnifyEuiccOperationSensor(**options(mode), operation_ids=ids_of(begin))
        assert follow(fleet, sensor) == {"SUCCEEDED"}

    def test_sim_operations(self, fleet: Sandbox, mode: Mode) -> None:
        esims = [sim.id for sim in fleet.state.sims.values() if sim.eid is not None]
        begin = EmnifySimOperationOperator(task_id="t", sim_ids=esims, action="Link profile", deferrable=True)
        sensor = EmnifySimOperationSensor(**options(mode), operation_ids=ids_of(begin))
        assert follow(fleet, sensor) == {"SUCCEEDED"}

    def test_data_streams(self, fleet: Sandbox, mode: Mode) -> None:
        begin = EmnifyCreateDataStreamOperator(task_id="t", name="usage", destination=S3)
        sensor = EmnifyDataStreamSensor(**options(mode), data_stream_ids=begin.execute(context()))
        assert follow(fleet, sensor) == {"Running"}

    def test_cloud_connect(self, fleet: Sandbox, mode: Mode) -> None:
        begin = EmnifyCreateCloudConnectOperator(task_id="t", name="office", **TGW)
        sensor = EmnifyCloudConnectSensor(**options(mode), attachment_ids=begin.execute(context()))
        assert follow(fleet, sensor) == {"Active"}

    def test_quotas(self, fleet: Sandbox, mode: Mode) -> None:
        from airflow_provider_emnify.operators.quota import EmnifySetQuotaOperator

        keys = [*fleet.state.endpoints]
        EmnifySetQuotaOperator(task_id="t", endpoint_ids=keys, volume=5, expiry_date="2099-01-01").execute(
            context()
        )
        seen = run(EmnifyQuotaSensor(**options(mode), endpoint_ids=keys))
        assert set(seen.values()) == {"Active"}

    def test_sims(self, fleet: Sandbox, mode: Mode) -> None:
        keys = [e.sim_id for e in fleet.state.endpoints.values() if e.sim_id is not None]

        def change(look: int) -> None:
            if look == 2:
                for key in keys:
                    set_sim_status(fleet.state, fleet.state.sims[key], SimStatus.SUSPENDED)

        sensor = EmnifySimStatusSensor(**options(mode), sim_ids=keys, target_status="suspended")
        assert set(run(sensor, before_look=change).values()) == {"Suspended"}

    def test_sim_batches(self, fleet: Sandbox, mode: Mode) -> None:
        bic = next(iter(fleet.state.batches))
        assert run(EmnifySimBatchSensor(**options(mode), bics=bic)) == {bic: "REGISTRABLE"}
