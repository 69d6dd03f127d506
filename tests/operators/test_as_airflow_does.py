"""What each operator and sensor goes through before ``execute``: templates, mapping, serialization, links."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.serialization import serialized_objects

from airflow_provider_emnify.airflow_names import DAG, BaseOperator
from airflow_provider_emnify.operators.callbacks import EmnifySetUpCallbacksOperator
from airflow_provider_emnify.operators.cloud_connect import (
    EmnifyCreateCloudConnectOperator,
    EmnifyDeleteCloudConnectOperator,
)
from airflow_provider_emnify.operators.data_stream import (
    EmnifyCreateDataStreamOperator,
    EmnifyDeleteDataStreamOperator,
    EmnifyRestartDataStreamOperator,
    EmnifyUpdateDataStreamOperator,
)
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.endpoint import (
    EmnifyAssignSimOperator,
    EmnifyBlockNetworkOperator,
    EmnifyCreateEndpointsOperator,
    EmnifyDeleteEndpointsOperator,
    EmnifyLocateEndpointsOperator,
    EmnifyReleaseSimOperator,
    EmnifyResetConnectivityOperator,
    EmnifySetEndpointStatusOperator,
    EmnifyUnblockNetworkOperator,
    EmnifyUpdateEndpointsOperator,
)
from airflow_provider_emnify.operators.euicc import EmnifyEuiccOperationOperator, EmnifySimOperationOperator
from airflow_provider_emnify.operators.fleet import EmnifyApplyFleetOperator, EmnifyPlanFleetOperator
from airflow_provider_emnify.operators.graphql import EmnifyGraphqlOperator
from airflow_provider_emnify.operators.quota import (
    EmnifyClearQuotaOperator,
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyExtendTrafficLimitOperator,
    EmnifySetQuotaOperator,
    EmnifyTopUpQuotaOperator,
)
from airflow_provider_emnify.operators.sim import (
    EmnifyDeleteSimsOperator,
    EmnifyMigrateSimsOperator,
    EmnifyRegisterSimBatchOperator,
    EmnifySetSimStatusOperator,
)
from airflow_provider_emnify.operators.sms import EmnifyCancelSmsOperator, EmnifySendSmsOperator
from airflow_provider_emnify.operators.tag import EmnifyAddTagsOperator, EmnifyRemoveTagsOperator
from airflow_provider_emnify.operators.user import (
    EmnifyAssignUserRolesOperator,
    EmnifyCreateUserOperator,
    EmnifyDeleteUserOperator,
    EmnifyInviteUserOperator,
    EmnifyUpdateUserOperator,
)
from airflow_provider_emnify.sensors.endpoint import (
    EmnifyEndpointConnectivitySensor,
    EmnifyEndpointStatusSensor,
)
from airflow_provider_emnify.sensors.user import EmnifyUserStatusSensor
from tests.operators.support import context, unmap

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.sandbox import Sandbox

# Class, what is the same for all, what is mapped over (its template, and a value), its link.
EACH: list[Any] = [
    (EmnifyOperator, {"call": "endpoints.get"}, "arguments", {"endpoint_id": "{{ params.x }}"}, None),
    (EmnifyCreateUserOperator, {"name": "Ada"}, "username", "{{ params.x }}@example.org", "users"),
    (EmnifyInviteUserOperator, {"name": "Ada"}, "username", "{{ params.x }}@example.org", "users"),
    (EmnifyUpdateUserOperator, {"name": "Ada"}, "user_id", "{{ params.x }}", "users"),
    (EmnifyDeleteUserOperator, {"confirm": True}, "user_id", "{{ params.x }}", "users"),
    (EmnifyAssignUserRolesOperator, {"role_ids": [3]}, "user_id", "{{ params.x }}", "users"),
    (
        EmnifyCreateEndpointsOperator,
        {"service_profile_id": 1, "tariff_profile_id": 1},
        "endpoints",
        [{"name": "pump {{ params.x }}"}],
        "connected-devices",
    ),
    (EmnifyUpdateEndpointsOperator, {"tags": "a"}, "endpoint_ids", ["{{ params.x }}"], "connected-devices"),
    (EmnifyDeleteEndpointsOperator, {"confirm": True}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (EmnifySetEndpointStatusOperator, {"status": 1}, "endpoint_ids", "[{{ params.x }}]", "connected-devices"),
    (EmnifySendSmsOperator, {"text": "on"}, "endpoint_ids", ["{{ params.x }}"], "connected-devices"),
    (EmnifyCancelSmsOperator, {}, "sms_ids", ["{{ params.x }}/1"], "connected-devices"),
    (
        EmnifySetQuotaOperator,
        {"volume": 5, "expiry_date": "2030-01-01"},
        "endpoint_ids",
        "{{ params.x }}",
        "connected-devices",
    ),
    (EmnifyTopUpQuotaOperator, {"endpoint_ids": [7]}, "volume", "{{ params.x }}", "connected-devices"),
    (EmnifyClearQuotaOperator, {"quota_type": "sms"}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (EmnifyExtendTrafficLimitOperator, {"volume": 5}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (
        EmnifyClearTrafficLimitExtensionsOperator,
        {},
        "endpoint_ids",
        ["{{ params.x }}"],
        "connected-devices",
    ),
    (EmnifyAddTagsOperator, {"tags": "a,b"}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (EmnifyRemoveTagsOperator, {"endpoint_ids": [7]}, "tags", ["tag {{ params.x }}"], "connected-devices"),
    (EmnifySetSimStatusOperator, {"status": 1}, "sim_ids", "[{{ params.x }}]", "sim-inventory"),
    (EmnifyRegisterSimBatchOperator, {"sim_status": 0}, "bic", "{{ params.x }}", "sim-inventory"),
    (EmnifyDeleteSimsOperator, {"confirm": True}, "sim_ids", ["{{ params.x }}"], "sim-inventory"),
    (EmnifyMigrateSimsOperator, {"target_workspace_id": 3}, "sim_ids", ["{{ params.x }}"], "sim-inventory"),
    (EmnifyAssignSimOperator, {"endpoint_ids": [7]}, "sim_ids", ["{{ params.x }}"], "connected-devices"),
    (EmnifyReleaseSimOperator, {}, "sim_ids", ["{{ params.x }}"], "connected-devices"),
    (
        EmnifyResetConnectivityOperator,
        {"location": False},
        "endpoint_ids",
        "{{ params.x }}",
        "connected-devices",
    ),
    (EmnifyLocateEndpointsOperator, {}, "endpoint_ids", ["{{ params.x }}"], "connected-devices"),
    (EmnifyBlockNetworkOperator, {"operator_ids": 2}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (
        EmnifyUnblockNetworkOperator,
        {"endpoint_ids": 7},
        "operator_ids",
        "{{ params.x }}",
        "connected-devices",
    ),
    (EmnifyEuiccOperationOperator, {"action": "audit"}, "euicc_ids", "{{ params.x }}", "sim-inventory"),
    (EmnifySimOperationOperator, {"action": "link"}, "sim_ids", ["{{ params.x }}"], "sim-inventory"),
    (
        EmnifyCreateDataStreamOperator,
        {"destination": {"connection_type": "S3", "credentials": {"bucket_name": "b"}}},
        "name",
        "usage {{ params.x }}",
        None,
    ),
    (EmnifyUpdateDataStreamOperator, {"status": "paused"}, "data_stream_id", "{{ params.x }}", None),
    (EmnifyRestartDataStreamOperator, {"timeout": 60}, "data_stream_id", "{{ params.x }}", None),
    (EmnifyDeleteDataStreamOperator, {"confirm": True}, "data_stream_id", "{{ params.x }}", None),
    (
        EmnifyCreateCloudConnectOperator,
        {"type": "vpn", "public_ip": "203.0.113.7", "on_prem_cidr": ["10.8.0.0/16"]},
        "name",
        "office {{ params.x }}",
        None,
    ),
    (EmnifyDeleteCloudConnectOperator, {"confirm": True}, "attachment_id", "{{ params.x }}", None),
    (
        EmnifyPlanFleetOperator,
        {"plan_path": "/tmp/plan.jsonl"},
        "devices",
        [{"iccid": "{{ params.x }}"}],
        "connected-devices",
    ),
    (
        EmnifyApplyFleetOperator,
        {"on_drift": "skip"},
        "plan",
        "/tmp/{{ params.x }}.jsonl",
        "connected-devices",
    ),
    (
        EmnifySetUpCallbacksOperator,
        {"api_server_url": "https://airflow.example.org"},
        "purpose",
        "Airflow {{ params.x }}",
        None,
    ),
    (EmnifyGraphqlOperator, {"query": "{ myUser { id } }"}, "variables", {"id": "{{ params.x }}"}, None),
    (EmnifyEndpointStatusSensor, {"timeout": 9}, "endpoint_ids", "{{ params.x }}", "connected-devices"),
    (
        EmnifyEndpointConnectivitySensor,
        {"deferrable": True},
        "endpoint_ids",
        "{{ params.x }}",
        "connected-devices",
    ),
    (EmnifyUserStatusSensor, {"soft_fail": True}, "user_ids", "{{ params.x }}", "users"),
]
each = pytest.mark.parametrize(
    ("kind", "shared", "field", "template", "page"), EACH, ids=[row[0].__name__ for row in EACH]
)


def dag() -> DAG:
    return DAG("fleet", schedule=None, start_date=datetime(2025, 1, 1, tzinfo=UTC))


def rendered(template: Any) -> Any:
    text = repr(template).replace("{{ params.x }}", "7")
    return eval(text)


@each
def test_its_templates_are_rendered(kind: Any, shared: Any, field: str, template: Any, page: Any) -> None:
    with dag():
        operator = kind(task_id="t", emnify_conn_id="{{ params.x }}", **shared, **{field: template})
    operator.render_template_fields({"params": {"x": 7}})
    assert operator.emnify_conn_id == "7"
    assert getattr(operator, field) == rendered(template)


@each
def test_every_template_field_is_an_attribute(
    kind: Any, shared: Any, field: str, template: Any, page: Any
) -> None:
    operator = kind(task_id="t", **shared, **{field: template})
    for name in operator.template_fields:
        getattr(operator, name)
    assert set(operator.template_fields_renderers) <= set(operator.template_fields)


@each
def test_it_can_be_mapped(kind: Any, shared: Any, field: str, template: Any, page: Any) -> None:
    with dag():
        mapped = kind.partial(task_id="t", retries=3, emnify_conn_id="fleet", **shared).expand(
            **{field: [rendered(template)]}
        )
    operator = unmap(mapped, **{field: rendered(template)})
    assert isinstance(operator, kind)
    assert getattr(operator, field) == rendered(template)
    assert operator.retries == 3
    assert operator.emnify_conn_id == "fleet"
    for name, value in shared.items():
        assert getattr(operator, name) == value


@each
def test_it_can_be_mapped_over_another_task_s_result(
    kind: Any, shared: Any, field: str, template: Any, page: Any
) -> None:
    with dag():
        first = BaseOperator(task_id="first")
        kind.partial(task_id="a", **shared).expand(**{field: first.output})
        operator = kind(task_id="b", **shared, **{field: first.output})
    assert operator.upstream_task_ids == {"first"}


_IDS = {"endpoint_ids", "sim_ids", "euicc_ids", "user_ids", "operator_ids"}
OF_DEVICES = [row for row in EACH if row[2] in _IDS]


@pytest.mark.parametrize(
    "value", ["[(7,), (8,)]", [[7], [8]], [(Decimal(7),), ("8",)], [{"id": 7}, {"id": 8.0}]]
)
@pytest.mark.parametrize(
    ("kind", "shared", "field"), [row[:3] for row in OF_DEVICES], ids=[row[0].__name__ for row in OF_DEVICES]
)
def test_ids_are_taken_as_mapped_tasks_and_sql_give_them(
    kind: Any, shared: Any, field: str, value: Any
) -> None:
    if kind is EmnifyAssignSimOperator:
        shared = {"endpoint_ids": value}  # as many as there are SIMs
    kind(task_id="t", **shared, **{field: value})
    for wrong in ([["89430300000000001234"]], [[[7]]], [(7, None)]):
        with pytest.raises(ValueError, match=rf"^{field}: "):
            kind(task_id="t", **shared, **{field: wrong})


@each
def test_it_survives_serialization(kind: Any, shared: Any, field: str, template: Any, page: Any) -> None:
    with dag() as made:
        kind(task_id="t", **shared, **{field: template})
        kind.partial(task_id="m", **shared).expand(**{field: [rendered(template)]})
    serialization = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)
    again = serialization.from_dict(serialization.to_dict(made))
    assert set(again.task_ids) == {"t", "m"}
    assert list(again.get_task("t").template_fields) == list(kind.template_fields)


@each
def test_its_links_lead_to_the_portal(kind: Any, shared: Any, field: str, template: Any, page: Any) -> None:
    operator = kind(task_id="t", **shared, **{field: template})
    links = [link.get_link(operator, ti_key=None) for link in operator.operator_extra_links]
    assert bool(links) is (page is not None)
    if page is not None:
        assert links[0].startswith("https://portal.emnify.com/")
        assert links[0].endswith(page)


@each
def test_importing_and_making_it_sends_nothing(
    kind: Any, shared: Any, field: str, template: Any, page: Any, sandbox_connection: Sandbox
) -> None:
    kind(task_id="t", **shared, **{field: rendered(template)})
    assert sandbox_connection.requests == 0


def test_the_result_of_one_is_the_ids_of_the_next(
    make_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = make_sandbox()
    monkeypatch.setenv("AIRFLOW_CONN_EMNIFY_DEFAULT", sandbox.airflow_connection)
    ids = EmnifyCreateEndpointsOperator(
        task_id="create",
        endpoints=[{"name": "a", "sim_id": 2000001, "activate_sim": True}],
        service_profile_id=1,
        tariff_profile_id=1,
        status="disabled",
    ).execute(context())
    assert (
        EmnifySetEndpointStatusOperator(
            task_id="enable", endpoint_ids=str(ids), status="enabled", sim_status="activated"
        ).execute(context())
        == ids
    )
    sandbox.clock.advance(10)
    assert EmnifyEndpointConnectivitySensor(task_id="online", endpoint_ids=ids).execute(context()) == {
        str(ids[0]): "ONLINE"
    }


def test_a_bad_argument_breaks_the_dag_and_not_the_run() -> None:
    with dag(), pytest.raises(ValueError, match=r"did you mean users\.create"):
        EmnifyOperator(task_id="t", call="users.crate", arguments={})
