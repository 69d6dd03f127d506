from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.api.resources import RESOURCES, operations_of
from airflow_provider_emnify.operators.emnify import EmnifyOperator, check_arguments, find_method
from tests.api.support import Column, Scalar
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox


pytestmark = pytest.mark.fleet(12)

_QUOTA = {"endpoint_id": "1000001", "expiry_date": "2099-01-01"}


def call(name: str, arguments: Any = None, **more: Any) -> EmnifyOperator:
    return EmnifyOperator(task_id="t", call=name, arguments=arguments, **more)


def test_a_call_returns_what_the_api_answers(fleet: Sandbox) -> None:
    assert call("organisations.my").execute(context())["name"] == "Sandbox"
    assert fleet.authentications == 1


def test_a_call_without_an_answer_returns_none(fleet: Sandbox) -> None:
    endpoint_id = min(fleet.state.endpoints)
    arguments = {"endpoint_id": str(endpoint_id), "name": "pump"}
    assert call("endpoints.update", arguments).execute(context()) is None
    assert fleet.state.endpoints[endpoint_id].name == "pump"


@pytest.mark.parametrize(
    ("name", "arguments", "body"),
    [
        (
            "endpoints.create",
            {"name": "x", "service_profile_id": "1", "tariff_profile_id": "1", "sim_id": "2000001"}
            | {"activate_sim": "False", "imei_lock": "None"},
            {"sim": {"id": 2000001, "activate": False}},
        ),
        ("endpoints.update", {"endpoint_id": "1000001", "imei_lock": "true"}, {"imei_lock": True}),
        (
            "endpoints.reset_connectivity",
            {"endpoint_id": "1000001", "pdp_context": "False"},
            {"location": None},
        ),
        (
            "quotas.set_data",
            {"endpoint_id": "1000001", "volume": "100.5", "expiry_date": "2099-01-01", "auto_refill": "0"}
            | {"threshold_percentage": "10", "threshold_volume": "None"},
            {"volume": 100.5, "auto_refill": 0, "threshold_percentage": 10},
        ),
        ("quotas.set_data", {**_QUOTA, "volume": "007"}, {"volume": 7}),
        (
            "tags.assign_many",
            {"items": '[{"endpoint_id": 1000001, "tag_ids": [1]}]'},
            {"items": [{"endpoint": {"id": 1000001}, "tags": [{"id": 1}]}]},
        ),
        (
            "cloud_connect.create_vpn",
            {"name": "o", "public_ip": "203.0.113.7", "on_prem_cidr": "10.8.0.0/16,10.9.0.0/16"},
            {"on_prem_cidr": ["10.8.0.0/16", "10.9.0.0/16"]},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_templates_render_to_goes_out_as_what_the_method_takes(
    fleet: Sandbox, name: str, arguments: Any, body: Any
) -> None:
    call(name, arguments).execute(context())
    sent = fleet.log[-1].body
    assert {key: sent[key] for key in body} == body
    assert "None" not in sent.values()
    assert "pdp_context" not in sent


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("endpoints.get", {"endpoint_id": "1", "imei": "1"}, "unknown argument 'imei'"),
        ("endpoints.update", {"endpoint_id": "1", "imei_lock": "maybe"}, "imei_lock: 'maybe' is not valid"),
        (
            "traffic_limits.extend",
            {"endpoint_id": "1", "volume": "much"},
            "volume: 'much' is not a valid number",
        ),
        ("traffic_limits.extend", {"endpoint_id": "1", "volume": "9" * 5000}, "is not a valid number"),
        ("quotas.set_data", {**_QUOTA, "volume": "NaN"}, "volume: 'NaN' is not a valid number"),
        ("quotas.set_data", {**_QUOTA, "volume": "1e999"}, "volume: '1e999' is not a valid number"),
        (
            "users.update",
            {"user_id": 1, "status": "aktive"},
            "'aktive' is not a valid user status; allowed: ",
        ),
        ("events.list", {"from_": "soon", "until": None}, "from_: 'soon' is not a valid date or time"),
        ("endpoints.daily_stats", {"endpoint_id": 1, "end_date": "2026-02-30"}, "end_date: '2026-02-30' is"),
        ("sims.list", {"assigned": True}, "assigned: True is not valid; allowed: False"),
        ("endpoints.list", {"per_page": "5.5"}, "per_page: '5.5' is not a valid whole number"),
        ("endpoints.update_many", {"endpoints": "7"}, "endpoints: this text is not a list; give one in JSON"),
        (
            "data_streams.create",
            {"name": "x", "destination": '{"connection_type": "KeenIO", "credentials": {"write_key": "w"}}'},
            "destination.credentials.write_key is a secret",
        ),
    ],
)
def test_a_text_that_is_nothing_of_it_is_refused_when_the_dag_is_parsed(
    name: str, arguments: Any, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        call(name, arguments)


def test_a_text_with_a_secret_that_is_no_dict_is_refused_without_quoting_it() -> None:
    destination = '{"connection_type": "KeenIO", "credentials": {"write_key": "hidden"}'
    with pytest.raises(ValueError, match="destination: this text is not a dict") as caught:
        call("data_streams.create", {"name": "x", "destination": destination})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("ids", [Scalar(1000001), Column([1000001])])
def test_ids_come_from_arrays_and_columns(fleet: Sandbox, ids: Any) -> None:
    call("endpoints.delete_many", {"endpoint_ids": ids}).execute(context())
    assert fleet.state.endpoints.keys() == {*range(1000002, 1000013)}


def test_a_lazy_list_comes_back_as_a_list(fleet: Sandbox) -> None:
    rows = call("endpoints.list", {"per_page": "5"}).execute(context())
    assert sorted(row["id"] for row in rows) == sorted(fleet.state.endpoints)


def test_too_many_rows_point_to_the_transfers() -> None:
    operator = call("endpoints.list", {"per_page": 5}, max_rows=11)
    with pytest.raises(AirflowFailException, match=r"11 rows.*EmnifyToSqlOperator or EmnifyToObjectStorage"):
        operator.execute(context())


@pytest.fixture(autouse=True)
def _with_fleet(fleet: Sandbox) -> None:
    """Every test of this module has the fleet's connection."""


def test_as_many_rows_as_allowed_are_fine() -> None:
    assert len(call("endpoints.list", {"per_page": 5}, max_rows=12).execute(context())) == 12


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("users.crate", "did you mean users.create"),
        ("user.create", "did you mean users.create"),
        ("endpoints.lst", "did you mean endpoints.list"),
        ("users", "did you mean users."),
        ("sing", "resources are"),
        ("users._find", "there is no"),
        ("users.__init__", "there is no"),
        ("fleet.sing", "there is no"),
        ("", "give '<resource>.<method>'"),
        (None, "give '<resource>.<method>'"),
    ],
)
def test_a_call_that_does_not_exist_fails_when_the_dag_is_parsed(name: Any, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        call(name)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("users.create", {"username": "a@b.c"}, "argument 'name' is missing"),
        ("users.create", None, "argument 'username' is missing; argument 'name' is missing"),
        (
            "users.create",
            {"username": "a", "nmae": "b"},
            r"unknown argument 'nmae' \(did you mean 'name'\?\)",
        ),
        ("endpoints.get", {"endpoint_id": 1, "call": 2}, "unknown argument 'call'"),
        ("endpoints.get", {"endpoint_id": 1, "self": 2}, "unknown argument 'self'"),
        ("endpoints.get", "endpoint_id=1", "this is not a dict; give arguments by name"),
        ("endpoints.get", [1], "this is not a dict; give arguments by name"),
    ],
)
def test_bad_arguments_fail_when_the_dag_is_parsed(name: str, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(name, arguments)


def test_templated_values_are_no_concern_of_the_parser() -> None:
    call("endpoints.get", {"endpoint_id": "{{ params.endpoint_id }}"})


def test_arguments_from_another_task_are_checked_in_the_worker() -> None:
    operator = call("endpoints.get", "{{ ti.xcom_pull('x') }}")
    operator.arguments = {"endpoint": 1}
    with pytest.raises(AirflowFailException, match="unknown argument 'endpoint'"):
        operator.execute(context())
    operator.arguments = "7"
    with pytest.raises(AirflowFailException, match="this is not a dict; give arguments by name"):
        operator.execute(context())


@pytest.mark.parametrize(
    "name",
    [
        f"{resource}.{method}"
        for resource, kind in RESOURCES.items()
        for method, operation in operations_of(kind).items()
        if operation.secret
    ],
)
def test_calls_that_deal_in_secrets_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"EmnifyHook\(\)\.get_conn\(\)\.{name}"):
        call(name, {})


def test_every_operation_can_be_called() -> None:
    for resource, kind in RESOURCES.items():
        for method, operation in operations_of(kind).items():
            if not operation.secret:
                name = f"{resource}.{method}"
                function = find_method(name)
                with pytest.raises(ValueError, match="no_such_argument"):
                    check_arguments(name, function, {"no_such_argument": 1})


def test_an_unknown_id_fails_for_good() -> None:
    with pytest.raises(AirflowFailException, match="404"):
        call("endpoints.get", {"endpoint_id": 7}).execute(context())


@pytest.mark.parametrize("max_rows", [0, -1, "many", True, 1.5])
def test_max_rows_is_a_number_of_rows(max_rows: Any) -> None:
    with pytest.raises(ValueError, match="max_rows"):
        call("endpoints.list", max_rows=max_rows)


def test_a_delete_that_an_earlier_try_has_done_is_a_success(fleet: Sandbox) -> None:
    fleet.faults.add(method="DELETE", status=404, body={"error_code": 1401}, times=None)
    delete = call("endpoints.delete", {"endpoint_id": 7}, retries=2)
    with pytest.raises(AirflowFailException):
        delete.execute(context(try_number=1))
    assert delete.execute(context(try_number=2)) is None
