"""Cloud Connect: attachments, and how one becomes active."""

from __future__ import annotations

from airflow_provider_emnify.sandbox.world.clock import DAY
from airflow_provider_emnify.sandbox.world.records import integrations as records
from airflow_provider_emnify.sandbox.world.records.integrations import Attachment
from airflow_provider_emnify.sandbox.world.state import State

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


def begin(state: State, attachment: Attachment) -> None:
    """Let an attachment become active a little later; a transit gateway only as long as its offer stands."""
    attachment.life += 1
    after = state.settings.attachments_active_after
    if attachment.type == TRANSIT_GATEWAY:
        attachment.status, attachment.offer_ends = records.AWS_ACTIVATION, state.now + OFFER

    def go_on() -> None:
        if attachment.status == records.EGN_ACTIVATION:
            attachment.status = records.CRG_ACTIVATION

    def finish() -> None:
        if attachment.offer_ends is not None and state.now > attachment.offer_ends:
            return
        failure = state.outcomes.take("cloud_connect", attachment.id, attachment.name)
        attachment.status = records.ACTIVE if failure is None else failure.status
        if attachment.status == records.DEACTIVATED:
            attachment.terminated = state.now

    state.agenda.after(after / 2, go_on, attachment)
    state.agenda.after(after, finish, attachment)


def deactivate(state: State, attachment: Attachment) -> None:
    """Let an attachment be deactivated a little later."""
    attachment.life += 1
    attachment.status = records.DEACTIVATING

    def end() -> None:
        attachment.status, attachment.terminated = records.DEACTIVATED, state.now

    state.agenda.after(state.settings.attachments_active_after, end)
