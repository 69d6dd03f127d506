"""Callbacks as a task: what emnify needs to call Airflow."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_emnify.api.resources.few import find_by_name
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import Argument, GivenRows, Ids, optional, parse_choice, parse_text
from airflow_provider_emnify.callbacks.settings import API_SECRET, STREAM_SECRET, secrets_in_extra
from airflow_provider_emnify.hooks.masking import mask, masked_connection
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.data_stream.settings import parse_filters
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context

_STREAM_TYPES = {"events": 2, "usage": 1}
_LARGEST_LIST = 10_000


def parse_url(value: Any, field: str) -> str:
    """Return the URL of a server, without a slash at its end.

    :raises ValueError: naming the field, for anything else.
    """
    text = parse_text(value, field)
    parts = urlsplit(text)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{field}: it is not a valid URL; give one as https://airflow.example.org")
    if "@" in parts.netloc:
        raise ValueError(f"{field}: it holds a username or password, and arguments are stored in the clear")
    return text.rstrip("/")


def parse_size(value: Any, field: str) -> int:
    """Return how many records a call has at most.

    :raises ValueError: naming the field, for what is not a number from 1 to 10,000.
    """
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _LARGEST_LIST:
        raise ValueError(f"{field}: {value!r} is not valid; give a whole number from 1 to {_LARGEST_LIST}")
    return number


class EmnifySetUpCallbacksOperator(EmnifyBaseOperator):
    """Set up emnify to call Airflow: API secret, callback URL, service profiles, data stream.

    What is there already is found and left as it is: the API secret by its purpose and value, the callback by
    its URL, the data stream by its name. A service profile is changed only where it calls somebody else.

    The secrets stand in the extra of an Airflow connection, ``api_secret`` and ``stream_secret``, from where
    the API server reads them. One that is missing is made at random and written there where a task may write
    into the metadata database. On Airflow 3 it may not: then the task's log says what to put where. No secret
    is ever in a log or an XCom.

    .. code-block:: python

        EmnifySetUpCallbacksOperator(
            task_id="callbacks", api_server_url="https://airflow.example.org", service_profile_ids=[1]
        )

    :param api_server_url: URL under which emnify reaches Airflow's API server (templated).
    :param callbacks_conn_id: The connection that ``[emnify] callbacks`` names and that holds the secrets
        (templated). Default: ``emnify_conn_id``.
    :param purpose: How emnify lists API secret and callback (templated). Default ``"Airflow"``.
    :param service_profile_ids: Service profiles that shall call Airflow (templated). Default: none.
    :param data_stream_name: Name of a data stream to create, too (templated). Default: none.
    :param data_stream_type: ``"events"`` (default) or ``"usage"``, what it delivers (templated).
    :param data_stream_filters: What it has, as for
        :class:`~airflow_provider_emnify.operators.data_stream.EmnifyCreateDataStreamOperator` (templated).
    :param data_stream_size: How many records a call has at most (templated). 1 (default): each is an event of
        its asset; more: they come in lists, which become files.
    :param emnify_conn_id: The connection to emnify.
    :returns: ``api_secret_id``, ``api_callback_id``, ``url``, ``service_profile_ids`` (those that were
        changed), ``data_stream_id`` (or None), and ``missing``: the extras that a person has to fill.
    :raises ValueError: when the DAG is parsed, for an argument that makes no sense.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/integrations/create-callback-secret
    """

    idempotent: ClassVar[bool] = True

    api_server_url = Argument(parse_url)
    callbacks_conn_id = Argument(optional(parse_text))
    purpose = Argument(parse_text)
    service_profile_ids = Argument(parse_ids)
    data_stream_name = Argument(optional(parse_text))
    data_stream_type = Argument(parse_choice(*_STREAM_TYPES))
    data_stream_filters = Argument(optional(parse_filters))
    data_stream_size = Argument(parse_size)

    def __init__(
        self,
        *,
        api_server_url: str,
        callbacks_conn_id: str | None = None,
        purpose: str = "Airflow",
        service_profile_ids: Ids = (),
        data_stream_name: str | None = None,
        data_stream_type: str = "events",
        data_stream_filters: GivenRows | None = None,
        data_stream_size: int | str = 1,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> Row:
        """Find or create each of them, in the order in which one needs the other."""
        conn_id = self.callbacks_conn_id or self.emnify_conn_id
        attempt, held = Attempt(self, context), _held(conn_id)
        base = f"{self.api_server_url}/emnify/callbacks/{quote(conn_id, safe='')}"
        secret_id, api_secret = self._api_secret(attempt, held.get(API_SECRET))
        callback_id = self._callback(attempt, f"{base}/sms")
        found, stream_id = {API_SECRET: api_secret}, None
        if self.data_stream_name is not None:
            stream_id, stream_secret = self._stream(attempt, f"{base}/stream/", held.get(STREAM_SECRET))
            found[STREAM_SECRET] = stream_secret
        missing = {name: value for name, value in found.items() if name not in held}
        if missing and store_in_extra(conn_id, missing):
            self.log.info("Wrote %s into the extra of connection '%s'", ", ".join(missing), conn_id)
            missing = {}
        wanted = {
            "api_callback": callback_id,
            API_SECRET: secret_id,
            "esme_interface_type": self._rest_interface(),
        }
        changed = [one for one in self.service_profile_ids if self._use(one, wanted)]
        if missing:
            self.log.warning(
                "Put %s into the extra of connection '%s': a task cannot write there. emnify shows the API "
                "secret by client.api_secrets.get(%s), the other one at the end of the data stream's URL. "
                "Until then the callbacks are refused, and emnify sends them again",
                *(" and ".join(f"'{name}'" for name in missing), conn_id, secret_id),
            )
        return {
            "api_secret_id": secret_id,
            "api_callback_id": callback_id,
            "url": f"{base}/sms",
            "service_profile_ids": changed,
            "data_stream_id": stream_id,
            "missing": sorted(missing),
        }

    def _api_secret(self, attempt: Attempt, wanted: str | None) -> tuple[int, str]:
        """Return the id and the value of the API secret of this purpose."""
        value, client = _masked(wanted or secrets.token_urlsafe(48)), self.client.api_secrets

        def look() -> Rows:
            return [client.get(row["id"]) for row in client.list() if row.get("purpose") == self.purpose]

        def decide(rows: Rows) -> Row | None:
            shown = [row for row in rows if isinstance(row.get("secret"), str)]
            return next((row for row in reversed(shown) if wanted in {None, row["secret"]}), None)

        def create() -> Row:
            return {**client.create(purpose=self.purpose, secret=value), "secret": value}

        row, _ = self._ensure(attempt, "API secret", self.purpose, look, decide, create)
        return int(row["id"]), _masked(str(row["secret"]))

    def _callback(self, attempt: Attempt, url: str) -> int:
        client = self.client.api_callbacks

        def decide(rows: Rows) -> Row | None:
            return next((row for row in rows if url in {row.get("url"), row.get("callback_url")}), None)

        def create() -> Row:
            return client.create(url=url, purpose=self.purpose)

        row, _ = self._ensure(attempt, "callback", url, lambda: [*client.list()], decide, create)
        return int(row["id"])

    def _stream(self, attempt: Attempt, base: str, wanted: str | None) -> tuple[int | str, str]:
        """Return the id of the data stream and the secret in its URL, to which it is changed."""
        client, name = self.client.data_streams, str(self.data_stream_name)
        secret = _masked(wanted or secrets.token_urlsafe(32))
        credentials = {"url": base + quote(secret, safe=""), "size": self.data_stream_size}
        destination = {"connection_type": "RestAPI", "format": "JSON", "credentials": credentials}

        def create() -> Row:
            type_id, filters = _STREAM_TYPES[self.data_stream_type], self.data_stream_filters or []
            return client.create(
                name=name, destination=destination, data_stream_type_id=type_id, filters=filters
            )

        row, created = self._ensure(
            *(attempt, "data stream", name, lambda: [*client.list()]),
            lambda rows: find_by_name(rows, name, "data stream"),
            create,
        )
        url = str(part(part(row, "destination"), "credentials").get("url"))
        if not created and wanted is None and url.startswith(base):
            return row["id"], _masked(unquote(url.removeprefix(base)))
        if not created and url != credentials["url"]:
            client.update(row["id"], destination=destination)
            self.log.info("Data stream %s calls Airflow now", row["id"])
        return row["id"], secret

    def _ensure(
        self,
        attempt: Attempt,
        what: str,
        key: str,
        look: Callable[[], Rows],
        decide: Callable[[Rows], Row | None],
        create: Callable[[], Row],
    ) -> tuple[Row, bool]:
        """Return what is known by a key, created if it is not there, and whether it was."""
        row, created = create_once(
            attempt,
            lock=(f"{what}s", key),
            look=look,
            decide=lambda rows, _: decide(rows),
            create=lambda _: create(),
            always_look=True,
        )
        self.log.info("%s %s %s (%s)", "Created" if created else "Found", what, row["id"], key)
        return row, created

    def _rest_interface(self) -> int | None:
        """Return by which interface SMS are called out; None where emnify names none like it."""
        found = self.client.lookups.esme_interface_types() if self.service_profile_ids else []
        return next((row["id"] for row in found if "rest" in str(row.get("description")).lower()), None)

    def _use(self, profile_id: int, wanted: Mapping[str, int | None]) -> bool:
        """Have a service profile call Airflow, unless it does; tell whether it was changed."""
        client = self.client.service_profiles
        profile = client.get(profile_id)
        changes: Row = {
            f"{name}_id": value
            for name, value in wanted.items()
            if value is not None and str(part(profile, name).get("id")) != str(value)
        }
        if changes:
            client.update(profile_id, **changes)
        self.log.info("Service profile %s calls it %s", profile_id, "now" if changes else "already")
        return bool(changes)


def _masked(secret: str) -> str:
    mask(secret)
    return secret


def _held(conn_id: str) -> dict[str, str]:
    """Return the secrets that a connection holds, the newest of several."""
    held = secrets_in_extra(conn_id, masked_connection(conn_id).extra_dejson)
    return {name: several[0] for name, several in held.items() if several}


def store_in_extra(conn_id: str, values: Mapping[str, str]) -> bool:
    """Write into the extra of a connection in the metadata database; tell whether a task may."""
    try:
        from airflow.models.connection import Connection
        from airflow.utils.session import create_session

        with create_session() as session:
            row = session.query(Connection).filter(Connection.conn_id == conn_id).one_or_none()
            if row is not None:
                row.set_extra(json.dumps({**row.extra_dejson, **values}))
            return row is not None
    except Exception:  # Airflow 3 has its own ways to say that a task has no database
        return False
