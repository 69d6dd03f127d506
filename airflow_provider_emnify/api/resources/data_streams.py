"""Data streams: usage and events that emnify delivers as they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Id, Row, Rows, TextId

SECRETS = frozenset({"write_key", "api_key", "connection_string", "headers"})
"""Credentials of a destination that are secret."""

_SECRET_ARGUMENTS = tuple(f"destination.credentials.{name}" for name in sorted({*SECRETS, "url"}))
"""emnify documents no authentication of webhooks: their URL is what holds the secret."""


class DataStreams(Resource):
    """The data streams of an organisation, as ``client.data_streams``."""

    @declared("GET", "/api/v2/data_stream", secret=True, answer="either", ids=str)
    def list(self) -> Listing:
        """List the data streams, with the credentials of their destinations.

        See https://docs.emnify.com/developers/api/integrations/list-data-streamer-v-2-s
        """

    @declared(
        "POST",
        "/api/v2/data_stream",
        known_by=("name",),
        secret_arguments=_SECRET_ARGUMENTS,
        secret_fields=(*sorted(SECRETS), "url"),
    )
    def create(
        self,
        *,
        name: str,
        destination: Mapping[str, Any],
        data_stream_type_id: Id | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        relation_resolution: Any = None,
        status: DataStreamStatus | str | int | None = None,
    ) -> Row:
        """Create a data stream. When the answer is lost, it is looked for by its name.

        See https://docs.emnify.com/developers/api/integrations/create-data-streamer

        :param name: Name of the stream.
        :param destination: Where it goes: ``connection_type`` (``AwsKinesis``, ``S3``, ``RestAPI``,
            ``KeenIO``, ``Datadog``, ``EventHubs``, ``PubSub``), ``format``, and ``credentials`` with what
            that type needs, for S3 for example ``region``, ``bucket_name``, ``role_arn``.
        :param data_stream_type_id: 1 for usage, 2 for events, see :meth:`types`.
        :param filters: What it has, each ``{"field": ..., "value": ...}`` or a group ``{"or": [...]}``; see
            :meth:`filter_fields`. They are sent as they are.
        :param relation_resolution: How related objects are shown, as emnify's page says.
        :param status: ``running`` or ``paused``.
        :returns: The stream, with at least its ``id``.
        """

    @declared("GET", "/api/v2/data_stream/{data_stream_id}", secret=True, ids=str)
    def get(self, data_stream_id: TextId) -> Row:
        """Return a data stream with its status, and with the credentials of its destination.

        See https://docs.emnify.com/developers/api/integrations/get-data-streamer-by-id-v-2

        :param data_stream_id: Id of the stream.
        """

    @declared(
        "PATCH",
        "/api/v2/data_stream/{data_stream_id}",
        answer="acknowledgement",
        secret_arguments=_SECRET_ARGUMENTS,
    )
    def update(
        self,
        data_stream_id: TextId,
        *,
        name: str | None = None,
        destination: Mapping[str, Any] | None = None,
        data_stream_type_id: Id | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        relation_resolution: Any = None,
        status: DataStreamStatus | str | int | None = None,
    ) -> None:
        """Change a data stream; only what is given is changed. It takes effect a little later.

        See https://docs.emnify.com/developers/api/integrations/patch-v-2-data-stream

        :param data_stream_id: Id of the stream.
        :param name: Name of the stream.
        :param destination: Where it goes, as in :meth:`create`.
        :param data_stream_type_id: 1 for usage, 2 for events.
        :param filters: What it has, as in :meth:`create`.
        :param relation_resolution: How related objects are shown.
        :param status: ``running`` or ``paused``. A paused stream is kept for seven days.
        """

    @declared("DELETE", "/api/v2/data_stream/{data_stream_id}", answer="acknowledgement")
    def delete(self, data_stream_id: TextId) -> None:
        """Delete a data stream. It takes effect a little later.

        See https://docs.emnify.com/developers/api/integrations/delete-data-streamer-v-2

        :param data_stream_id: Id of the stream.
        """

    @declared(
        "POST", "/api/v2/data_stream/{data_stream_id}/restart", idempotent=True, answer="acknowledgement"
    )
    def restart(self, data_stream_id: TextId) -> None:
        """Start a data stream again that stopped with an error. It takes effect a little later.

        See https://docs.emnify.com/developers/api/integrations/data-streamer-v-2-by-id-restart

        :param data_stream_id: Id of the stream.
        """

    @declared("GET", "/api/v2/data_stream/filter_field_type", ids=int)
    def filter_fields(self) -> Rows:
        """Return the fields that a data stream can be filtered by.

        See https://docs.emnify.com/developers/api/integrations/get-data-streamer-enum-filter-field-type
        """

    @declared("GET", "/api/v2/data_stream/status", ids=int)
    def statuses(self) -> Rows:
        """Return the statuses of data streams, see :class:`~airflow_provider_emnify.api.DataStreamStatus`.

        See https://docs.emnify.com/developers/api/integrations/get-data-streamer-statuses
        """

    @declared("GET", "/api/v2/data_stream/type", ids=int)
    def types(self) -> Rows:
        """Return the types of data streams.

        See https://docs.emnify.com/developers/api/integrations/get-data-streamer-data-stream-type
        """
