"""One ordinary run of each operator and sensor: what it is given, and what the sandbox then shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import DataStreamStatus, EndpointStatus, SimStatus
from airflow_provider_emnify.sandbox.world.records.esims import AUDIT, LINK
from airflow_provider_emnify.sandbox.world.records.integrations import DEACTIVATED, DEACTIVATING
from tests.faults.case import PUBLIC, Case
from tests.operators.support import context

if TYPE_CHECKING:
    from airflow_provider_emnify.api import EmnifyClient
    from tests.faults.in_process import InProcess

A, B, C = 1000001, 1000002, 1000003
FREE = 2000001
SIM_A = 2000101
ESIM = 2000104
BATCH = "8988-new"
LATER = datetime.now(UTC) + timedelta(days=30)
S3 = {
    "connection_type": "S3",
    "format": "CSV",
    "credentials": {"region": "eu-west-1", "bucket_name": "b", "role_arn": "arn:aws:iam::1:role/x"},
}
VPN: dict[str, Any] = {"type": "vpn", "public_ip": "203.0.113.7", "on_prem_cidr": ["10.8.0.0/16"]}


def _bare(sandbox: InProcess, *ids: int) -> None:
    """Take the SIMs out of endpoints."""
    for key in ids:
        endpoint = sandbox.state.endpoints[key]
        sandbox.state.sims[endpoint.sim_id or 0].endpoint_id = None
        endpoint.sim_id = None


def _quota(client: EmnifyClient, sandbox: InProcess) -> None:
    client.quotas.set_data(A, volume=100, last_volume_added=100, expiry_date=LATER.isoformat())


def _sms(client: EmnifyClient, sandbox: InProcess) -> None:
    client.sms.send(A, payload="on")


def _stream(client: EmnifyClient, sandbox: InProcess) -> None:
    client.data_streams.create(name="usage", destination=S3, data_stream_type_id=1)
    sandbox.clock.advance(60)


def _broken_stream(client: EmnifyClient, sandbox: InProcess) -> None:
    _stream(client, sandbox)
    sandbox.state.data_streams[1].status = DataStreamStatus.ERROR


def _attachment(client: EmnifyClient, sandbox: InProcess) -> None:
    client.cloud_connect.create_vpn(name="office", public_ip="203.0.113.7", on_prem_cidr=["10.8.0.0/16"])
    sandbox.clock.advance(60)


def _user(client: EmnifyClient, sandbox: InProcess) -> None:
    sandbox.state.add_user("ada@example.org", "Ada", [2], sandbox.clock.time())


def _attached(sandbox: InProcess) -> Any:
    there = sandbox.state.attachments.values()
    return [one for one in there if one.status not in {DEACTIVATING, DEACTIVATED}]


def _endpoints(sandbox: InProcess) -> list[Any]:
    return [sandbox.state.endpoints[key] for key in (A, B)]


def _tags(sandbox: InProcess, key: int) -> set[str]:
    return {sandbox.state.tags[number].name for number in sandbox.state.endpoints[key].tag_ids}


def _operations(sandbox: InProcess, action: str) -> list[Any]:
    return [one for one in sandbox.state.euicc_operations.values() if one.action == action]


def _plan(sandbox: InProcess) -> dict[str, Any]:
    path = f"{gettempdir()}/plan-{sandbox.url.rpartition(':')[2]}.jsonl"
    return {"devices": [{"id": A, "name": "pump"}], "key": "id", "plan_path": path}


def _number(names: dict[int, str], name: str) -> int:
    return next(key for key, value in names.items() if value == name)


BOTH = {"endpoint_ids": [A, B]}
CASES = [
    Case(
        "EmnifyOperator",
        {"call": "endpoints.update", "arguments": {"endpoint_id": A, "name": "pump"}},
        lambda s: s.state.endpoints[A].name == "pump",
    ),
    Case("EmnifyGraphqlOperator", {"query": "query Me { myUser { username } }"}),
    Case(
        "EmnifyCreateUserOperator",
        {"username": "eve@example.org", "name": "Eve", "role_ids": [2]},
        lambda s: s.state.user_by_name("eve@example.org"),
    ),
    Case(
        "EmnifyInviteUserOperator",
        {"username": "eve@example.org", "name": "Eve", "role_ids": [2]},
        lambda s: s.state.user_by_name("eve@example.org"),
    ),
    Case(
        "EmnifyUpdateUserOperator",
        {"user_id": "ada@example.org", "name": "Countess"},
        lambda s: s.state.user_by_name("ada@example.org").name == "Countess",
        _user,
    ),
    Case(
        "EmnifyDeleteUserOperator",
        {"user_id": "ada@example.org", "confirm": True},
        lambda s: s.state.user_by_name("ada@example.org") is None,
        _user,
        takes_away=True,
    ),
    Case(
        "EmnifyAssignUserRolesOperator",
        {"user_id": "ada@example.org", "role_ids": [3]},
        lambda s: 3 in s.state.user_by_name("ada@example.org").role_ids,
        _user,
        done_by_conflict=True,
    ),
    Case(
        "EmnifyCreateEndpointsOperator",
        {
            "endpoints": [{"name": "a", "sim_id": FREE, "activate_sim": True}, {"name": "b"}],
            "service_profile_id": 1,
            "tariff_profile_id": 1,
        },
        lambda s: {"a", "b"} <= {one.name for one in s.state.endpoints.values()},
    ),
    Case(
        "EmnifyUpdateEndpointsOperator",
        {**BOTH, "tags": "pump"},
        lambda s: all(one.tags == "pump" for one in _endpoints(s)),
    ),
    Case(
        "EmnifyDeleteEndpointsOperator",
        {**BOTH, "confirm": True},
        lambda s: not {A, B} & {*s.state.endpoints},
        takes_away=True,
    ),
    Case(
        "EmnifySetEndpointStatusOperator",
        {**BOTH, "status": "disabled", "sim_status": "suspended"},
        lambda s: (
            {one.status for one in _endpoints(s)} == {EndpointStatus.DISABLED}
            and {s.state.sims[one.sim_id].status for one in _endpoints(s)} == {SimStatus.SUSPENDED}
        ),
    ),
    Case(
        "EmnifyAssignSimOperator",
        {"endpoint_ids": [A], "sim_ids": [FREE]},
        lambda s: s.state.endpoints[A].sim_id == FREE,
        lambda client, s: _bare(s, A),
    ),
    Case(
        "EmnifyReleaseSimOperator",
        {"sim_ids": [SIM_A]},
        lambda s: s.state.sims[SIM_A].endpoint_id is None,
        takes_away=True,
    ),
    Case("EmnifyResetConnectivityOperator", BOTH, lambda s: s.counts[RESET] == 2),
    Case("EmnifyLocateEndpointsOperator", BOTH),
    Case(
        "EmnifyBlockNetworkOperator",
        {"endpoint_ids": [A], "operator_ids": [4]},
        lambda s: 4 in s.state.blacklists.get(A, []),
        done_by_conflict=True,
    ),
    Case(
        "EmnifyUnblockNetworkOperator",
        {"endpoint_ids": [A], "operator_ids": [4]},
        lambda s: not s.state.blacklists.get(A),
        lambda client, s: client.endpoints.block_operator(A, operator_id=4),
        takes_away=True,
    ),
    Case(
        "EmnifySendSmsOperator",
        {**BOTH, "text": "on"},
        lambda s: {one.endpoint_id for one in s.state.sms.values()} == {A, B},
    ),
    Case(
        "EmnifyCancelSmsOperator",
        {"sms_ids": [f"{A}/1"]},
        lambda s: s.state.sms[1].status.name == "CANCELED",
        _sms,
        takes_away=True,
        settings={"sms_delivered_after": 1e9},
    ),
    Case(
        "EmnifySetQuotaOperator",
        {**BOTH, "volume": 50, "expiry_date": LATER.isoformat()},
        lambda s: (
            [s.state.quotas[key, "data"].volume for key in (A, B) if (key, "data") in s.state.quotas]
            == [50, 50]
        ),
    ),
    Case(
        "EmnifyTopUpQuotaOperator",
        {"endpoint_ids": [A], "volume": 50},
        lambda s: s.state.quotas[A, "data"].volume == 150,
        _quota,
    ),
    Case(
        "EmnifyClearQuotaOperator",
        {"endpoint_ids": [A]},
        lambda s: (A, "data") not in s.state.quotas,
        _quota,
        takes_away=True,
    ),
    Case(
        "EmnifyExtendTrafficLimitOperator",
        {**BOTH, "volume": 5},
        lambda s: {one.endpoint_id for one in s.state.extensions.values()} == {A, B},
    ),
    Case(
        "EmnifyClearTrafficLimitExtensionsOperator",
        {"endpoint_ids": [A]},
        lambda s: not s.state.extensions,
        lambda client, s: client.traffic_limits.extend(A, volume=5_000_000),
        takes_away=True,
    ),
    Case(
        "EmnifyAddTagsOperator",
        {**BOTH, "tags": "tracker"},
        lambda s: _tags(s, A) & _tags(s, B) == {"tracker"},
    ),
    Case(
        "EmnifyRemoveTagsOperator",
        {"endpoint_ids": [A], "tags": "tracker"},
        lambda s: not _tags(s, A),
        lambda client, s: client.endpoints.assign_tag(A, tag_id=2),
        takes_away=True,
    ),
    Case(
        "EmnifySetSimStatusOperator",
        {"sim_ids": [SIM_A], "status": "suspended"},
        lambda s: s.state.sims[SIM_A].status is SimStatus.SUSPENDED,
    ),
    Case(
        "EmnifyRegisterSimBatchOperator",
        {"bic": BATCH, "sim_status": "issued"},
        lambda s: s.state.batches[BATCH].organisation_id is not None,
        lambda client, s: s.add_batch(BATCH, 2),
    ),
    Case(
        "EmnifyDeleteSimsOperator",
        {"sim_ids": [FREE], "confirm": True},
        lambda s: FREE not in s.state.sims or s.state.sims[FREE].status is SimStatus.DELETED,
        takes_away=True,
    ),
    Case(
        "EmnifyMigrateSimsOperator",
        {"sim_ids": [FREE], "target_workspace_id": 101, "dry_run": False},
        lambda s: s.state.sims[FREE].organisation_id == 101,
        as_user=True,
    ),
    Case(
        "EmnifyEuiccOperationOperator",
        {"euicc_ids": [3000001], "action": AUDIT},
        lambda s: len(_operations(s, AUDIT)) == 1,
    ),
    Case("EmnifySimOperationOperator", {"sim_ids": [ESIM], "action": LINK}, lambda s: s.state.sim_operations),
    Case(
        "EmnifyCreateDataStreamOperator",
        {"name": "usage", "destination": S3},
        lambda s: [one.name for one in s.state.data_streams.values()] == ["usage"],
    ),
    Case(
        "EmnifyUpdateDataStreamOperator",
        {"data_stream_id": 1, "status": "paused"},
        lambda s: s.state.data_streams[1].status is DataStreamStatus.PAUSED,
        _stream,
    ),
    Case(
        "EmnifyRestartDataStreamOperator",
        {"data_stream_id": 1},
        lambda s: s.state.data_streams[1].status is DataStreamStatus.RUNNING,
        _broken_stream,
    ),
    Case(
        "EmnifyDeleteDataStreamOperator",
        {"data_stream_id": 1, "confirm": True},
        lambda s: not s.state.data_streams,
        _stream,
        takes_away=True,
        done_by_conflict=True,
    ),
    Case("EmnifyCreateCloudConnectOperator", {"name": "office", **VPN}, _attached),
    Case(
        "EmnifyDeleteCloudConnectOperator",
        {"attachment_id": "office", "confirm": True},
        lambda s: not _attached(s),
        _attachment,
        takes_away=True,
    ),
    Case("EmnifyPlanFleetOperator", _plan),
    Case(
        "EmnifyApplyFleetOperator",
        lambda s: {"plan": PUBLIC["EmnifyPlanFleetOperator"](task_id="p", **_plan(s)).execute(context())},
        lambda s: s.state.endpoints[A].name == "pump",
    ),
    Case(
        "EmnifySetUpCallbacksOperator",
        {"api_server_url": "https://airflow.example.org", "service_profile_ids": [1]},
        lambda s: s.state.api_secrets and s.state.api_callbacks,
        extra={
            "api_secret": "of more than sixty-four octets, as it has to be for HMAC with SHA-512, or longer"
        },
    ),
    Case(
        "EmnifySmsReplySensor",
        {"endpoint_ids": [A], "since": datetime.now(UTC) - timedelta(days=1)},
        None,
        lambda client, s: s.send_sms(A, "BATTERY 7"),
    ),
    Case("EmnifyEndpointStatusSensor", {**BOTH, "target_status": "enabled"}),
    Case("EmnifyEndpointConnectivitySensor", {**BOTH, "target_status": "online"}),
    Case("EmnifySimStatusSensor", {"sim_ids": [SIM_A], "target_status": "activated"}),
    Case("EmnifySmsDeliverySensor", {"sms_ids": [f"{A}/1"]}, None, _sms),
    Case("EmnifyUserStatusSensor", {"user_ids": [1001]}),
    Case("EmnifyQuotaSensor", {"endpoint_ids": [A]}, None, _quota),
    Case("EmnifyEventSensor", {"since": datetime.now(UTC) - timedelta(days=29)}),
    Case(
        "EmnifyEuiccOperationSensor",
        lambda s: {"operation_ids": [f"3000001/{key}" for key in s.state.euicc_operations]},
        None,
        lambda client, s: client.euiccs.schedule_operation(
            3000001, action_id=_number(s.state.lookups.euicc_actions, AUDIT)
        ),
    ),
    Case(
        "EmnifySimOperationSensor",
        lambda s: {"operation_ids": [*s.state.sim_operations]},
        None,
        lambda client, s: client.sim_operations.trigger(
            action_id=_number(s.state.lookups.sim_actions, LINK), sim_ids=[ESIM]
        ),
    ),
    Case("EmnifyDataStreamSensor", {"data_stream_ids": [1]}, None, _stream),
    Case("EmnifyCloudConnectSensor", {"attachment_ids": [1]}, None, _attachment),
    Case("EmnifySimBatchSensor", {"bics": [BATCH]}, None, lambda client, s: s.add_batch(BATCH, 2)),
]
RESET = "PATCH /api/v1/endpoint/{endpoint_id}/connectivity"
