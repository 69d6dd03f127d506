from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import Connectivity, EmnifyPartialError, SimStatus
from airflow_provider_emnify.operators.endpoint import (
    EmnifyBlockNetworkOperator,
    EmnifyLocateEndpointsOperator,
    EmnifyResetConnectivityOperator,
    EmnifyUnblockNetworkOperator,
)
from airflow_provider_emnify.sandbox.routes.catalogue import OPERATORS
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

CONNECTIVITY = "/api/v1/endpoint/{endpoint_id}/connectivity"
INFO = "/api/v1/endpoint/{endpoint_id}/connectivity_info"
BLOCKED = "/api/v1/endpoint/{endpoint_id}/operator_blacklist/{operator_id}"


pytestmark = pytest.mark.fleet(10)


def reset(**arguments: Any) -> EmnifyResetConnectivityOperator:
    return EmnifyResetConnectivityOperator(task_id="t", **arguments)


def locate(**arguments: Any) -> EmnifyLocateEndpointsOperator:
    return EmnifyLocateEndpointsOperator(task_id="t", **arguments)


def some_ids(sandbox: Sandbox, number: int = 3) -> list[int]:
    return sorted(sandbox.state.endpoints)[:number]


class TestReset:
    def test_each_is_reset_and_reported(self, fleet: Sandbox) -> None:
        ids = some_ids(fleet)
        assert reset(endpoint_ids=ids).execute(context()) == {str(key): "reset" for key in ids}
        sent = [entry.body for entry in fleet.log if entry.method == "PATCH"]
        assert sent == [{"location": None, "pdp_context": None}] * 3

    @pytest.mark.parametrize("kept", ["location", "pdp_context"])
    def test_one_of_the_two_can_be_left_alone(self, fleet: Sandbox, kept: str) -> None:
        reset(endpoint_ids=some_ids(fleet, 1), **{kept: False}).execute(context())
        [sent] = [entry.body for entry in fleet.log if entry.method == "PATCH"]
        assert sent == {name: None for name in ("location", "pdp_context") if name != kept}

    def test_it_says_which_sims_will_bill(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        ids = some_ids(fleet)
        sim_id = fleet.state.endpoints[ids[1]].sim_id
        assert sim_id is not None
        fleet.state.sims[sim_id].status = SimStatus.FACTORY_TEST
        monkeypatch.setattr(EmnifyResetConnectivityOperator, "log", logging.getLogger("operator"))
        reset(endpoint_ids=ids).execute(context())
        [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "emnify bills" in warning.getMessage()
        assert str(sim_id) in warning.getMessage()

    def test_one_that_is_refused_does_not_keep_the_others_from_it(self, fleet: Sandbox) -> None:
        ids = some_ids(fleet)
        fleet.faults.add(method="PATCH", path=CONNECTIVITY, status=409, skip=1)
        with pytest.raises(AirflowFailException) as caught:
            reset(endpoint_ids=ids).execute(context())
        assert isinstance(caught.value.__cause__, EmnifyPartialError)
        assert caught.value.__cause__.done == [str(ids[0]), str(ids[2])]
        assert caught.value.__cause__.not_done == [str(ids[1])]

    def test_the_report_can_be_had_instead_of_the_failure(self, fleet: Sandbox) -> None:
        ids = some_ids(fleet)
        fleet.faults.add(method="PATCH", path=CONNECTIVITY, status=409, skip=1)
        report = reset(endpoint_ids=ids, fail_on_error=False).execute(context())
        assert report.pop(str(ids[1])).startswith("not reset: ")
        assert set(report.values()) == {"reset"}

    @pytest.mark.parametrize("fail_on_error", [True, False])
    def test_an_error_that_concerns_all_ends_it_and_says_how_far_it_came(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch, fail_on_error: bool
    ) -> None:
        without_retries(fleet, monkeypatch)
        ids = some_ids(fleet)
        fleet.faults.add(method="PATCH", path=CONNECTIVITY, status=503, skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            reset(endpoint_ids=ids, fail_on_error=fail_on_error).execute(context())
        assert caught.value.transient
        assert caught.value.done == [str(ids[0])]
        assert caught.value.not_done == [str(key) for key in ids[1:]]
        assert fleet.counts[f"PATCH {CONNECTIVITY}"] == 2

    def test_an_endpoint_that_does_not_exist_fails_before_anything_is_reset(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="no endpoint 99; nothing was changed"):
            reset(endpoint_ids=[*some_ids(fleet), 99]).execute(context())
        assert fleet.counts[f"PATCH {CONNECTIVITY}"] == 0

    @pytest.mark.parametrize("nothing", [[], "[]", "", None])
    def test_nothing_is_done_for_nothing(self, fleet: Sandbox, nothing: Any) -> None:
        assert reset(endpoint_ids=nothing).execute(context()) == {}
        assert fleet.requests == 0

    def test_one_of_the_two_is_reset(self) -> None:
        with pytest.raises(ValueError, match="location, pdp_context: reset one of them, or both"):
            reset(endpoint_ids=[1], location=False, pdp_context=False)


class TestLocate:
    def test_the_cell_of_each_is_reported(self, fleet: Sandbox) -> None:
        ids = some_ids(fleet)
        report = locate(endpoint_ids=str(ids)).execute(context())
        assert set(report) == {str(key) for key in ids}
        for row in report.values():
            assert row["located"] is True
            assert {"mcc", "mnc", "lac", "cid", "state", "current", "age_of_location", "at"} < set(row)

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"subscriber_info": {"success": False, "error": "absentSubscriber"}}, "absentSubscriber"),
            ({"request_timestamp": "2025-01-01T00:00:00Z"}, "the network names no cell"),
            (
                {"subscriber_info": {"success": True, "state": "x", "location": {}}},
                "the network names no cell",
            ),
        ],
    )
    def test_a_failure_in_a_200_answer_is_one(self, fleet: Sandbox, answer: Any, reason: str) -> None:
        ids = some_ids(fleet)
        fleet.faults.add(method="GET", path=INFO, status=200, body=answer, skip=1)
        report = locate(endpoint_ids=ids).execute(context())
        assert report[str(ids[1])] == {"located": False, "error": reason}
        assert [report[str(key)]["located"] for key in ids] == [True, False, True]

    def test_an_offline_endpoint_is_reported(self, fleet: Sandbox) -> None:
        [key] = some_ids(fleet, 1)
        fleet.state.endpoints[key].connectivity = Connectivity.OFFLINE
        [row] = locate(endpoint_ids=key).execute(context()).values()
        assert row["located"] is False
        assert row["error"]

    def test_an_endpoint_that_does_not_exist_is_reported(self, fleet: Sandbox) -> None:
        report = locate(endpoint_ids=[99, *some_ids(fleet, 1)]).execute(context())
        assert report["99"]["located"] is False
        assert "404" in report["99"]["error"]

    def test_a_failure_fails_the_task_if_asked(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match=r"could not locate endpoint 99.*done \(1\)"):
            locate(endpoint_ids=[99, *some_ids(fleet, 1)], fail_on_error=True).execute(context())

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert locate(endpoint_ids=[]).execute(context()) == {}
        assert fleet.requests == 0


