"""Automations: actions that emnify takes when an event happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Row


class Automations(Resource):
    """The automations of an organisation, as ``client.automations``."""

    @declared("GET", "/api/v1/automation", ids=str)
    def list(self) -> Listing:
        """List the automations.

        See https://docs.emnify.com/developers/api/automations/list-automations
        """

    @operation("POST", "/api/v1/automation", ids=str, known_by=("name",))
    def create(
        self,
        call: Call,
        *,
        name: str,
        description: str,
        status: str,
        configured_actions: Sequence[Mapping[str, Any]],
        targeting_properties: Sequence[Mapping[str, Any]] = (),
        custom_event_id: str | None = None,
        system_event_id: str | None = None,
    ) -> Row:
        """Create an automation that starts from a custom or a system event.

        See https://docs.emnify.com/developers/api/automations/create-automation

        :param name: Name of the automation.
        :param description: What it is for.
        :param status: Its status, as :meth:`list` shows it.
        :param configured_actions: What to do, each ``{"action": {"id": ..., "type": ...}, "properties":
            [{"property": ..., "value": ..., "value_array": [...]}]}``; see :meth:`actions`.
        :param targeting_properties: Whom it is for, each ``{"property": ..., "value": ...,
            "value_array": [...]}``.
        :param custom_event_id: The custom event that starts it, see ``client.custom_events``; or else:
        :param system_event_id: the system event that does, see ``client.system_events``.
        :returns: The automation, with at least its ``id``.
        :raises ValueError: if no event is given.
        """
        event = given(
            custom_event=None if custom_event_id is None else {"id": custom_event_id},
            system_event=None if system_event_id is None else {"id": system_event_id},
        )
        if not event:
            raise ValueError("give the custom_event_id or the system_event_id that starts the automation")
        del call.arguments["custom_event_id"], call.arguments["system_event_id"]
        return call.create(json={**call.fields(), "actionable_event": event})

    @declared("GET", "/api/v1/automation/{id}", ids=str)
    def get(self, automation_id: str) -> Row:
        """Return an automation.

        See https://docs.emnify.com/developers/api/automations/get-automation

        :param automation_id: Id of the automation.
        """

    @declared("PATCH", "/api/v1/automation/{id}", ids=str)
    def update(
        self,
        automation_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        status: str | None = None,
        configured_actions: Sequence[Mapping[str, Any]] | None = None,
        targeting_properties: Sequence[Mapping[str, Any]] | None = None,
    ) -> Row:
        """Change an automation; only what is given is sent. Its event stays.

        See https://docs.emnify.com/developers/api/automations/update-automation

        :param automation_id: Id of the automation.
        :param name: Name of the automation.
        :param description: What it is for.
        :param status: Its status, as :meth:`list` shows it.
        :param configured_actions: What to do, as in :meth:`create`.
        :param targeting_properties: Whom it is for, as in :meth:`create`.
        :returns: The automation.
        """

    @declared("DELETE", "/api/v1/automation/{id}")
    def delete(self, automation_id: str) -> None:
        """Delete an automation.

        See https://docs.emnify.com/developers/api/automations/delete-automation

        :param automation_id: Id of the automation.
        """

    @declared("GET", "/api/v1/automation/action", ids=str)
    def actions(self) -> Listing:
        """List the actions that automations can take, with the properties that they need.

        See https://docs.emnify.com/developers/api/automations/list-action
        """

    @declared("GET", "/api/v1/automation/action/{id}", ids=str)
    def action(self, action_id: str) -> Row:
        """Return an action that automations can take.

        See https://docs.emnify.com/developers/api/automations/get-action-by-id

        :param action_id: Id of the action.
        """

    @operation("GET", "/api/v1/automation/log", ids=str)
    def logs(self, call: Call, automation_id: str, execution_number: int | str) -> Listing:
        """List what the actions of one execution of an automation reported.

        See https://docs.emnify.com/developers/api/automations/list-action-logs

        :param automation_id: Id of the automation.
        :param execution_number: Which execution, from 1 to the automation's ``number_of_executions``.
        """
        params = {"automationId": automation_id, "automationExecutionNumber": execution_number}
        return call.list(params=params)

    @declared(
        "POST", "/api/v1/automation/recipient/email/verification", secret=True, answer="acknowledgement"
    )
    def verify_email(self, *, token: str) -> None:
        """Verify the email address of a recipient of an automation's messages.

        See https://docs.emnify.com/developers/api/automations/verify-automation-recipient-email

        :param token: The verification token that was sent to that address, a secret.
        """
