"""Cloud Connect: attachments, and how one becomes active."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emnify.sandbox.world.clock import DAY

if TYPE_CHECKING:
    from airflow_provider_emnify.sandbox.world.state import State

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
TYPES: dict[int, str] = {
    1: "Transit Gateway",
    2: "IPSec VPN",
    3: "IPSec VPN BGP",
    4: "IPSec VPN BGP High Availability",
    5: "Direct Connect",
    6: "Shared",
    7: "Transit Gateway (Classic)",
    8: "IPSec VPN (Classic)",
}
TRANSIT_GATEWAY, VPN, VPN_BGP = 1, 2, 3
CLASSIC = frozenset({7, 8})
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-1")
OFFER = 7 * DAY
"""How long a transit gateway can be accepted."""


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


def begin(state: State, attachment: Attachment, now: float) -> None:
    """Let an attachment become active a little later; a transit gateway only as long as its offer stands."""
    attachment.life += 1
    life, after = attachment.life, state.settings.attachments_active_after
    if attachment.type == TRANSIT_GATEWAY:
        attachment.status, attachment.offer_ends = AWS_ACTIVATION, now + OFFER

    def go_on(when: float) -> None:
        if attachment.life == life and attachment.status == EGN_ACTIVATION:
            attachment.status = CRG_ACTIVATION

    def finish(when: float) -> None:
        late = attachment.offer_ends is not None and when > attachment.offer_ends
        if attachment.life != life or late:
            return
        failure = state.outcomes.take("cloud_connect", attachment.id, attachment.name)
        attachment.status = ACTIVE if failure is None else failure.status
        if attachment.status == DEACTIVATED:
            attachment.terminated = when

    state.agenda.at(now + after / 2, go_on)
    state.agenda.at(now + after, finish)


def deactivate(state: State, attachment: Attachment, now: float) -> None:
    """Let an attachment be deactivated a little later."""
    attachment.life += 1
    attachment.status = DEACTIVATING

    def end(when: float) -> None:
        attachment.status, attachment.terminated = DEACTIVATED, when

    state.agenda.at(now + state.settings.attachments_active_after, end)
