"""EmnifyHook: an Airflow connection in, a client of the emnify API out."""

from __future__ import annotations

import platform
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow import __version__ as airflow_version

from airflow_provider_emnify import __version__
from airflow_provider_emnify.airflow_names import AirflowNotFoundException, BaseHook, Stats
from airflow_provider_emnify.api import (
    EmnifyAuthenticationError,
    EmnifyConnectionError,
    EmnifyError,
    EmnifyPermissionError,
    EmnifyRateLimitError,
    EmnifyServerError,
)
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.hooks.call_log import CallLog
from airflow_provider_emnify.hooks.connection import ConnectionSettings, EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.form import DEFAULT_TOKEN_CACHE, form_widgets, ui_field_behaviour
from airflow_provider_emnify.hooks.masking import mask

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Connection
    from airflow_provider_emnify.api import EmnifyClient
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

log = one_line_log(__name__)

USER_AGENT = (
    f"airflow-provider-emnify/{__version__} Airflow/{airflow_version} Python/{platform.python_version()}"
)


class EmnifyHook(BaseHook):
    """Connect to the emnify API with an Airflow connection of type ``emnify``.

    The client is made once for a hook and authenticates with its first request, so one hook means one
    authentication. Counters go to Airflow's metrics, with the connection as the tag ``emnify_conn_id``:
    ``emnify.requests``, ``emnify.retries``, ``emnify.authentications``, and ``emnify.throttled_seconds``
    (whole seconds that requests waited for their place in the rate limits; what is left of a second is
    carried over to the next wait).

    .. code-block:: python

        @task
        def fleet_size() -> int:
            with EmnifyHook() as hook:
                return sum(1 for _ in hook.get_conn().endpoints.list())

    :param emnify_conn_id: The connection. Its password is an application token; with a login it is that
        user's password. Its host is the base URL, by default ``https://cdn.emnify.net``.
    :param log_calls: Log each call with its arguments, secrets masked; from the 21st on one in ten seconds.
    :raises EmnifyConnectionConfigError: from the first use on, when the connection cannot work.

    Vendor page: https://docs.emnify.com/developers/auth
    """

    conn_name_attr = "emnify_conn_id"
    default_conn_name = "emnify_default"
    conn_type = "emnify"
    hook_name = "emnify"

    def __init__(
        self, emnify_conn_id: str = default_conn_name, *, log_calls: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.emnify_conn_id = emnify_conn_id
        self._calls = CallLog() if log_calls else None
        self._client: EmnifyClient | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get_conn(self) -> EmnifyClient:
        """Return the client: the same one for the life of the hook. No request is made yet.

        :raises EmnifyConnectionConfigError: when the connection cannot work; it says why.
        """
        with self._lock:
            if self._client is None:
                self._client = self.client_from_connection(self.get_connection(self.emnify_conn_id))
                self._client.transport.on_call = self._calls
            return self._client

    def redact(self, value: Any) -> Any:
        """Return a value, for example a task's result, without secrets of the connection that it repeats."""
        client = self._client
        return value if client is None else client.transport.redact_value(value)

    def close(self) -> None:
        """Close the client, if there is one. The hook makes a new one when it is used again."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
            if self._calls is not None:
                self._calls.close(client.stats)

    def token_info(self) -> dict[str, Any]:
        """Return what the current auth token says, free of secrets; authenticate first if there is none.

        :returns: ``organisation_id``, ``organisation``, ``application_id`` or ``user_id``, ``issued_at``,
            ``expires_at`` and ``seconds_left``; the token itself is sent nowhere.
        :raises EmnifyAuthenticationError: when the credentials are rejected.
        """
        client = self.get_conn()
        client.authenticate()
        return client.token_info()

    @classmethod
    def client_from_connection(cls, conn: Connection) -> EmnifyClient:
        """Make a client from a connection that was fetched already, for example in a trigger.

        Its secrets are masked in Airflow's logs before anything else is done with them.

        :param conn: The connection.
        :raises EmnifyConnectionConfigError: when the connection cannot work.
        """
        return cls.client_from_settings(ConnectionSettings.from_airflow(conn, on_secret=mask))

    @classmethod
    def client_from_settings(
        cls,
        settings: ConnectionSettings,
        *,
        max_retries: int | None = None,
        leave: float = 0.0,
        sleep: Callable[[float], None] | None = None,
        token_cache: TokenCache | None = None,
        on_secret: Callable[[str], None] | None = None,
    ) -> EmnifyClient:
        """Make a client from settings that were checked already; see :meth:`client_from_connection`.

        :param max_retries: Upper bound for the connection's own ``max_retries``.
        :param leave: Share of the address's rate limit that is reserved for others.
        :param sleep: How the client waits, in seconds; by default ``time.sleep``.
        :param token_cache: Where auth tokens are shared, instead of where the settings say.
        :param on_secret: Called with every secret as soon as it is known, instead of Airflow's maskers.
        """
        from airflow_provider_emnify.api import EmnifyClient, Limits

        sleep = sleep or time.sleep
        if token_cache is None:
            token_cache = shared_cache(settings)
        retries = settings.max_retries if max_retries is None else min(settings.max_retries, max_retries)
        return EmnifyClient(
            settings.credentials,
            base_url=settings.base_url,
            timeout=settings.timeout,
            max_retries=retries,
            limits=Limits(settings.rate_limit_store, leave=leave, sleep=sleep),
            token_cache=token_cache,
            user_agent=USER_AGENT,
            route=settings.route,
            on_secret=on_secret or mask,
            on_metric=partial(count, settings.conn_id),
            sleep=sleep,
        )

    def test_connection(self) -> tuple[bool, str]:
        """Authenticate and read the organisation, for the button in Airflow's connection form.

        :returns: Whether it worked, and a sentence that says what it found, or what to do.
        """
        try:
            settings = ConnectionSettings.from_airflow(
                self.get_connection(self.emnify_conn_id), on_secret=mask
            )
            with self.client_from_settings(settings, max_retries=1) as client:
                client.authenticate()
                organisation = client.organisations.my()
                until = client.token_info().get("expires_at") or "the API refuses it"
        except EmnifyConnectionConfigError as error:
            return False, str(error)
        except EmnifyError as error:
            return False, _advice(error, settings.base_url)
        except AirflowNotFoundException:
            return False, f"There is no connection '{self.emnify_conn_id}'."
        return True, (
            f"Connected to {organisation.get('name')} (organisation {organisation.get('id')}) "
            f"at {settings.base_url}; the auth token is valid until {until}"
        )

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extras of the connection form. Airflow 3.2 and later read the provider's metadata."""
        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form's standard fields look. Airflow 3.2 and later read the provider's metadata."""
        return ui_field_behaviour(kebab_case=False)


_ADVICE: dict[type[EmnifyError], str] = {
    EmnifyAuthenticationError: "Not accepted. Put a valid application token into the password (emnify "
    "portal, Integrations > Application tokens), or a username and its password.",
    EmnifyPermissionError: "Authenticated, but not allowed to read the organisation. Give the application "
    "token or user a role that may, or try another.",
    EmnifyRateLimitError: "The API's rate limit is used up. Try again in five minutes.",
    EmnifyServerError: "The API failed. Try again later; see https://status.emnify.com.",
    EmnifyConnectionError: "No answer. Check the host, the port, and the way from this machine (proxy, "
    "firewall, DNS).",
}
_TLS_ADVICE = (
    "The server's TLS certificate was not accepted. Check the host; behind a proxy that opens TLS, set "
    "REQUESTS_CA_BUNDLE to its certificate."
)


def shared_cache(settings: ConnectionSettings) -> TokenCache | None:
    """Return the cache by which the processes of this host share authentications; None where they do not.

    They share tokens where the connection says so. Else those with a user's password share at least
    what could lock the account: rejections, and logins whose answers were lost.
    """
    shares = settings.token_cache != DEFAULT_TOKEN_CACHE
    if not shares and (settings.credentials.password is None or settings.rate_limit_store == "memory"):
        return None
    from airflow_provider_emnify.api.transport.token_cache import TokenCache

    return TokenCache(settings.credentials, settings.base_url, keeps_tokens=shares)


def _advice(error: EmnifyError, base_url: str) -> str:
    if _is_tls(error):
        advice = _TLS_ADVICE
    else:
        advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    return f"{advice} [{base_url}] {error}".strip()


def _is_tls(error: BaseException | None) -> bool:
    from requests.exceptions import SSLError

    while error is not None:
        if isinstance(error, SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


_rests: defaultdict[tuple[str, str], float] = defaultdict(float)  # of each counter, below 1
_counting = threading.Lock()


def count(conn_id: str, name: str, amount: float) -> None:
    """Pass one of a client's counters on to Airflow's metrics, whose counters are whole numbers.

    What is left of a second is added to the next wait.
    """
    with _counting:
        whole, _rests[conn_id, name] = divmod(_rests[conn_id, name] + amount, 1)
    if whole:
        Stats.incr(f"emnify.{name}", int(whole), tags={"emnify_conn_id": conn_id})
