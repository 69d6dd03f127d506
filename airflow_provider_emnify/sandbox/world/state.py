"""Everything that the sandbox remembers: tables of records by id, and the events."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Container
from itertools import count
from typing import Any

from airflow_provider_emnify.api.enums import EventSeverity, EventSource, EventType, UserStatus
from airflow_provider_emnify.sandbox.http.answers import fields_of, no_reference, not_found
from airflow_provider_emnify.sandbox.http.callbacks import Outbox
from airflow_provider_emnify.sandbox.settings import Settings
from airflow_provider_emnify.sandbox.world.clock import DAY, Agenda, Clock, event_date
from airflow_provider_emnify.sandbox.world.outcomes import Outcomes
from airflow_provider_emnify.sandbox.world.records.accounts import ApplicationToken, Membership, User
from airflow_provider_emnify.sandbox.world.records.esims import Euicc, EuiccOperation, Lookups, SimOperation
from airflow_provider_emnify.sandbox.world.records.fleet import (
    Batch,
    Endpoint,
    Event,
    Extension,
    Organisation,
    Quota,
    Sim,
    Sms,
    Tag,
)
from airflow_provider_emnify.sandbox.world.records.integrations import Attachment, DataStream
from airflow_provider_emnify.sandbox.world.records.plain import (
    Rows,
    first_profiles,
    new_service_profile,
    new_tariff_profile,
)
from airflow_provider_emnify.sandbox.world.records.table import Table

ORGANISATION_ID = 100
SECOND_ORGANISATION_ID = 101
USER_ID = 1001
FIRST_ENDPOINT_ID = 1_000_001
FIRST_SIM_ID = 2_000_001
FIRST_EUICC_ID = 3_000_001
FIRST_BATCH = "SANDBOX-0001"
FIRST_EVENT_ID = 2**40 + 1
_OF_ENDPOINT = ("id", "name", "ip_address", "tags", "imei")
"""What an event tells of its endpoint."""


def sha1(password: str) -> str:
    """The form in which emnify takes passwords."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest()


