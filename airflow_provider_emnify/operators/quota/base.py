"""What the operators that give endpoints volume have in common. Those are in :mod:`.quota`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    QuotaStatus,
)
from airflow_provider_emnify.api.resources.bulk import read_status
from airflow_provider_emnify.api.resources.fields import moment
from airflow_provider_emnify.api.transport.answers import decimal
from airflow_provider_emnify.arguments import check_early, parse_amount, parse_bool, parse_choice
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_emnify.api.types import Row

QuotaType = Literal["data", "sms"]

TYPES = ("data", "sms")
UNITS = {"data": "MB", "sms": "SMS"}


class QuotaOperator(EmnifyBaseOperator):
    """Base of the two that give endpoints volume."""

    template_fields: Sequence[str] = (
        "emnify_conn_id",
        "endpoint_ids",
        "volume",
        "expiry_date",
        "threshold_percentage",
        "threshold_volume",
    )
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any,
        volume: float | str,
        quota_type: QuotaType = "data",
        expiry_date: datetime | str | None = None,
        threshold_percentage: float | str | None = None,
        threshold_volume: float | str | None = None,
        auto_refill: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        parse_choice(quota_type, TYPES, "quota_type")
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(parse_amount, volume, "volume")
        if isinstance(expiry_date, str):
            check_early(_expiry, expiry_date)
        check_early(_percentage, threshold_percentage)
        check_early(_optional_amount, threshold_volume, "threshold_volume")
        self.endpoint_ids = endpoint_ids
        self.volume = volume
        self.quota_type = quota_type
        self.expiry_date = expiry_date
        self.threshold_percentage = threshold_percentage
        self.threshold_volume = threshold_volume
        self.auto_refill = None if auto_refill is None else parse_bool(auto_refill, "auto_refill")

    def read_quota(self, endpoint_id: int) -> Row | None:
        """Return the quota of an endpoint, None when it has none."""
        try:
            quotas = self.client.quotas
            return quotas.get_data(endpoint_id) if self.quota_type == "data" else quotas.get_sms(endpoint_id)
        except EmnifyNotFoundError:
            self.client.endpoints.get(endpoint_id)  # else it is the endpoint that does not exist
            return None

    def write_quota(self, endpoint_id: int, volume: float, added: float, old: Row) -> None:
        """Set the quota. What is not given stays as it is in ``old``."""
        given = {
            "threshold_percentage": _percentage(self.threshold_percentage),
            "threshold_volume": _optional_amount(self.threshold_volume, "threshold_volume"),
            "auto_refill": self.auto_refill,
        }
        kept = {
            "threshold_percentage": decimal(old, "threshold_percentage"),
            "threshold_volume": decimal(old, "threshold_volume"),
            "auto_refill": None if old.get("auto_refill") is None else bool(decimal(old, "auto_refill")),
        }
        fields: Row = {name: kept[name] if value is None else value for name, value in given.items()}
        until = old.get("expiry_date") if isinstance(old.get("expiry_date"), str) else None
        fields["expiry_date"] = _expiry(self.expiry_date) or _expiry(until)
        in_force = bool(old) and read_status(QuotaStatus, old) is not QuotaStatus.EXPIRED
        if fields["expiry_date"] is None or (self.expiry_date is None and not in_force):
            raise EmnifyConflictError(f"endpoint {endpoint_id} has no quota in force: give expiry_date")
        if self.quota_type == "sms" and fields["threshold_percentage"] is None:
            raise EmnifyConflictError("threshold_percentage: emnify needs it for an SMS quota")
        quotas = self.client.quotas
        write: Any = quotas.set_data if self.quota_type == "data" else quotas.set_sms
        write(endpoint_id, volume=volume, last_volume_added=added, **fields)


def _optional_amount(value: Any, field: str) -> float | None:
    return None if value in {None, "", "None"} else parse_amount(value, field)


def _percentage(value: Any) -> float | None:
    number = _optional_amount(value, "threshold_percentage")
    if number is not None and number > 100:  # noqa: PLR2004 - the whole
        raise ValueError(f"threshold_percentage: {value!r} is more than 100")
    return number


def _expiry(value: Any) -> str | None:
    if value in {None, "", "None"}:
        return None
    try:
        return moment(value)
    except ValueError as error:
        raise ValueError(f"expiry_date: {error}") from None
