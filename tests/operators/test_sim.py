from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api import EmnifyPartialError, EmnifyUnknownOutcomeError, SimStatus
from airflow_provider_emnify.operators.sim import (
    EmnifyDeleteSimsOperator,
    EmnifyMigrateSimsOperator,
    EmnifyRegisterSimBatchOperator,
    EmnifySetSimStatusOperator,
)
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, SECOND_ORGANISATION_ID
from tests.operators.support import context, without_retries

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

SIM = "/api/v1/sim/{sim_id}"
BATCH = "/api/v1/sim_batch/bic/{bic}"
MIGRATION = "/api/v1/sim/migration/workspace"
FREE = 2000001  # the first SIM that no endpoint has, Issued as the next ones


def with_a_batch(sandbox: Sandbox) -> None:
    sandbox.add_batch("8988-new", 4)


pytestmark = pytest.mark.fleet(10, prepare=with_a_batch)


def used(fleet: Sandbox) -> list[int]:
    return sorted(endpoint.sim_id for endpoint in fleet.state.endpoints.values() if endpoint.sim_id)


def statuses(fleet: Sandbox, ids: list[int]) -> list[SimStatus]:
    return [fleet.state.sims[key].status for key in ids]


def set_status(**arguments: Any) -> EmnifySetSimStatusOperator:
    return EmnifySetSimStatusOperator(task_id="t", **arguments)


