"""What can be done to a sandbox from outside the API: to devices, users, SIMs, and to what will fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from airflow_provider_emnify.api.enums import EventSeverity, EventType
from airflow_provider_emnify.sandbox import callbacks
from airflow_provider_emnify.sandbox.http.engine import Engine
from airflow_provider_emnify.sandbox.world import devices, esims, provisioning, quotas
from airflow_provider_emnify.sandbox.world.outcomes import Outcomes
from airflow_provider_emnify.sandbox.world.state import ORGANISATION_ID, State


class Controls:
    """The controls of a sandbox, for tests and for people.

    :param engine: What acts on requests.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def state(self) -> State:
        """The tables, once everything has happened that is due."""
        return self.engine.settle()

    @property
    def outcomes(self) -> Outcomes:
        """What will not succeed; ``outcomes.add("sms", endpoint_id)`` lets an SMS fail."""
        return self.engine.state.outcomes

    @contextmanager
    def _at_rest(self) -> Iterator[State]:
        """Give the tables, once all has happened that is due; nobody else acts on them."""
        with self.engine.lock:
            yield self.state

    def add_endpoints(self, number: int = 1, *, activate: bool = False) -> list[int]:
        """Add enabled endpoints, each with a free SIM where there is one, and return their ids.

        :param activate: Activate the SIMs, so that the devices come online.
        """
        with self._at_rest() as state:
            free = (sim for sim in list(state.sims.values()) if sim.status == 0 and sim.endpoint_id is None)
            shared = {"service_profile": {"id": 1}, "tariff_profile": {"id": 1}, "status": {"id": 0}}
            ids = []
            for _ in range(number):
                sim = next(free, None)
                body = shared if sim is None else {**shared, "sim": {"id": sim.id, "activate": activate}}
                made = provisioning.new_sim(state, body)
                ids.append(provisioning.create(state, body, made, ORGANISATION_ID).id)
            return ids

    def delete_endpoints(self, ids: Iterable[int]) -> None:
        """Delete endpoints; their SIMs are released and suspended."""
        with self._at_rest() as state:
            for endpoint_id in ids:
                devices.delete_endpoint(state, state.endpoints[endpoint_id])

    def block(self, endpoint_id: int, *, blocked: bool = True) -> None:
        """Block an endpoint as a traffic limit does, or lift the block."""
        with self._at_rest() as state:
            devices.block(state, state.endpoints[endpoint_id], blocked=blocked)

    def power(self, endpoint_id: int, *, on: bool = True) -> None:
        """Switch a device on or off; one that is off does not connect."""
        with self._at_rest() as state:
            endpoint = state.endpoints[endpoint_id]
            endpoint.powered = on
            devices.review(state, endpoint)

    def send_sms(self, endpoint_id: int, text: str, dest_address: str = callbacks.SHORT_CODE) -> list[int]:
        """Let a device send an SMS, a long one in parts, and return their ids.

        :param dest_address: The number that it sends to.
        """
        with self._at_rest() as state:
            return callbacks.device_sends(state, state.endpoints[endpoint_id], text, dest_address)

    def raise_event(
        self,
        endpoint_id: int | None = None,
        description: str = "Raised by hand.",
        kind: EventType = EventType.GENERIC,
        severity: EventSeverity = EventSeverity.INFO,
    ) -> int:
        """Raise an event, of an endpoint or of none, and return its id.

        :param kind: Number of the event type.
        :param severity: 0 Info, 1 Warn or 2 Critical.
        """
        with self._at_rest() as state:
            endpoint = None if endpoint_id is None else state.endpoints[endpoint_id]
            severity, kind = EventSeverity(severity), EventType(kind)
            return state.emit(kind, description, endpoint=endpoint, severity=severity).id

    def consume(self, endpoint_id: int, volume: float, kind: quotas.Kind = "data") -> float:
        """Use some of an endpoint's quota, in MB or SMS, and return what is left.

        :param kind: ``data`` or ``sms``.
        """
        if not volume >= 0:
            raise ValueError(f"volume must not be negative, but is {volume!r}")
        with self._at_rest() as state:
            endpoint = state.endpoints[endpoint_id]
            left = quotas.consume(state, endpoint, kind, volume)
            if kind == "data":
                callbacks.use_data(state, endpoint, volume)
            return left

    def add_batch(
        self, bic: str, quantity: int = 10, *, registrable: bool = True, registered: bool = False
    ) -> None:
        """Add a SIM batch.

        :param registrable: It can be registered.
        :param registered: It is registered already.
        """
        with self._at_rest() as state:
            organisation_id = ORGANISATION_ID if registered else None
            state.add_batch(bic, quantity, registrable=registrable, organisation_id=organisation_id)

    def add_euicc(self, *, iot: bool = True) -> int:
        """Add an eUICC with an eSIM of emnify's and another profile, and return its id.

        :param iot: False: operations on it answer 404.
        """
        with self._at_rest() as state:
            return esims.add_euicc(state, iot=iot).id

    def activate_user(self, user: int | str) -> None:
        """Activate a user's account, as the link in the email does.

        :param user: Id or username.
        """
        from airflow_provider_emnify.sandbox.routes.users import activate

        with self._at_rest() as state:
            activate(state, state.user(str(user)))
