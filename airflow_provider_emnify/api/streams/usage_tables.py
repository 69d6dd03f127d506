"""The columns of the streams of usage, and of the usage records that the Data Streamer delivers."""

from __future__ import annotations

from airflow_provider_emnify.api.streams.columns import (
    DEVICE,
    Columns,
    boolean,
    day,
    decimal,
    each,
    integer,
    lookup,
    reference,
    text,
    timestamp,
)


def _volumes(name: str, path: str | None = None) -> Columns:
    """Return the columns of one kind of traffic."""
    path = path or name
    return (
        *(decimal(f"{name}_{field}", f"{path}.{field}") for field in ("volume", "volume_rx", "volume_tx")),
        text(f"{name}_unit", f"{path}.traffic_type.unit"),
        decimal(f"{name}_cost", f"{path}.cost"),
        text(f"{name}_currency", f"{path}.currency.code"),
    )


def _volume_details(*paths: str) -> tuple[str, ...]:
    fields = ("currency_id", "currency.id", "currency.symbol", "month")
    more = ("traffic_type_id", "traffic_type.id", "traffic_type.description")
    return tuple(f"{path}.{field}" for path in paths for field in (*fields, *more))


_KINDS = ("data", "sms", "sat_geo_data", "sat_geo_sms")
USAGE_IGNORED = _volume_details(*_KINDS)

ORGANISATION_DAILY: Columns = (
    integer("organisation_id"),
    day("date"),
    *_volumes("data"),
    *_volumes("sms"),
)

_SIM_STATES = ("issued", "factory_mode", "active", "suspended", "total")
ORGANISATION_MONTHLY: Columns = (
    integer("organisation_id"),
    day("month"),
    *_volumes("data"),
    *_volumes("sms"),
    *(integer(f"sims_{state}", f"sim.{state}") for state in _SIM_STATES),
    *each(integer, "active_chargeable_sims", "service_profiles", "tariff_profiles", "users"),
    decimal("hosting_fees"),
    *each(decimal, "unpooled", "pooled", of="inclusive_volume"),
    decimal("prepaid_balance", "prepaid_balance.amount"),
    text("prepaid_currency", "prepaid_balance.currency.code"),
)
ORGANISATION_MONTHLY_IGNORED = (
    *USAGE_IGNORED,
    *("prepaid_balance.currency.id", "prepaid_balance.currency.symbol", "prepaid_balance.last_updated"),
)

ORGANISATION_HOURLY: Columns = (
    integer("organisation_id"),
    timestamp("hour"),
    *(decimal(f"{kind}_volume_{way}", f"{kind}.{way}") for kind in ("data", "sms") for way in ("rx", "tx")),
)

ENDPOINT_DAILY: Columns = (
    integer("endpoint_id"),
    day("date"),
    *_volumes("data"),
    *_volumes("sms"),
    *_volumes("sat_geo_data"),
    *_volumes("sat_geo_sms"),
)
SIM_DAILY: Columns = (integer("sim_id"), *ENDPOINT_DAILY[1:])

WORKSPACE_DAILY: Columns = (
    integer("workspace_id"),
    day("date"),
    *(column for kind in _KINDS for column in _volumes(kind, f"{kind}_volume")),
)
WORKSPACE_DAILY_IGNORED = _volume_details(*(f"{kind}_volume" for kind in _KINDS))

INCLUSIVE_VOLUMES: Columns = (
    integer("id"),
    *each(decimal, "volume", "rate"),
    boolean("pooled"),
    text("currency", "currency.code"),
    *reference("tariff"),
    integer("tariff_status_id", "tariff.tariff_status_id"),
    *reference("ratezone", "tariff.ratezone"),
    integer("ratezone_status_id", "tariff.ratezone.ratezone_status_id"),
    *each(timestamp, "start_date", "end_date"),
)
INCLUSIVE_VOLUMES_IGNORED = ("currency.id", "currency.symbol")

# What the Data Streamer delivers apart from events, which have the columns of EVENTS.
USAGE_RECORDS: Columns = (
    integer("id"),
    *lookup("traffic_type"),
    *each(timestamp, "start_timestamp", "end_timestamp"),
    *reference("organisation"),
    *DEVICE,
    integer("imsi_id"),
    text("imsi"),
    *reference("operator"),
    text("operator_mnc", "operator.mnc", "operator.mncs"),
    integer("country_id", "operator.country.id", "country.id"),
    text("country", "operator.country.name", "country.name"),
    text("country_mcc", "operator.country.mcc", "country.mcc"),
    *reference("tariff"),
    integer("ratezone_id", "tariff.ratezone.id", "ratezone.id"),
    text("ratezone", "tariff.ratezone.name", "ratezone.name"),
    decimal("volume", "volume.total"),
    *each(decimal, "rx", "tx", of="volume"),
    decimal("cost"),
    integer("currency_id", "currency.id"),
    text("currency", "currency.code"),
    text("session_id"),
)
