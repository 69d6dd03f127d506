"""What is gone already: each operator that takes something away says the same, whatever form the 404 has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_emnify.airflow_names import AirflowFailException
from airflow_provider_emnify.operators.cloud_connect import EmnifyDeleteCloudConnectOperator
from airflow_provider_emnify.operators.data_stream import EmnifyDeleteDataStreamOperator
from airflow_provider_emnify.operators.emnify import EmnifyOperator
from airflow_provider_emnify.operators.endpoint import (
    EmnifyDeleteEndpointsOperator,
    EmnifyUnblockNetworkOperator,
)
from airflow_provider_emnify.operators.quota import (
    EmnifyClearQuotaOperator,
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyTopUpQuotaOperator,
)
from airflow_provider_emnify.operators.sim import EmnifyDeleteSimsOperator
from airflow_provider_emnify.operators.tag import EmnifyRemoveTagsOperator
from airflow_provider_emnify.operators.user import EmnifyDeleteUserOperator
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

FORMS: dict[str, Any] = {
    "1401": {"error_code": 1401, "error_token": "InvalidReference", "message": "not found"},
    "1201": {"error_code": 1201, "error_token": "ResourceNotFound", "message": "not found"},
    "1400": {"error_code": 1400, "error_token": "InputValidationFailed", "message": "not found"},
    "no body": "",
    "page": "<html>not found</html>",
    "list": [{"message": "not found"}],
}
in_each_form = pytest.mark.parametrize("missing", FORMS.values(), ids=FORMS)
STREAM = {"id": 7, "name": "usage", "status": {"id": 1}}
ATTACHMENT = {"id": 7, "name": "office", "status": {"id": 5}}


pytestmark = [pytest.mark.fleet(8, retries=False), pytest.mark.usefixtures("no_sleep")]


def gone(fleet: Sandbox, path: str, missing: Any, method: str | None = None) -> Any:
    return fleet.faults.add(method=method, path=path, status=404, body=missing, times=None)


@in_each_form
@pytest.mark.parametrize(
    ("operator", "path"),
    [
        (EmnifyClearQuotaOperator(task_id="t", endpoint_ids=[1, 2]), "/quota/data$"),
        (EmnifyClearQuotaOperator(task_id="t", endpoint_ids=[1, 2], quota_type="sms"), "/quota/sms$"),
        (
            EmnifyUnblockNetworkOperator(task_id="t", endpoint_ids=[1, 2], operator_ids=3),
            "/operator_blacklist",
        ),
    ],
    ids=["data quota", "SMS quota", "blocked network"],
)
def test_what_an_endpoint_has_no_more_is_done(fleet: Sandbox, operator: Any, path: str, missing: Any) -> None:
    fault = gone(fleet, path, missing, "DELETE")
    assert len(operator.execute(context())) == 2
    assert fault.hits == 2


@in_each_form
@pytest.mark.parametrize("quota_type", ["data", "sms"])
def test_what_is_added_where_there_is_no_quota_is_the_quota(
    fleet: Sandbox, quota_type: Any, missing: Any
) -> None:
    key = next(iter(fleet.state.endpoints))
    fleet.faults.add(method="GET", path=f"/quota/{quota_type}$", status=404, body=missing)
    operator = EmnifyTopUpQuotaOperator(
        task_id="t",
        endpoint_ids=key,
        volume=50,
        quota_type=quota_type,
        expiry_date="2099-01-01",
        threshold_percentage=20,
    )
    assert operator.execute(context()) == {str(key): 50}


@in_each_form
def test_a_quota_of_an_endpoint_that_is_gone_is_an_error(fleet: Sandbox, missing: Any) -> None:
    gone(fleet, "^/api/v1/endpoint/5", missing)
    operator = EmnifyTopUpQuotaOperator(task_id="t", endpoint_ids=5, volume=50, expiry_date="2099-01-01")
    with pytest.raises(AirflowFailException, match="404"):
        operator.execute(context())
    assert not [entry for entry in fleet.log if entry.method == "POST" and "quota" in entry.path]


@in_each_form
@pytest.mark.parametrize("number", [2, 8])
@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        (EmnifyDeleteEndpointsOperator, "endpoint_ids", "endpoint"),
        (EmnifyDeleteSimsOperator, "sim_ids", "sim"),
    ],
)
def test_devices_and_sims_that_are_gone_are_deleted(
    fleet: Sandbox, kind: Any, name: str, path: str, number: int, missing: Any
) -> None:
    gone(fleet, rf"^/api/v[12]/{path}/(\d+|multi)(\?.*)?$", missing)
    ids = list(range(1, number + 1))
    assert kind(task_id="t", **{name: ids}, confirm=True).execute(context()) == ids


@in_each_form
@pytest.mark.parametrize("number", [2, 8])
@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        (EmnifyDeleteEndpointsOperator, "endpoint_ids", "endpoint"),
        (EmnifyDeleteSimsOperator, "sim_ids", "sim"),
    ],
)
def test_devices_and_sims_that_went_meanwhile_are_deleted(
    fleet: Sandbox, kind: Any, name: str, path: str, number: int, missing: Any
) -> None:
    rows = fleet.state.endpoints if path == "endpoint" else fleet.state.sims
    ids = sorted(rows)[:number]  # of the SIMs those that no endpoint has

    def went() -> None:
        for key in ids:
            rows.pop(key, None)

    fault = fleet.faults.add(
        method="DELETE",
        path=rf"^/api/v[12]/{path}/",
        status=404,
        body=missing,
        do=went,
        acted=True,
        times=None,
    )
    assert kind(task_id="t", **{name: ids}, confirm=True).execute(context()) == ids
    assert fault.hits


@in_each_form
@pytest.mark.parametrize("first", ["GET", "DELETE"])
def test_a_user_who_is_gone_is_deleted(fleet: Sandbox, first: str, missing: Any) -> None:
    user = fleet.state.add_user("ada@example.org", "Ada", [1], fleet.clock.time())
    for method in {first, "DELETE"}:
        gone(fleet, f"/api/v1/user/{user.id}$", missing, method)
    operator = EmnifyDeleteUserOperator(task_id="t", user_id=user.id, confirm=True)
    assert operator.execute(context()) == [user.id]


@in_each_form
@pytest.mark.parametrize(
    ("kind", "name", "list_path", "row", "path"),
    [
        (
            EmnifyDeleteDataStreamOperator,
            "data_stream_id",
            r"/api/v2/data_stream(\?.*)?$",
            STREAM,
            "/data_stream/7",
        ),
        (
            EmnifyDeleteCloudConnectOperator,
            "attachment_id",
            r"/cnc/breakout(\?.*)?$",
            ATTACHMENT,
            "/breakout/7",
        ),
    ],
    ids=["data stream", "attachment"],
)
def test_a_stream_or_an_attachment_that_is_gone_is_deleted(
    fleet: Sandbox, kind: Any, name: str, list_path: str, row: Any, path: str, missing: Any
) -> None:
    one = {"X-Total-Count": "1", "X-Total-Pages": "1"}
    fleet.faults.add(method="GET", path=list_path, status=200, body=[row], headers=one, times=None)
    fault = gone(fleet, path, missing, "DELETE")
    assert kind(task_id="t", **{name: row["id"]}, confirm=True).execute(context()) == [row["id"]]
    assert fault.hits == 1
    assert [entry.method for entry in fleet.log] == ["POST", "GET", "DELETE"]  # which is not asked again


@pytest.mark.parametrize("kind", [EmnifyDeleteDataStreamOperator, EmnifyDeleteCloudConnectOperator])
@pytest.mark.parametrize("name", ["m²", "²", "٣", "usage"])
def test_what_none_is_named_is_gone(fleet: Sandbox, kind: Any, name: str) -> None:
    field = "data_stream_id" if kind is EmnifyDeleteDataStreamOperator else "attachment_id"
    assert kind(task_id="t", **{field: name}, confirm=True).execute(context()) in ([], [3])


@in_each_form
def test_tags_that_went_meanwhile_are_removed(fleet: Sandbox, missing: Any) -> None:
    key = next(iter(fleet.state.endpoints))
    EmnifyOperator(
        task_id="t",
        call="tags.assign_many",
        arguments={"items": [{"endpoint_id": key, "tag_ids": [1]}]},
    ).execute(context())
    fault = fleet.faults.add(
        path="remove-tags",
        status=404,
        body=missing,
        do=lambda: setattr(fleet.state.endpoints[key], "tag_ids", ()),
    )
    operator = EmnifyRemoveTagsOperator(task_id="t", endpoint_ids=[key], tag_ids=[1])
    assert operator.execute(context()) == [key]
    assert fault.hits == 1


@in_each_form
def test_extensions_that_are_gone_are_as_for_any_other_404(fleet: Sandbox, missing: Any) -> None:
    key = next(iter(fleet.state.endpoints))
    operator = EmnifyClearTrafficLimitExtensionsOperator(task_id="t", endpoint_ids=[key])

    def outcome(body: Any) -> str:
        fleet.faults.clear()
        gone(fleet, f"^/api/v1/endpoint/{key}/", body)
        try:
            return repr(operator.execute(context()))
        except Exception as error:
            return type(error).__name__

    assert outcome(missing) == outcome(FORMS["1201"])


@in_each_form
@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("endpoints.delete", {"endpoint_id": 5}),
        ("sims.delete", {"sim_id": 5}),
        ("users.delete", {"user_id": 5}),
        ("data_streams.delete", {"data_stream_id": 5}),
        ("quotas.delete_data", {"endpoint_id": 5}),
        ("tags.delete", {"tag_id": 5}),
    ],
)
def test_any_other_call_is_as_for_every_404(fleet: Sandbox, call: str, arguments: Any, missing: Any) -> None:
    operator = EmnifyOperator(task_id="t", call=call, arguments=arguments)

    def outcome(body: Any, try_number: int) -> str:
        fleet.faults.clear()
        gone(fleet, r"^/api/v[12]/(?!auth)", body)
        try:
            return repr(operator.execute(context(try_number=try_number)))
        except Exception as error:
            return type(error).__name__

    for try_number in (1, 2):
        assert outcome(missing, try_number) == outcome(FORMS["1201"], try_number)
