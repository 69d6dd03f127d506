"""Data streams as tasks: create, change, restart, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import EmnifyError
from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.api.resources.bulk import read_status
from airflow_provider_emnify.api.resources.few import find_by_id_or_name, find_by_name
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import is_nothing
from airflow_provider_emnify.arguments import (
    Argument,
    OneId,
    optional,
    parse_choice,
    parse_id_or_name,
    parse_text,
    require_confirmation,
)
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.data_stream.settings import (
    SETTINGS,
    WHAT,
    DataStreamOperator,
    DataStreamSettingsOperator,
    is_so,
)
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once


class EmnifyCreateDataStreamOperator(DataStreamSettingsOperator):
    """Create a data stream: usage or events that emnify delivers as they happen.

    A stream is known by its name: it is looked for first, so that a task that runs again creates no second
    one, nor do two runs that overlap and share a lock (``rate_limit_store``).

    Arguments of a task are stored in clear text, so secrets are no part of ``destination``: put them into an
    Airflow connection and name it in ``credentials_conn_id``.

    .. code-block:: python

        EmnifyCreateDataStreamOperator(
            task_id="usage_to_s3",
            name="usage to S3",
            data_stream_type_id=1,
            destination={
                "connection_type": "S3",
                "format": "CSV",
                "credentials": {
                    "region": "eu-west-1",
                    "bucket_name": "usage",
                    "role_arn": "arn:aws:iam::123456789012:role/emnify",
                },
            },
            wait_for_completion=True,
            deferrable=True,
        )

    :param name: Name of the stream (templated).
    :param destination: Where it goes (templated): ``connection_type`` (``"AwsKinesis"``, ``"S3"``,
        ``"RestAPI"``, ``"KeenIO"``, ``"Datadog"``, ``"EventHubs"``, ``"PubSub"``), ``format``, and
        ``credentials`` with what that type needs and is not secret.
    :param credentials_conn_id: An Airflow connection with the rest of the credentials (templated): its
        password is the ``write_key``, ``api_key`` or ``connection_string`` of KeenIO, Datadog or EventHubs;
        its extra holds any other by name, for example ``{"headers": [...]}`` of RestAPI, or a ``url`` with
        a secret in its path, which nothing else tells from a plain one.
    :param data_stream_type_id: 1 for usage, 2 for events (templated).
    :param filters: What it has, each ``{"field": ..., "value": ...}`` with the values that emnify documents
        for the field, or ``{"or": [...]}`` with a group of these (templated).
    :param relation_resolution: How related objects are shown, as emnify's page says (templated).
    :param status: ``"running"`` (emnify's default) or ``"paused"`` (templated).
    :param if_exists: ``"skip"`` (default): use a stream of the name as it is; ``"update"``: change it to what
        is asked; ``"fail"``: fail, except for one that is as asked when this is not the first try.
    :param wait_for_completion: Wait until the stream is running (default False).
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default 15 minutes.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the status, by id.
    :param emnify_conn_id: The connection to emnify.
    :returns: The stream's id.
    :raises ValueError: when the DAG is parsed, for a destination that makes no sense or holds a secret.
    :raises AirflowFailException: when the stream comes to an error state, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/integrations/create-data-streamer
    """

    name = Argument(parse_text)
    if_exists = Argument(parse_choice("skip", "fail", "update"), templated=False)

    def __init__(
        self,
        *,
        name: str,
        destination: Mapping[str, Any] | str | XComArg,
        if_exists: Literal["skip", "fail", "update"] = "skip",
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        if not destination:
            raise ValueError("destination: give one, with a connection_type")

    def execute(self, context: Context) -> Any:
        """Look for the stream, then create it or do what ``if_exists`` says."""
        name, settings = self.name, self.settings()
        if "destination" not in settings:
            raise ValueError(
                f"destination: {self.destination!r} is not valid; give one, with a connection_type"
            )
        attempt = Attempt(self, context)
        there, created = create_once(
            attempt,
            lock=("data streams", name),
            look=lambda: [*self.client.data_streams.list()],
            decide=lambda rows, _: find_by_name(rows, name, WHAT),
            create=lambda _: self._create(name, settings),
            always_look=True,
        )
        if created:
            return self.leave(there["id"])
        if self.if_exists == "update":
            return self.change(there, settings)
        is_asked = all(is_so(there, key, value) for key, value in settings.items())
        if self.if_exists == "fail" and not (is_asked and attempt.since):
            raise ValueError(
                f"name: data stream {there['id']} is named {name!r}; set if_exists to 'skip' or 'update' to "
                "go on with it"
            )
        self.log.info("Data stream %s exists as %s: nothing to create", name, there["id"])
        return self.leave(there["id"], there)

    def _create(self, name: str, settings: Row) -> Row:
        self.log.info("Creating data stream %s to %s", name, settings["destination"]["connection_type"])
        created = self.client.data_streams.create(name=name, **settings)
        self.log.info("Created data stream %s as %s", name, created["id"])
        return created


class EmnifyUpdateDataStreamOperator(DataStreamSettingsOperator):
    """Change a data stream. What is not given stays; what is so already is not sent.

    A change takes effect a little later. A paused stream is kept for seven days.

    .. code-block:: python

        EmnifyUpdateDataStreamOperator(task_id="pause", data_stream_id="usage to S3", status="paused")

    :param data_stream_id: The stream's id or name (templated).
    :param name: New name (templated).
    :param destination: Where it goes, as for :class:`EmnifyCreateDataStreamOperator` (templated).
    :param credentials_conn_id: An Airflow connection with the rest of the credentials, as there (templated).
    :param data_stream_type_id: 1 for usage, 2 for events (templated).
    :param filters: What it has, as there (templated).
    :param relation_resolution: How related objects are shown (templated).
    :param status: ``"running"`` or ``"paused"`` (templated).
    :param wait_for_completion: Wait until the stream is running (default False).
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default 15 minutes.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the status, by id.
    :param emnify_conn_id: The connection to emnify.
    :returns: The stream's id.
    :raises AirflowFailException: when there is no such stream, and for any other permanent error.

    Vendor page: https://docs.emnify.com/developers/api/integrations/patch-v-2-data-stream
    """

    data_stream_id = Argument(parse_id_or_name)
    name = Argument(optional(parse_text))

    def __init__(self, *, data_stream_id: OneId, name: str | None = None, **kwargs: Any) -> None:
        self.init_task(locals())
        if is_nothing(name) and all(is_nothing(getattr(self, setting)) for setting in SETTINGS):
            raise ValueError(f"name, {', '.join(SETTINGS)}: give at least one of them to change")
        if self.credentials_conn_id is not None and self.destination is None:
            raise ValueError("credentials_conn_id: give the destination too; emnify takes it as a whole")

    def execute(self, context: Context) -> Any:
        """Read the stream, and send what differs."""
        wanted = {**given(name=self.name), **self.settings()}
        return self.change(self.find(self.data_stream_id, also=self.name), wanted)


class EmnifyRestartDataStreamOperator(DataStreamOperator):
    """Start a data stream again that stopped with an error. One that is running is done.

    .. code-block:: python

        EmnifyRestartDataStreamOperator(
            task_id="restart", data_stream_id="usage to S3", wait_for_completion=True
        )

    :param data_stream_id: The stream's id or name (templated).
    :param wait_for_completion: Wait until the stream is running (default False). One that goes on failing
        ends the wait with its timeout.
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default 15 minutes.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the status, by id.
    :param emnify_conn_id: The connection to emnify.
    :returns: The stream's id.
    :raises AirflowFailException: when there is no such stream or it is paused, and for any other permanent
        error.

    Vendor page: https://docs.emnify.com/developers/api/integrations/data-streamer-v-2-by-id-restart
    """

    data_stream_id = Argument(parse_id_or_name)

    def __init__(self, *, data_stream_id: OneId, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> Any:
        """Read the stream, and restart it if it has stopped."""
        stream = self.find(self.data_stream_id)
        status = read_status(DataStreamStatus, stream)
        if status == DataStreamStatus.PAUSED:
            raise ValueError(
                f"data_stream_id: data stream {stream['id']} is paused, not stopped; resume it with "
                "EmnifyUpdateDataStreamOperator(status='running')"
            )
        if status == DataStreamStatus.ERROR:
            self.log.info("Restarting data stream %s (%s)", stream["id"], stream.get("name"))
            self.client.data_streams.restart(stream["id"])
        else:
            self.log.info("Data stream %s (%s) has not stopped", stream["id"], stream.get("name"))
        return self.leave(stream["id"], stream)


class EmnifyDeleteDataStreamOperator(EmnifyBaseOperator):
    """Delete a data stream. One that does not exist (any more), or is being deleted, is done.

    It takes effect a little later: until then the stream is still there for a task that creates one of the
    same name.

    .. code-block:: python

        EmnifyDeleteDataStreamOperator(task_id="remove", data_stream_id="usage to S3", confirm=True)

    :param data_stream_id: The stream's id or name (templated).
    :param confirm: Must be True: a deleted stream cannot be brought back.
    :param emnify_conn_id: The connection to emnify.
    :returns: The id of the stream that is gone, in a list; an empty one for a name that none has.
    :raises ValueError: when the DAG is parsed, without ``confirm=True``.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/integrations/delete-data-streamer-v-2
    """

    idempotent: ClassVar[bool] = True

    data_stream_id = Argument(parse_id_or_name)
    confirm = Argument(require_confirmation("deleting a data stream"), templated=False)

    def __init__(self, *, data_stream_id: OneId, confirm: bool = False, **kwargs: Any) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> list[int]:
        """Look for the stream, and delete it."""
        streams, wanted = self.client.data_streams, self.data_stream_id

        def look() -> Row | None:
            return find_by_id_or_name([*streams.list()], wanted, WHAT)

        def delete(stream_id: int) -> None:
            try:
                streams.delete(stream_id)
            except EmnifyError as error:
                if error.status != 409:  # noqa: PLR2004 - HTTP's own number, whatever code comes with it
                    raise
                self.log.info("Data stream %s is being deleted already (%s)", stream_id, error.message)

        return self.delete_one(look, wanted, WHAT, delete)
