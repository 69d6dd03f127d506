"""The sandbox as a whole, for use inside a process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Self

from airflow_provider_emnify.sandbox import callbacks
from airflow_provider_emnify.sandbox.control.controls import Controls
from airflow_provider_emnify.sandbox.control.faults import Faults
from airflow_provider_emnify.sandbox.control.log import Entry, Log
from airflow_provider_emnify.sandbox.http.callbacks import Delivery
from airflow_provider_emnify.sandbox.http.engine import Engine
from airflow_provider_emnify.sandbox.http.limits import DOCUMENTED, Limiter
from airflow_provider_emnify.sandbox.http.server import Server
from airflow_provider_emnify.sandbox.settings import Settings
from airflow_provider_emnify.sandbox.world.accounts import Accounts
from airflow_provider_emnify.sandbox.world.clock import Clock
from airflow_provider_emnify.sandbox.world.populate import populate
from airflow_provider_emnify.sandbox.world.state import State, sha1


class Sandbox(Settings, Controls):
    """An emnify in memory, served over HTTP on loopback from a thread of this process.

    Use it as a context manager::

        with Sandbox(endpoints=10) as sandbox:
            credential = {"application_token": sandbox.application_token}
            requests.post(f"{sandbox.url}/api/v1/authenticate", json=credential)

    What is there from the start: organisation (Workspace) 100 ``Sandbox`` and 101 ``Second Workspace``; user
    1001, an Administrator and active, in both; service profiles 1 and 2; tariff profiles 1 and 2; IP address
    space 1; tags 1 ``sandbox`` and 2 ``tracker``; roles 1 Administrator, 2 User, 3 Observer; SIM
    batch ``SANDBOX-0001`` of 10 SIMs. SIMs
    2000001 and up, of which the first ``spare_sims`` are issued and free. Endpoints 1000001 and up, enabled
    and online, each with an activated SIM from those that follow the free ones.

    :param endpoints: Number of endpoints, at most 5,000,000: they are kept in memory, a million in 0.6 GB.
    :param spare_sims: Number of free SIMs; as many at most.
    :param events: Number of events of the last 29 days; as many at most.
    :param euiccs: Number of eUICCs, as many at most, ids 3000001 and up, each with an eSIM that is issued.
    :param limits: The documented rate limits (True), none (False), or limits of your own.
    :param retry_after: Send ``Retry-After`` with a 429.
    :param token_life: Life of an auth token in seconds.
    :param token_form: ``jwt``; ``no-exp``: a JWT that does not say when it expires; ``opaque``: no JWT.
    :param unauthorized: Form of the 401 for a bad or expired token: ``gateway`` or ``api``.
    :param username: Name of the one user.
    :param password: Password of that user.
    :param mfa: Ask that user for a second factor on devices that are not trusted.
    :param mfa_code: The code that is right.
    :param factory_test_mode: SIMs that are activated with their endpoint go into factory test first.
    :param online_after: Seconds from when a device can connect until it is ONLINE; it is ATTACHED after a
        third of that. ``math.inf``: never.
    :param sms_delivered_after: Seconds until an SMS reaches a device that is connected.
    :param operations_after: Seconds until an eUICC or SIM operation is over.
    :param streams_running_after: Seconds until a data stream runs, or has disappeared.
    :param attachments_active_after: Seconds until a Cloud Connect attachment is active, or deactivated.
    :param activate_users_after: Seconds until a new user follows the link in the email; None: never.
    :param create_answer: What the creation of an endpoint answers: ``body`` (201 and the endpoint),
        ``location`` (201, empty, the id in the header only) or ``ok`` (200 and the endpoint).
    :param quirks: Every second event comes in the other form that has been recorded of emnify.
    :param application_token: An application token that is accepted; at random, or by the seed, by default.
    :param seed: Seed of everything random: the same seed, the same ids and application token. Without one,
        ids are those of seed 0, and the token is another each time.
    :param start: Time to start at, in seconds since 1970; now by default.
    :param host: Address to listen on.
    :param allow_hosts: Other names under which it is controlled and serves the API, for example that of its
        container. Its address, ``localhost`` and IP addresses are always taken.
    :param port: Port to listen on; 0: a free one.
    :param log_size: How many requests the log keeps; None: all.
    """

    counts: Counter[str]
    """Number of requests by ``METHOD /path/template``."""
    peaks: Counter[str]
    """The most requests of each ``METHOD /path/template`` that were under way at the same time."""
    statuses: Counter[int]
    """Number of answers by status."""
    failures: list[BaseException]
    """Errors of the sandbox itself."""

    def __post_init__(self, application_token: str | None, start: float | None) -> None:
        super().__post_init__(application_token, start)
        self.clock = Clock(start)
        self.faults = Faults(self.seed or 0)
        state = State(self, self.clock)
        populate(state)
        callbacks.connect(state)
        self.accounts = Accounts(state)
        if application_token is None and self.seed is not None:
            application_token = f"sandbox-application-token-{sha1(f'seed {self.seed}')}"
        self._token = self.accounts.add_application_token("Sandbox", token=application_token)
        limits = self.limits
        limiter = Limiter((DOCUMENTED if limits else ()) if isinstance(limits, bool) else limits)
        self._log = log = Log(self.log_size)
        self.counts, self.peaks, self.statuses = log.counts, log.peaks, log.statuses
        self._server: Server | None = None
        Controls.__init__(self, Engine(self.clock, state, self.accounts, limiter, self.faults, log))
        self.failures = self.engine.failures

    def start(self) -> Self:
        """Start to serve."""
        from airflow_provider_emnify.sandbox.http.app import LOOPBACK, App, hosts_of

        self._server = Server(self.host, self.port)
        self.port = self._server.port
        self.engine.connection = self.airflow_connection
        self.engine.state.outbox.start(self.engine.settle)
        allowed = {name.lower() for name in self.allow_hosts}
        hosts = LOOPBACK | allowed if self.host in LOOPBACK else None
        controls = hosts_of(self.host) | allowed
        self._server.start(App(self.engine, self._server.transports, hosts, controls))
        return self

    def stop(self) -> None:
        """Close every connection and stop to serve."""
        self.engine.state.outbox.stop()
        self.engine.state.endpoints.release()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def application_token(self) -> str:
        """An application token that is accepted."""
        return self._token.token

    @property
    def airflow_connection(self) -> str:
        """An Airflow connection to this sandbox, as the JSON that ``AIRFLOW_CONN_…`` takes."""
        return json.dumps({"conn_type": "emnify", "password": self.application_token, "host": self.url})

    @property
    def log(self) -> list[Entry]:
        """The recorded requests."""
        return list(self._log.entries)

    def watch_requests(self, listener: Callable[[Entry], object]) -> None:
        """Let ``listener`` be called with each request once it is answered."""
        self._log.tell = listener

    @property
    def callbacks(self) -> list[Delivery]:
        """What was sent to URLs of the user's, and how each attempt was answered."""
        return list(self.engine.state.outbox.deliveries)

    @property
    def requests(self) -> int:
        """Number of requests, authentications included."""
        return self.counts.total()

    @property
    def authentications(self) -> int:
        """Number of requests to authenticate, rejected ones included."""
        return self.counts["POST /api/v1/authenticate"]

    @property
    def secrets(self) -> list[str]:
        """Every secret that this sandbox has given out or takes, for tests that look for leaks."""
        return [self.application_token, self.password, *self.accounts.issued]

    def revoke_tokens(self, *, refresh: bool = False) -> int:
        """Make every issued auth token invalid, and the refresh tokens too if asked; return how many."""
        return self.accounts.revoke(refresh=refresh)
