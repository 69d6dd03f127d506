"""A filter finds by an index what it would find by looking at each record, whatever is written in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emnify.api.enums import EndpointStatus, SimStatus
from airflow_provider_emnify.sandbox import Sandbox
from airflow_provider_emnify.sandbox.http import index, query
from airflow_provider_emnify.sandbox.http.query import parse_criteria
from airflow_provider_emnify.sandbox.routes import endpoints, sims
from airflow_provider_emnify.sandbox.world.accounts import Identity
from airflow_provider_emnify.sandbox.world.records.table import Table
from tests.sandbox.telling import ENDPOINT, SIM

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.support import Api

FLEET = 6
NAMES = ["Device 1", "device 10", "vice", "null", "", "ü\0x", "İ"]
CRITERIA = [
    "id:1000001",
    "name:Device 1",
    "name:VICE",
    "name:null",
    "name:i̇",
    "status:0",
    "status:disabled",
    "tags:null",
    "tags:a",
    "tags:tracker",
    "imei:null",
    "imei:12345678901234",
    "iccid:8988303000002000004",
    "iccid:null",
    "iccid_with_luhn:89883030000020000041",
    "sim_status:1",
    "sim_status:suspended",
    "sim_status:null",
    "service_profile:2",
    "service_profile:default",
    "ip_address:10.15.66.65",
    "eid:null",
    "created:20",
]
OF_SIMS = [
    "id:2000004",
    "endpoint:null",
    "endpoint:1000001",
    "status:issued",
    "status:1",
    "iccid:8988303000002000004",
    "imsi:901430002000004",
    "msisdn:882280002000004",
    "eid:null",
    "eid:89",
    "customer_org:100",
]
ENDPOINTS = st.integers(ENDPOINT, ENDPOINT + FLEET - 1)
WRITES = st.one_of(
    st.tuples(st.just("name"), ENDPOINTS, st.sampled_from(NAMES)),
    st.tuples(st.just("tags"), ENDPOINTS, st.sampled_from([None, "a", "A,b"])),
    st.tuples(st.just("imei"), ENDPOINTS, st.sampled_from([None, "12345678901234"])),
    st.tuples(st.just("status"), ENDPOINTS, st.sampled_from([0, 1])),
    st.tuples(st.just("tag"), ENDPOINTS, st.just(2)),
    st.tuples(st.just("sim"), ENDPOINTS, st.sampled_from([None, SIM, SIM + 1])),
    st.tuples(st.just("sim_status"), ENDPOINTS, st.sampled_from([1, 2])),
    st.tuples(st.just("service_profile"), ENDPOINTS, st.sampled_from([1, 2])),
    st.tuples(st.just("delete"), ENDPOINTS, st.none()),
    st.tuples(st.just("create"), st.just(0), st.none()),
    st.tuples(st.just("rename tag"), st.just(0), st.sampled_from(["tracker", "other"])),
)


def write(sandbox: Sandbox, kind: str, number: int, value: Any) -> None:
    state = sandbox.state
    if kind == "create":
        sandbox.add_endpoints(1)
    elif kind == "rename tag":
        state.tags[2].name = value
        state.endpoints.forget()
    elif number in state.endpoints:
        WRITERS[kind](sandbox, state.endpoints[number], value)


def set_sim(sandbox: Sandbox, endpoint: Any, value: int | None) -> None:
    state = sandbox.state
    holder = state.endpoints.get((value and state.sims[value].endpoint_id) or 0)
    for one in filter(None, (endpoint, holder)):
        if (sim := state.sim_of(one)) is not None:
            one.sim_id = sim.endpoint_id = None
    if value is not None:
        endpoint.sim_id, state.sims[value].endpoint_id = value, endpoint.id


def set_sim_status(sandbox: Sandbox, endpoint: Any, value: int) -> None:
    if (sim := sandbox.state.sim_of(endpoint)) is not None:
        sim.status = SimStatus(value)


WRITERS: dict[str, Callable[[Sandbox, Any, Any], object]] = {
    **{
        name: lambda sandbox, endpoint, value, name=name: setattr(endpoint, name, value)  # type: ignore[misc]
        for name in ("name", "tags", "imei")
    },
    "status": lambda sandbox, endpoint, value: setattr(endpoint, "status", EndpointStatus(value)),
    "tag": lambda sandbox, endpoint, value: setattr(
        endpoint, "tag_ids", () if endpoint.tag_ids else (value,)
    ),
    "sim": set_sim,
    "sim_status": set_sim_status,
    "service_profile": lambda sandbox, endpoint, value: setattr(endpoint, "service_profile_id", value),
    "delete": lambda sandbox, endpoint, value: sandbox.delete_endpoints([endpoint.id]),
}


def found(sandbox: Sandbox, listing: Any, table: Any, criteria: str) -> list[int]:
    query = {"q": criteria, "per_page": "1000"}
    call: Any = type("Call", (), {"state": sandbox.state, "own": 100, "query": query})
    return [row["id"] for row in listing.answer(call, table).body]


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(data=st.data(), most=st.sampled_from([(1000, 20), (1, 20), (1000, 1)]))
def test_an_index_finds_what_a_look_at_each_record_finds(data: st.DataObject, most: tuple[int, int]) -> None:
    sandbox = Sandbox(FLEET, spare_sims=3, euiccs=1, limits=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "MOST_WRITTEN", most[0])
        patch.setattr(query, "MOST_KEPT", most[1])
        for _ in range(6):
            for kind, number, value in data.draw(st.lists(WRITES, max_size=3)):
                write(sandbox, kind, number, value)
            for listing, table, choice in (
                (endpoints.LISTING, sandbox.state.endpoints, CRITERIA),
                (sims.LISTING, sandbox.state.sims, OF_SIMS),
            ):
                picked = data.draw(st.lists(st.sampled_from(choice), min_size=1, max_size=2))
                asked = ",".join(picked)
                slow = listing.filter(sandbox.state, table.values(), parse_criteria(asked))  # type: ignore[attr-defined]
                assert found(sandbox, listing, table, asked) == [record.id for record in slow], asked


def test_a_page_of_a_large_fleet_looks_at_its_own_rows_only(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = make_sandbox(2000, limits=False)
    api = connect(sandbox)
    filters = ("status:0", "name:Device 77", "tags:null", "sim_status:1", "imei:12345678901234")
    before = [api.get("/api/v1/endpoint", q=q, per_page=10).json() for q in filters]
    looks: list[str] = []
    fields: Any = endpoints.LISTING.fields

    def counted(name: str, get: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *told: looks.append(name) or get(*told)  # type: ignore[func-returns-value]

    for name, get in list(fields.items()):
        monkeypatch.setitem(fields, name, counted(name, get))
    assert [api.get("/api/v1/endpoint", q=q, per_page=10).json() for q in filters] == before
    assert len(looks) < 100


def test_a_table_that_nobody_filters_does_not_watch_its_records() -> None:
    sandbox = Sandbox(2)
    record = sandbox.state.endpoints[ENDPOINT]
    assert "__setattr__" not in vars(type(record))
    sandbox.state.endpoints.watch()
    assert isinstance(record, type(record).__mro__[1])
    assert "__setattr__" in vars(type(record))


def test_another_workspace_sees_its_own_sims_only(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(1)
    api = connect(sandbox)
    assert api.get("/api/v1/sim").headers["X-Total-Count"] == "101"
    sandbox.state.sims[SIM].organisation_id = 101
    assert api.get("/api/v1/sim").headers["X-Total-Count"] == "100"
    assert api.get("/api/v1/sim", q=f"id:{SIM}").json() == []
    token = sandbox.accounts.issue(Identity("user", 1001, 101))
    api.session.headers["Authorization"] = f"Bearer {token}"
    assert [sim["id"] for sim in api.get("/api/v1/sim").json()] == [SIM]


def test_what_comes_into_an_empty_table_is_found(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(0, spare_sims=0, limits=False)
    api = connect(sandbox)
    assert api.get("/api/v1/endpoint", q="status:0").json() == []
    (number,) = sandbox.add_endpoints()
    assert [row["id"] for row in api.get("/api/v1/endpoint", q="status:0").json()] == [number]


def test_filters_that_are_many_find_what_each_asks_for(
    make_sandbox: Callable[..., Sandbox], connect: Callable[..., Api]
) -> None:
    sandbox = make_sandbox(2, limits=False)
    api = connect(sandbox)
    for turn in range(2):
        for number in range(index.MOST_KEPT + 1):
            asked = f"status:{turn},created:{1990 + number}"
            assert api.get("/api/v1/endpoint", q=asked).json() == []
        assert api.get("/api/v1/endpoint", q="sim_status:1").headers["X-Total-Count"] == str(2 - turn)
        api.patch(f"/api/v1/sim/{SIM + 100}", {"status": {"id": 2}})


def test_a_table_tells_what_is_written_until_it_is_to_forget() -> None:
    table: Table[Any] = Table()
    index = SimpleNamespace(written=set())
    row = type("Row", (), {})
    for number in (1, 2):
        table[number] = row()
        table[number].id = number
    table.watch()
    table.indexes["of a test"] = index
    table[2].name = "changed"
    del table[1]
    assert index.written == {2, 1}
    index.written.clear()
    table.forget()
    table[2].name = "again"
    assert not index.written
