from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import (
    EmnifyConnectionError,
    EmnifyError,
    EmnifyPartialError,
    EmnifyServerError,
    EndpointStatus,
    SimStatus,
)
from airflow_provider_emnify.operators.endpoint import (
    EmnifyCreateEndpointsOperator,
    EmnifyDeleteEndpointsOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUpdateEndpointsOperator,
)
from tests.fleets import ids_of
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

MULTI = "/api/v2/endpoint/multi"


pytestmark = pytest.mark.fleet(10)


def create(**arguments: Any) -> EmnifyCreateEndpointsOperator:
    return EmnifyCreateEndpointsOperator(
        task_id="t", **{"service_profile_id": 1, "tariff_profile_id": 1, **arguments}
    )


class TestUpdate:
    def test_all_are_changed_in_the_same_way(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:3]
        operator = EmnifyUpdateEndpointsOperator(
            task_id="t", endpoint_ids=ids, tags="berlin", tariff_profile_id="2", imei_lock="True"
        )
        assert operator.execute(context()) == ids
        found = [fleet.state.endpoints[key] for key in ids]
        assert {(e.tags, e.tariff_profile_id, e.imei_lock) for e in found} == {("berlin", 2, True)}
        assert fleet.counts[f"PATCH {MULTI}"] == 1

    def test_each_is_changed_in_its_own_way(self, fleet: Sandbox) -> None:
        first, second = ids_of(fleet)[:2]
        rows = [
            {"id": first, "name": "pump", "status": "disabled"},
            {"id": str(second), "sim_id": None},
        ]
        assert EmnifyUpdateEndpointsOperator(task_id="t", endpoints=rows).execute(context()) == [
            first,
            second,
        ]
        assert fleet.state.endpoints[first].name == "pump"
        assert fleet.state.endpoints[first].status is EndpointStatus.DISABLED
        assert fleet.state.endpoints[second].sim_id is None

    @pytest.mark.parametrize("field", ["status", "tariff_profile_id", "tags", "imei_lock"])
    def test_a_template_that_renders_to_nothing_is_no_change(self, fleet: Sandbox, field: str) -> None:
        ids = ids_of(fleet)[:1]
        operator = EmnifyUpdateEndpointsOperator(task_id="t", endpoint_ids=ids, **{field: "{{ params.x }}"})
        setattr(operator, field, "None")
        with pytest.raises(AirflowFailException, match="give at least one of them to change"):
            operator.execute(context())
        assert fleet.counts[f"PATCH {MULTI}"] == 0

    def test_no_tags_take_those_away_that_there_are(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:1]
        for tags in ("pump", ""):
            EmnifyUpdateEndpointsOperator(task_id="t", endpoint_ids=ids, tags=tags).execute(context())
            assert (fleet.state.endpoints[ids[0]].tags or "") == tags

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert EmnifyUpdateEndpointsOperator(task_id="t", endpoint_ids=[], tags="x").execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"endpoint_ids": [1]}, "at least one"),
            ({"tags": "x"}, "give one of them"),
            ({"endpoint_ids": [1], "endpoints": [{"id": 1, "name": "a"}]}, "give one of them"),
            ({"endpoints": [{"id": 1, "name": "a"}], "tags": "x"}, "into the rows"),
            ({"endpoints": [{"name": "a"}]}, "has no id"),
            ({"endpoints": [{"id": 1}]}, "changes nothing"),
            ({"endpoints": [{"id": 1, "sim_status": 1}]}, "unknown sim_status"),
            (
                {"endpoint_ids": [1], "status": "deleted"},
                "status: 'deleted' is not a valid endpoint status; allowed: enabled, disabled",
            ),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            EmnifyUpdateEndpointsOperator(task_id="t", **arguments)


