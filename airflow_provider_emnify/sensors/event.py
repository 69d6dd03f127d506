"""Sensors for events: whether something has happened to endpoints, SIMs or users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_emnify.airflow_names import XComArg
from airflow_provider_emnify.api.enums import EventPresence, EventSeverity, EventSource
from airflow_provider_emnify.api.values import parse_moment
from airflow_provider_emnify.api.waits.event_filter import FIELDS
from airflow_provider_emnify.api.waits.events import ANY, parse_endpoints
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import Argument, Ids, optional
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.sensors.base import EmnifyWaitSensor, Target

_FILTERS = ("event_type", "severity", "source", "tags")


class EmnifyEventSensor(SelectsEndpoints, EmnifyWaitSensor, kind="event"):
    """Wait until events have happened since the start of the data interval, or since a given time.

    Each look covers the whole time since then, and in deferrable mode, after the first look in the triggerer,
    the last hour. So an event that shares its timestamp with another one, or arrives up to an hour late, is
    not missed. emnify keeps events for 30 days. An endpoint that does not exist has no events; that is no
    failure, since emnify does not tell the two apart. All parameters of
    :class:`~airflow_provider_emnify.sensors.base.EmnifyWaitSensor` apply: ``wait_for``, ``deferrable``,
    ``poke_interval``, ``timeout``, ``on_timeout``, ``soft_fail``, ``mode``, ``emnify_conn_id``.

    .. code-block:: python

        EmnifyEventSensor(task_id="blocked", event_type="Endpoint blocked", deferrable=True)

    :param endpoint_ids: One id or many, each of which (see ``wait_for``) is to have an event (templated); or
        else ``select``, with ``max_selected`` and ``fail_if_empty``, see
        :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`. Without them, one event of any
        endpoint, or of none, will do.
    :param event_type: Numbers or names of event types (templated); several: one will do. Numbers are
        cheaper, for emnify filters by them itself. See ``client.events.types``.
    :param severity: ``"info"``, ``"warn"`` or ``"critical"``; or several (templated).
    :param source: ``"network"``, ``"policy_control"`` or ``"api"``; or several (templated).
    :param tags: Tags of the endpoint, one of which will do (templated).
    :param since: From when on, a datetime or ISO 8601, in UTC unless it says otherwise (templated). Default:
        the start of the data interval; where the run has none, the time it was to run after.
    :returns: The newest event, by endpoint id; by ``"any"`` without endpoint ids.

    Vendor page: https://docs.emnify.com/developers/api/events/get-events
    """

    operator_extra_links = (EmnifyDevicesLink(),)

    target_status = EventPresence.EVENT_SEEN
    endpoint_ids = Argument(lambda value, field: parse_endpoints(ANY if value is None else value, field))
    event_type = Argument(FIELDS["event_type"])
    severity = Argument(FIELDS["severity"])
    source = Argument(FIELDS["source"])
    tags = Argument(FIELDS["tags"])
    since = Argument(optional(parse_moment))

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = None,
        event_type: int | str | Iterable[int | str] | XComArg | None = None,
        severity: Target[EventSeverity] | None = None,
        source: Target[EventSource] | None = None,
        tags: str | Iterable[str] | XComArg | None = None,
        since: datetime | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if endpoint_ids is not None and self.select is not None:
            raise ValueError("endpoint_ids, select: give one of them, or none")

    def wait(self) -> Wait:
        """Return the wait."""
        filters = {name: getattr(self, name) for name in _FILTERS}
        filters["since"] = self.since or _start_of(self._context)
        return self._make_wait(filters=filters)


def _start_of(context: Mapping[str, Any]) -> Any:
    """Return when the data of a run begins."""
    start = context.get("data_interval_start")
    run = context.get("dag_run")
    return start or getattr(run, "run_after", None) or getattr(run, "start_date", None)
