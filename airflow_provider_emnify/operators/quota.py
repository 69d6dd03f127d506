"""What endpoints may still use, as tasks: quotas, and extensions of traffic limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_emnify.api import (
    EmnifyConflictError,
    EmnifyNotFoundError,
    EmnifyUnknownOutcomeError,
    QuotaStatus,
)
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.operation import moment
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import (
    EmnifyBaseOperator,
    amount,
    check_early,
    choice,
    flag,
    some,
)
from airflow_provider_emnify.operators.endpoint_rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.one_by_one import for_each
from airflow_provider_emnify.operators.rerun import earlier_tries_since, identity
from airflow_provider_emnify.operators.traffic_limit import (
    EmnifyClearTrafficLimitExtensionsOperator,
    EmnifyExtendTrafficLimitOperator,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.api.resources.operation import Row

QuotaType = Literal["data", "sms"]

_TYPES = ("data", "sms")
_UNITS = {"data": "MB", "sms": "SMS"}
_MARK = 1e-6  # of a MB or SMS, some of which tell whose addition it was
_MARKS = 1000


class _QuotaOperator(EmnifyBaseOperator):
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
    looks_first: ClassVar[bool] = True

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
        choice(quota_type, _TYPES, "quota_type")
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(amount, volume, "volume")
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
        self.auto_refill = None if auto_refill is None else flag(auto_refill, "auto_refill")

    def _read(self, endpoint_id: int) -> Row | None:
        try:
            return _read_quota(self.client, self.quota_type, endpoint_id)
        except EmnifyNotFoundError:
            self.client.endpoints.get(endpoint_id)  # else it is the endpoint that does not exist
            return None

    def _write(self, endpoint_id: int, volume: float, added: float, old: Row) -> None:
        """Set the quota. What is not given stays as it is in ``old``."""
        given = {
            "threshold_percentage": _percentage(self.threshold_percentage),
            "threshold_volume": _optional_amount(self.threshold_volume, "threshold_volume"),
            "auto_refill": self.auto_refill,
        }
        kept = {
            "threshold_percentage": _float(old.get("threshold_percentage")),
            "threshold_volume": _float(old.get("threshold_volume")),
            "auto_refill": None if old.get("auto_refill") is None else bool(int(old["auto_refill"])),
        }
        fields: Row = {name: kept[name] if value is None else value for name, value in given.items()}
        fields["expiry_date"] = _expiry(self.expiry_date) or _expiry(old.get("expiry_date"))
        in_force = bool(old) and QuotaStatus.parse(status_of(old)) is not QuotaStatus.EXPIRED
        if fields["expiry_date"] is None or (self.expiry_date is None and not in_force):
            raise EmnifyConflictError(f"endpoint {endpoint_id} has no quota in force: give expiry_date")
        if self.quota_type == "sms" and fields["threshold_percentage"] is None:
            raise EmnifyConflictError("threshold_percentage: emnify needs it for an SMS quota")
        quotas = self.client.quotas
        write: Any = quotas.set_data if self.quota_type == "data" else quotas.set_sms
        try:
            write(endpoint_id, volume=volume, last_volume_added=added, **fields)
        except EmnifyUnknownOutcomeError:
            if not is_added(self._read(endpoint_id), added):
                raise
            self.log.info("The answer was lost; the quota of endpoint %s is set", endpoint_id)


class EmnifySetQuotaOperator(_QuotaOperator):
    """Give endpoints (devices) a quota. It replaces the one there is, also what is left of it.

    emnify keeps the volume that was added last. Some millionths of it tell which task that was, so that a
    later try of the task (a retry, or after clearing) leaves alone what an earlier one has set: it would fill
    up again what has been used since.

    .. code-block:: python

        EmnifySetQuotaOperator(
            task_id="quota", endpoint_ids=[7, 8], volume=500, expiry_date="{{ data_interval_end | ds }}"
        )

    :param endpoint_ids: One id or many (templated).
    :param volume: What they may use from now on: MB, or a number of SMS (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param expiry_date: When they may use nothing more, in UTC (templated).
    :param threshold_percentage: Percentage left at which there is an event (templated). SMS quotas need it.
    :param threshold_volume: Volume left at which there is an event, in MB or SMS (templated).
    :param auto_refill: Whether emnify fills it up every day with the volume that was added last.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids.
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises AirflowFailException: for an error that no retry mends.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post
    """

    def __init__(
        self,
        *,
        expiry_date: datetime | str,
        quota_type: QuotaType = "data",
        threshold_percentage: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            expiry_date=expiry_date,
            quota_type=quota_type,
            threshold_percentage=threshold_percentage,
            **kwargs,
        )
        if quota_type == "sms" and threshold_percentage is None:
            raise ValueError("threshold_percentage: emnify needs it for an SMS quota")

    def perform(self, context: Context) -> list[int]:
        """Set one after another."""
        ids, volume = parse_endpoint_ids(self.endpoint_ids), amount(self.volume, "volume")
        added = marked(volume, context)
        retried = earlier_tries_since(context) is not None
        self.log.info(
            "Setting the %s quota of %d endpoints (%s) to %g %s",
            self.quota_type,
            len(ids),
            some(ids) or "none",
            volume,
            _UNITS[self.quota_type],
        )

        def set_quota(endpoint_id: int) -> None:
            if retried and is_added(self._read(endpoint_id), added):
                self.log.info("The quota of endpoint %s was set by an earlier try", endpoint_id)
            else:
                self._write(endpoint_id, volume, added, {})

        for_each(ids, set_quota, what="set the quota of endpoint")
        return ids


class EmnifyTopUpQuotaOperator(_QuotaOperator):
    """Add to what endpoints (devices) may still use: read, add, write, and read back, one after another.

    emnify keeps the volume that was added last. Some millionths of it tell which task that was, so that a
    later try of the task (a retry, or after clearing) adds nothing a second time, whatever was used since.
    It cannot tell when someone else has added in between. emnify has no way to add in one step: of two runs
    that add to the same endpoint at the same moment, one may be lost. Let the DAG have
    ``max_active_runs=1``, or the task a pool with one slot.

    .. code-block:: python

        EmnifyTopUpQuotaOperator(task_id="top_up", endpoint_ids="{{ params.endpoint_ids }}", volume=100)

    :param endpoint_ids: One id or many (templated).
    :param volume: What they may use in addition: MB, or a number of SMS (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param expiry_date: When they may use nothing more, in UTC (templated). By default as it is; needed where
        there is no quota yet, or an expired one.
    :param threshold_percentage: Percentage left at which there is an event (templated). By default as it is.
    :param threshold_volume: Volume left at which there is an event, in MB or SMS (templated). By default as
        it is.
    :param auto_refill: Whether emnify fills it up every day with the volume that was added last, which is
        this one then. By default as it is.
    :param emnify_conn_id: The connection to emnify.
    :returns: What each may use now, in MB or SMS, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and nothing was added; the next try looks again.
    :raises AirflowFailException: when someone else has set the quota at the same moment, or emnify does not
        say whether an earlier try has added, and for any error that no retry mends.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post
    """

    def perform(self, context: Context) -> dict[str, float]:
        """Add to one after another."""
        ids, volume = parse_endpoint_ids(self.endpoint_ids), amount(self.volume, "volume")
        added = marked(volume, context)
        retried = earlier_tries_since(context) is not None
        unit = _UNITS[self.quota_type]
        self.log.info(
            "Adding %g %s to the quota of %d endpoints (%s)", volume, unit, len(ids), some(ids) or "none"
        )
        now: dict[str, float] = {}

        def top_up(endpoint_id: int) -> None:
            quota = self._read(endpoint_id) or {}
            if retried and self._was_added(endpoint_id, quota, volume, added):
                self.log.info("An earlier try has added to the quota of endpoint %s", endpoint_id)
                now[str(endpoint_id)] = _float(quota.get("volume")) or 0.0
                return
            before = _float(quota.get("volume")) or 0.0
            target = round(before + volume, 6)
            self._write(endpoint_id, target, added, quota)
            after = self._read_back(endpoint_id, volume, added, target)
            self.log.info("Endpoint %s: %g %s, and now %g", endpoint_id, before, unit, after)
            now[str(endpoint_id)] = after

        for_each(ids, top_up, what="add to the quota of endpoint")
        return now

    def _was_added(self, endpoint_id: int, quota: Row, volume: float, added: float) -> bool:
        """Tell whether an earlier try has added.

        :raises EmnifyConflictError: when that cannot be told.
        """
        if is_added(quota, added):
            return True
        if _float(quota.get("last_volume_added")) == volume:
            raise EmnifyConflictError(
                f"endpoint {endpoint_id} has {quota.get('volume')} {_UNITS[self.quota_type]}, and {volume:g} "
                "were added last, by an earlier try or by someone else: nothing was added. Check it, and set "
                "what it shall be with EmnifySetQuotaOperator"
            )
        return False

    def _read_back(self, endpoint_id: int, volume: float, added: float, target: float) -> float:
        quota = self._read(endpoint_id) or {}
        after = _float(quota.get("volume")) or 0.0
        if is_added(quota, added) or after > target:  # someone has added to what was added here
            return after
        if _float(quota.get("last_volume_added")) == volume:
            self.log.warning(
                "emnify says that %g were added to endpoint %s, without the mark of this task: if the task "
                "is run again, it cannot tell",
                volume,
                endpoint_id,
            )
            return after
        raise EmnifyConflictError(
            f"the quota of endpoint {endpoint_id} was set by someone else at the same moment: it is "
            f"{after:g} {_UNITS[self.quota_type]} and not {target:g}. Check it"
        )


class EmnifyClearQuotaOperator(EmnifyBaseOperator):
    """Remove the quota of endpoints (devices). One that has none (any more) is done.

    **Where the service profile applies quotas, an endpoint without one is blocked.**

    .. code-block:: python

        EmnifyClearQuotaOperator(task_id="no_quota", endpoint_ids=[7, 8])

    :param endpoint_ids: One id or many (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids; none of them has such a quota now.
    :raises AirflowFailException: for an error that no retry mends.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/delete-endpoint-data-quota-by-id
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "endpoint_ids")
    operator_extra_links = (EmnifyDevicesLink(),)
    looks_first: ClassVar[bool] = True

    def __init__(self, *, endpoint_ids: Any, quota_type: QuotaType = "data", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        choice(quota_type, _TYPES, "quota_type")
        self.endpoint_ids = endpoint_ids
        self.quota_type = quota_type

    def perform(self, context: Context) -> list[int]:
        """Remove one after another."""
        del context
        ids = parse_endpoint_ids(self.endpoint_ids)
        self.log.info(
            "Removing the %s quota of %d endpoints: %s", self.quota_type, len(ids), some(ids) or "none"
        )

        def clear(endpoint_id: int) -> None:
            quotas = self.client.quotas
            try:
                (quotas.delete_data if self.quota_type == "data" else quotas.delete_sms)(endpoint_id)
            except EmnifyNotFoundError as missing:
                self.log.info("Endpoint %s has none (%s)", endpoint_id, missing.message)

        for_each(ids, clear, what="remove the quota of endpoint")
        return ids


def _read_quota(client: EmnifyClient, quota_type: QuotaType, endpoint_id: int) -> Row:
    quotas = client.quotas
    return quotas.get_data(endpoint_id) if quota_type == "data" else quotas.get_sms(endpoint_id)


def marked(volume: float, context: Context) -> float:
    """Return a volume that tells by some millionths which task instance has added it."""
    return round(volume + (1 + identity(context, 16) % _MARKS) * _MARK, 6)


def is_added(quota: Row | None, added: float) -> bool:
    """Tell whether a quota has a marked volume as the one that was added last."""
    last = _float((quota or {}).get("last_volume_added"))
    return last is not None and round(last, 6) == added


def _optional_amount(value: Any, field: str) -> float | None:
    return None if value in {None, "", "None"} else amount(value, field)


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


def _float(value: Any) -> float | None:
    """Return a number that emnify wrote, also as a string."""
    return None if value is None else float(value)


__all__ = [
    "EmnifyClearQuotaOperator",
    "EmnifyClearTrafficLimitExtensionsOperator",
    "EmnifyExtendTrafficLimitOperator",
    "EmnifySetQuotaOperator",
    "EmnifyTopUpQuotaOperator",
]
