"""What the operators that give endpoints volume have in common: arguments, reading and writing of quotas."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import XComArg
from airflow_provider_emnify.api import EmnifyConflictError, EmnifyNotFoundError, QuotaStatus
from airflow_provider_emnify.api.resources.bulk import read_status
from airflow_provider_emnify.api.transport.answers import decimal
from airflow_provider_emnify.api.transport.recover import BEGINNING
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import moment, parse_bool, parse_moment
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, optional, parse_amount, parse_choice
from airflow_provider_emnify.operators.base.only_if import EndpointsOperator

QuotaType = Literal["data", "sms"]

parse_quota_type = parse_choice("data", "sms")
UNITS = {"data": "MB", "sms": "SMS"}
_ASSIGNED = {"data": 56, "sms": 58}  # emnify's event types
_AHEAD = timedelta(days=1)  # of a worker's clock that is slow


def _parse_percentage(value: Any, field: str) -> float:
    number = parse_amount(value, field)
    if number > 100:  # noqa: PLR2004 - the whole
        raise ValueError(f"{field}: {value!r} is not a valid percentage; give at most 100")
    return number


class QuotaOperator(EndpointsOperator):
    """Base of the two that give endpoints volume."""

    idempotent: ClassVar[bool] = True
    #: Whether what emnify needs has to be given, since no quota that there is would say it.
    needs_all: ClassVar[bool] = False

    volume = Argument(parse_amount)
    quota_type = Argument(parse_quota_type, templated=False)
    expiry_date = Argument(optional(parse_moment))
    threshold_percentage = Argument(optional(_parse_percentage))
    threshold_volume = Argument(optional(parse_amount))
    auto_refill = Argument(optional(parse_bool), templated=False)

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        volume: float | str | XComArg,
        quota_type: QuotaType = "data",
        expiry_date: datetime | str | XComArg | None = None,
        threshold_percentage: float | str | XComArg | None = None,
        threshold_volume: float | str | XComArg | None = None,
        auto_refill: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if self.needs_all and quota_type == "sms" and threshold_percentage is None:
            raise ValueError("threshold_percentage: emnify needs it for an SMS quota; give one up to 100")

    def read_quota(self, endpoint_id: int) -> Row | None:
        """Return the quota of an endpoint, None when it has none."""
        try:
            quotas = self.client.quotas
            return quotas.get_data(endpoint_id) if self.quota_type == "data" else quotas.get_sms(endpoint_id)
        except EmnifyNotFoundError:
            self.client.endpoints.get(endpoint_id)  # else it is the endpoint that does not exist
            return None

    def read_assigned(self, endpoint_id: int, since: datetime) -> Rows:
        """Return each time that the quota of an endpoint was set since then, the latest first.

        :returns: Rows with ``id``, ``created``, and what the quota was set to, as far as emnify's event tells
            it: ``volume`` and ``last_volume_added``.
        """
        until, kind = datetime.now(UTC) + _AHEAD, _ASSIGNED[self.quota_type]
        events = self.client.endpoints.events(endpoint_id, type=kind, from_=since, until=until)
        return [
            {**_detail(event.get("detail")), "id": event["id"], "created": event.get("timestamp")}
            for event in islice(events, BEGINNING)
        ]

    def write_quota(self, endpoint_id: int, volume: float, added: float, old: Row) -> None:
        """Set the quota. What is not given stays as it is in ``old``."""
        fields: Row = {name: decimal(old, name) for name in ("threshold_percentage", "threshold_volume")}
        fields["auto_refill"] = None if old.get("auto_refill") is None else bool(decimal(old, "auto_refill"))
        fields |= {name: value for name in fields if (value := getattr(self, name)) is not None}
        until = old.get("expiry_date") if isinstance(old.get("expiry_date"), str) else None
        fields["expiry_date"] = self.expiry_date or moment(until)
        in_force = bool(old) and read_status(QuotaStatus, old) is not QuotaStatus.EXPIRED
        if fields["expiry_date"] is None or (self.expiry_date is None and not in_force):
            raise EmnifyConflictError(f"endpoint {endpoint_id} has no quota in force: give expiry_date")
        if self.quota_type == "sms" and fields["threshold_percentage"] is None:
            raise EmnifyConflictError("threshold_percentage: emnify needs it for an SMS quota")
        quotas = self.client.quotas
        write: Any = quotas.set_data if self.quota_type == "data" else quotas.set_sms
        write(endpoint_id, volume=volume, last_volume_added=added, **fields)


def volumes_of(row: Row) -> tuple[float | None, float | None]:
    """Return the volume of a quota and the volume that was added last; None for what it does not tell."""
    volume, added = decimal(row, "volume"), decimal(row, "last_volume_added")
    return None if volume is None else round(volume, 6), None if added is None else round(added, 6)


def _detail(value: Any) -> Row:
    """Return the detail of an event, which emnify writes as an object or a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return value if isinstance(value, dict) else {}
