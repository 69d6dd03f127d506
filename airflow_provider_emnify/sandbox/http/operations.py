"""The operations of the emnify REST API: path templates and their methods."""

from __future__ import annotations

_TABLE = """
/api/v1/api_callback GET POST
/api/v1/api_callback/{api_callback_id} GET DELETE
/api/v1/api_secret GET POST
/api/v1/api_secret/{api_secret_id} GET DELETE
/api/v1/application_token GET POST
/api/v1/application_token/{app_token_id} PATCH
/api/v1/authenticate POST
/api/v1/authenticate/workspace POST
/api/v1/automation GET POST
/api/v1/automation/action GET
/api/v1/automation/action/{id} GET
/api/v1/automation/log GET
/api/v1/automation/recipient/email/verification POST
/api/v1/automation/{id} GET DELETE PATCH
/api/v1/breakout_region GET
/api/v1/cnc/breakout GET
/api/v1/cnc/breakout/tgw POST
/api/v1/cnc/breakout/vpn POST
/api/v1/cnc/breakout/{cloudconnect_attachment_id} GET DELETE PATCH
/api/v1/cnc/breakout_type GET
/api/v1/cnc/breakout_type/{breakout_type_id}/available_region GET
/api/v1/cnc/pricing GET
/api/v1/country GET
/api/v1/currency GET
/api/v1/data_blocksize GET
/api/v1/data_throttle GET
/api/v1/dns GET POST
/api/v1/dns/{dns_id} DELETE
/api/v1/endpoint GET POST
/api/v1/endpoint/status GET
/api/v1/endpoint/{endpoint_id} GET DELETE PATCH
/api/v1/endpoint/{endpoint_id}/connectivity GET PATCH
/api/v1/endpoint/{endpoint_id}/connectivity_info GET
/api/v1/endpoint/{endpoint_id}/event GET
/api/v1/endpoint/{endpoint_id}/operator_blacklist GET
/api/v1/endpoint/{endpoint_id}/operator_blacklist/{operator_id} PUT DELETE
/api/v1/endpoint/{endpoint_id}/quota/data GET POST DELETE
/api/v1/endpoint/{endpoint_id}/quota/sms GET POST DELETE
/api/v1/endpoint/{endpoint_id}/sms GET POST
/api/v1/endpoint/{endpoint_id}/sms/{sms_id} GET DELETE
/api/v1/endpoint/{endpoint_id}/stats GET
/api/v1/endpoint/{endpoint_id}/stats/daily GET
/api/v1/endpoint/{endpoint_id}/traffic_limit_extension GET POST DELETE
/api/v1/esme_interface_type GET
/api/v1/euicc GET
/api/v1/euicc/operation/action GET
/api/v1/euicc/operation/status GET
/api/v1/euicc/profile/status GET
/api/v1/euicc/status GET
/api/v1/euicc/unlinked_validation POST
/api/v1/euicc/{euicc_id} GET
/api/v1/euicc/{euicc_id}/operation GET POST
/api/v1/euicc/{euicc_id}/operation/{operation_id} GET DELETE
/api/v1/event GET
/api/v1/event/custom/configuration GET POST
/api/v1/event/custom/configuration/{custom_event_id} GET DELETE
/api/v1/event/custom/template GET
/api/v1/event/custom/template/{template_id} GET
/api/v1/event/system/configuration GET
/api/v1/event/system/configuration/{system_event_id} GET
/api/v1/event/type GET
/api/v1/ip_address_space GET POST
/api/v1/ip_address_space/available GET
/api/v1/ip_address_space/{address_space_id} PUT DELETE
/api/v1/operator GET
/api/v1/organisation/my GET
/api/v1/organisation/status GET
/api/v1/organisation/{org_id_or_my}/inclusive_volume/active GET
/api/v1/organisation/{org_id_or_my}/inclusive_volume/{inclusive_volume_id} PUT
/api/v1/organisation/{org_id_or_my}/stats GET
/api/v1/organisation/{org_id_or_my}/stats/daily GET
/api/v1/organisation/{org_id_or_my}/stats/hourly GET
/api/v1/organisation/{org_id_or_my}/tariff_plan/active GET
/api/v1/organisation/{org_id}/tariff PATCH
/api/v1/organisation/{org_id}/tariff_plan GET
/api/v1/rat_type GET
/api/v1/service GET
/api/v1/service/{service_id}/traffic_limit GET
/api/v1/service_level GET
/api/v1/service_profile GET POST
/api/v1/service_profile/{profile_id} GET DELETE PATCH
/api/v1/service_profile/{profile_id}/quota/{quota_type} DELETE
/api/v1/service_profile/{profile_id}/service/{service_id} PUT DELETE
/api/v1/service_profile/{profile_id}/service/{service_id}/traffic_limit/{limit_id} PUT DELETE
/api/v1/service_profile/{profile_id}/traffic_limit GET POST DELETE
/api/v1/service_profile/{profile_id}/traffic_limit/{limit_id} DELETE
/api/v1/sim GET
/api/v1/sim/migration/workspace POST
/api/v1/sim/multi DELETE
/api/v1/sim/operation GET POST
/api/v1/sim/operation/action GET
/api/v1/sim/operation/status GET
/api/v1/sim/operation/{operation_id} GET
/api/v1/sim/status GET
/api/v1/sim/unlinked_product_stats GET
/api/v1/sim/{sim_id} GET DELETE PATCH
/api/v1/sim/{sim_id}/event GET
/api/v1/sim/{sim_id}/stats GET
/api/v1/sim/{sim_id}/stats/daily GET
/api/v1/sim_batch/bic/{bic} GET PATCH
/api/v1/stats/daily GET
/api/v1/tariff_plan/active GET
/api/v1/tariff_profile GET POST
/api/v1/tariff_profile/{tariff_profile_id} GET DELETE PATCH
/api/v1/tariff_profile/{tariff_profile_id}/coverage GET
/api/v1/tariff_profile/{tariff_profile_id}/inclusive_volume/{inclusive_volume_id} PUT DELETE
/api/v1/tariff_profile/{tariff_profile_id}/ratezone_selection/{ratezone_id} PUT DELETE
/api/v1/traffic_limit GET
/api/v1/user GET POST
/api/v1/user/activation POST
/api/v1/user/activation_resend POST
/api/v1/user/mfa POST
/api/v1/user/mfa/status GET
/api/v1/user/mfa/type GET
/api/v1/user/mfa/{key_id} PATCH
/api/v1/user/password PATCH
/api/v1/user/role GET
/api/v1/user/status GET
/api/v1/user/{user_id} GET DELETE PATCH
/api/v1/user/{user_id}/event GET
/api/v1/user/{user_id}/mfa/trusted_device GET
/api/v1/user/{user_id}/mfa/trusted_device/{device_id} DELETE
/api/v1/user/{user_id}/mfa/{key_id} DELETE
/api/v1/user/{user_id}/role/permission GET
/api/v1/user/{user_id}/role/{role_id} PUT DELETE
/api/v2/bulk-operations/endpoint/add-tags POST
/api/v2/bulk-operations/endpoint/remove-tags POST
/api/v2/bulk-operations/tag/delete-tags POST
/api/v2/data_stream GET POST
/api/v2/data_stream/filter_field_type GET
/api/v2/data_stream/status GET
/api/v2/data_stream/type GET
/api/v2/data_stream/{data_stream_id} GET DELETE PATCH
/api/v2/data_stream/{data_stream_id}/restart POST
/api/v2/endpoint/multi POST DELETE PATCH
/api/v2/endpoint/{endpoint_id}/tags GET POST
/api/v2/endpoint/{endpoint_id}/tags/{tag_id} DELETE
/api/v2/tag-colors GET
/api/v2/tags GET POST
/api/v2/tags/{tag_id} DELETE PATCH
/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator GET
/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id} GET PUT DELETE
/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}/rat_type POST
/api/v2/tariff_profile/{tariff_profile_id}/operator_blocklist/operator/{operator_id}/rat_type/{rate_type_id} DELETE
/api/v2/user/activation POST
/api/v2/user/invitation POST
/api/v2/user/{user_id}/default_organisation/{workspace_id} PUT
/api/v2/user/{user_id}/support_token POST
/api/v2/user/{user_id}/workspace GET
/api/v2/user/{user_id}/workspace/{workspace_id} DELETE PATCH
/api/v2/user/{user_id}/workspace/{workspace_id}/role/{role_id} PUT DELETE
/api/v2/workspace/stats/daily GET
"""  # noqa: E501 - one operation a line

OPERATIONS: tuple[tuple[str, str], ...] = tuple(
    (method, template)
    for template, *methods in (line.split() for line in _TABLE.strip().splitlines())
    for method in methods
)
"""Every (method, path template)."""

GRAPHQL = ("POST", "/graphql")
"""What is served beside the REST API."""
