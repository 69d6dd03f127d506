"""emnify's fixed lists: statuses, roles, event types."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any


@lru_cache(typed=True)
def described(member: Any) -> dict[str, Any]:
    """An entry of a lookup as it stands in an object. All have the same: it must not be changed."""
    return {"id": int(member), "description": member.label}


def entries(lookup: Mapping[int, str], key: str = "description") -> list[dict[str, Any]]:
    """All entries of a lookup."""
    return [{"id": number, key: name} for number, name in lookup.items()]


def entry(lookup: Mapping[int, str], name: str) -> dict[str, Any]:
    """The entry of a lookup that has this name."""
    return next(row for row in entries(lookup) if row["description"] == name)


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