class TestDelete:
    @pytest.mark.parametrize(
        ("sims", "status"),
        [
            ("suspend", SimStatus.SUSPENDED),
            ("delete", SimStatus.DELETED),
            ("release", SimStatus.ACTIVATED),
        ],
    )
    def test_endpoints_go_and_their_sims_as_asked(self, fleet: Sandbox, sims: Any, status: SimStatus) -> None:
        ids = ids_of(fleet)[:2]
        numbers = [fleet.state.endpoints[key].sim_id for key in ids]
        operator = EmnifyDeleteEndpointsOperator(task_id="t", endpoint_ids=ids, sims=sims, confirm=True)
        assert operator.execute(context()) == ids
        assert not set(ids) & set(ids_of(fleet))
        found = [fleet.state.sims[number] for number in numbers if number in fleet.state.sims]
        assert {sim.status for sim in found} <= {status}
        assert {sim.endpoint_id for sim in found} <= {None}
        assert len(found) == 2 or sims == "delete"
        assert operator.execute(context()) == ids  # gone ones are done
        assert fleet.counts[f"DELETE {MULTI}"] == 1

    def test_those_that_are_left_are_deleted(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:7]
        EmnifyDeleteEndpointsOperator(task_id="t", endpoint_ids=ids[:3], confirm=True).execute(context())
        operator = EmnifyDeleteEndpointsOperator(task_id="t", endpoint_ids=ids, confirm=True)
        assert operator.execute(context()) == ids
        sent = [entry for entry in fleet.log if entry.method == "DELETE"][-1]
        assert sent.body == [{"id": key} for key in ids[3:]]

    def test_a_failed_chunk_tells_done_and_not_done(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        ids = ids_of(fleet)[:4]
        fleet.faults.add(method="DELETE", path=MULTI, partial=1)
        operator = EmnifyDeleteEndpointsOperator(task_id="t", endpoint_ids=ids, confirm=True)
        with pytest.raises(EmnifyPartialError) as caught:
            operator.execute(context())
        assert (caught.value.done, caught.value.not_done) == (ids[:1], ids[1:])
        assert operator.execute(context(try_number=2)) == ids
        assert not set(ids) & set(ids_of(fleet))

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        operator = EmnifyDeleteEndpointsOperator(task_id="t", endpoint_ids="[]", confirm=True)
        assert operator.execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"endpoint_ids": 1}, "confirm=True"),
            ({"endpoint_ids": 1, "confirm": "yes"}, "confirm=True"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            EmnifyDeleteEndpointsOperator(task_id="t", **arguments)


def set_status(**arguments: Any) -> EmnifySetEndpointStatusOperator:
    return EmnifySetEndpointStatusOperator(task_id="t", **arguments)


class TestSetStatus:
    def test_endpoints_and_sims_are_set_in_one_task(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:2]
        operator = set_status(endpoint_ids=ids, status="disabled", sim_status="suspended")
        assert operator.execute(context()) == ids
        endpoints = [fleet.state.endpoints[key] for key in ids]
        assert {e.status for e in endpoints} == {EndpointStatus.DISABLED}
        assert {fleet.state.sims[e.sim_id].status for e in endpoints if e.sim_id} == {SimStatus.SUSPENDED}

    def test_what_is_there_already_is_skipped(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:3]
        set_status(endpoint_ids=ids[:1], status=1, sim_status=2).execute(context())
        set_status(endpoint_ids=ids, status=1, sim_status=2).execute(context())
        sent = [entry.body for entry in fleet.log if entry.method == "PATCH" and entry.template == MULTI]
        assert [[row["id"] for row in body] for body in sent] == [ids[:1], ids[1:]]
        assert fleet.counts["PATCH /api/v1/sim/{sim_id}"] == 3
        before = fleet.counts.total()
        set_status(endpoint_ids=ids, status=1, sim_status=2).execute(context())
        assert fleet.counts.total() == before + 1 + len(ids)  # authentication and reads

    def test_sims_stay_as_they_are_unless_asked(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:1]
        set_status(endpoint_ids=ids, status="disabled").execute(context())
        assert fleet.state.sims[fleet.state.endpoints[ids[0]].sim_id].status is SimStatus.ACTIVATED

    def test_an_activation_is_said_to_be_billed(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = create(endpoints=[{"name": "a", "sim_id": 2000001}]).execute(context())
        operator = set_status(endpoint_ids=ids, status="enabled", sim_status="activated")
        lines: list[str] = []
        monkeypatch.setattr(operator.log, "info", lambda text, *args: lines.append(text % args))
        operator.execute(context())
        assert "Setting 1 SIMs to Activated (2000001), which emnify bills from now on" in lines
        assert fleet.state.sims[2000001].status is SimStatus.ACTIVATED

    def test_a_sim_that_may_not_change_fails_before_anything_is_changed(self, fleet: Sandbox) -> None:
        ids = create(endpoints=[{"name": "a", "sim_id": 2000001}]).execute(context())
        operator = set_status(endpoint_ids=ids, status="disabled", sim_status="suspended")
        with pytest.raises(AirflowFailException, match=r"SIM 2000001 of endpoint .* is Issued, which cannot"):
            operator.execute(context())
        assert fleet.counts[f"PATCH {MULTI}"] == 0

    def test_an_endpoint_without_a_sim_fails_before_anything_is_changed(self, fleet: Sandbox) -> None:
        ids = create(endpoints=[{"name": "a"}]).execute(context())
        operator = set_status(endpoint_ids=ids, status="disabled", sim_status="activated")
        with pytest.raises(AirflowFailException, match=rf"endpoint {ids[0]} has no SIM"):
            operator.execute(context())
        assert fleet.counts[f"PATCH {MULTI}"] == 0

    @pytest.mark.parametrize("sim_status", ["activated", "suspended"])
    def test_a_factory_test_sim_becomes_activated_by_its_endpoint_s_change(
        self, fleet: Sandbox, sim_status: str
    ) -> None:
        rows = [{"name": "a", "sim_id": 2000001, "sim_status": "factory_test"}]
        ids = create(endpoints=rows).execute(context())
        set_status(endpoint_ids=ids, status="disabled", sim_status=sim_status).execute(context())
        assert fleet.state.sims[2000001].status is SimStatus.parse(sim_status)

    def test_missing_endpoints_are_named_before_anything_is_changed(self, fleet: Sandbox) -> None:
        ids = ids_of(fleet)[:1]
        with pytest.raises(AirflowFailException, match="no endpoint 7, 8; nothing was changed"):
            set_status(endpoint_ids=[*ids, 7, 8], status="disabled").execute(context())
        assert fleet.counts[f"PATCH {MULTI}"] == 0

    def test_a_sim_that_fails_tells_done_and_not_done_and_a_next_try_completes(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        ids = ids_of(fleet)[:3]
        numbers = [fleet.state.endpoints[key].sim_id for key in ids]
        fleet.faults.add(method="PATCH", path="/api/v1/sim/{sim_id}", status=500, skip=1)
        operator = set_status(endpoint_ids=ids, status="disabled", sim_status="suspended")
        with pytest.raises(EmnifyPartialError) as caught:
            operator.execute(context())
        assert caught.value.done == [f"SIM {numbers[0]}"]
        assert caught.value.not_done == [f"SIM {number}" for number in numbers[1:]]
        assert isinstance(caught.value.__cause__, EmnifyServerError)
        assert operator.execute(context(try_number=2)) == ids
        assert {fleet.state.sims[number].status for number in numbers} == {SimStatus.SUSPENDED}

    @pytest.mark.parametrize("select", [{"status": "enabled"}, {"sim_status": "activated"}, {"tags": "pump"}])
    @pytest.mark.parametrize("path", ["/api/v1/sim/{sim_id}", MULTI])
    @pytest.mark.parametrize("skip", [0, 1, 2])
    def test_what_was_selected_is_done_by_a_retry(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, select: dict[str, str], path: str, skip: int
    ) -> None:
        without_retries(fleet, monkeypatch)
        for endpoint in fleet.state.endpoints.values():
            endpoint.tags = "pump"
        fleet.faults.add(method="PATCH", path=path, status=500, skip=skip)
        for try_number in (1, 2):
            operator = set_status(select=select, status="disabled", sim_status="suspended")
            with contextlib.suppress(EmnifyError):
                operator.execute(context(try_number=try_number))
        endpoints = fleet.state.endpoints.values()
        assert {one.status for one in endpoints} == {EndpointStatus.DISABLED}
        assert {fleet.state.sims[one.sim_id].status for one in endpoints} == {SimStatus.SUSPENDED}

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert set_status(endpoint_ids="", status="enabled").execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"status": "deleted"},
                "status: 'deleted' is not a valid endpoint status; allowed: enabled, disabled",
            ),
            ({"status": 0, "sim_status": "deleted"}, "sim_status"),
            ({"status": 0, "sim_status": "issued"}, "sim_status"),
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(
        self, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            set_status(**{"endpoint_ids": [1], **arguments})


def test_an_unreachable_host_is_left_to_airflow_s_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "emnify", "password": "x", "host": "http://127.0.0.1:9"}
    connection["extra"] = {"max_retries": 0}  # type: ignore[assignment]
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))
    with pytest.raises(EmnifyConnectionError):
        set_status(endpoint_ids=[1], status="enabled").execute(context())
