"""What acts on devices finds and reads them in the fewest requests, and hands on what it has read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifyDeleteEndpointsOperator,
    EmnifyReleaseSimOperator,
    EmnifyResetConnectivityOperator,
    EmnifyUpdateEndpointsOperator,
)
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator, EmnifySimOperationOperator
from airflow_provider_emnify.operators.tag import EmnifyAddTagsOperator, EmnifyRemoveTagsOperator
from airflow_provider_emnify.sensors.endpoint import EmnifyEndpointStatusSensor
from airflow_provider_emnify.sensors.sim import EmnifySimStatusSensor
from tests.fleets import offline
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FIRST = 1_000_001
LIST, ONE = "GET /api/v1/endpoint", "GET /api/v1/endpoint/{endpoint_id}"


def selected(select: Any) -> list[int]:
    """Return which endpoints an operator acts on."""
    return EmnifyUpdateEndpointsOperator(task_id="t", select=select, imei_lock=True).execute(context())


@pytest.mark.fleet(8_000)
@pytest.mark.parametrize(("count", "most"), [(6, 6), (7, 8), (9, 8)])
@pytest.mark.parametrize("field", ["name", "iccid", "id"])
def test_several_are_found_in_the_fewest_requests(fleet: Sandbox, field: str, count: int, most: int) -> None:
    some = [*fleet.state.endpoints.values()][500::900][:count]
    values = {
        "id": [one.id for one in some],
        "name": [one.name for one in some],
        "iccid": [fleet.state.sims[one.sim_id or 0].iccid for one in some],
    }
    assert len(selected({field: values[field], "status": "enabled"})) == count
    assert fleet.counts[LIST] == most


@pytest.mark.fleet(8_000)
def test_what_many_devices_have_is_found_in_one_list(fleet: Sandbox) -> None:
    """Of each of seven tags a list of eight pages would be read, beside the one that counts them."""
    tags = [f"tag {number}" for number in range(7)]
    for one in fleet.state.endpoints.values():
        one.tags = ", ".join(tags)
    assert len(selected({"tags": tags})) == 8_000
    assert fleet.counts[LIST] == 8


@pytest.mark.fleet(3_000)
@pytest.mark.parametrize("field", ["status", "service_profile_id", "tariff_profile_id"])
def test_what_few_devices_have_is_listed_before_what_many_have(fleet: Sandbox, field: str) -> None:
    some = [fleet.state.sims[one.sim_id or 0].iccid for one in [*fleet.state.endpoints.values()][:3]]
    assert len(selected({field: [0, 1], "iccid": some})) == 3
    assert fleet.counts[LIST] == 3


@pytest.mark.fleet(8_000)
@pytest.mark.parametrize(("count", "names", "sims"), [(6, 6, 12), (7, 8, 15), (9, 8, 8)])
def test_what_is_to_be_created_is_looked_for_in_the_fewest_requests(
    fleet: Sandbox, count: int, names: int, sims: int
) -> None:
    some = [*fleet.state.endpoints.values()][500::900][:count]

    def requests(rows: list[dict[str, Any]]) -> int:
        before = fleet.requests
        operator = EmnifyCreateEndpointsOperator(
            task_id="t", endpoints=rows, service_profile_id=1, tariff_profile_id=1
        )
        assert operator.execute(context()) == [one.id for one in some]
        return fleet.requests - before - 1

    assert requests([{"name": one.name} for one in some]) == names
    assert requests([{"sim_id": one.sim_id} for one in some]) == sims


@pytest.mark.fleet(1)
def test_tags_are_found_by_name_in_the_fewest_requests(fleet: Sandbox) -> None:
    for number in range(8):
        fleet.state.tags[number + 10] = replace(fleet.state.tags[1], id=number + 10, name=f"tag {number}")
    names = [f"tag {number}" for number in range(8)]
    EmnifyAddTagsOperator(task_id="t", endpoint_ids=FIRST, tags=names).execute(context())
    assert fleet.counts["GET /api/v2/tags"] == 1


@pytest.mark.fleet(10, spare_sims=0, euiccs=9, prepare=offline)
@pytest.mark.parametrize(
    "task",
    [
        EmnifyEndpointStatusSensor(task_id="t", select={"id": [*range(FIRST, FIRST + 9)]}),
        EmnifyEndpointStatusSensor(task_id="t", select={"id": [*range(FIRST, FIRST + 9)]}, deferrable=True),
        EmnifySimStatusSensor(task_id="t", select={"status": "activated"}),
        EmnifyAddTagsOperator(task_id="t", select={"status": "enabled"}, tag_ids=2),
        EmnifyAddTagsOperator(task_id="t", select={"status": "enabled"}, tags="new", create_missing=True),
        EmnifyRemoveTagsOperator(task_id="t", select={"status": "enabled"}, tag_ids=1),
        EmnifyRemoveTagsOperator(
            task_id="t", endpoint_ids=[*range(FIRST, FIRST + 9)], tag_ids=1, only_if="enabled"
        ),
        EmnifyReleaseSimOperator(task_id="t", select={"status": "enabled"}, only_if="offline"),
        EmnifyDeleteEndpointsOperator(
            task_id="t", select={"status": "enabled"}, only_if="offline", confirm=True
        ),
        EmnifyResetConnectivityOperator(task_id="t", select={"status": "enabled"}, only_if="offline"),
        EmnifyEuiccOperationOperator(
            task_id="t",
            select={"id": [*range(3_000_001, 3_000_010)]},
            action="Audit eUICC",
            wait_for_completion=False,
        ),
        EmnifySimOperationOperator(
            task_id="t",
            select={"status": "issued"},
            action="Link profile",
            wait_for_completion=False,
        ),
    ],
    ids=lambda task: type(task).__name__,
)
def test_a_list_is_read_once_and_handed_on(fleet: Sandbox, task: Any) -> None:
    task.execute(context())
    lists = (LIST, ONE, "GET /api/v2/endpoint/{endpoint_id}/tags", "GET /api/v1/sim", "GET /api/v1/euicc")
    assert sum(fleet.counts[name] for name in lists) == 1
