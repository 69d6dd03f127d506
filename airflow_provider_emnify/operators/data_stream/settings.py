"""What the operators of data streams have in common: settings, secrets of a destination, and the wait."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from airflow_provider_emnify.api.enums import DataStreamStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.data_streams import SECRETS
from airflow_provider_emnify.api.resources.few import find_by_id_or_name
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.secrets.names import show
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import (
    Argument,
    MaskedArguments,
    as_given,
    is_known,
    optional,
    parse_choice,
    parse_mapping,
    parse_optional_id,
    parse_seconds,
    parse_text,
    refuse_secrets,
    status_in,
)
from airflow_provider_emnify.hooks.masking import masked_connection
from airflow_provider_emnify.operators.base.waiting import EmnifyWaitingOperator
from airflow_provider_emnify.operators.endpoint.rows import parse_rows

WHAT = "data stream"
SETTINGS = ("destination", "data_stream_type_id", "filters", "relation_resolution", "status")

_parse_type = parse_choice("AwsKinesis", "S3", "RestAPI", "KeenIO", "Datadog", "EventHubs", "PubSub")
_DESTINATION = frozenset({"connection_type", "format", "credentials"})
_FILTER = dict.fromkeys(("field", "value", "or"), as_given)
_PASSWORD = {"KeenIO": "write_key", "Datadog": "api_key", "EventHubs": "connection_string"}


def parse_filters(value: Any, field: str) -> list[dict[str, Any]]:
    """Return the filters of a data stream: each a field with a value of any kind, or a group (``or``).

    :raises ValueError: for anything else, naming it.
    """
    filters = parse_rows(value, field, _FILTER)
    for one in filters:
        if one.keys() == {"or"}:
            one["or"] = parse_filters(one["or"], f"{field}: or")
        elif one.keys() != {"field", "value"}:
            remedy = "give field and value, or {'or': [...]}"
            raise ValueError(f"{field}: {one!r} is not a valid filter; {remedy}")
    return filters


parse_status = optional(status_in(DataStreamStatus.RUNNING, DataStreamStatus.PAUSED))
"""Return the status that a stream can be given; None for nothing."""


def _plain(value: Any, field: str) -> Any:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        raise ValueError(f"{field}: {value!r} is not valid; give what JSON can hold") from None
    return value


class DataStreamOperator(EmnifyWaitingOperator):
    """Base of the operators that leave a data stream behind, and can wait until it is running.

    :param wait_for_completion: Wait until the stream is running (default False).
    :param timeout: Seconds (or a timedelta) until the wait times out. Default 15 minutes.
    """

    idempotent: ClassVar[bool] = True

    wait_for_completion = Argument(parse_bool, default=False, templated=False)
    timeout = Argument(parse_seconds, default=timedelta(minutes=15), templated=False)

    def find(self, wanted: str, also: str | None = None) -> Row:
        """Return the stream of an id, else of a name, else of ``also``: an earlier try may have renamed it.

        :raises ValueError: when there is none.
        """
        stream = find_by_id_or_name([*self.client.data_streams.list()], wanted, WHAT, also)
        if stream is None:
            raise ValueError(f"data_stream_id: there is no data stream {wanted!r}")
        return stream

    def leave(self, stream_id: int | str, before: Row | None = None) -> Any:
        """Return the stream's id, once it is running if that is asked for.

        :param before: The stream as it was. What was wrong with it then does not end the wait: what was
            changed takes effect a little later.
        """
        was_wrong = before is not None and status_of(before) == DataStreamStatus.ERROR
        wait = Wait("data_stream", str(stream_id), DataStreamStatus.RUNNING, () if was_wrong else None)
        return self.wait_until(wait, stream_id)


class DataStreamSettingsOperator(DataStreamOperator):
    """Base of the operators that say how a data stream is to be."""

    template_fields_renderers: ClassVar[dict[str, str]] = {"destination": "json", "filters": "json"}
    secret_arguments: ClassVar[tuple[str, ...]] = tuple(
        f"credentials.{name}" for name in sorted({*SECRETS, "url"})
    )
    destination = MaskedArguments(as_given, default=None)  # checked below, as far as it is known
    credentials_conn_id = Argument(optional(parse_text), default=None)
    data_stream_type_id = Argument(parse_optional_id, default=None)
    filters = Argument(optional(parse_filters), default=None)
    relation_resolution = Argument(_plain, default=None)
    status = Argument(parse_status, default=None)

    def check_arguments(self) -> None:
        """Check the destination, and that what is waited for can come."""
        super().check_arguments()
        if isinstance(self.destination, Mapping) or is_known(self.destination):
            check_destination(self.destination)
        status: Any = self.status
        if (
            self.wait_for_completion
            and is_known(status)
            and parse_status(status, "status") is DataStreamStatus.PAUSED
        ):
            raise ValueError("wait_for_completion: a stream whose status is to be paused never runs")

    def settings(self) -> Row:
        """Return what is asked for, as ``client.data_streams`` takes it. It may hold secrets."""
        destination = check_destination(self.destination)
        if self.credentials_conn_id:
            destination = with_credentials(destination, self.credentials_conn_id)
        settings = {name: getattr(self, name) for name in SETTINGS} | {"destination": destination or None}
        return given(**settings)

    def change(self, stream: Row, wanted: Mapping[str, Any]) -> Any:
        """Send what differs from a stream, and return its id."""
        differing = {name: value for name, value in wanted.items() if not is_so(stream, name, value)}
        if differing:
            self.log.info(
                "Data stream %s (%s): changing %s",
                *(stream["id"], stream.get("name"), show(differing, self.secret_arguments)),
            )
            self.client.data_streams.update(stream["id"], **differing)
        else:
            self.log.info("Data stream %s (%s) needs no change", stream["id"], stream.get("name"))
        return self.leave(stream["id"], stream)


def check_destination(value: Any) -> Row:
    """Return a destination, checked as far as it is known.

    :raises ValueError: for a key or type that is none, and for a secret.
    """
    try:
        destination = parse_mapping(value, "destination")
    except ValueError:  # without the value: it may hold a secret
        raise ValueError(
            "destination: this is not a dict; give connection_type, format and credentials"
        ) from None
    if not destination:
        return {}
    unknown = sorted(set(destination) - _DESTINATION)
    if unknown:
        raise ValueError(
            f"destination: unknown {', '.join(unknown)}; allowed: {', '.join(sorted(_DESTINATION))}"
        )
    kind = destination.get("connection_type")
    if kind is None or is_known(kind):
        _parse_type(kind, "destination: connection_type")
    credentials = destination.get("credentials") or {}
    if is_known(credentials):
        try:
            credentials = parse_mapping(credentials, "credentials")
        except ValueError:  # without the value: it may hold a secret
            raise ValueError("destination: its credentials are not a dict; give values by name") from None
    remedy = "Put it into an Airflow connection and name that in credentials_conn_id"
    refuse_secrets("destination", credentials, remedy, SECRETS)
    url = credentials.get("url") if isinstance(credentials, Mapping) else None
    if isinstance(url, str) and is_known(url) and re.search(r"[?@#]", url):
        refuse_secrets("destination", {"url": url}, remedy, {"url"})
    return destination


def with_credentials(destination: Row, conn_id: str) -> Row:
    """Return a destination with the credentials that an Airflow connection holds.

    :raises ValueError: when the connection has a password, and that type of destination none.
    """
    conn = masked_connection(conn_id)
    given = parse_mapping(destination.get("credentials"), "destination: credentials")
    credentials = {**given, **conn.extra_dejson}
    kind = str(destination.get("connection_type"))
    if conn.password:
        if kind not in _PASSWORD:
            raise ValueError(
                f"credentials_conn_id: connection '{conn_id}' has a password, and {kind} takes none; put its "
                "credentials into the connection's extra, by name"
            )
        credentials[_PASSWORD[kind]] = conn.password
    return {**destination, "credentials": credentials}


def is_so(stream: Row, name: str, value: Any) -> bool:
    """Tell whether a stream is so already. Credentials that emnify does not show are taken to differ."""
    if name == "data_stream_type_id":
        return bool(part(stream, "data_stream_type").get("id") == value)
    if name == "status":
        return bool(status_of(stream) == value)
    return _holds(stream.get(name), value)


def _holds(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            _holds(there.get(key), item) for key, item in wanted.items()
        )
    return bool(there == wanted)
