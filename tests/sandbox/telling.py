"""A good call of every operation that the sandbox serves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox import Sandbox

Tell = Callable[..., Any]
SIM = 2_000_001
ENDPOINT = 1_000_001
DEVICE = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}
PROPERTY = {"property": "threshold", "value": "5", "value_array": []}
ABOUT = {"organisation": {"id": 100}, "template": {"id": 1}, "name": "Too much"}
EVENT = {**ABOUT, "configuration_properties": [PROPERTY]}
AUTOMATION = {
    "name": "Tell me",
    "description": "",
    "status": "active",
    "actionable_event": {"system_event": {"id": "11"}},
    "configured_actions": [{"action": {"id": "1", "type": "email"}, "properties": [PROPERTY]}],
    "targeting_properties": [],
}
ADMIN = {"username": "admin@example.com", "password": hashlib.sha1(b"sandbox-password").hexdigest()}


def tell_all(tell: Tell, sandbox: Sandbox) -> None:
    """Call every served operation; ``tell`` takes method, template, values of the path, body and query."""
    endpoint, sim, user = {"endpoint_id": ENDPOINT}, {"sim_id": SIM}, {"user_id": 1001}
    tell("POST", "/api/v1/authenticate", body=ADMIN)
    tell("POST", "/api/v1/authenticate/workspace", body={"target_organisation": {"id": 101}})
    tell("GET", "/api/v1/organisation/my")
    for path in ("endpoint", "sim", "event", "user"):
        tell("GET", f"/api/v1/{path}", per_page=10)
    for path in ("endpoint/status", "sim/status", "user/status", "user/role", "event/type"):
        tell("GET", f"/api/v1/{path}")
    tell("GET", "/api/v1/user/mfa/status")
    tell("GET", "/api/v1/user/mfa/type")
    for path in ("", "/connectivity", "/connectivity_info", "/event"):
        tell("GET", "/api/v1/endpoint/{endpoint_id}" + path, endpoint)
    tell("PATCH", "/api/v1/endpoint/{endpoint_id}", endpoint, {"name": "New", "imei": "12345678901234"})
    tell("PATCH", "/api/v1/endpoint/{endpoint_id}/connectivity", endpoint, {"location": None})
    tell("POST", "/api/v2/endpoint/{endpoint_id}/tags", endpoint, {"id": 1})
    tell("GET", "/api/v2/endpoint/{endpoint_id}/tags", endpoint)
    tell("GET", "/api/v1/endpoint", per_page=10)
    tell("DELETE", "/api/v2/endpoint/{endpoint_id}/tags/{tag_id}", {**endpoint, "tag_id": 1})
    created = tell("POST", "/api/v1/endpoint", body={**DEVICE, "sim": {"id": SIM, "activate": False}})
    bare = tell("POST", "/api/v1/endpoint", body=DEVICE)
    tell("DELETE", "/api/v1/endpoint/{endpoint_id}", {"endpoint_id": bare["id"]})
    items = [{"name": "a", "imei": "12345678901234"}, {"sim": {"id": SIM + 1, "activate": True}}]
    tell("POST", "/api/v2/endpoint/multi", body={**DEVICE, "endpoints": items})
    tell("PATCH", "/api/v2/endpoint/multi", body=[{"id": created["id"], "sim": {"id": None}}])
    tell("DELETE", "/api/v2/endpoint/multi", body=[{"id": created["id"]}], delete_sims="false")
    for path in ("", "/event"):
        tell("GET", "/api/v1/sim/{sim_id}" + path, sim)
    tell("PATCH", "/api/v1/sim/{sim_id}", sim, {"status": {"id": 1}})
    tell("DELETE", "/api/v1/sim/{sim_id}", {"sim_id": SIM + 2})
    tell("DELETE", "/api/v1/sim/multi", body=[{"id": SIM + 3}])
    tell_sms(tell, endpoint)
    tell_quotas(tell, endpoint)
    tell_tags(tell, endpoint)
    tell_network(tell, endpoint)
    tell_sims_on_the_move(tell)
    tell_esims(tell, sandbox)
    tell_data_streams(tell, sandbox)
    tell_callbacks(tell, sandbox)
    tell_cloud_connect(tell, sandbox)
    tell_usage(tell, endpoint)
    tell_lookups(tell)
    tell_service_profiles(tell, endpoint)
    tell_tariff_profiles(tell)
    tell_addresses(tell)
    tell_automations(tell)
    tell_application_tokens(tell)
    tell_users(tell, sandbox, user)


def tell_users(tell: Tell, sandbox: Sandbox, user: dict[str, int]) -> None:
    tell("POST", "/api/v1/user", body={"username": "one@example.com", "name": "One"})
    invited = tell("POST", "/api/v2/user/invitation", body={"username": "two@example.com", "name": "Two"})
    keys = [account.activation_key for account in sandbox.state.users.values() if account.activation_key]
    tell("POST", "/api/v1/user/activation", body={"activationKey": keys[0], "password": "x"})
    tell("POST", "/api/v2/user/activation", body={"activationKey": keys[1]})
    tell("POST", "/api/v1/user/activation_resend", body={"username": "x", "g-recaptcha-response": "x"})
    for path in ("", "/event", "/role/permission", "/mfa/trusted_device"):
        tell("GET", "/api/v1/user/{user_id}" + path, user)
    guest = {"user_id": invited["id"]}
    tell("PATCH", "/api/v1/user/{user_id}", guest, {"name": "Guest", "status": {"id": 2}})
    tell("PUT", "/api/v1/user/{user_id}/role/{role_id}", {**guest, "role_id": 2})
    tell("DELETE", "/api/v1/user/{user_id}/role/{role_id}", {**guest, "role_id": 2})
    tell("DELETE", "/api/v1/user/{user_id}", guest)
    tell("PATCH", "/api/v1/user/password", body={"old_password": ADMIN["password"], "new_password": "x"})
    key = tell("POST", "/api/v1/user/mfa", body={"type": {"id": 1}, "password": "x"})
    tell("PATCH", "/api/v1/user/mfa/{key_id}", {"key_id": key["id"]}, {"status": {"id": 1}, "code": "123456"})
    pending = tell("POST", "/api/v1/authenticate", body={**ADMIN, "password": "x"})
    device = {"fingerprint": "f", "operating_system": "Linux", "browser": "none", "name": "worker"}
    second = {"mfa_token": pending["mfa_token"], "code": "123456", "trusted_device": device}
    tokens = tell("POST", "/api/v1/authenticate", body=second)
    tell("POST", "/api/v1/authenticate", body={"refresh_token": tokens["refresh_token"]})
    (device,) = tell("GET", "/api/v1/user/{user_id}/mfa/trusted_device", user)
    template = "/api/v1/user/{user_id}/mfa/trusted_device/{device_id}"
    tell("DELETE", template, {**user, "device_id": device["id"]})
    tell("DELETE", "/api/v1/user/{user_id}/mfa/{key_id}", {**user, "key_id": key["id"]})
    tell("GET", "/api/v2/user/{user_id}/workspace", user)
    tell("POST", "/api/v2/user/{user_id}/support_token", user, {"role": "1"})
    space = {**user, "workspace_id": 101}
    tell("PUT", "/api/v2/user/{user_id}/workspace/{workspace_id}/role/{role_id}", {**space, "role_id": 2})
    tell("DELETE", "/api/v2/user/{user_id}/workspace/{workspace_id}/role/{role_id}", {**space, "role_id": 2})
    tell("PATCH", "/api/v2/user/{user_id}/workspace/{workspace_id}", space, {"status": {"id": 1}})
    tell("PUT", "/api/v2/user/{user_id}/default_organisation/{workspace_id}", space)
    tell("DELETE", "/api/v2/user/{user_id}/workspace/{workspace_id}", {**user, "workspace_id": 100})


def tell_sms(tell: Tell, endpoint: dict[str, int]) -> None:
    path = "/api/v1/endpoint/{endpoint_id}/sms"
    tell("POST", path, endpoint, {"payload": "Hello", "source_address": "123", "dcs": 0})
    (sms,) = tell("GET", path, endpoint)
    tell("GET", path + "/{sms_id}", {**endpoint, "sms_id": sms["id"]})
    tell("DELETE", path + "/{sms_id}", {**endpoint, "sms_id": sms["id"]})


def tell_quotas(tell: Tell, endpoint: dict[str, int]) -> None:
    path = "/api/v1/endpoint/{endpoint_id}/quota/"
    quota = {"volume": 100, "expiry_date": "2090-01-01T00:00:00Z", "status": {"id": "1"}}
    for kind in ("data", "sms"):
        body = {**quota, "threshold_percentage": 20, "action_on_exhaustion": {"id": "1"}}
        tell("POST", path + kind, endpoint, body)
        tell("GET", path + kind, endpoint)
        tell("DELETE", path + kind, endpoint)
    path = "/api/v1/endpoint/{endpoint_id}/traffic_limit_extension"
    tell("POST", path, endpoint, {"volume": 1000})
    assert tell("GET", path, endpoint)
    tell("DELETE", path, endpoint)


def tell_tags(tell: Tell, endpoint: dict[str, int]) -> None:
    tell("GET", "/api/v2/tag-colors")
    first, second = (tell("POST", "/api/v2/tags", body={"name": name})["id"] for name in ("one", "two"))
    tell("PATCH", "/api/v2/tags/{tag_id}", {"tag_id": first}, {"name": "three", "color": {"id": 2}})
    items = {"items": [{"endpoint": {"id": endpoint["endpoint_id"]}, "tags": [{"id": first}]}]}
    tell("POST", "/api/v2/bulk-operations/endpoint/add-tags", body=items)
    assert tell("GET", "/api/v2/tags", name="three")["data"][0]["resource_count"] == 1
    tell("POST", "/api/v2/bulk-operations/endpoint/remove-tags", body=items)
    tell("DELETE", "/api/v2/tags/{tag_id}", {"tag_id": first})
    tell("POST", "/api/v2/bulk-operations/tag/delete-tags", body={"tags": [{"id": second}]})


def tell_network(tell: Tell, endpoint: dict[str, int]) -> None:
    operator = tell("GET", "/api/v1/operator")[0]["id"]
    path = "/api/v1/endpoint/{endpoint_id}/operator_blacklist"
    tell("PUT", path + "/{operator_id}", {**endpoint, "operator_id": operator})
    assert tell("GET", path, endpoint)
    tell("DELETE", path + "/{operator_id}", {**endpoint, "operator_id": operator})


def tell_sims_on_the_move(tell: Tell) -> None:
    body = {"sims": [{"id": SIM + 10}], "target_workspace": {"id": 101}}
    tell("POST", "/api/v1/sim/migration/workspace", body=body)
    tell("POST", "/api/v1/sim/migration/workspace", body={**body, "dry_run": False})
    tell("GET", "/api/v1/sim_batch/bic/{bic}", {"bic": "SANDBOX-0001"})
    tell("PATCH", "/api/v1/sim_batch/bic/{bic}", {"bic": "SANDBOX-0001"}, {"sim_status": {"id": 1}})


def tell_esims(tell: Tell, sandbox: Sandbox) -> None:
    (euicc,) = tell("GET", "/api/v1/euicc", per_page=10)
    one = {"euicc_id": euicc["id"]}
    tell("GET", "/api/v1/euicc/{euicc_id}", one)
    for path in ("euicc/status", "euicc/profile/status", "euicc/operation/status", "sim/operation/status"):
        tell("GET", f"/api/v1/{path}")
    actions = tell("GET", "/api/v1/euicc/operation/action")
    path = "/api/v1/euicc/{euicc_id}/operation"
    iccid = euicc["profile"][1]["iccid_with_luhn"]
    body = [
        {"action": {"id": action["id"]}, "iccid_with_luhn": iccid, "activation_code": "LPA:1$x$y"}
        for action in actions
    ]
    operations = tell("POST", path, one, body)
    tell("GET", path + "/{operation_id}", {**one, "operation_id": operations[0]["id"]})
    tell("DELETE", path + "/{operation_id}", {**one, "operation_id": operations[0]["id"]})
    sandbox.outcomes.add("sim_operation")
    action = tell("GET", "/api/v1/sim/operation/action")[0]
    target = {"action": {"id": action["id"]}, "target": [{"eid": euicc["eid"]}]}
    operation = tell("POST", "/api/v1/sim/operation", body=target)
    sandbox.clock.advance(10)
    tell("GET", path + "/{operation_id}", {**one, "operation_id": operations[1]["id"]})
    tell("GET", path, one)
    tell("GET", "/api/v1/sim/operation/{operation_id}", {"operation_id": operation["id"]})
    tell("GET", "/api/v1/sim/operation", per_page=10)
    tell("POST", "/api/v1/euicc/unlinked_validation", body={"target": [{"eid": euicc["eid"]}]})
    tell("GET", "/api/v1/sim/unlinked_product_stats")


def tell_callbacks(tell: Tell, sandbox: Sandbox) -> None:
    """Callback URLs and API secrets, and a service profile with both."""
    profile, ids = {}, {}
    for name, body in (("api_callback", {"url": "http://127.0.0.1:9/sms"}), ("api_secret", {"purpose": "x"})):
        tell("POST", f"/api/v1/{name}", body=body)
        (found,) = tell("GET", f"/api/v1/{name}")
        ids[name] = {f"{name}_id": found["id"]}
        tell("GET", f"/api/v1/{name}/{{{name}_id}}", ids[name])
        profile[name] = {"id": found["id"]}
    tell("PATCH", "/api/v1/service_profile/{profile_id}", {"profile_id": 1}, profile)
    tell("GET", "/api/v1/service_profile/{profile_id}", {"profile_id": 1})
    nothing = {name: {"id": None} for name in profile}
    tell("PATCH", "/api/v1/service_profile/{profile_id}", {"profile_id": 1}, nothing)
    for name, values in ids.items():
        tell("DELETE", f"/api/v1/{name}/{{{name}_id}}", values)


def tell_data_streams(tell: Tell, sandbox: Sandbox) -> None:
    credentials = {"region": "eu-west-1", "bucket_name": "b", "role_arn": "arn"}
    destination = {"connection_type": "S3", "format": "csv", "credentials": credentials}
    filters = [{"field": "endpoint", "value": ["1"]}]
    body = {
        "name": "stream",
        "destination": destination,
        "filters": filters,
        "data_stream_type": {"id": 1},
        "relation_resolution": True,
    }
    path = "/api/v2/data_stream"
    tell("POST", path, body=body)
    (stream,) = tell("GET", path)
    one = {"data_stream_id": stream["id"]}
    tell("PATCH", path + "/{data_stream_id}", one, {"status": {"id": 2}})
    sandbox.clock.advance(10)
    tell("GET", path + "/{data_stream_id}", one)
    tell("POST", path + "/{data_stream_id}/restart", one)
    tell("DELETE", path + "/{data_stream_id}", one)
    for lookup in ("filter_field_type", "status", "type"):
        tell("GET", f"{path}/{lookup}")


def tell_cloud_connect(tell: Tell, sandbox: Sandbox) -> None:
    path = "/api/v1/cnc/breakout"
    gateway = {
        "type": "1",
        "name": "gateway",
        "vpc_cidr": ["10.1.0.0/16"],
        "region": "eu-west-1",
        "aws_account_id": "123456789012",
    }
    vpn = {"type": {"id": "2"}, "name": "vpn", "public_ip": "192.0.2.1", "on_prem_cidr": ["10.2.0.0/16"]}
    sandbox.outcomes.add("cloud_connect", "gateway", status=2)
    tell("POST", path + "/tgw", body=gateway)
    tell("POST", path + "/vpn", body=vpn)
    first, second = ({"cloudconnect_attachment_id": attachment["id"]} for attachment in tell("GET", path))
    sandbox.clock.advance(8 * 86_400)
    one = path + "/{cloudconnect_attachment_id}"
    tell("GET", one, second)
    tell("PATCH", one, first)
    tell("DELETE", one, second)
    (kind, *_) = tell("GET", "/api/v1/cnc/breakout_type")
    regions = "/api/v1/cnc/breakout_type/{breakout_type_id}/available_region"
    tell("GET", regions, {"breakout_type_id": kind["id"]})
    tell("GET", "/api/v1/cnc/pricing")
    tell("GET", "/api/v1/breakout_region")


def tell_usage(tell: Tell, endpoint: dict[str, int]) -> None:
    days = {"start_date": "2020-01-01", "end_date": "2090-01-01"}
    assert tell("GET", "/api/v1/endpoint/{endpoint_id}/stats", endpoint)
    assert tell("GET", "/api/v1/endpoint/{endpoint_id}/stats/daily", endpoint, **days)
    for path in ("stats", "stats/daily"):
        tell("GET", "/api/v1/sim/{sim_id}/" + path, {"sim_id": SIM + 101})
    one = {"org_id_or_my": "my"}
    for path in ("stats", "stats/daily", "stats/hourly", "inclusive_volume/active", "tariff_plan/active"):
        tell("GET", "/api/v1/organisation/{org_id_or_my}/" + path, one)
    tell("GET", "/api/v1/stats/daily")
    tell("GET", "/api/v2/workspace/stats/daily", **days)
    tell("GET", "/api/v1/tariff_plan/active")


def tell_lookups(tell: Tell) -> None:
    for path in (
        "country",
        "currency",
        "data_blocksize",
        "data_throttle",
        "dns",
        "esme_interface_type",
        "ip_address_space",
        "organisation/status",
        "rat_type",
        "service",
        "service_level",
        "service_profile",
        "tariff_profile",
        "traffic_limit",
    ):
        assert tell("GET", f"/api/v1/{path}")
    tell("GET", "/api/v1/service/{service_id}/traffic_limit", {"service_id": 21})
    tell("GET", "/api/v1/service_profile/{profile_id}", {"profile_id": 1})
    tell("GET", "/api/v1/tariff_profile/{tariff_profile_id}", {"tariff_profile_id": 1})


def tell_service_profiles(tell: Tell, endpoint: dict[str, int]) -> None:
    path = "/api/v1/service_profile/{profile_id}"
    body = {"name": "new", "allowed_4g": False, "dns": {"id": 1}, "breakout_region": {"id": 2}}
    tell("POST", "/api/v1/service_profile", body=body)
    one = {"profile_id": tell("GET", "/api/v1/service_profile")[-1]["id"]}
    tell("PATCH", path, one, {"description": "changed", "esme_interface_type": {"id": 1}})
    service = {**one, "service_id": 21}
    tell("PUT", path + "/service/{service_id}", service)
    limit = {**service, "limit_id": 3}
    tell("PUT", path + "/service/{service_id}/traffic_limit/{limit_id}", limit)
    tell("GET", path, one)
    tell("DELETE", path + "/service/{service_id}/traffic_limit/{limit_id}", limit)
    tell("DELETE", path + "/service/{service_id}", service)
    for satellite_only in (False, True):
        body = {"service": {"id": "38"}, "period": {"id": "2"}, "volume": 1000, "warning_percent": 80}
        tell("POST", path + "/traffic_limit", one, {**body, "satellite_only": satellite_only})
    first, _ = tell("GET", path + "/traffic_limit", one)
    tell("DELETE", path + "/traffic_limit/{limit_id}", {**one, "limit_id": first["id"]})
    tell("DELETE", path + "/traffic_limit", one)
    quota = {"volume": 100, "expiry_date": "2090-01-01T00:00:00Z", "status": {"id": "1"}}
    body = {**quota, "action_on_exhaustion": {"id": "1"}}
    tell("POST", "/api/v1/endpoint/{endpoint_id}/quota/data", endpoint, body)
    tell("DELETE", path + "/quota/{quota_type}", {"profile_id": 1, "quota_type": "data"})
    tell("DELETE", path, one)


def tell_tariff_profiles(tell: Tell) -> None:
    path = "/api/v1/tariff_profile/{tariff_profile_id}"
    body = {"name": "new", "description": "", "tariff": {"id": 1}}
    tell("POST", "/api/v1/tariff_profile", body=body)
    one = {"tariff_profile_id": tell("GET", "/api/v1/tariff_profile")[-1]["id"]}
    tell("PATCH", path, one, {"name": "changed", "tariff": {"id": 2}})
    assert tell("GET", path + "/coverage", one)
    for part, name in (("inclusive_volume", "inclusive_volume_id"), ("ratezone_selection", "ratezone_id")):
        tell("PUT", f"{path}/{part}/{{{name}}}", {**one, name: 1})
        tell("GET", path, one)
        tell("DELETE", f"{path}/{part}/{{{name}}}", {**one, name: 1})
    path = "/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator"
    operator = {**one, "operator_id": 3}
    tell("PUT", path + "/{operator_id}", operator)
    tell("POST", path + "/{operator_id}/rat_type", operator, {"rat_types": [{"id": 6}]})
    assert tell("GET", path, one)
    tell("GET", path + "/{operator_id}", operator)
    tell("DELETE", path + "/{operator_id}/rat_type/{rate_type_id}", {**operator, "rate_type_id": 6})
    tell("DELETE", path + "/{operator_id}", operator)
    tell("DELETE", "/api/v1/tariff_profile/{tariff_profile_id}", one)
    volume = "/api/v1/organisation/{org_id_or_my}/inclusive_volume/{inclusive_volume_id}"
    body = {"start_date": "2050-01-01T00:00:00Z", "end_date": "2050-12-31T00:00:00Z", "pooled": False}
    tell("PUT", volume, {"org_id_or_my": "my", "inclusive_volume_id": 2}, body)
    tell("GET", "/api/v1/organisation/{org_id_or_my}/inclusive_volume/active", {"org_id_or_my": "my"})
    tell("GET", "/api/v1/organisation/{org_id}/tariff_plan", {"org_id": 100})
    tell("PATCH", "/api/v1/organisation/{org_id}/tariff", {"org_id": 100}, {"id": 2})


def tell_addresses(tell: Tell) -> None:
    path = "/api/v1/ip_address_space"
    space = tell("POST", path, body={"ip_address_space": "192.168.0.0/24", "ip_address_version": 4})
    tell("DELETE", path + "/{address_space_id}", {"address_space_id": space["id"]})
    offered = tell("GET", path + "/available")
    tell("PUT", path + "/{address_space_id}", {"address_space_id": offered[0]["id"]})
    assert len(tell("GET", path)) == 2
    tell("POST", "/api/v1/dns", body={"primary": "192.0.2.1", "secondary": "::1", "ip_address_version": 4})
    tell("DELETE", "/api/v1/dns/{dns_id}", {"dns_id": tell("GET", "/api/v1/dns")[-1]["id"]})


def tell_automations(tell: Tell) -> None:
    for path, name in (
        ("automation/action", "id"),
        ("event/custom/template", "template_id"),
        ("event/system/configuration", "system_event_id"),
    ):
        (first, *_) = tell("GET", f"/api/v1/{path}")
        tell("GET", f"/api/v1/{path}/{{{name}}}", {name: first["id"]})
    path = "/api/v1/event/custom/configuration"
    event = {"custom_event_id": tell("POST", path, body=EVENT)["id"]}
    tell("GET", path)
    tell("GET", path + "/{custom_event_id}", event)
    path = "/api/v1/automation"
    started = {"actionable_event": {"custom_event": {"id": event["custom_event_id"]}}}
    tell("POST", path, body={**AUTOMATION, **started})
    one = {"id": tell("POST", path, body=AUTOMATION)["id"]}
    tell("PATCH", path + "/{id}", one, {"status": "inactive"})
    first, second = tell("GET", path)
    assert (first["actionable_event"].keys(), second["status"]) == ({"custom_event"}, "inactive")
    tell("GET", path + "/{id}", one)
    for automation in (first, second):
        tell("DELETE", path + "/{id}", {"id": automation["id"]})
    tell("DELETE", "/api/v1/event/custom/configuration/{custom_event_id}", event)
    tell("GET", path + "/log", automationId="x", automationExecutionNumber=1)
    tell("POST", path + "/recipient/email/verification", body={"token": "x"})


def tell_application_tokens(tell: Tell) -> None:
    body = {"description": "one", "expiry_date": "2090-01-01T00:00:00Z", "ip": "192.0.2.0/24"}
    tell("POST", "/api/v1/application_token", body=body)
    token = tell("GET", "/api/v1/application_token")[-1]
    one = {"app_token_id": token["id"]}
    tell("PATCH", "/api/v1/application_token/{app_token_id}", one, {"status": {"id": 1}})
