"""Data streams and Cloud Connect attachments: what there is of them, and what becomes of each by itself."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.sandbox.world.clock import DAY
from airflow_provider_emnify.sandbox.world.records import integrations as records
from airflow_provider_emnify.sandbox.world.records.integrations import Attachment, DataStream
from airflow_provider_emnify.sandbox.world.state import State

STREAM_TYPES: dict[int, str] = {1: "Usage", 2: "Event"}
FILTER_FIELDS: dict[int, str] = {
    1: "organisation",
    2: "endpoint",
    3: "sim",
    4: "event_type",
    5: "event_severity",
    6: "event_source",
    7: "traffic_type",
    8: "country",
    9: "operator",
}
CREDENTIALS: dict[str, tuple[str, ...]] = {
    "AwsKinesis": ("region", "stream_name", "role_arn"),
    "S3": ("region", "bucket_name", "role_arn"),
    "RestAPI": ("url",),
    "KeenIO": ("project_id", "write_key", "collection_name"),
    "Datadog": ("api_key",),
    "EventHubs": ("connection_string",),
    "PubSub": ("cps_topic", "cps_project"),
}
"""What each type of connection needs."""

ATTACHMENT_TYPES: dict[int, str] = {
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
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-1")
OFFER = 7 * DAY
"""How long a transit gateway can be accepted."""


def settle_stream(state: State, stream: DataStream, target: DataStreamStatus) -> None:
    """Let a stream become what it is to be, a little later."""
    stream.life += 1
    stream.status, stream.target = DataStreamStatus.PENDING, target

    def become() -> None:
        failure = None
        if stream.target is DataStreamStatus.RUNNING:
            failure = state.outcomes.take("data_stream", stream.id, stream.name)
        stream.status = stream.target if failure is None else DataStreamStatus.ERROR

    state.agenda.after(state.settings.streams_running_after, become, stream)


def delete_stream(state: State, stream: DataStream) -> None:
    """Let a stream disappear, a little later."""
    stream.life += 1
    stream.deleting = True
    state.agenda.after(state.settings.streams_running_after, lambda: state.data_streams.pop(stream.id))


def connect(state: State, attachment: Attachment) -> None:
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


def disconnect(state: State, attachment: Attachment) -> None:
    """Let an attachment be deactivated a little later."""
    attachment.life += 1
    attachment.status = records.DEACTIVATING

    def end() -> None:
        attachment.status, attachment.terminated = records.DEACTIVATED, state.now

    state.agenda.after(state.settings.attachments_active_after, end)
