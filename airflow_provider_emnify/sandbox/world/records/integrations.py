"""Records of data streams and Cloud Connect attachments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus

STATUSES: dict[int, str] = {
    1: "Pending Customer Action",
    2: "Pending AWS Activation",
    3: "Pending EGN Activation",
    4: "Pending CRG Activation",
    5: "Active",
    6: "Deactivation Pending",
    7: "Deactivated",
    8: "Rolling Back",
}
AWS_ACTIVATION, EGN_ACTIVATION, CRG_ACTIVATION, ACTIVE, DEACTIVATING, DEACTIVATED, ROLLING_BACK = range(2, 9)


@dataclass(slots=True)
class Attachment:
    """A private connection between emnify's network and a customer's."""

    id: int
    name: str
    type: int
    region: str
    description: str
    created: float
    user_id: int
    offer_ends: float | None = None
    status: int = EGN_ACTIVATION
    terminated: float | None = None
    tunnel: dict[str, Any] = field(default_factory=dict, repr=False)
    life: int = 0


@dataclass(slots=True)
class DataStream:
    """A data stream."""

    id: int
    name: str
    destination: dict[str, Any]
    filters: list[dict[str, Any]]
    type_id: int
    relation_resolution: Any = None
    status: DataStreamStatus = DataStreamStatus.PENDING
    target: DataStreamStatus = DataStreamStatus.RUNNING
    """What it is to become."""
    deleting: bool = False
    life: int = 0
