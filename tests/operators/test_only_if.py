"""With ``only_if`` an operator acts on what is in a state, after one look, and on nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import Connectivity, EmnifyServerError, EndpointStatus, SimStatus
from airflow_provider_emnify.operators.base.only_if import OnlyIf
from airflow_provider_emnify.operators.endpoint import (
    EmnifyDeleteEndpointsOperator,
    EmnifyReleaseSimOperator,
    EmnifyResetConnectivityOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUpdateEndpointsOperator,
)
from airflow_provider_emnify.operators.quota import EmnifyExtendTrafficLimitOperator
from airflow_provider_emnify.operators.sim import EmnifyDeleteSimsOperator, EmnifySetSimStatusOperator
from tests.fleets import ids_of
from tests.operators.support import context, run, without_retries
from tests.operators.test_bad_arguments import KINDS, VALID

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FIRST, FREE = 1_000_001, 2_000_001
LIST, ONE = "GET /api/v1/endpoint", "GET /api/v1/endpoint/{endpoint_id}"
CONNECTIVITY = "/api/v1/endpoint/{endpoint_id}/connectivity"
EXTENSIONS = "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension"
TAKERS = sorted(name for name, kind in KINDS.items() if issubclass(kind, OnlyIf))
OF_SIMS = ["EmnifyDeleteSimsOperator", "EmnifySetSimStatusOperator"]


def in_many_states(sandbox: Sandbox) -> None:
    """Block devices 0 and 1, take 2 off the network, disable 3, suspend the SIM of 4, and delete 9."""
    devices = [*sandbox.state.endpoints.values()]
    for device in devices:
        device.status = EndpointStatus.ENABLED
        device.connectivity = Connectivity.ONLINE
        sandbox.state.sims[device.sim_id or 0].status = SimStatus.ACTIVATED
    devices[0].blocked = devices[1].blocked = True
    devices[2].connectivity = Connectivity.OFFLINE
    devices[3].status = EndpointStatus.DISABLED
    sandbox.state.sims[devices[4].sim_id or 0].status = SimStatus.SUSPENDED
    devices[9].status = EndpointStatus.DELETED


pytestmark = pytest.mark.fleet(10, prepare=in_many_states)


def numbers(ids: Any) -> list[int]:
    return [int(key) - FIRST for key in ids]


def writes(sandbox: Sandbox) -> dict[str, int]:
    """Return how often what was changed."""
    reads = ("GET ", "POST /api/v1/authenticate")
    return {name: count for name, count in sandbox.counts.items() if not name.startswith(reads)}


@pytest.mark.parametrize(
    ("only_if", "expected"),
    [
        ("blocked", [0, 1]),
        ("offline", [2]),
        (" Online ", [3, 4, 5, 6, 7, 8]),
        (Connectivity.ATTACHED, []),
        ("enabled", [0, 1, 2, 4, 5, 6, 7, 8]),
        (EndpointStatus.DISABLED, [3]),
        ("activated", [0, 1, 2, 3, 5, 6, 7, 8]),
        ("Suspended", [4]),
        ("factory test", []),
        (None, [*range(9)]),
    ],
)
@pytest.mark.parametrize("by", ["ids", "select"])
def test_what_is_in_the_state_is_acted_on(fleet: Sandbox, only_if: Any, expected: list[int], by: str) -> None:
    given = {"select": {"id": ids_of(fleet)}} if by == "select" else {"endpoint_ids": ids_of(fleet)[:9]}
    operator = EmnifyUpdateEndpointsOperator(task_id="t", tags="moved", only_if=only_if, **given)
    assert numbers(operator.execute(context())) == expected
    assert numbers(key for key, one in fleet.state.endpoints.items() if one.tags == "moved") == expected


def test_a_limit_is_extended_only_where_the_device_is_blocked(fleet: Sandbox) -> None:
    operator = EmnifyExtendTrafficLimitOperator(
        task_id="t", endpoint_ids=ids_of(fleet)[:4], volume=5_000_000, only_if="blocked"
    )
    assert numbers(operator.execute(run(fleet))) == [0, 1]
    assert fleet.counts[f"GET {CONNECTIVITY}"] == 4
    assert writes(fleet) == {f"POST {EXTENSIONS}": 2}
    assert fleet.counts[LIST] == fleet.counts[ONE] == 0


def test_a_retry_looks_anew_and_goes_on_with_those_still_in_the_state(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_retries(fleet, monkeypatch)
    operator = EmnifyExtendTrafficLimitOperator(
        task_id="t", endpoint_ids=ids_of(fleet)[:4], volume=5_000_000, only_if="blocked"
    )
    fleet.faults.add(method="POST", path=EXTENSIONS, status=503, skip=1)
    with pytest.raises(Exception, match="could not extend the traffic limit"):
        operator.execute(run(fleet))
    fleet.block(FIRST, blocked=False)
    operator.endpoint_ids = ids_of(fleet)[:4]
    assert numbers(operator.execute(run(fleet, try_number=2))) == [1]
    assert len(fleet.state.extensions) == 2


def test_connectivity_is_reset_only_where_the_device_is_blocked(fleet: Sandbox) -> None:
    operator = EmnifyResetConnectivityOperator(task_id="t", endpoint_ids=ids_of(fleet)[:5], only_if="blocked")
    assert operator.execute(context()) == {str(FIRST): "reset", str(FIRST + 1): "reset"}
    assert fleet.counts[f"GET {CONNECTIVITY}"] == 5
    assert writes(fleet) == {f"PATCH {CONNECTIVITY}": 2}


@pytest.mark.parametrize(("count", "looks"), [(3, {LIST: 0, ONE: 3}), (9, {LIST: 1, ONE: 0})])
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (EmnifySetEndpointStatusOperator, {"status": "disabled", "only_if": "activated"}),
        (EmnifyDeleteEndpointsOperator, {"confirm": True, "only_if": "enabled"}),
        (EmnifyReleaseSimOperator, {"only_if": "activated"}),
        (EmnifyResetConnectivityOperator, {"only_if": "enabled"}),
        (EmnifyUpdateEndpointsOperator, {"imei_lock": True, "only_if": "enabled"}),
    ],
)
def test_a_status_takes_one_look_which_is_the_operator_s_own(
    fleet: Sandbox, kind: Any, more: dict[str, Any], count: int, looks: dict[str, int]
) -> None:
    kind(task_id="t", endpoint_ids=ids_of(fleet)[:count], **more).execute(context())
    assert {name: fleet.counts[name] for name in looks} == looks


def test_the_look_at_what_is_selected_is_the_list_that_selects_it(fleet: Sandbox) -> None:
    operator = EmnifySetEndpointStatusOperator(
        task_id="t",
        select={"name": [f"Device {number}" for number in range(2, 9)]},
        status="disabled",
        sim_status="suspended",
        only_if="activated",
    )
    assert numbers(operator.execute(context())) == [1, 2, 3, 5, 6, 7]
    assert {name: fleet.counts[name] for name in (LIST, ONE, "GET /api/v1/sim")} == {
        LIST: 1,
        ONE: 0,
        "GET /api/v1/sim": 0,
    }


def test_sims_are_suspended_only_when_activated(fleet: Sandbox) -> None:
    sims = [one.sim_id or 0 for one in fleet.state.endpoints.values()][3:6]
    operator = EmnifySetSimStatusOperator(
        task_id="t", sim_ids=[*sims, FREE, 99], status="suspended", only_if="activated"
    )
    assert operator.execute(context()) == [sims[0], sims[2]], "4 is suspended, FREE issued, and 99 not there"
    assert fleet.counts["GET /api/v1/sim/{sim_id}"] == 5
    assert writes(fleet) == {"PATCH /api/v1/sim/{sim_id}": 2}


def test_sims_are_paused_with_their_devices_and_a_retry_ends_what_was_begun(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_retries(fleet, monkeypatch)
    ids = ids_of(fleet)[3:6]

    def pause() -> Any:
        return EmnifySetEndpointStatusOperator(
            task_id="t", endpoint_ids=ids, status="disabled", sim_status="suspended", only_if="activated"
        )

    fleet.faults.add(method="PATCH", path="/api/v1/sim/{sim_id}", status=503, skip=1)
    with pytest.raises(Exception, match="set to Suspended"):
        pause().execute(context())
    assert numbers(pause().execute(context(try_number=2))) == [5]
    assert {fleet.state.sims[fleet.state.endpoints[key].sim_id or 0].status for key in ids} == {
        SimStatus.SUSPENDED
    }


def test_the_log_counts_what_is_left_out(fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [*ids_of(fleet)[:4], 99]
    operator = EmnifyResetConnectivityOperator(task_id="t", endpoint_ids=ids, only_if="blocked")
    lines: list[str] = []
    monkeypatch.setattr(operator.log, "info", lambda text, *args: lines.append(text % args))
    operator.execute(context())
    assert lines[0] == (
        "only_if: 2 of 5 endpoints are BLOCKED: 1000001, 1000002; left out: 1 OFFLINE, 1 ONLINE, 1 gone"
    )


WITHOUT = {
    "EmnifySendSmsOperator": "an SMS does not depend on a state: it waits at emnify for the device",
    "EmnifyMigrateSimsOperator": "its dry run says which SIMs can go",
    "EmnifySimOperationOperator": "emnify carries it out when the device is there",
    "EmnifyEuiccOperationOperator": "emnify carries it out when the device is there",
}


def test_there_are_many_that_take_it() -> None:
    assert len(TAKERS) > 15
    selecting = {name for name, kind in KINDS.items() if hasattr(kind, "select") and "Sensor" not in name}
    assert selecting - {*TAKERS} == WITHOUT.keys()
    assert {name for name in TAKERS if KINDS[name].selects == "sim_ids"} == {*OF_SIMS}


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("only_if", ["factory_test", "attached"])
def test_nothing_in_the_state_does_nothing_and_succeeds(fleet: Sandbox, name: str, only_if: str) -> None:
    kind = KINDS[name]
    given = {key: value for key, value in VALID[name].items() if key not in {"endpoint_ids", "sim_ids"}}
    devices = [*fleet.state.endpoints.values()][:3]
    ids = [one.sim_id if name in OF_SIMS else one.id for one in devices]
    given |= {kind.selects: ids, "only_if": "issued" if name in OF_SIMS else only_if}
    result = kind(task_id="t", **given).execute(run(fleet))
    assert not result
    assert writes(fleet) == {}
    assert sum(count for path, count in fleet.counts.items() if path.startswith("GET")) == 3


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.parametrize("bad", ["on", "deleted", 1, True, ["blocked"], "{{ params.state }}"])
def test_another_state_is_refused_when_the_dag_is_parsed(name: str, bad: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^only_if: .* is not valid; allowed: .*issued, activated"
    ) as caught:
        KINDS[name](task_id="t", **{**VALID[name], "only_if": bad})
    assert ("blocked, enabled" in str(caught.value)) is (name not in OF_SIMS)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda: EmnifySetEndpointStatusOperator(
                task_id="t", endpoint_ids=7, status=1, sim_status="suspended", only_if="enabled"
            ),
            "with sim_status: .* allowed: issued, activated, suspended$",
        ),
        (
            lambda: EmnifyDeleteEndpointsOperator(
                task_id="t", endpoint_ids=7, sims="release", confirm=True, only_if="suspended"
            ),
            "with sims='release': .* allowed: enabled, disabled$",
        ),
        (
            lambda: EmnifyUpdateEndpointsOperator(
                task_id="t", endpoints=[{"id": 7, "name": "a"}], only_if="enabled"
            ),
            "not with endpoints",
        ),
        (lambda: EmnifyReleaseSimOperator(task_id="t", sim_ids=7, only_if="enabled"), "not with sim_ids"),
        (
            lambda: EmnifyDeleteSimsOperator(task_id="t", sim_ids=7, confirm=True, only_if="blocked"),
            "allowed: issued",
        ),
    ],
)
def test_what_it_does_not_go_with_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"^only_if: .*{says}"):
        make()


@pytest.mark.parametrize(("status", "error"), [(503, EmnifyServerError), (403, AirflowFailException)])
def test_a_look_that_fails_does_nothing(
    fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, status: int, error: type[Exception]
) -> None:
    without_retries(fleet, monkeypatch)
    fleet.faults.add(method="GET", path=CONNECTIVITY, status=status, skip=1)
    operator = EmnifyResetConnectivityOperator(task_id="t", endpoint_ids=ids_of(fleet)[:3], only_if="blocked")
    with pytest.raises(error):
        operator.execute(context())
    assert writes(fleet) == {}
