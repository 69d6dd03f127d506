"""A plan is what differs between a source and a fleet, and nothing else."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_emnify.operators.fleet.rows import COLUMNS, check_columns, parse_iccid
from tests.operators.fleet.worlds import endpoint, iccid, imei, plan_of, sim

NEW = {"service_profile": "Default", "tariff_profile_id": 1}


def only(plan: Any) -> Any:
    assert len(plan.entries) == 1, plan.entries
    return plan.entries[0]


def reason(plan: Any) -> str:
    entry = only(plan)
    assert entry.action == "refuse"
    assert plan.counts["refuse"] == 1
    return str(entry.reason)


class TestChanges:
    def test_a_device_that_is_as_it_shall_be_is_unchanged(self) -> None:
        fleet = [endpoint(7, sim(1, "activated"), tags=("pump",))]
        source = [
            {"iccid": iccid(1), "name": "Device 7", "status": "enabled", "sim_status": 1, "tags": "pump"}
        ]
        plan = plan_of(source, fleet)
        assert (plan.entries, plan.unchanged, plan.rows, plan.devices) == ([], 1, 1, 1)

    def test_what_differs_is_planned_from_and_to(self) -> None:
        fleet = [endpoint(7, sim(1, "activated"))]
        source = [{"iccid": iccid(1), "name": "Pump", "service_profile": "Fast", "status": "enabled"}]
        entry = only(plan_of(source, fleet))
        assert (entry.action, entry.endpoint_id, entry.sim_id) == ("change", 7, 1)
        assert entry.before == {"name": "Device 7", "service_profile_id": 1}
        assert entry.after == {"name": "Pump", "service_profile_id": 2}
        assert str(entry) == f"{iccid(1)} (endpoint 7): name 'Device 7' -> Pump, service_profile_id 1 -> 2"

    def test_what_a_row_does_not_say_stays(self) -> None:
        source = [{"iccid": iccid(1), "name": " ", "status": None, "tags": float("nan"), "sim_status": ""}]
        assert plan_of(source, [endpoint(7, sim(1))]).entries == []

    def test_pandas_own_nothing_is_nothing(self) -> None:
        class NotAvailable:
            """pandas.NA: what is compared with it is not available, and neither true nor false."""

            def __eq__(self, other: object) -> Any:
                return self

            __ne__ = __eq__
            __hash__ = object.__hash__

            def __bool__(self) -> bool:
                raise TypeError("boolean value of NA is ambiguous")

        row = {name: NotAvailable() for name in COLUMNS}
        assert plan_of([{**row, "iccid": iccid(1)}], [endpoint(7, sim(1))]).entries == []
        assert "iccid: it has none" in str(only(plan_of([row], [])))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("iccid", iccid(1)),
            ("iccid", Decimal(iccid(1))),
            ("imei", imei(3)[:15]),
            ("id", "7"),
            ("name", "Device 7"),
        ],
    )
    def test_devices_are_known_by(self, key: str, value: Any) -> None:
        fleet = [endpoint(7, sim(1), imei=imei(3)), endpoint(8, sim(2), imei=imei(4))]
        entry = only(plan_of([{key: value, "tags": "pump"}], fleet, key=key))
        assert (entry.endpoint_id, entry.kinds) == (7, ["tag"])

    def test_an_iccid_comes_with_or_without_its_check_digit(self) -> None:
        with_check_digit = next(
            f"{iccid(1)}{digit}" for digit in range(10) if not _refuses(parse_iccid, f"{iccid(1)}{digit}")
        )
        assert parse_iccid(with_check_digit) == parse_iccid(iccid(1)) == iccid(1)
        assert sum(_refuses(parse_iccid, f"{iccid(1)}{digit}") for digit in range(10)) == 9

    def test_tags_are_added_or_exactly_these(self) -> None:
        fleet, source = [endpoint(7, sim(1), tags=("roof",))], [{"iccid": iccid(1), "tags": "pump, berlin"}]
        assert only(plan_of(source, fleet)).after == {"tags": ("berlin", "pump", "roof")}
        assert only(plan_of(source, fleet, exact_tags=True)).after == {"tags": ("berlin", "pump")}
        assert only(plan_of([{"iccid": iccid(1), "tags": []}], fleet, exact_tags=True)).after == {"tags": ()}

    def test_activations_and_suspensions_are_counted_apart(self) -> None:
        fleet = [endpoint(7, sim(1, "suspended")), endpoint(8, sim(2, "activated"))]
        source = [
            {"iccid": iccid(1), "sim_status": "activated"},
            {"iccid": iccid(2), "sim_status": "suspended", "name": "x"},
        ]
        counts = plan_of(source, fleet).counts
        assert (counts["activate"], counts["suspend"], counts["change"]) == (1, 1, 1)

    def test_a_sim_in_factory_test_is_activated_by_its_endpoint_s_status_and_the_plan_says_so(self) -> None:
        fleet = [endpoint(7, sim(1, "factory_test"))]
        entry = only(plan_of([{"iccid": iccid(1), "status": "disabled"}], fleet))
        assert entry.after == {"status": "disabled", "sim_status": "activated"}
        assert "activate" in entry.kinds
        both = [{"iccid": iccid(1), "status": "disabled", "sim_status": "suspended"}]
        assert only(plan_of(both, fleet)).after["sim_status"] == "suspended"
        stays = [{"iccid": iccid(1), "status": "disabled", "sim_status": "factory_test"}]
        assert reason(plan_of(stays, fleet)) == "sim_status: factory_test cannot become factory_test"

    def test_a_free_sim_goes_into_a_device_that_has_none(self) -> None:
        source = [{"name": "Device 7", "iccid": iccid(1), "sim_status": "activated"}]
        entry = only(plan_of(source, [endpoint(7)], [sim(1)], key="name"))
        assert (entry.action, entry.sim_id) == ("change", 1)
        assert entry.after == {"iccid": iccid(1), "sim_status": "activated"}
        assert entry.before == {"sim_status": "issued"}


def _refuses(parse: Any, value: Any) -> bool:
    try:
        parse(value)
    except ValueError:
        return True
    return False


class TestCreations:
    def test_a_free_sim_becomes_a_device(self) -> None:
        entry = only(plan_of([{"iccid": iccid(1), "name": "Pump", "sim_status": 1, **NEW}], [], [sim(1)]))
        assert (entry.action, entry.sim_id, entry.endpoint_id) == ("create", 1, None)
        assert entry.after["status"] == "enabled"
        assert entry.kinds == ["create", "activate"]

    def test_its_sim_stays_as_it_is_unless_asked(self) -> None:
        assert "sim_status" not in only(plan_of([{"iccid": iccid(1), **NEW}], [], [sim(1)])).after

    @pytest.mark.parametrize(
        ("row", "key", "says"),
        [
            ({"iccid": iccid(9), **NEW}, "iccid", f"iccid: there is no SIM {iccid(9)}"),
            ({"iccid": iccid(3), **NEW}, "iccid", f"iccid: there is no SIM {iccid(3)}"),
            ({"iccid": iccid(2), **NEW}, "iccid", f"iccid: SIM {iccid(2)} is in endpoint 99"),
            ({"iccid": iccid(1)}, "iccid", "service_profile: it needs one to be created"),
            ({"iccid": iccid(1), "service_profile_id": 1}, "iccid", "tariff_profile: it needs one"),
            (
                {"iccid": iccid(1), "sim_status": "suspended", **NEW},
                "iccid",
                "issued cannot become suspended",
            ),
            ({"iccid": iccid(1), "ip_address": "10.1.1.1", **NEW}, "iccid", "needs an ip_address_space_id"),
            ({"id": 5, **NEW}, "id", "id: there is no endpoint 5"),
            ({"imei": imei(1), **NEW}, "imei", "name, iccid: it needs one of them to be created"),
            ({"name": "a", "sim_status": 1, **NEW}, "name", "sim_status: it has no SIM"),
        ],
    )
    def test_one_that_cannot_be_created_is_refused(self, row: Any, key: str, says: str) -> None:
        sims = [sim(1), sim(2, "issued", 99), sim(3, "deleted")]
        assert says in reason(plan_of([row], [], sims, key=key))


def test_names_forge_no_lines_in_what_a_person_approves() -> None:
    fleet = [endpoint(7, sim(1), name="a\n* 1 deleted")]
    texts = [str(entry) for entry in plan_of([{"iccid": iccid(1), "name": "b\nc"}], fleet).entries]
    texts += [
        str(entry) for entry in plan_of([{"name": "a\n* 1 deleted", "imei": "1"}], fleet, key="name").entries
    ]
    assert len(texts) == 2
    assert all("\n" not in text for text in texts)


class TestBadRows:
    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ({"iccid": "123"}, "iccid: '123' is not a valid ICCID; give 19 or 20 digits, as a text"),
            ({"iccid": 8.988303e18}, "8.988303e+18 is not a valid ICCID"),
            ({"iccid": f"{iccid(1)}0", "x": 1}, "check digit"),
            ({"iccid": ""}, "iccid: it has none"),
            ({"iccid": "none"}, "iccid: 'none' is not a valid ICCID"),
            ({"imei": "3512345678901"}, "imei: '3512345678901' is not a valid IMEI; give 14 to 16 digits"),
            (
                {"status": "deleted"},
                "status: 'deleted' is not a valid endpoint status; allowed: enabled",
            ),
            ({"status": "asleep"}, "status: 'asleep' is not a valid endpoint status"),
            ({"sim_status": "deleted"}, "sim_status: 'deleted' is not a valid SIM status"),
            ({"sim_status": "issued"}, "sim_status: activated cannot become issued"),
            ({"service_profile": "Slow"}, "service_profile: none is named 'Slow'"),
            ({"service_profile": "Fast", "service_profile_id": 1}, "service_profile: 'Fast' is 2, not 1"),
            ({"tariff_profile_id": 9}, "tariff_profile_id: there is no 9"),
            ({"tags": "pump,attic"}, "tags: there is no tag 'attic'"),
            ({"name": 7}, "name: 7 is not a valid text"),
            ({"ip_address": "10.0.0"}, "ip_address: '10.0.0' is not a valid IP address"),
            ({"imei_lock": "maybe"}, "imei_lock: 'maybe'"),
            ({"activate_on": "soon"}, "activate_on: 'soon' is not a valid date"),
            ({"activate_on": "2030-01-01", "suspend_on": "2030-01-01"}, "the same day"),
        ],
    )
    def test_a_bad_row_is_refused_with_its_reason(self, row: Any, says: str) -> None:
        row.pop("x", None)
        assert says in reason(plan_of([{"iccid": iccid(1), **row}], [endpoint(7, sim(1, "activated"))]))

    def test_a_device_that_comes_twice_is_refused_each_time(self) -> None:
        source = [{"iccid": iccid(1), "name": name} for name in "abc"]
        plan = plan_of(
            [*source, {"iccid": iccid(2), "name": "x"}], [endpoint(7, sim(1)), endpoint(8, sim(2))]
        )
        assert [entry.row for entry in plan.entries if entry.action == "refuse"] == [1, 2, 3]
        assert "it is in rows 1 and 2" in str(plan.entries[0])
        assert plan.counts["change"] == 1

    def test_a_device_of_which_one_row_is_bad_is_left_alone(self) -> None:
        for source in ([{"imei": "1"}, {"name": "a"}], [{"name": "a"}, {"imei": "1"}]):
            rows = [{"iccid": iccid(1), **row} for row in source]
            assert plan_of(rows, [endpoint(7, sim(1))]).counts == {
                **dict.fromkeys(plan_of([]).counts, 0),
                "refuse": 2,
            }

    def test_a_name_of_several_devices_is_refused(self) -> None:
        fleet = [endpoint(number, name="pump") for number in (9, 8, 7)]
        plan = plan_of([{"name": "pump", "tags": "roof"}], fleet, key="name")
        assert reason(plan) == "name: endpoints 9 and 8 have it"
        assert plan.unchanged == 0

    def test_a_sim_that_two_rows_want_is_refused(self) -> None:
        source = [{"name": name, "iccid": iccid(1), **NEW} for name in "ab"]
        assert plan_of(source, [], [sim(1)], key="name").counts["refuse"] == 2

    def test_another_sim_than_the_device_has_is_refused(self) -> None:
        source = [{"id": 7, "iccid": iccid(2)}]
        assert reason(plan_of(source, [endpoint(7, sim(1))], [sim(2)], key="id")) == (
            f"iccid: it has SIM {iccid(1)}; release that first"
        )

    @pytest.mark.parametrize("flag", [True, 1, Decimal(1), 1.0, "true", "1"])
    def test_values_come_as_databases_have_them(self, flag: Any) -> None:
        source = [{"id": Decimal(7), "imei_lock": flag, "sim_status": Decimal(2)}]
        entry = only(plan_of(source, [endpoint(7, sim(1, "activated"))], key="id"))
        assert entry.after == {"imei_lock": True, "sim_status": "suspended"}

    def test_an_id_that_is_another_device_s_is_refused(self) -> None:
        source = [{"iccid": iccid(1), "id": 8, "name": "x"}, {"iccid": iccid(2), "id": 8, "name": "x"}]
        plan = plan_of(source, [endpoint(7, sim(1)), endpoint(8, sim(2))])
        (refused,) = (entry for entry in plan.entries if entry.action == "refuse")
        assert refused.reason == "id: it is not endpoint 8, but 7"
        assert plan.counts["change"] == 1

    @pytest.mark.parametrize(
        ("columns", "says"),
        [(["iccid", "sim_staus"], "'sim_staus'"), (["name"], "there is no column 'iccid'")],
    )
    def test_a_source_with_odd_columns_is_refused(self, columns: list[str], says: str) -> None:
        with pytest.raises(ValueError, match=says):
            check_columns(columns, "iccid")


class TestDates:
    @pytest.mark.parametrize(
        ("now", "row", "becomes"),
        [
            ("issued", {"activate_on": "2030-06-15"}, "activated"),
            ("issued", {"activate_on": date(2030, 6, 16)}, None),
            ("suspended", {"activate_on": datetime(2030, 1, 1, 12, 0)}, "activated"),
            ("activated", {"activate_on": "2030-01-01", "suspend_on": "2030-06-15T00:00:00Z"}, "suspended"),
            ("activated", {"activate_on": "2030-01-01", "suspend_on": "2030-06-16"}, None),
            ("suspended", {"suspend_on": "2030-01-01", "activate_on": "2030-02-01"}, "activated"),
            ("activated", {"sim_status": "activated", "suspend_on": "2030-01-01"}, "suspended"),
            ("issued", {"suspend_on": "2030-01-01"}, None),
        ],
    )
    def test_the_date_that_came_last_counts(self, now: str, row: Any, becomes: str | None) -> None:
        plan = plan_of([{"iccid": iccid(1), **row}], [endpoint(7, sim(1, now))])
        assert [entry.after for entry in plan.entries] == (
            [] if becomes is None else [{"sim_status": becomes}]
        )

    def test_dates_that_are_still_to_come_are_counted(self) -> None:
        source = [{"iccid": iccid(1), "activate_on": "2030-01-01", "suspend_on": "2031-01-01"}]
        plan = plan_of(source, [endpoint(7, sim(1, "activated"))])
        assert (plan.entries, plan.scheduled) == ([], 1)


class TestPrune:
    FLEET = (
        endpoint(7, sim(1, "activated")),
        endpoint(8, sim(2, "activated")),
        endpoint(9),
        endpoint(6, sim(3)),
    )

    def test_what_is_not_in_the_source_is_left_alone(self) -> None:
        assert plan_of([{"iccid": iccid(1)}], self.FLEET).entries == []

    def test_it_is_deleted_when_asked(self) -> None:
        plan = plan_of([{"iccid": iccid(1)}], self.FLEET, prune="delete")
        assert [(entry.action, entry.endpoint_id, entry.row) for entry in plan.entries] == [
            ("delete", number, None) for number in (8, 9, 6)
        ]

    def test_its_sim_is_suspended_when_asked_where_it_is_active(self) -> None:
        entry = only(plan_of([{"iccid": iccid(1)}], self.FLEET, prune="suspend"))
        assert (entry.endpoint_id, entry.after, entry.kinds) == (8, {"sim_status": "suspended"}, ["suspend"])

    def test_a_device_of_a_refused_row_is_not_pruned(self) -> None:
        source = [{"iccid": iccid(number), "imei": "1"} for number in (1, 2, 3)]
        plan = plan_of(source, self.FLEET[:2], prune="delete")
        assert plan.counts == {**dict.fromkeys(plan.counts, 0), "refuse": 3}

    def test_nothing_can_be_pruned_when_a_row_could_mean_any_device(self) -> None:
        with pytest.raises(
            ValueError, match=r"row 2: iccid: '12' is not a valid ICCID.*nothing can be pruned"
        ):
            plan_of([{"iccid": iccid(1)}, {"iccid": "12"}], self.FLEET, prune="suspend")
