"""System events: what emnify itself reports, to start automations from."""

from __future__ import annotations

from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Row


class SystemEvents(Resource):
    """The system events, as ``client.system_events``."""

    @declared("GET", "/api/v1/event/system/configuration", ids=str)
    def list(self) -> Listing:
        """List the system events with the ways to target and the actions that they support.

        See https://docs.emnify.com/developers/api/system-events/get-system-events
        """

    @declared("GET", "/api/v1/event/system/configuration/{system_event_id}", ids=str)
    def get(self, system_event_id: str) -> Row:
        """Return a system event.

        See https://docs.emnify.com/developers/api/system-events/get-system-event

        :param system_event_id: Id of the event.
        """
