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

from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.api.streams import last_seen as seeing
from airflow_provider_emnify.api.streams import per_device as devices
from airflow_provider_emnify.api.streams import readers as reading
from airflow_provider_emnify.api.streams import tables
from airflow_provider_emnify.api.streams import usage_tables as usage
from airflow_provider_emnify.api.streams.columns import Column, timestamp
from airflow_provider_emnify.api.streams.per_device import Estimate, TooManyCallsError
from airflow_provider_emnify.api.streams.readers import Interval, Reader, counted, listed
from airflow_provider_emnify.api.streams.stream import Stream
from airflow_provider_emnify.api.waits.event_filter import LATE_BY

__all__ = ["STREAMS", "Estimate", "Interval", "Stream", "TooManyCallsError", "get_stream"]


def _list(name: str, about: str, fields: tuple[Column, ...], call: str | None = None, **more: Any) -> Stream:
    """Return a stream that is the list of a resource, with an id each."""
    call = call or f"{name}.list"
    more.setdefault("filters_of", call)
    return Stream(name, about, fields, ("id",), call, more.pop("read", None) or listed(call), **more)


def _device(name: str, about: str, fields: tuple[Column, ...], call: str, **more: Any) -> Stream:
    """Return a stream that needs a call a device; the first ``keys`` of its columns are its key."""
    device, ask = more.setdefault("devices", "endpoint"), more.pop("ask", None)
    how, lists = f"one call for each {device}, a few at a time", f"{device}s.list"
    read = devices.each(lists, call, ask or devices.about(call))
    key = tuple(column.name for column in fields[: more.pop("keys", 1)])
    return Stream(name, about, fields, key, call, read, how=how, filters_of=lists, **more)


def _usage(name: str, about: str, fields: tuple[Column, ...], call: str, read: Reader, **more: Any) -> Stream:
    """Return a stream of usage that comes in one answer, by whose it is and when it was."""
    key = tuple(column.name for column in fields[:2])
    return Stream(name, about, fields, key, call, read, **{**_ONE_ANSWER, **more})


_DAILY: dict[str, Any] = {"cursor": "date", "grain": "day", "late_by": timedelta(days=2)}
_ONE_ANSWER: dict[str, Any] = {"how": "one answer", "small": True}
_CATALOGUE: dict[str, Any] = {**_ONE_ANSWER, "filters_of": None}

