"""Custom events: events of one's own, made from emnify's templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Id, Row


class CustomEvents(Resource):
    """The custom events of an organisation, as ``client.custom_events``."""

    @declared("GET", "/api/v1/event/custom/configuration", ids=str)
    def list(self) -> Listing:
        """List the custom events with the ways to target and the actions that they support.

        See https://docs.emnify.com/developers/api/custom-events/get-custom-events
        """

    @operation("POST", "/api/v1/event/custom/configuration", ids=str, known_by=("name",))
    def create(
        self,
        call: Call,
        *,
        name: str,
        organisation_id: Id,
        template_id: Id,
        configuration_properties: Sequence[Mapping[str, Any]],
    ) -> Row:
        """Deploy a custom event.

        See https://docs.emnify.com/developers/api/custom-events/create-custom-event-instance

        :param name: Name of the event.
        :param organisation_id: Organisation that it is for.
        :param template_id: Id of its template, see :meth:`templates`.
        :param configuration_properties: The template's properties, each ``{"property": ..., "value": ...,
            "value_array": [...]}``.
        :returns: The event, with at least its ``id``.
        """
        return call.create(json=call.fields(template_id=lambda template: template))

    @declared("GET", "/api/v1/event/custom/configuration/{custom_event_id}", ids=str)
    def get(self, custom_event_id: str) -> Row:
        """Return a custom event.

        See https://docs.emnify.com/developers/api/custom-events/get-custom-event

        :param custom_event_id: Id of the event.
        """

    @declared("DELETE", "/api/v1/event/custom/configuration/{custom_event_id}", answer="acknowledgement")
    def delete(self, custom_event_id: str) -> None:
        """Delete a custom event.

        See https://docs.emnify.com/developers/api/custom-events/delete-custom-event

        :param custom_event_id: Id of the event.
        """

    @declared("GET", "/api/v1/event/custom/template", ids=str)
    def templates(self) -> Listing:
        """List the templates of custom events with the properties that they need.

        See https://docs.emnify.com/developers/api/custom-events/get-custom-event-templates
        """

    @declared("GET", "/api/v1/event/custom/template/{template_id}", ids=str)
    def template(self, template_id: str) -> Row:
        """Return a template of custom events.

        See https://docs.emnify.com/developers/api/custom-events/get-custom-event-template

        :param template_id: Id of the template.
        """
