"""Any plan: carried out it gives the source, a second one is empty, and odd rows break none."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.operators.fleet.rows import COLUMNS, Device, Meaning, is_so
from tests.operators.fleet.worlds import TAGS, TODAY, carry_out, endpoint, iccid, imei, names_of, plan_of, sim

SIM_STATUSES = ("issued", "activated", "suspended", "factory_test")


@st.composite
def worlds(draw: Any) -> Any:
    """Draw a fleet, its SIMs, and a source that says something of some of both."""
    numbers = draw(st.lists(st.integers(1, 30), unique=True, max_size=12))
    cards = {number: sim(number, draw(st.sampled_from(SIM_STATUSES))) for number in range(1, 31)}
    fleet = [
        endpoint(
            100 + number,
            cards[number],
            name=f"Device {number}",
            status=draw(st.sampled_from(["enabled", "disabled"])),
            service_profile_id=draw(st.sampled_from([1, 2])),
            imei=draw(st.sampled_from([None, imei(number)])),
            tags=draw(st.lists(st.sampled_from(TAGS), unique=True)),
        )
        for number in numbers
    ]
    fields = {
        "name": st.sampled_from(["a", "b", "Device 3"]),
        "status": st.sampled_from(["enabled", "Disabled", 1]),
        "sim_status": st.sampled_from(SIM_STATUSES),
        "service_profile": st.sampled_from(["Default", "Fast", "Slow"]),
        "tariff_profile_id": st.sampled_from([1, "2", 3]),
        "tags": st.lists(st.sampled_from([*TAGS, "attic"]), max_size=2),
        "imei": st.sampled_from(["12", imei(77), imei(78)[:14]]),
        "imei_lock": st.booleans(),
        "activate_on": st.sampled_from(["2030-01-01", "2031-01-01"]),
        "suspend_on": st.sampled_from(["2030-02-01", "2031-02-01"]),
    }
    source = [
        {"iccid": iccid(number), **draw(st.fixed_dictionaries({}, optional=fields))}
        for number in draw(st.lists(st.integers(1, 33), max_size=12))
    ]
    return source, fleet, [*cards.values()]


@settings(max_examples=150)
@given(worlds(), st.booleans(), st.sampled_from([None, "suspend", "delete"]))
def test_a_plan_that_is_carried_out_gives_the_source_and_a_second_one_is_empty(
    world: Any, exact_tags: bool, prune: str | None
) -> None:
    source, fleet, sims = world
    held = {row["sim"]["id"]: row["id"] for row in fleet if row["sim"]}
    sims = [{**row, "endpoint": {"id": held[row["id"]]} if row["id"] in held else None} for row in sims]
    options: dict[str, Any] = {"exact_tags": exact_tags, "prune": prune}
    plan = plan_of(source, fleet, sims, **options)
    refused = {entry.row for entry in plan.entries if entry.action == "refuse"}

    after, cards = carry_out(plan, fleet, sims)
    again = plan_of(source, after, cards, **options)

    assert {entry.row for entry in again.entries if entry.action == "refuse"} == refused
    assert [entry for entry in again.entries if entry.action != "refuse"] == []
    assert plan.rows == len(source) == again.unchanged + len(refused)
    there = {device.key("iccid"): device for device in map(Device.of, after)}
    meaning = Meaning("iccid", TODAY, names_of)
    for number, row in enumerate(source, 1):
        if number not in refused:
            _assert_is(meaning.read(row, number), there, exact_tags)
    touched = {entry.endpoint_id for entry in plan.entries if entry.action != "refuse"}
    left_alone = [row for row in fleet if row["id"] not in touched]
    assert [row for row in after if row["id"] in {row["id"] for row in left_alone}] == left_alone


def _assert_is(wanted: Any, there: dict[str | None, Device], exact_tags: bool) -> None:
    assert wanted.reason is None
    state = there[wanted.key].state
    for name, value in wanted.values.items():
        if name == "tags" and not exact_tags:
            assert {*value} <= {*state["tags"]}
        elif not (name == "sim_status" and wanted.is_due and state[name] == "issued"):
            assert is_so(name, state, value), (name, state[name], value)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from([*COLUMNS]),
        st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.lists(st.text())),
    )
)
def test_no_row_breaks_a_plan(row: Any) -> None:
    for key in ("iccid", "imei", "id", "name"):
        plan = plan_of([row], [endpoint(7, sim(1))], [sim(2)], key=key)
        assert plan.rows == 1


ODD: list[Any] = [{}, [], "x", 7, [None], [7], [{}], {"id": {}}, {"id": "x"}, {"id": 99}, True]
FIELDS = (
    "name",
    "status",
    "service_profile",
    "tariff_profile",
    "imei",
    "ip_address",
    "sim",
    "tag_assignments",
)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", FIELDS)
def test_a_row_of_emnify_that_is_odd_is_a_server_error_or_harmless(field: str, odd: Any) -> None:
    row = endpoint(7, sim(1, "activated"), imei=imei(3), tags=("pump",))
    plain, values = Device.of(row), {"sim": ("iccid", "sim_status"), "tag_assignments": ("tags",)}
    try:
        device = Device.of({**row, field: odd})
    except EmnifyServerError:
        return
    for name, value in plain.state.items():
        if name not in values.get(field, (field, f"{field}_id")):
            assert device.state[name] == value


def test_the_order_of_the_fleet_does_not_matter() -> None:
    fleet = [endpoint(number, sim(number, "activated")) for number in range(1, 30)]
    source = [{"iccid": iccid(number), "name": f"n{number}"} for number in range(1, 30)]
    first = plan_of(source, fleet).entries
    random.Random(1).shuffle(fleet)
    assert plan_of(source, fleet).entries == first