_STREAMS = (
    _list("endpoints", "Endpoints (devices) with their SIM and profiles", tables.ENDPOINTS),
    _list("sims", "SIMs", tables.SIMS, ignored=tables.SIMS_IGNORED),
    _list(
        "events",
        "Events of endpoints, SIMs and users",
        tables.EVENTS,
        read=reading.events,
        how=f"windows of time with at most {reading.MOST_EVENTS:,} events, in pages",
        cursor="timestamp",
        grain="moment",
        late_by=LATE_BY,
        kept=timedelta(days=30),
    ),
    _list("users", "User accounts", tables.USERS),
    _device("sms", "SMS to and from endpoints", tables.SMS, "sms.list", keys=2),
    _list("euiccs", "eUICCs with their profiles", tables.EUICCS),
    _list(
        "tags",
        "Tags of endpoints",
        tables.TAGS,
        read=counted("tags.list", per_page=100),
        how="pages, again when their count changed",
    ),
    _list(
        "service_profiles",
        "Service profiles: what endpoints may do",
        tables.SERVICE_PROFILES,
        **_CATALOGUE,
        ignored=tables.SERVICE_PROFILES_IGNORED,
    ),
    _list(
        "tariff_profiles",
        "Tariff profiles with the rates of their tariff",
        tables.TARIFF_PROFILES,
        **_CATALOGUE,
        ignored=tables.TARIFF_PROFILES_IGNORED,
    ),
    _list(
        "network_operators",
        "Mobile network operators",
        tables.NETWORK_OPERATORS,
        "operators.list",
        **_CATALOGUE,
        ignored=tables.NETWORK_OPERATORS_IGNORED,
    ),
    _list(
        "application_tokens",
        "Application tokens, without the tokens themselves",
        tables.APPLICATION_TOKENS,
        **_CATALOGUE,
    ),
    _device("data_quotas", "Data quotas of endpoints; volumes in MB", tables.QUOTAS, "quotas.get_data"),
    _device("sms_quotas", "SMS quotas of endpoints; volumes in SMS", tables.QUOTAS, "quotas.get_sms"),
    _usage(
        "organisation_usage_daily",
        "Usage and cost of the organisation and its children by day",
        usage.ORGANISATION_DAILY,
        "organisations.daily_stats",
        reading.organisation_daily,
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    _usage(
        "organisation_usage_monthly",
        "Usage and cost of the organisation in this month and the last; counts in the row of this month",
        usage.ORGANISATION_MONTHLY,
        "organisations.monthly_stats",
        reading.organisation_monthly,
        ignored=usage.ORGANISATION_MONTHLY_IGNORED,
    ),
    _usage(
        "organisation_usage_hourly",
        "Usage of the organisation and its children by hour",
        usage.ORGANISATION_HOURLY,
        "organisations.hourly_stats",
        reading.organisation_hourly,
        how="one answer for each 24 hours",
        cursor="hour",
        grain="hour",
        late_by=timedelta(hours=3),
    ),
    _device(
        "endpoint_usage_daily",
        "Usage of endpoints by day",
        usage.ENDPOINT_DAILY,
        "endpoints.daily_stats",
        keys=2,
        ask=devices.daily("endpoint"),
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    _device(
        "sim_usage_daily",
        "Usage of SIMs by day",
        usage.SIM_DAILY,
        "sims.daily_stats",
        keys=2,
        ask=devices.daily("sim"),
        devices="sim",
        ignored=usage.USAGE_IGNORED,
        **_DAILY,
    ),
    _usage(
        "workspace_usage_daily",
        "Usage and cost of Workspaces by day",
        usage.WORKSPACE_DAILY,
        "workspaces.daily_stats",
        reading.workspace_daily,
        filters_of="workspaces.daily_stats",
        ignored=usage.WORKSPACE_DAILY_IGNORED,
        **_DAILY,
    ),
    _list(
        "inclusive_volumes",
        "Inclusive volumes of the organisation in this billing period",
        usage.INCLUSIVE_VOLUMES,
        "organisations.active_inclusive_volumes",
        **_CATALOGUE,
        ignored=usage.INCLUSIVE_VOLUMES_IGNORED,
    ),
    _device(
        "connectivity",
        "Connectivity of endpoints at the moment",
        tables.CONNECTIVITY,
        "endpoints.connectivity",
        ignored=tables.CONNECTIVITY_IGNORED,
    ),
)

STREAMS: dict[str, Stream] = {stream.name: stream for stream in _STREAMS}
"""Every stream by its name."""


_SEEN_ENDPOINTS = replace(
    STREAMS["endpoints"],
    fields=(*tables.ENDPOINTS, timestamp("last_seen_at")),
    read=seeing.endpoints,
    how="events of 30 days, then pages, from the last to the first",
)


def get_stream(name: Any, *, last_seen: bool = False) -> Stream:
    """Return a stream by its name.

    :param last_seen: For ``endpoints``: with a column ``last_seen_at``, see :mod:`.last_seen`.
    :raises ValueError: if there is none of that name; the message lists those there are.
    """
    try:
        stream = STREAMS[name]
    except (KeyError, TypeError):
        raise ValueError(f"stream: {name!r} is not a valid stream; allowed: {', '.join(STREAMS)}") from None
    if last_seen and stream.name != "endpoints":
        raise ValueError(f"last_seen: {stream.name!r} has no such column; allowed: endpoints")
    return _SEEN_ENDPOINTS if last_seen else stream
