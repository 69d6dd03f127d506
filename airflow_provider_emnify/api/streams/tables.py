"""The columns of the streams of things: endpoints, SIMs, events, profiles. Usage has a module of its own."""

from __future__ import annotations

from airflow_provider_emnify.api.streams.columns import (
    DEVICE,
    Column,
    Columns,
    ColumnType,
    boolean,
    decimal,
    each,
    integer,
    json,
    lookup,
    reference,
    text,
    timestamp,
    to_severity,
)

ENDPOINTS: Columns = (
    integer("id"),
    text("name"),
    *lookup("status"),
    *each(text, "tags", "imei", "imei_with_luhn"),
    boolean("imei_lock"),
    text("ip_address"),
    integer("ip_address_space_id", "ip_address_space.id"),
    *reference("service_profile"),
    *reference("tariff_profile"),
    integer("sim_id", "sim.id"),
    *each(text, "iccid", "iccid_with_luhn", "imsi", "msisdn", "eid", of="sim"),
    *lookup("sim_status", "sim.status"),
    integer("sim_profile_type_id", "sim.sim_profile_type.id"),
    json("euicc_profile", "sim.euicc_profile_data"),
    json("tag_assignments"),
    *each(text, "msc", "sgsn", "sgsn_ip_address", within="runtime_data"),
    *each(timestamp, "created", "last_updated"),
)


def _organisation(name: str) -> Columns:
    return (*reference(name), text(f"{name}_country", f"{name}.country.iso_code"))


SIMS: Columns = (
    integer("id"),
    *each(text, "iccid", "iccid_with_luhn", "imsi", "msisdn", "eid"),
    *lookup("status"),
    integer("endpoint_id", "endpoint.id"),
    text("endpoint", "endpoint.name"),
    *_organisation("issuer_org"),
    *_organisation("reseller_org"),
    *_organisation("customer_org"),
    *lookup("model"),
    integer("model_memory_size", "model.memory_size"),
    *reference("model_formfactor", "model.formfactor"),
    *reference("model_manufacturer", "model.manufacturer"),
    boolean("satellite_capable"),
    *each(timestamp, "production_date", "activation_date"),
)
SIMS_IGNORED = tuple(
    f"{organisation}.country.{field}"
    for organisation in ("issuer_org", "reseller_org", "customer_org")
    for field in ("id", "name", "country_code", "mcc", "latitude", "longitude")
)

EVENTS: Columns = (
    integer("id"),
    timestamp("timestamp"),
    boolean("alert"),
    text("description"),
    integer("type_id", "event_type.id"),
    text("type", "event_type.description", "event_type.name"),
    integer("source_id", "event_source.id"),
    text("source", "event_source.description", "event_source.name"),
    integer("severity_id", "event_severity.id"),
    Column("severity", ColumnType.TEXT, ("event_severity.description", "event_severity.name"), to_severity),
    *reference("organisation"),
    integer("user_id", "user.id"),
    *each(text, "username", "name", of="user"),
    *DEVICE,
    *reference("imsi", label="imsi"),
    timestamp("imsi_import_date", "imsi.import_date"),
    json("detail"),
)

USERS: Columns = (
    integer("id"),
    *each(text, "username", "name"),
    *lookup("status"),
    *reference("organisation"),
    timestamp("created"),
)

SMS: Columns = (
    integer("endpoint_id", "endpoint_id", "endpoint.id"),
    integer("id"),
    text("endpoint", "endpoint.name"),
    *lookup("status"),
    *lookup("sms_type"),
    *each(text, "payload", "udh"),
    *each(integer, "dcs", "pid"),
    text("source_address"),
    *lookup("source_address_type"),
    text("dest_address"),
    integer("sim_id"),
    *each(text, "iccid", "msisdn", "imsi", "msc", "gsm_map_error"),
    integer("retry_count"),
    *each(timestamp, "submit_date", "delivery_date", "expiry_date", "final_date"),
    *each(timestamp, "retry_date", "last_delivery_attempt"),
)

EUICCS: Columns = (
    integer("id"),
    text("eid"),
    *lookup("status"),
    *lookup("supported_profile_type"),
    *lookup("eim"),
    *reference("issuer_org"),
    *reference("customer_org"),
    json("profiles", "profile"),
    *each(timestamp, "created", "last_audited", "last_polled", "last_synced"),
)