class TestBlockAndUnblock:
    def test_each_operator_for_each_endpoint_and_back(self, fleet: Sandbox) -> None:
        ids, operators = some_ids(fleet, 2), sorted(OPERATORS)[:2]
        block = EmnifyBlockNetworkOperator(task_id="t", endpoint_ids=ids, operator_ids=str(operators))
        assert block.execute(context()) == ids
        assert block.execute(context(try_number=2)) == ids
        assert fleet.state.blacklists == dict.fromkeys(ids, operators)
        unblock = EmnifyUnblockNetworkOperator(task_id="t", endpoint_ids=ids, operator_ids=operators[0])
        assert unblock.execute(context()) == ids
        assert unblock.execute(context(try_number=2)) == ids
        assert fleet.state.blacklists == dict.fromkeys(ids, operators[1:])

    @pytest.mark.parametrize("drop", ["before", "after"])
    def test_a_lost_answer_is_no_failure(self, fleet: Sandbox, drop: str) -> None:
        [key], [operator, *_] = some_ids(fleet, 1), sorted(OPERATORS)
        for kind, method in ((EmnifyBlockNetworkOperator, "PUT"), (EmnifyUnblockNetworkOperator, "DELETE")):
            fleet.faults.add(method=method, path=BLOCKED, drop=drop)
            assert kind(task_id="t", endpoint_ids=key, operator_ids=operator).execute(context()) == [key]
        assert fleet.state.blacklists == {key: []}

    def test_blocking_names_what_does_not_exist(self, fleet: Sandbox) -> None:
        [key], [operator, *_] = some_ids(fleet, 1), sorted(OPERATORS)
        with pytest.raises(AirflowFailException, match=f"operator 9000 for endpoint {key}.*done \\(1\\)"):
            EmnifyBlockNetworkOperator(task_id="t", endpoint_ids=key, operator_ids=[9_000, operator]).execute(
                context()
            )
        assert fleet.state.blacklists[key] == [operator]


@pytest.mark.parametrize(
    ("kind", "method", "done_already"),
    [(EmnifyBlockNetworkOperator, "PUT", 409), (EmnifyUnblockNetworkOperator, "DELETE", 404)],
)
class TestNetworks:
    def test_what_is_so_already_is_done(
        self, fleet: Sandbox, kind: Any, method: str, done_already: int
    ) -> None:
        ids = some_ids(fleet, 2)
        fleet.faults.add(method=method, path=BLOCKED, status=done_already)
        fleet.faults.add(method=method, path=BLOCKED, status=204, times=None)
        assert kind(task_id="t", endpoint_ids=ids, operator_ids=2).execute(context()) == ids
        assert fleet.counts[f"{method} {BLOCKED}"] == 2

    def test_a_refused_one_is_named_when_the_others_are_done(
        self, fleet: Sandbox, kind: Any, method: str, done_already: int
    ) -> None:
        ids = some_ids(fleet, 2)
        fleet.faults.add(method=method, path=BLOCKED, status=422)
        fleet.faults.add(method=method, path=BLOCKED, status=204, times=None)
        with pytest.raises(AirflowFailException) as caught:
            kind(task_id="t", endpoint_ids=ids, operator_ids=2).execute(context())
        assert isinstance(caught.value.__cause__, EmnifyPartialError)
        assert caught.value.__cause__.done == [f"operator 2 for endpoint {ids[1]}"]
        assert caught.value.__cause__.not_done == [f"operator 2 for endpoint {ids[0]}"]

    @pytest.mark.parametrize("nothing", [{"endpoint_ids": []}, {"operator_ids": ""}])
    def test_nothing_is_done_for_nothing(
        self, fleet: Sandbox, kind: Any, method: str, done_already: int, nothing: Any
    ) -> None:
        kind(task_id="t", **{"endpoint_ids": [1], "operator_ids": [2], **nothing}).execute(context())
        assert fleet.requests == 0
