"""Quotas of endpoints: set, used up, refilled, expired."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, EventType, QuotaStatus
from airflow_provider_emnify.sandbox.http.answers import ApiError
from airflow_provider_emnify.sandbox.world.clock import DAY, parse_date
from airflow_provider_emnify.sandbox.world.records.fleet import Endpoint, Quota
from airflow_provider_emnify.sandbox.world.state import State

Kind = Literal["data", "sms"]

_ASSIGNED = {"data": EventType.DATA_QUOTA_ASSIGNED, "sms": EventType.SMS_QUOTA_ASSIGNED}
_DELETED = {"data": EventType.DATA_QUOTA_DELETED, "sms": EventType.SMS_QUOTA_DELETED}
_USED_UP = {"data": EventType.QUOTA_USED_UP, "sms": EventType.SMS_QUOTA_USED_UP}
_THRESHOLD = {"data": EventType.QUOTA_THRESHOLD_REACHED, "sms": EventType.SMS_QUOTA_THRESHOLD_REACHED}


def assign(state: State, endpoint: Endpoint, kind: Kind, body: Mapping[str, Any]) -> Quota:
    """Set a quota from a body that has been checked; it replaces the one there is."""
    volume = float(body["volume"])
    status = QuotaStatus(int(body["status"]["id"]))
    quota = Quota(
        endpoint.id,
        kind,
        volume,
        parse_date(body["expiry_date"]) or state.now,
        QuotaStatus.EXHAUSTED if status is QuotaStatus.ACTIVE and volume == 0 else status,
        state.now,
        last_volume_added=float(body.get("last_volume_added", volume)),
        auto_refill=bool(body.get("auto_refill")),
        threshold_percentage=body.get("threshold_percentage"),
        threshold_volume=body.get("threshold_volume"),
    )
    state.quotas[endpoint.id, kind] = quota
    detail = {"volume": quota.volume, "last_volume_added": quota.last_volume_added}
    state.emit(_ASSIGNED[kind], f"{_name(kind)} assigned.", endpoint=endpoint, detail=detail)
    state.agenda.at(quota.expires, lambda: _expire(state, quota))
    _refill_daily(state, quota)
    return quota


def remove(state: State, endpoint: Endpoint, kind: Kind) -> None:
    """Remove a quota, or answer 404."""
    of_endpoint(state, endpoint, kind)
    del state.quotas[endpoint.id, kind]
    state.emit(_DELETED[kind], f"{_name(kind)} deleted.", endpoint=endpoint)


def of_endpoint(state: State, endpoint: Endpoint, kind: Kind) -> Quota:
    """Return the quota of an endpoint, or answer 404."""
    quota = state.quotas.get((endpoint.id, kind))
    if quota is None:
        raise ApiError("NotFound", f"Endpoint {endpoint.id} has no {_name(kind)}.")
    return quota


def consume(state: State, endpoint: Endpoint, kind: Kind, volume: float) -> float:
    """Use some of a quota, in MB or SMS, and return what is left."""
    quota = of_endpoint(state, endpoint, kind)
    before, quota.volume = quota.volume, max(0.0, quota.volume - volume)
    if quota.status is not QuotaStatus.ACTIVE:
        return quota.volume
    threshold = _threshold(quota)
    if threshold is not None and quota.volume <= threshold < before:
        _emit(state, quota, _THRESHOLD[quota.kind], "threshold reached")
    if quota.volume == 0:
        _become(state, quota, QuotaStatus.EXHAUSTED)
        _emit(state, quota, _USED_UP[quota.kind], "used up")
    return quota.volume


def _threshold(quota: Quota) -> float | None:
    if quota.threshold_volume is not None:
        return quota.threshold_volume
    if quota.threshold_percentage is not None:
        return quota.last_volume_added * quota.threshold_percentage / 100
    return None


def _expire(state: State, quota: Quota) -> None:
    if not _in_force(state, quota) or quota.status is QuotaStatus.EXPIRED:
        return
    _become(state, quota, QuotaStatus.EXPIRED)
    if quota.kind == "data":
        _emit(state, quota, EventType.DATA_QUOTA_EXPIRED, "expired")


def _refill_daily(state: State, quota: Quota) -> None:
    if not quota.auto_refill or state.now + DAY >= quota.expires:
        return

    def refill() -> None:
        if _in_force(state, quota):
            quota.volume = quota.last_volume_added
            _become(state, quota, QuotaStatus.ACTIVE)
            _refill_daily(state, quota)

    state.agenda.after(DAY, refill)


def _in_force(state: State, quota: Quota) -> bool:
    return state.quotas.get((quota.endpoint_id, quota.kind)) is quota


def _become(state: State, quota: Quota, status: QuotaStatus) -> None:
    if quota.status is not status:
        quota.status, quota.changed = status, state.now


def _emit(state: State, quota: Quota, kind: EventType, what: str) -> None:
    state.emit(
        kind,
        f"{_name(quota.kind)} {what}.",
        source=EventSource.POLICY_CONTROL,
        severity=EventSeverity.WARN,
        endpoint=state.endpoints.get(quota.endpoint_id),
        detail={"volume": quota.volume},
    )


def _name(kind: str) -> str:
    return "SMS quota" if kind == "sms" else "Data quota"
