"""Data streams: what a destination needs, and how a stream comes to run."""

from __future__ import annotations

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.sandbox.world.records.integrations import DataStream
from airflow_provider_emnify.sandbox.world.state import State

TYPES: dict[int, str] = {1: "Usage", 2: "Event"}
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


def settle(state: State, stream: DataStream, target: DataStreamStatus) -> None:
    """Let a stream become what it is to be, a little later."""
    stream.life += 1
    stream.status, stream.target = DataStreamStatus.PENDING, target

    def become() -> None:
        failure = None
        if stream.target is DataStreamStatus.RUNNING:
            failure = state.outcomes.take("data_stream", stream.id, stream.name)
        stream.status = stream.target if failure is None else DataStreamStatus.ERROR

    state.agenda.after(state.settings.streams_running_after, become, stream)


def delete(state: State, stream: DataStream) -> None:
    """Let a stream disappear, a little later."""
    stream.life += 1
    stream.deleting = True
    state.agenda.after(state.settings.streams_running_after, lambda: state.data_streams.pop(stream.id))
