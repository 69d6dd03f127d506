"""Endpoints on the network: connectivity, blocked operators, usage, events, tags."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_emnify.api.enums import EventSeverity, EventSource
from airflow_provider_emnify.api.resources.fields import ref
from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.types import Day, Id, Moment, Row


class EndpointNetwork(Resource):
    """What ``client.endpoints`` can do with an endpoint beyond its record."""

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/connectivity")
    def connectivity(self, endpoint_id: Id) -> Row:
        """Return whether an endpoint is attached or online, and where.

        ``status.description`` is a :class:`~airflow_provider_emnify.api.Connectivity`; an offline endpoint
        has no location.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-connectivity-by-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @operation("PATCH", "/api/v1/endpoint/{endpoint_id}/connectivity")
    def reset_connectivity(
        self, call: Call, endpoint_id: Id, *, location: bool = True, pdp_context: bool = True
    ) -> None:
        """Make an endpoint reconnect. It returns when the message is on its way.

        A SIM in factory test becomes activated by it, and **an activated SIM bills**.

        See https://docs.emnify.com/developers/api/endpoint/update-endpoint-connectivity-by-id

        :param endpoint_id: Id of the endpoint.
        :param location: Cancel its registration with the network.
        :param pdp_context: End its data session.
        :raises ValueError: if neither is to be reset.
        """
        body = {name: None for name, reset in (("location", location), ("pdp_context", pdp_context)) if reset}
        if not body:
            raise ValueError("reset location, pdp_context or both")
        call.request(json=body)

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/connectivity_info")
    def connectivity_info(self, endpoint_id: Id) -> Row:
        """Ask the network where an endpoint is: the cell that it is in.

        A failure comes as an answer too: look at ``subscriber_info.success`` and ``.error``.

        See https://docs.emnify.com/developers/api/endpoint/get-connectivity-info-by-endpoint-id

        :param endpoint_id: Id of the endpoint.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/operator_blacklist", ids=int)
    def blocked_operators(self, endpoint_id: Id) -> Listing:
        """List the network operators that an endpoint may not use.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-operator-blacklist-by-endpoint-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @declared("PUT", "/api/v1/endpoint/{endpoint_id}/operator_blacklist/{operator_id}")
    def block_operator(self, endpoint_id: Id, operator_id: Id) -> None:
        """Keep an endpoint from a network operator.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-operator-blacklist-by-ep-id-and-operator-id-put

        :param endpoint_id: Id of the endpoint.
        :param operator_id: Id of the operator, see ``client.operators.list``.
        :raises EmnifyConflictError: if it is blocked already.
        """

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}/operator_blacklist/{operator_id}")
    def unblock_operator(self, endpoint_id: Id, operator_id: Id) -> None:
        """Let an endpoint use a network operator again.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-operator-blacklist-by-ep-id-and-operator-id-delete

        :param endpoint_id: Id of the endpoint.
        :param operator_id: Id of the operator.
        :raises EmnifyNotFoundError: if it is not blocked.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/event", paged=True, ids=int, may_be_empty=True)
    def events(
        self,
        endpoint_id: Id,
        *,
        from_: Moment | None = None,
        until: Moment | None = None,
        type: int | str | Sequence[int | str] | None = None,
        source: EventSource | str | int | None = None,
        severity: EventSeverity | str | int | None = None,
        alert: bool | None = None,
        description: str | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = None,
    ) -> Listing:
        """List the events of an endpoint, lazily. Of an unknown id there are none; that is no error.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-events-by-id

        :param endpoint_id: Id of the endpoint.
        :param from_: Begin of a time range in UTC, only together with ``until``.
        :param until: End of that range.
        :param type: Event type, or up to six; see ``client.events.types``.
        :param source: ``network``, ``policy_control`` or ``api``.
        :param severity: ``info``, ``warn`` or ``critical``.
        :param alert: Whether it is an alert.
        :param description: Text of the event.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one. By ``id`` the newest come first.
        :param per_page: Rows a request.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/stats")
    def stats(self, endpoint_id: Id) -> Row:
        """Return the usage and cost of an endpoint: last month, this month, and the last hour by minute.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-stats-by-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/stats/daily")
    def daily_stats(
        self, endpoint_id: Id, *, start_date: Day | None = None, end_date: Day | None = None
    ) -> Listing:
        """List the usage of an endpoint by day. Its ``cost`` is deprecated by emnify.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-stats-daily-by-id-get

        :param endpoint_id: Id of the endpoint.
        :param start_date: First day. Alone it means six months; without both dates: this month.
        :param end_date: Last day. Alone it means its month.
        """

    @declared("GET", "/api/v2/endpoint/{endpoint_id}/tags", ids=int)
    def tags(self, endpoint_id: Id) -> Listing:
        """List the tags of an endpoint.

        See https://docs.emnify.com/developers/api/tag-management/list-endpoint-tags

        :param endpoint_id: Id of the endpoint.
        """

    @operation("POST", "/api/v2/endpoint/{endpoint_id}/tags", answer="acknowledgement")
    def assign_tag(self, call: Call, endpoint_id: Id, tag_id: Id) -> None:
        """Give an endpoint a tag. For many endpoints see ``client.tags.assign_many``.

        See https://docs.emnify.com/developers/api/tag-management/assign-tag-to-endpoint

        :param endpoint_id: Id of the endpoint.
        :param tag_id: Id of the tag, see ``client.tags.list``.
        :raises EmnifyConflictError: if it has the tag already.
        """
        call.request(json=ref(tag_id, "tag_id"))

    @declared("DELETE", "/api/v2/endpoint/{endpoint_id}/tags/{tag_id}", answer="acknowledgement")
    def unassign_tag(self, endpoint_id: Id, tag_id: Id) -> None:
        """Take a tag from an endpoint. For many endpoints see ``client.tags.unassign_many``.

        See https://docs.emnify.com/developers/api/tag-management/unassign-endpoint-tag

        :param endpoint_id: Id of the endpoint.
        :param tag_id: Id of the tag.
        """