class State:
    """The tables.

    :param settings: What is there from the start, and how it behaves.
    :param clock: The sandbox's time.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.outcomes = Outcomes()
        self.random = random.Random(settings.seed or 0)  # noqa: S311 - made-up data
        self.started = clock.time()
        self.agenda = Agenda(self.started)
        self.caller: User | None = None
        """Who causes what happens now; None for an application, and for what happens by itself."""
        born = self.started - 400 * DAY
        self.organisations: dict[int, Organisation] = {
            ORGANISATION_ID: Organisation(ORGANISATION_ID, "Sandbox", born),
            SECOND_ORGANISATION_ID: Organisation(SECOND_ORGANISATION_ID, "Second Workspace", born),
        }
        services = {"services": (21, 22, 38)}
        self.service_profiles: Rows = first_profiles("service profile", new_service_profile, **services)
        more: Any = {"tariff": {"id": 1}, "inclusive_volume_id": 1, "rate_zones": (1,)}
        self.tariff_profiles: Rows = first_profiles("tariff profile", new_tariff_profile, **more)
        self.inclusive_volumes: Rows = {1: {"id": 1, "start": born, "end": None, "pooled": True}}
        space = {"id": 1, "ip_address_space": "10.0.0.0/8", "ip_address_version": 4}
        self.ip_address_spaces: Rows = {1: space}
        servers = {"primary": "192.0.2.53", "secondary": "192.0.2.54"}
        self.dns: Rows = {1: {"id": 1, **servers, "ip_address_version": 4}}
        self.api_callbacks: Rows = {}
        self.api_secrets: Rows = {}
        self.custom_events: Rows = {}
        self.automations: Rows = {}
        self.tags: dict[int, Tag] = {1: Tag(1, "sandbox"), 2: Tag(2, "tracker")}
        self.application_tokens: dict[int, ApplicationToken] = {}
        self.users: dict[int, User] = {}
        self.endpoints: Table[Endpoint] = Table()
        self.sims: Table[Sim] = Table(self.endpoints, "endpoint_id")
        self.events: dict[int, Event] = {}
        self.quotas: dict[tuple[int, str], Quota] = {}
        """The quotas by endpoint and kind, ``data`` or ``sms``."""
        self.extensions: dict[int, Extension] = {}
        self.blacklists: dict[int, list[int]] = {}
        """The operators that endpoints must not use, by endpoint."""
        self.batches: dict[str, Batch] = {}
        self.lookups = Lookups(settings.seed or 0)
        self.euiccs: dict[int, Euicc] = {}
        self.euicc_operations: dict[str, EuiccOperation] = {}
        self.sim_operations: dict[str, SimOperation] = {}
        self.data_streams: dict[int, DataStream] = {}
        self.outbox = Outbox()
        self.on_event: Callable[[Event], object] | None = None
        self.on_sms_end: Callable[[Sms], object] | None = None
        self.attachments: dict[int, Attachment] = {}
        self.sms: dict[int, Sms] = {}
        self.sms_of: dict[int, list[Sms]] = {}
        """The SMS by their endpoint."""
        self._ids = {
            "endpoint": count(FIRST_ENDPOINT_ID + settings.endpoints),
            "sim": count(FIRST_SIM_ID + settings.spare_sims + settings.endpoints),
            "euicc": count(FIRST_EUICC_ID),
            "tag": count(len(self.tags) + 1),
            "user": count(USER_ID),
            "ServiceProfile": count(len(self.service_profiles) + 1),
            "TariffProfile": count(len(self.tariff_profiles) + 1),
            "IpAddressSpace": count(len(self.ip_address_spaces) + 1),
            "Dns": count(len(self.dns) + 1),
            "event": count(FIRST_EVENT_ID),
        }

    @property
    def now(self) -> float:
        """The moment at which things happen, in seconds since 1970."""
        return self.agenda.now

    def next_id(self, kind: str) -> int:
        """Return a new id: ids of one kind only ever grow."""
        return next(self._ids.setdefault(kind, count(1)))

    def new_uuid(self) -> str:
        """Return a new id that is no number."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # -- look-ups -------------------------------------------------------------------------------------

    def endpoint(self, endpoint_id: int) -> Endpoint:
        """Return an endpoint, or answer 404."""
        if endpoint_id not in self.endpoints:
            raise not_found("Endpoint", endpoint_id)
        return self.endpoints[endpoint_id]

    def sim(self, sim_id: int) -> Sim:
        """Return a SIM, or answer 404."""
        if sim_id not in self.sims:
            raise not_found("Sim", sim_id)
        return self.sims[sim_id]

    def user(self, id_or_name: str, caller: User | None = None) -> User:
        """Return a user by id, username or ``my``, or answer 404."""
        if id_or_name == "my" and caller is not None:
            return caller
        if id_or_name.isascii() and id_or_name.isdecimal() and int(id_or_name) in self.users:
            return self.users[int(id_or_name)]
        found = self.user_by_name(id_or_name)
        if found is None:
            raise not_found("User", id_or_name)
        return found

    def user_by_name(self, username: str) -> User | None:
        """Return the user with this username, in any case."""
        wanted = username.lower()
        return next((user for user in self.users.values() if user.username.lower() == wanted), None)

    def sim_of(self, endpoint: Endpoint) -> Sim | None:
        """Return the SIM of an endpoint."""
        return None if endpoint.sim_id is None else self.sims.get(endpoint.sim_id)

    def endpoint_of(self, sim: Sim) -> Endpoint | None:
        """Return the endpoint of a SIM."""
        return None if sim.endpoint_id is None else self.endpoints.get(sim.endpoint_id)

    def organisation_row(self, organisation_id: int) -> dict[str, Any]:
        """Return an organisation as it stands in another object."""
        return {"id": organisation_id, "name": self.organisations[organisation_id].name}

    def existing(self, table: Container[int], number: Any, resource: str) -> int:
        """Return the id of a thing that must exist, or of a status that may be, or answer 422."""
        if number not in table:
            raise no_reference(resource, number)
        return int(number)

    # -- events ---------------------------------------------------------------------------------------

    def emit(
        self,
        kind: EventType,
        description: str,
        when: float | None = None,
        *,
        source: EventSource = EventSource.API,
        severity: EventSeverity = EventSeverity.INFO,
        alert: bool = False,
        endpoint: Endpoint | None = None,
        sim: Sim | None = None,
        user: User | None = None,
        organisation_id: int = ORGANISATION_ID,
        detail: dict[str, Any] | None = None,
    ) -> Event:
        """Add an event, by default one of now; what comes by the API is by whoever calls it."""
        sim = sim or (self.sim_of(endpoint) if endpoint else None)
        user = user or (self.caller if source is EventSource.API else None)
        event = Event(
            self.next_id("event"),
            self.now if when is None else when,
            kind,
            source,
            severity,
            alert,
            description,
            organisation_id,
            user=None if user is None else fields_of(user, "id", "username", "name"),
            endpoint=None if endpoint is None else fields_of(endpoint, *_OF_ENDPOINT),
            detail=detail,
        )
        if sim is not None:
            produced = event_date(sim.production_date)
            event.sim = {"id": sim.id, "iccid": sim.iccid, "production_date": produced}
            event.imsi = {"id": sim.id, "imsi": sim.imsi, "import_date": produced}
        self.events[event.id] = event
        if self.on_event is not None:
            self.on_event(event)
        return event

    # -- additions ------------------------------------------------------------------------------------

    def add_batch(
        self, bic: str, quantity: int, *, registrable: bool = True, organisation_id: int | None = None
    ) -> Batch:
        """Add a SIM batch.

        :param registrable: It can be registered.
        :param organisation_id: Who has registered it already.
        """
        batch = Batch(self.next_id("batch"), bic, quantity, registrable, organisation_id)
        self.batches[bic] = batch
        return batch

    def add_user(
        self,
        username: str,
        name: str,
        role_ids: list[int],
        when: float,
        *,
        organisation_id: int = ORGANISATION_ID,
        status: UserStatus = UserStatus.ACTIVATION_PENDING,
    ) -> User:
        """Add a user account."""
        user = User(self.next_id("user"), username, name, organisation_id, when, status)
        user.memberships[organisation_id] = Membership(role_ids, UserStatus.ACTIVE)
        if status is UserStatus.ACTIVATION_PENDING:
            user.activation_key = f"activation-{user.id}-{self.random.getrandbits(64):016x}"
        self.users[user.id] = user
        return user


def ip_address(number: int) -> str:
    """The private address of the endpoint with this id."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
