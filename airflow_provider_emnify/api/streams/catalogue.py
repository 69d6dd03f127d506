"""What can be synced out of emnify: a table of streams, each with its columns, its key and how it is read.

.. code-block:: python

    stream = get_stream("sims")
    for row in stream.rows(client):
        print(row["iccid"], row["status"])

There are two kinds. A **snapshot** is all there is at the moment of reading. A stream with an **interval**
(events, usage) covers a span of time: reading the same interval again gives the same rows.

``python -m airflow_provider_emnify.api streams`` prints all of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.streams import per_device as devices
from airflow_provider_emnify.api.streams import readers as reading
from airflow_provider_emnify.api.streams import tables
from airflow_provider_emnify.api.streams import usage_tables as usage
from airflow_provider_emnify.api.streams.per_device import Estimate, TooManyCallsError
from airflow_provider_emnify.api.streams.readers import Interval, counted, listed
from airflow_provider_emnify.api.streams.stream import Stream
from airflow_provider_emnify.api.waits.event_filter import LATE_BY

if TYPE_CHECKING:
    from airflow_provider_emnify.api.streams.columns import Column

__all__ = ["STREAMS", "Estimate", "Interval", "Stream", "TooManyCallsError", "get_stream"]


def _device(
    name: str,
    about: str,
    fields: tuple[Column, ...],
    key: tuple[str, ...],
    call: str,
    ask: devices.Ask,
    **more: Any,
) -> Stream:
    """Return a stream that needs a call a device."""
    device = more.setdefault("devices", "endpoint")
    return Stream(
        name,
        about,
        fields,
        key,
        call,
        devices.each(f"{device}s.list", call, ask),
        how=f"one call for each {device}, a few at a time",
        filters_of=f"{device}s.list",
        **more,
    )


_DAILY: dict[str, Any] = {"cursor": "date", "grain": "day", "late_by": timedelta(days=2)}
_ONE_ANSWER: dict[str, Any] = {"how": "one answer", "small": True}

_STREAMS = (
    Stream(
        "endpoints",
        "Endpoints (devices) with their SIM and profiles",
        tables.ENDPOINTS,
        ("id",),
        "endpoints.list",
        listed("endpoints.list"),
        filters_of="endpoints.list",
    ),
    Stream(
        "sims",
        "SIMs",
        tables.SIMS,
        ("id",),
        "sims.list",
        listed("sims.list"),
        filters_of="sims.list",
        ignored=tables.SIMS_IGNORED,
    ),
    Stream(
        "events",
        "Events of endpoints, SIMs and users",
        tables.EVENTS,
        ("id",),
        "events.list",
        reading.events,
        how=f"windows of time with at most {reading.MOST_EVENTS:,} events, in pages",
        filters_of="events.list",
        cursor="timestamp",
        grain="moment",
        late_by=LATE_BY,
        kept=timedelta(days=30),
    ),
    Stream(
        "users",
        "User accounts",
        tables.USERS,
        ("id",),
        "users.list",
        listed("users.list"),
        filters_of="users.list",
    ),
    _device(
        "sms",
        "SMS to and from endpoints",
        tables.SMS,
        ("endpoint_id", "id"),
        "sms.list",
        devices.sms,
    ),
    Stream(
        "euiccs",
        "eUICCs with their profiles",
        tables.EUICCS,
        ("id",),
        "euiccs.list",
        listed("euiccs.list"),
        filters_of="euiccs.list",
    ),
    Stream(
        "tags",
        "Tags of endpoints",
        tables.TAGS,
        ("id",),
        "tags.list",
        counted("tags.list", per_page=100),
        how="pages, again when their count changed",
        filters_of="tags.list",
    ),
    Stream(
        "service_profiles",
        "Service profiles: what endpoints may do",
        tables.SERVICE_PROFILES,
        ("id",),
        "service_profiles.list",
        listed("service_profiles.list"),
        **_ONE_ANSWER,
        ignored=tables.SERVICE_PROFILES_IGNORED,
    ),
    Stream(
        "tariff_profiles",
        "Tariff profiles with the rates of their tariff",
        tables.TARIFF_PROFILES,
        ("id",),
        "tariff_profiles.list",
        listed("tariff_profiles.list"),
        **_ONE_ANSWER,
        ignored=tables.TARIFF_PROFILES_IGNORED,
    ),
    Stream(
        "network_operators",
        "Mobile network operators",
        tables.NETWORK_OPERATORS,
        ("id",),
        "operators.list",
        listed("operators.list"),
        **_ONE_ANSWER,
        ignored=tables.NETWORK_OPERATORS_IGNORED,
    ),
    Stream(
        "application_tokens",
        "Application tokens, without the tokens themselves",
        tables.APPLICATION_TOKENS,
        ("id",),
        "application_tokens.list",
        listed("application_tokens.list"),
        **_ONE_ANSWER,
    ),
    _device(
        "data_quotas",
        "Data quotas of endpoints; volumes in MB",
        tables.QUOTAS,
        ("endpoint_id",),
        "quotas.get_data",
        devices.data_quota,
    ),
    _device(
        "sms_quotas",
        "SMS quotas of endpoints; volumes in SMS",
        tables.QUOTAS,
        ("endpoint_id",),
        "quotas.get_sms",
        devices.sms_quota,
    ),
    Stream(
        "organisation_usage_daily",
        "Usage and cost of the organisation and its children by day",
        usage.ORGANISATION_DAILY,
        ("organisation_id", "date"),
        "organisations.daily_stats",
        reading.organisation_daily,
        **_ONE_ANSWER,
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    Stream(
        "organisation_usage_monthly",
        "Usage and cost of the organisation in this month and the last; counts in the row of this month",
        usage.ORGANISATION_MONTHLY,
        ("organisation_id", "month"),
        "organisations.monthly_stats",
        reading.organisation_monthly,
        **_ONE_ANSWER,
        ignored=usage.ORGANISATION_MONTHLY_IGNORED,
    ),
    Stream(
        "organisation_usage_hourly",
        "Usage of the organisation and its children by hour",
        usage.ORGANISATION_HOURLY,
        ("organisation_id", "hour"),
        "organisations.hourly_stats",
        reading.organisation_hourly,
        how="one answer for each 24 hours",
        small=True,
        cursor="hour",
        grain="hour",
        late_by=timedelta(hours=3),
    ),
    _device(
        "endpoint_usage_daily",
        "Usage of endpoints by day",
        usage.ENDPOINT_DAILY,
        ("endpoint_id", "date"),
        "endpoints.daily_stats",
        devices.endpoint_daily,
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    _device(
        "sim_usage_daily",
        "Usage of SIMs by day",
        usage.SIM_DAILY,
        ("sim_id", "date"),
        "sims.daily_stats",
        devices.sim_daily,
        devices="sim",
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    Stream(
        "workspace_usage_daily",
        "Usage and cost of Workspaces by day",
        usage.WORKSPACE_DAILY,
        ("workspace_id", "date"),
        "workspaces.daily_stats",
        reading.workspace_daily,
        **_ONE_ANSWER,
        filters_of="workspaces.daily_stats",
        ignored=usage.WORKSPACE_DAILY_IGNORED,
        **_DAILY,
    ),
    Stream(
        "inclusive_volumes",
        "Inclusive volumes of the organisation in this billing period",
        usage.INCLUSIVE_VOLUMES,
        ("id",),
        "organisations.active_inclusive_volumes",
        listed("organisations.active_inclusive_volumes"),
        **_ONE_ANSWER,
        ignored=usage.INCLUSIVE_VOLUMES_IGNORED,
    ),
    _device(
        "connectivity",
        "Connectivity of endpoints at the moment",
        tables.CONNECTIVITY,
        ("endpoint_id",),
        "endpoints.connectivity",
        devices.connectivity,
        ignored=tables.CONNECTIVITY_IGNORED,
    ),
)

STREAMS: dict[str, Stream] = {stream.name: stream for stream in _STREAMS}
"""Every stream by its name."""


def get_stream(name: Any) -> Stream:
    """Return a stream by its name.

    :raises ValueError: if there is none of that name; the message lists those there are.
    """
    try:
        return STREAMS[name]
    except (KeyError, TypeError):
        raise ValueError(f"stream: {name!r} is not a valid stream; allowed: {', '.join(STREAMS)}") from None