class TestSetStatus:
    @pytest.mark.parametrize("count", [2, 8], ids=["one by one", "from the list"])
    def test_what_is_there_already_is_skipped(self, fleet: Sandbox, count: int) -> None:
        ids = used(fleet)[:count]
        fleet.state.sims[ids[0]].status = SimStatus.SUSPENDED
        assert set_status(sim_ids=str(ids), status="suspended").execute(context()) == ids
        assert statuses(fleet, ids) == [SimStatus.SUSPENDED] * count
        assert fleet.counts[f"PATCH {SIM}"] == count - 1
        set_status(sim_ids=ids, status=2).execute(context())
        assert fleet.counts[f"PATCH {SIM}"] == count - 1

    def test_an_activation_says_that_it_bills(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        operator = set_status(sim_ids=[FREE, FREE + 1], status="activated")
        said: list[str] = []
        monkeypatch.setattr(operator.log, "info", lambda text, *values: said.append(text % values))
        operator.execute(context())
        assert f"Setting 2 SIMs to Activated ({FREE}, {FREE + 1}), which emnify bills from now on" in said

    def test_a_transition_that_emnify_forbids_fails_before_anything_is_changed(self, fleet: Sandbox) -> None:
        ids = [used(fleet)[0], FREE, 7]
        with pytest.raises(AirflowFailException) as caught:
            set_status(sim_ids=ids, status="suspended").execute(context())
        assert f"SIM {FREE} is Issued, which cannot become Suspended" in str(caught.value)
        assert "there is no SIM 7" in str(caught.value)
        assert fleet.counts[f"PATCH {SIM}"] == 0

    def test_one_that_fails_tells_done_and_not_done_and_a_next_try_completes(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_retries(fleet, monkeypatch)
        ids = used(fleet)[:3]
        fleet.faults.add(method="PATCH", path=SIM, status=500, skip=1)
        with pytest.raises(EmnifyPartialError) as caught:
            set_status(sim_ids=ids, status="suspended").execute(context())
        assert caught.value.done == [f"SIM {ids[0]}"]
        assert caught.value.not_done == [f"SIM {ids[1]}", f"SIM {ids[2]}"]
        set_status(sim_ids=ids, status="suspended").execute(context(try_number=2))
        assert statuses(fleet, ids) == [SimStatus.SUSPENDED] * 3

    def test_a_lost_answer_is_no_error(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="PATCH", path=SIM, drop="after")
        set_status(sim_ids=FREE, status="activated").execute(context())
        assert statuses(fleet, [FREE]) == [SimStatus.ACTIVATED]

    def test_nothing_is_done_for_nothing(self, fleet: Sandbox) -> None:
        assert set_status(sim_ids="", status="activated").execute(context()) == []
        assert fleet.requests == 0

    @pytest.mark.parametrize("status", ["issued", "deleted", 3, "asleep", None, ""])
    def test_a_status_that_cannot_be_set_is_refused_when_the_dag_is_parsed(self, status: Any) -> None:
        with pytest.raises(ValueError, match="status: "):
            set_status(sim_ids=[1], status=status)


class TestRegister:
    def register(self, **arguments: Any) -> EmnifyRegisterSimBatchOperator:
        return EmnifyRegisterSimBatchOperator(
            task_id="t", **{"bic": "8988-new", "if_exists": "fail", **arguments}
        )

    def test_its_sims_belong_to_the_organisation(self, fleet: Sandbox) -> None:
        found = self.register(sim_status="suspended").execute(context())
        assert (found["bic"], found["registered"]) == ("8988-new", True)
        assert statuses(fleet, found["sim_ids"]) == [SimStatus.SUSPENDED] * 4

    def test_nothing_is_activated_unless_asked(self, fleet: Sandbox) -> None:
        found = self.register().execute(context())
        assert statuses(fleet, found["sim_ids"]) == [SimStatus.ISSUED] * 4
        (sent,) = [entry.body for entry in fleet.log if entry.method == "PATCH"]
        assert sent == {"sim_status": {"id": 0}}

    def test_one_that_is_registered_already_is_an_error(self, fleet: Sandbox) -> None:
        fleet.add_batch("8988-old", registered=True)
        with pytest.raises(AirflowFailException, match="8988-old is registered already"):
            self.register(bic="8988-old").execute(context())
        assert fleet.counts[f"PATCH {BATCH}"] == 0

    def test_or_it_is_done_if_asked(self, fleet: Sandbox) -> None:
        fleet.add_batch("8988-old", registered=True)
        found = self.register(bic="8988-old", if_exists="skip").execute(context())
        assert found == {"bic": "8988-old", "registered": False, "sim_ids": []}
        assert fleet.counts[f"PATCH {BATCH}"] == 0

    def test_a_lost_answer_registers_nothing_twice(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="PATCH", path=BATCH, drop="after")
        found = self.register().execute(context())
        assert found == {"bic": "8988-new", "registered": True, "sim_ids": []}
        assert fleet.counts[f"PATCH {BATCH}"] == 1

    def test_a_lost_request_is_sent_by_the_next_try(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="PATCH", path=BATCH, drop="before")
        with pytest.raises(EmnifyUnknownOutcomeError):
            self.register().execute(context())
        assert len(self.register().execute(context(try_number=2))["sim_ids"]) == 4

    def test_what_another_run_registers_meanwhile_is_done_if_asked(self, fleet: Sandbox) -> None:
        def someone_registers() -> None:
            fleet.state.batches["8988-new"].organisation_id = ORGANISATION_ID

        fleet.faults.add(method="PATCH", path=BATCH, do=someone_registers)
        assert self.register(if_exists="skip").execute(context())["registered"] is False

    def test_a_worker_s_death_after_sending_is_no_error(self, fleet: Sandbox) -> None:
        self.register().execute(context())
        assert self.register().execute(context(try_number=2))["registered"] is False

    @pytest.mark.parametrize("bic", ["8988-bad", "nowhere"])
    def test_one_that_cannot_be_registered_is_an_error(self, fleet: Sandbox, bic: str) -> None:
        fleet.add_batch("8988-bad", registrable=False)
        with pytest.raises(AirflowFailException, match=bic):
            self.register(bic=bic, if_exists="skip").execute(context())


class TestDelete:
    def delete(self, **arguments: Any) -> EmnifyDeleteSimsOperator:
        return EmnifyDeleteSimsOperator(task_id="t", **{"confirm": True, **arguments})

    @pytest.mark.parametrize("count", [2, 8])
    def test_what_is_gone_is_done(self, fleet: Sandbox, count: int) -> None:
        ids = [FREE + number for number in range(count)]
        assert self.delete(sim_ids=[*ids, 7]).execute(context()) == [*ids, 7]
        assert statuses(fleet, ids) == [SimStatus.DELETED] * count
        self.delete(sim_ids=[*ids, 7]).execute(context())
        assert fleet.counts["DELETE /api/v1/sim/multi"] == 1

    def test_one_that_is_in_use_fails_before_anything_is_deleted(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match=rf"have SIM {used(fleet)[0]} \(endpoint "):
            self.delete(sim_ids=[FREE, used(fleet)[0]]).execute(context())
        assert statuses(fleet, [FREE]) == [SimStatus.ISSUED]

    def test_a_lost_answer_is_no_error(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="DELETE", path="/api/v1/sim/multi", drop="after")
        self.delete(sim_ids=[FREE]).execute(context())
        assert statuses(fleet, [FREE]) == [SimStatus.DELETED]

    @pytest.mark.parametrize("confirm", [False, None, "True"])
    def test_it_must_be_confirmed(self, confirm: Any) -> None:
        with pytest.raises(ValueError, match="confirm"):
            self.delete(sim_ids=[1], confirm=confirm)


class TestMigrate:
    @pytest.fixture(autouse=True)
    def _as_administrator(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = {
            "conn_type": "emnify",
            "host": fleet.url,
            "login": fleet.username,
            "password": fleet.password,
        }
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps(connection))

    def migrate(self, **arguments: Any) -> EmnifyMigrateSimsOperator:
        return EmnifyMigrateSimsOperator(
            task_id="t", **{"target_workspace_id": SECOND_ORGANISATION_ID, "dry_run": False, **arguments}
        )

    def here(self, fleet: Sandbox, ids: list[int]) -> list[bool]:
        return [fleet.state.sims[key].organisation_id == ORGANISATION_ID for key in ids]

    def test_by_default_nothing_is_moved(self, fleet: Sandbox) -> None:
        operator = EmnifyMigrateSimsOperator(
            task_id="t", target_workspace_id=SECOND_ORGANISATION_ID, sim_ids=[FREE, FREE + 1]
        )
        summary = operator.execute(context())
        assert (summary["sim_count"], summary["dry_run"]) == (2, True)
        assert [sim["id"] for sim in summary["sims"]] == [FREE, FREE + 1]
        assert summary["target_workspace"]["id"] == SECOND_ORGANISATION_ID
        assert all(self.here(fleet, [FREE, FREE + 1]))

    @pytest.mark.parametrize("way", ["sim_ids", "iccids", "iccid_range"])
    def test_they_are_moved(self, fleet: Sandbox, way: str) -> None:
        ids = [FREE, FREE + 1]
        iccids = [fleet.state.sims[key].iccid for key in ids]
        what = {"sim_ids": ids, "iccids": iccids, "iccid_range": iccids}[way]
        summary = self.migrate(**{way: str(what)}).execute(context())
        assert (summary["sim_count"], summary["dry_run"]) == (2, False)
        assert not any(self.here(fleet, ids))

    def test_500_a_request_and_one_summary(
        self, make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fleet = make_sandbox(0, spare_sims=1001, limits=False)
        connection = {"conn_type": "emnify", "host": fleet.url, "login": fleet.username}
        monkeypatch.setenv(
            "AIRFLOW_CONN_EMNIFY_DEFAULT", json.dumps({**connection, "password": fleet.password})
        )
        ids = sorted(fleet.state.sims)
        summary = self.migrate(sim_ids=ids).execute(context())
        assert (summary["sim_count"], len(summary["sims"])) == (1001, 1001)
        sizes = [len(entry.body["sims"]) for entry in fleet.log if entry.template == MIGRATION]
        assert sizes == [500, 500, 1]

    @pytest.mark.parametrize("way", ["sim_ids", "iccids"])
    def test_what_is_there_already_is_done(self, fleet: Sandbox, way: str) -> None:
        ids = [FREE, FREE + 1, FREE + 2]
        what = ids if way == "sim_ids" else [fleet.state.sims[key].iccid_with_luhn for key in ids]
        self.migrate(**{way: what[:2]}).execute(context())
        assert self.migrate(**{way: what}).execute(context())["sim_count"] == 1
        assert not any(self.here(fleet, ids))
        assert self.migrate(**{way: what}).execute(context())["sim_count"] == 0

    @pytest.mark.parametrize("way", ["sim_ids", "iccid_range"])
    def test_a_lost_answer_moves_nothing_twice(self, fleet: Sandbox, way: str) -> None:
        ids = [FREE, FREE + 1]
        what = ids if way == "sim_ids" else [fleet.state.sims[key].iccid for key in ids]
        fleet.faults.add(method="POST", path=MIGRATION, drop="after")
        assert self.migrate(**{way: what}).execute(context())["sim_count"] == 2
        assert not any(self.here(fleet, ids))
        moving = [entry for entry in fleet.log if entry.template == MIGRATION and not entry.body["dry_run"]]
        assert len(moving) == 1

    @pytest.mark.parametrize("way", ["sim_ids", "iccids", "iccid_range"])
    def test_what_was_moved_before_the_worker_died_is_done(self, fleet: Sandbox, way: str) -> None:
        ids = [FREE, FREE + 1, FREE + 2]
        iccids = [fleet.state.sims[key].iccid for key in ids]
        what = {"sim_ids": ids, "iccids": iccids, "iccid_range": [iccids[0], iccids[-1]]}[way]
        self.migrate(**{way: what}).execute(context())
        assert self.migrate(**{way: what}).execute(context(try_number=2))["sim_count"] == 0

    @pytest.mark.parametrize("way", ["sim_ids", "iccid_range"])
    def test_what_was_there_before_does_not_say_that_the_rest_was_moved(
        self, fleet: Sandbox, way: str
    ) -> None:
        ids = [FREE, FREE + 1]
        what = ids if way == "sim_ids" else [fleet.state.sims[key].iccid for key in ids]
        self.migrate(sim_ids=ids[:1]).execute(context())
        fleet.faults.add(method="POST", path=MIGRATION, drop="after")  # emnify has refused it
        with pytest.raises(EmnifyUnknownOutcomeError):
            self.migrate(**{way: what}).execute(context())
        assert self.here(fleet, ids) == [False, True]

    def test_a_lost_request_is_sent_by_the_next_try(self, fleet: Sandbox) -> None:
        fleet.faults.add(method="POST", path=MIGRATION, drop="before")
        with pytest.raises(EmnifyUnknownOutcomeError):
            self.migrate(sim_ids=[FREE]).execute(context())
        assert self.migrate(sim_ids=[FREE]).execute(context(try_number=2))["sim_count"] == 1

    def test_sims_in_use_are_an_error_unless_they_are_to_be_detached(self, fleet: Sandbox) -> None:
        ids = [used(fleet)[0], FREE]
        with pytest.raises(AirflowFailException, match="409"):
            self.migrate(sim_ids=ids).execute(context())
        assert all(self.here(fleet, ids))
        assert self.migrate(sim_ids=ids, auto_detach_devices=True).execute(context())["sim_count"] == 2

    def test_statuses_can_be_narrowed(self, fleet: Sandbox) -> None:
        with pytest.raises(AirflowFailException, match="409"):
            self.migrate(sim_ids=[FREE], allowed_sim_statuses="suspended").execute(context())

    def test_an_application_token_may_not(self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", fleet.airflow_connection)
        with pytest.raises(AirflowFailException, match="user credentials"):
            self.migrate(sim_ids=[FREE]).execute(context())

    def test_a_chunk_that_fails_tells_what_was_moved(
        self, fleet: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_emnify.operators.sim.migration.MOST_MIGRATED", 1)
        with pytest.raises(AirflowFailException) as caught:
            self.migrate(sim_ids=[FREE, 7, FREE + 1]).execute(context())
        partial = caught.value.__cause__
        assert isinstance(partial, EmnifyPartialError)
        assert (partial.done, partial.not_done) == ([FREE], [7, FREE + 1])

    def test_airflow_s_own_dry_run_still_works(self) -> None:
        assert callable(self.migrate(sim_ids=[1]).dry_run)

    @pytest.mark.parametrize(
        "arguments",
        [
            {},
            {"sim_ids": [1], "iccids": ["8" * 19]},
            {"iccids": ["8" * 18]},
            {"iccids": ["8" * 18 + "x"]},
            {"iccid_range": ["9" * 19, "8" * 19]},
            {"iccid_range": ["8" * 20, "9" * 20]},
            {"iccid_range": ["7" * 19, "8" * 19, "9" * 19]},
        ],
    )
    def test_bad_arguments_are_refused_when_the_dag_is_parsed(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"sim_ids|iccid"):
            self.migrate(**arguments)
