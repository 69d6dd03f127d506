"""Records of SIMs, endpoints and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_emnify.api.enums import (
    Connectivity,
    EndpointStatus,
    EventSeverity,
    EventSource,
    EventType,
    QuotaStatus,
    SimStatus,
    SmsStatus,
)

ICCID, IMSI, MSISDN = "8988303", "90143", "88228"
"""What the numbers of a SIM begin with; its id follows."""
_DOUBLED = str.maketrans("0123456789", "0246813579")


def with_luhn(digits: str) -> str:
    """Append the Luhn check digit."""
    total = sum(map(int, digits[-1::-2].translate(_DOUBLED))) + sum(map(int, digits[-2::-2]))
    return f"{digits}{-total % 10}"


@dataclass(slots=True)
class Organisation:
    """An organisation, also called Workspace."""

    id: int
    name: str
    created: float


@dataclass(slots=True)
class Sim:
    """A SIM. ICCID, IMSI and MSISDN follow from its id."""

    id: int
    organisation_id: int
    production_date: float
    status: SimStatus = SimStatus.ISSUED
    endpoint_id: int | None = None
    activation_date: float | None = None
    eid: str | None = None

    @property
    def iccid(self) -> str:
        """Number of the card, 19 digits."""
        return f"{ICCID}{self.id:012d}"

    @property
    def iccid_with_luhn(self) -> str:
        """Number of the card with its check digit, 20 digits."""
        return with_luhn(self.iccid)

    @property
    def imsi(self) -> str:
        """Number of the subscription, 15 digits."""
        return f"{IMSI}{self.id:010d}"

    @property
    def msisdn(self) -> str:
        """Phone number."""
        return f"{MSISDN}{self.id:010d}"


@dataclass(slots=True)
class Endpoint:
    """An endpoint, also called device."""

    id: int
    name: str
    organisation_id: int
    service_profile_id: int
    tariff_profile_id: int
    created: float
    last_updated: float
    status: EndpointStatus = EndpointStatus.ENABLED
    sim_id: int | None = None
    tags: str | None = None
    imei: str | None = None
    imei_lock: bool = False
    ip_address: str = ""
    ip_address_space_id: int = 1
    tag_ids: tuple[int, ...] = ()
    connectivity: Connectivity = Connectivity.OFFLINE
    blocked: bool = False
    powered: bool = True
    connecting: bool = False
    life: int = 0
    """Counts the turns of its connection, so that what was due in an earlier one does not happen."""


@dataclass(slots=True)
class Tag:
    """A tag."""

    id: int
    name: str
    color_id: int = 1


@dataclass(slots=True)
class Sms:
    """An SMS to or from an endpoint."""

    id: int
    endpoint_id: int
    sim_id: int
    submitted: float
    payload: str
    expires: float
    source_address: str | None = None
    source_address_type: int = 145
    dest_address: str | None = None
    udh: str | None = None
    dcs: int = 0
    status: SmsStatus = SmsStatus.PENDING
    retries: int = 0
    attempted: float | None = None
    delivered: float | None = None
    final: float | None = None
    error: str | None = None
    from_device: bool = False


@dataclass(slots=True)
class Quota:
    """What an endpoint may still use, in MB or SMS."""

    endpoint_id: int
    kind: Literal["data", "sms"]
    volume: float
    expires: float
    status: QuotaStatus
    changed: float
    last_volume_added: float
    auto_refill: bool = False
    threshold_percentage: float | None = None
    threshold_volume: float | None = None


@dataclass(slots=True)
class Extension:
    """A traffic limit extension."""

    id: int
    endpoint_id: int
    traffic_limit_id: int
    volume: float
    created: float
    expires: float


@dataclass(slots=True)
class Batch:
    """SIMs that are bought together; nobody has them until the batch is registered."""

    id: int
    bic: str
    quantity: int
    registrable: bool = True
    organisation_id: int | None = None


@dataclass(slots=True)
class Event:
    """An event, with what it is about as it was at that time."""

    id: int
    timestamp: float
    type: EventType
    source: EventSource
    severity: EventSeverity
    alert: bool
    description: str
    organisation_id: int
    user: dict[str, Any] | None = None
    endpoint: dict[str, Any] | None = None
    sim: dict[str, Any] | None = None
    imsi: dict[str, Any] | None = None
    detail: dict[str, Any] | None = None
