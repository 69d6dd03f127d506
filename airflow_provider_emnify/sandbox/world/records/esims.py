"""Records of eUICCs, their profiles and operations."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emnify.sandbox.world.records.fleet import Sim

PENDING, IN_PROGRESS, COMPLETED, FAILED = "Pending", "In progress", "Completed", "Failed"
PARTIALLY_FAILED, EXPIRED, CANCELED = "Partially failed", "Expired", "Canceled"
DOWNLOAD, ENABLE, DISABLE, DELETE = "Download profile", "Enable profile", "Disable profile", "Delete profile"
AUDIT, LINK, UNLINK = "Audit eUICC", "Link profile", "Unlink profile"
AVAILABLE, ENABLED, DISABLED = "Available", "Enabled", "Disabled"
FINAL = frozenset({COMPLETED, FAILED, PARTIALLY_FAILED, EXPIRED, CANCELED})
"""The statuses in which an operation is over."""


class Lookups:
    """The lookups whose ids are not published; no client may know them, so the seed makes them.

    :param seed: The sandbox's seed.
    """

    def __init__(self, seed: int) -> None:
        chance = random.Random(f"lookups {seed}")  # noqa: S311 - made-up data

        def numbered(*names: str) -> dict[int, str]:
            return dict(zip(chance.sample(range(11, 99), len(names)), names, strict=True))

        self.euicc_actions = numbered(DOWNLOAD, ENABLE, DISABLE, DELETE, AUDIT)
        self.euicc_operation_statuses = numbered(PENDING, IN_PROGRESS, COMPLETED, FAILED, EXPIRED, CANCELED)
        self.euicc_statuses = numbered("Active", "Inactive")
        self.profile_statuses = numbered(AVAILABLE, ENABLED, DISABLED)
        self.sim_actions = numbered(LINK, UNLINK)
        self.sim_operation_statuses = numbered(PENDING, IN_PROGRESS, COMPLETED, FAILED, PARTIALLY_FAILED)


@dataclass(slots=True)
class EuiccProfile:
    """A profile on an eUICC; one of emnify's is a SIM too."""

    iccid_with_luhn: str
    status: str
    name: str
    sim_id: int | None = None
    preloaded: bool = True


@dataclass(slots=True)
class Euicc:
    """An eUICC: the chip that profiles are loaded into."""

    id: int
    eid: str
    created: float
    modified: float
    iot: bool = True
    profiles: list[EuiccProfile] = field(default_factory=list)

    def profile(self, iccid_with_luhn: str) -> EuiccProfile | None:
        """Return the profile of this ICCID."""
        return next((one for one in self.profiles if one.iccid_with_luhn == iccid_with_luhn), None)


@dataclass(slots=True)
class EuiccOperation:
    """An operation on one eUICC."""

    id: str
    euicc_id: int
    action: str
    created: float
    expires: float
    updated: float
    user: dict[str, Any]
    iccid_with_luhn: str | None = None
    enable: bool = False
    status: str = PENDING
    final: float | None = None
    error: dict[str, Any] | None = None


@dataclass(slots=True)
class SimOperation:
    """An operation on many eSIMs."""

    id: str
    action: str
    product_id: int
    created: float
    updated: float
    sims: list[Sim]
    status: str = PENDING
    final: float | None = None
    errors: list[dict[str, str]] = field(default_factory=list)
