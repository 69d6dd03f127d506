"""Events: what happened to endpoints, SIMs and users in the last 30 days."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_emnify.api.enums import EventSeverity, EventSource
from airflow_provider_emnify.api.resources.operation import Listing, Resource, declared
from airflow_provider_emnify.api.types import Moment, Rows


class Events(Resource):
    """The events of an organisation, as ``client.events``."""

    @declared("GET", "/api/v1/event", paged=True, ids=int)
    def list(
        self,
        *,
        from_: Moment | None = None,
        until: Moment | None = None,
        type: int | str | Sequence[int | str] | None = None,
        source: EventSource | str | int | None = None,
        severity: EventSeverity | str | int | None = None,
        alert: bool | None = None,
        description: str | None = None,
        organisation: str | None = None,
        user: str | None = None,
        endpoint: str | Sequence[str] | None = None,
        tags: str | None = None,
        ip_address: str | None = None,
        imei: str | None = None,
        iccid: str | Sequence[str] | None = None,
        iccid_with_luhn: str | Sequence[str] | None = None,
        imsi: str | None = None,
        network: str | Sequence[str] | None = None,
        rat: int | str | Sequence[int | str] | None = None,
        country: str | Sequence[str] | None = None,
        q: str | None = None,
        sort: str | None = "id",
        per_page: int | None = None,
    ) -> Listing:
        """List events, lazily. emnify keeps them for 30 days.

        See https://docs.emnify.com/developers/api/events/get-events

        :param from_: Begin of a time range in UTC, only together with ``until``.
        :param until: End of that range.
        :param type: Event type, or up to six; see :meth:`types`.
        :param source: ``network``, ``policy_control`` or ``api``.
        :param severity: ``info``, ``warn`` or ``critical``.
        :param alert: Whether it is an alert.
        :param description: Text of the event.
        :param organisation: Name of the organisation.
        :param user: Name of the user.
        :param endpoint: Name of the endpoint, or up to six.
        :param tags: Tags of the endpoint.
        :param ip_address: IP address of the endpoint.
        :param imei: IMEI of the endpoint.
        :param iccid: ICCID of the SIM, 19 digits, or up to six.
        :param iccid_with_luhn: ICCID of the SIM with its check digit, 20 digits, or up to six.
        :param imsi: IMSI of the SIM.
        :param network: Name of the network, or up to six.
        :param rat: Number of the radio access technology, or up to six; see ``client.lookups.rat_types``.
        :param country: Name of the country, or up to six.
        :param q: More filters, as emnify writes them: ``field:value,field:value``.
        :param sort: Fields to sort by, ``-`` before a descending one: id, timestamp, source, severity,
            alert, organisation, user, endpoint, tags, ip_address, iccid, imsi, type. By ``id`` the
            newest come first.
        :param per_page: Rows a request; emnify's default is 100.
        """

    @declared("GET", "/api/v1/event/type", ids=int)
    def types(self) -> Rows:
        """Return the event types that there are.

        See https://docs.emnify.com/developers/api/events/event-type-get
        """