TAGS: Columns = (
    integer("id"),
    text("name"),
    integer("color_id", "tag_color.id", "color.id"),
    integer("resource_count"),
)

SERVICE_PROFILES: Columns = (
    integer("id"),
    *each(text, "name", "description"),
    integer("used_count"),
    *each(boolean, "allowed_3g", "allowed_4g", "allowed_nb_iot", "allowed_nb_iot_geo"),
    *each(boolean, "apply_sms_quota", "apply_data_quota", "retail"),
    *each(boolean, "sms_p2p_int", "sms_p2p_ext", "prepaid", "nipdp"),
    integer("api_callback_id", "api_callback.id"),
    integer("moc_callback_id", "moc_callback.id"),
    integer("dns_id", "dns.id"),
    *lookup("esme_interface_type"),
    *reference("breakout_region"),
    json("ip_firewall_rule_set"),
)
SERVICE_PROFILES_IGNORED = (
    "api_secret",
    *(f"{name}.{url}" for name in ("api_callback", "moc_callback") for url in ("url", "callback_url")),
)
"""The URL of a callback may hold a secret."""

TARIFF_PROFILES: Columns = (
    integer("id"),
    *each(text, "name", "description"),
    *each(integer, "used_count", "organisation_id"),
    *reference("tariff"),
    text("tariff_description", "tariff.description"),
    timestamp("tariff_created", "tariff.created"),
    integer("tariff_status_id", "tariff.tariff_status_id"),
    text("currency", "tariff.currency.code"),
    *each(decimal, "default_sms_mt_rate", "default_sms_mo_rate", within="tariff"),
    *each(decimal, "sim_issued_rate", "sim_activated_rate", "sim_suspended_rate", within="tariff"),
    *each(decimal, "sim_activation_rate", "sim_reactivation_rate", within="tariff"),
    *each(decimal, "sim_suspension_rate", "sim_termination_rate", within="tariff"),
    *each(integer, "data_throttle_id", "data_blocksize_id", within="tariff"),
    json("inclusive_volumes", "inclusive_volume"),
)
TARIFF_PROFILES_IGNORED = (
    *(f"tariff.{name}" for name in ("organisation_id", "currency_id", "public", "tariff_category_id")),
    *(f"tariff.{name}" for name in ("visibility_id", "tariff_currency_category_id", "used_count")),
    *("tariff.assigned_count", "tariff.currency.id", "tariff.currency.symbol"),
)

NETWORK_OPERATORS: Columns = (
    integer("id"),
    text("name"),
    integer("country_id", "country.id"),
    text("country", "country.name", "country_name"),
    text("country_iso_code", "country.iso_code"),
    integer("country_mcc", "country.mcc"),
    json("mncs", "mnc", "mncs"),
    json("tapcodes", "tapcode", "tapcodes"),
)
NETWORK_OPERATORS_IGNORED = (
    "country_name",
    "name_and_country",
    *(f"country.{x}" for x in ("country_code", "latitude", "longitude")),
)

APPLICATION_TOKENS: Columns = (
    integer("id"),
    text("description"),
    *lookup("status"),
    text("ip"),
    integer("creator_id", "creator.id"),
    text("creator", "creator.username", "creator.name"),
    *each(timestamp, "created", "expiry_date"),
)

QUOTAS: Columns = (
    integer("endpoint_id"),
    *lookup("status"),
    *each(decimal, "volume", "last_volume_added", "threshold_percentage", "threshold_volume"),
    boolean("auto_refill"),
    *lookup("action_on_exhaustion"),
    decimal("peak_throughput"),
    *each(timestamp, "expiry_date", "last_status_change_date"),
)

CONNECTIVITY: Columns = (
    integer("endpoint_id"),
    text("status", "status.description"),
    *each(text, "iccid", "imsi", within="location"),
    *reference("country", "location.country"),
    text("country_iso_code", "location.country.iso_code"),
    *reference("operator", "location.operator"),
    json("operator_mncs", "location.operator.mnc"),
    timestamp("last_updated", "location.last_updated"),
    integer("pdp_context_id", "pdp_context.pdp_context_id"),
    *each(text, "ue_ip_address", "apn", within="pdp_context"),
    text("rat_type", "pdp_context.rat_type.description"),
    timestamp("pdp_created", "pdp_context.created"),
    json("services"),
)
CONNECTIVITY_IGNORED = ("status.id", "location.country.mcc", "pdp_context.rat_type.id")
