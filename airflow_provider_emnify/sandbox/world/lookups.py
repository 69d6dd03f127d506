"""emnify's fixed lists: statuses, roles, event types."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.api.enums import (
    EndpointStatus,
    EventSeverity,
    EventSource,
    SimStatus,
    UserStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def described(member: Any) -> dict[str, Any]:
    """An entry of a lookup as it stands in an object."""
    return {"id": int(member), "description": member.label}


def entries(lookup: Mapping[int, str], key: str = "description") -> list[dict[str, Any]]:
    """All entries of a lookup."""
    return [{"id": number, key: name} for number, name in lookup.items()]


def entry(lookup: Mapping[int, str], name: str) -> dict[str, Any]:
    """The entry of a lookup that has this name."""
    return next(row for row in entries(lookup) if row["description"] == name)


ENDPOINT_STATUSES = {status: described(status) for status in EndpointStatus}
SIM_STATUSES = {status: described(status) for status in SimStatus}
USER_STATUSES = {status: described(status) for status in UserStatus}
EVENT_SEVERITIES = {severity: described(severity) for severity in EventSeverity}
EVENT_SOURCES = {source: described(source) for source in EventSource}

ROLES: dict[int, str] = {1: "Administrator", 2: "User", 3: "Observer"}
"""User roles by id."""

PERMISSIONS: dict[int, tuple[str, ...]] = {
    1: ("read", "write", "administer"),
    2: ("read", "write"),
    3: ("read",),
}
"""What each role may do."""

MFA_KEY_STATUSES: dict[int, str] = {0: "Activation pending", 1: "Active"}
MFA_KEY_TYPES: dict[int, str] = {1: "Time-Based One-Time Password"}

GERMANY: dict[str, Any] = {
    "id": 74,
    "name": "Germany",
    "country_code": 49,
    "mcc": 262,
    "iso_code": "de",
    "latitude": 51.0,
    "longitude": 9.0,
}


class EventType(IntEnum):
    """Kinds of events; https://docs.emnify.com/system-events/event-types."""

    GENERIC = 0
    UPDATE_LOCATION = 1
    UPDATE_GPRS_LOCATION = 2
    CREATE_PDP_CONTEXT = 3
    DELETE_PDP_CONTEXT = 5
    USER_AUTHENTICATION_FAILED = 6
    APPLICATION_AUTHENTICATION_FAILED = 7
    SIM_ACTIVATION = 8
    SIM_SUSPENSION = 9
    SIM_DELETION = 10
    ENDPOINT_BLOCKED = 11
    ORGANISATION_BLOCKED = 12
    SUPPORT_ACCESS = 13
    MULTI_FACTOR_AUTHENTICATION = 14
    PURGE_LOCATION = 15
    PURGE_GPRS_LOCATION = 16
    QUOTA_THRESHOLD_REACHED = 18
    QUOTA_USED_UP = 19
    SMS_QUOTA_THRESHOLD_REACHED = 20
    SMS_QUOTA_USED_UP = 21
    ORGANISATION_UPDATED = 31
    USER_VERIFIED = 41
    ENDPOINT_ENABLED = 42
    ENDPOINT_DISABLED = 43
    SIM_FACTORY_TEST = 45
    USER_DELETED = 46
    SIM_REGISTRATION = 48
    DEVICE_OFFLINE = 49
    SIM_RELEASED = 50
    SIM_ASSIGNED = 51
    DATA_QUOTA_ENABLED = 52
    DATA_QUOTA_DISABLED = 53
    SMS_QUOTA_ENABLED = 54
    SMS_QUOTA_DISABLED = 55
    DATA_QUOTA_ASSIGNED = 56
    DATA_QUOTA_DELETED = 57
    SMS_QUOTA_ASSIGNED = 58
    SMS_QUOTA_DELETED = 59
    DATA_QUOTA_EXPIRED = 60
    RESET_CONNECTIVITY = 68
    SIM_MIGRATION = 69

    @property
    def label(self) -> str:
        """The name as emnify writes it."""
        return _EVENT_NAMES.get(self, self.name.replace("_", " ").capitalize())


_EVENT_NAMES = {
    EventType.UPDATE_GPRS_LOCATION: "Update GPRS location",
    EventType.CREATE_PDP_CONTEXT: "Create PDP Context",
    EventType.DELETE_PDP_CONTEXT: "Delete PDP Context",
    EventType.SUPPORT_ACCESS: "Support Access",
    EventType.MULTI_FACTOR_AUTHENTICATION: "Multi-factor Authentication",
    EventType.PURGE_GPRS_LOCATION: "Purge GPRS location",
    EventType.SIM_RELEASED: "SIM Released",
    EventType.SIM_ASSIGNED: "SIM Assigned",
    **{
        kind: kind.name.replace("_", " ").capitalize().replace("Sms", "SMS", 1).replace("Sim", "SIM", 1)
        for kind in EventType
        if kind.name.startswith(("SIM_", "SMS_")) and kind.name not in {"SIM_RELEASED", "SIM_ASSIGNED"}
    },
}

EVENT_TYPES = {kind: described(kind) for kind in EventType}
