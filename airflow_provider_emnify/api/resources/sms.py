"""SMS to and from endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_emnify.api.resources.operation import Call, Listing, Resource, declared, operation
from airflow_provider_emnify.api.transport.answers import Shape, moment_in
from airflow_provider_emnify.api.transport.backoff import http_date
from airflow_provider_emnify.api.transport.recover import nothing_found, recovers
from airflow_provider_emnify.api.transport.request import Request
from airflow_provider_emnify.api.types import Id, Moment, Row, Rows

if TYPE_CHECKING:
    from airflow_provider_emnify.api.transport.transport import Transport

_MARGIN = 5.0  # seconds that the clocks of emnify's servers may differ
_PARTS_WITHIN = timedelta(minutes=30)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Sms(Resource):
    """The SMS of endpoints, as ``client.sms``."""

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/sms", ids=int)
    def list(self, endpoint_id: Id) -> Listing:
        """List the SMS that an endpoint sent and received.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-id-get

        :param endpoint_id: Id of the endpoint.
        """

    @declared("GET", "/api/v1/endpoint/{endpoint_id}/sms/{sms_id}", ids=int)
    def get(self, endpoint_id: Id, sms_id: Id) -> Row:
        """Return an SMS; ``status.id`` is a :class:`~airflow_provider_emnify.api.SmsStatus`.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-endpoint-id-and-sms-id-get

        :param endpoint_id: Id of the endpoint.
        :param sms_id: Id of the SMS.
        """

    @operation("POST", "/api/v1/endpoint/{endpoint_id}/sms", ids=int)
    def send(
        self,
        call: Call,
        endpoint_id: Id,
        *,
        payload: str,
        source_address: str | None = None,
        source_address_type_id: Id | None = None,
        dest_address: str | None = None,
        udh: str | None = None,
        dcs: int | None = None,
        expiry_date: Moment | None = None,
    ) -> Row:
        """Send one SMS, or one part of a long one, to an endpoint. **It bills.**

        When the answer is lost, the SMS is looked for among those of the endpoint by its content and the
        time that it was sent at.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-id-post

        :param endpoint_id: Id of the endpoint.
        :param payload: The text, at most 160 characters of the GSM alphabet. For longer ones see
            :func:`~airflow_provider_emnify.api.sms_text.split_text`.
        :param source_address: The sender: a number, or a name of at most 11 characters.
        :param source_address_type_id: 145 for an international number, 161 for a national one, 208 for a
            name, where it is needed.
        :param dest_address: Where answers to this SMS go: the id of a callback.
        :param udh: User data header of a part, in hexadecimal digits: ``050003CC0201`` is part 1 of 2 of CC.
        :param dcs: Data coding scheme: 0 is GSM 7 bit, 8 is UCS-2.
        :param expiry_date: When to give up, in UTC.
        :returns: The SMS, with at least its ``id``.
        :raises EmnifyUnknownOutcomeError: if the answer is lost and the SMS is not found.
        """
        body = call.fields()
        return call.create(json=body, find=self._finder(endpoint_id, body))

    @declared("DELETE", "/api/v1/endpoint/{endpoint_id}/sms/{sms_id}", answer="acknowledgement")
    def cancel(self, endpoint_id: Id, sms_id: Id) -> None:
        """Cancel an SMS that is not delivered yet.

        See https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-endpoint-id-and-sms-id-delete

        :param endpoint_id: Id of the endpoint.
        :param sms_id: Id of the SMS.
        """

    def _finder(self, endpoint_id: Id, body: Row) -> Callable[[], Row | None]:
        """Return what finds an SMS that is sent from now on, by emnify's clock: a worker's may be wrong."""
        if not recovers():
            return nothing_found
        sent: Row = {name: body[name] for name in ("payload", "udh", "source_address") if name in body}
        begun = time.monotonic()

        def find() -> Row | None:
            rows, now = read_sms(self.transport, endpoint_id)
            if now is None:
                return None
            since = now - timedelta(seconds=time.monotonic() - begun + _MARGIN)
            same = [row for row in rows if submitted_at(row) >= since and is_same_sms(row, sent)]
            return max(same, key=submitted_at, default=None)

        return find


def read_sms(transport: Transport, endpoint_id: Id) -> tuple[Rows, datetime | None]:
    """Return the SMS of an endpoint, and the time at emnify, in whole seconds; None where it does not say."""
    values, shape = {"endpoint_id": endpoint_id}, Shape("list", int)
    answer = transport.send(Request("GET", "/api/v1/endpoint/{endpoint_id}/sms", values, shape=shape))
    return answer.body, http_date(answer.headers.get("Date") or "")


def is_same_sms(row: Row, sent: Row) -> bool:
    """Tell whether an SMS has the same text, part and sender.

    :param row: The SMS as emnify lists it.
    :param sent: What it was sent with, of ``payload``, ``udh`` and ``source_address`` what was given.
    """
    if any(row.get(name) != value for name, value in sent.items() if name != "udh"):
        return False
    return "udh" not in sent or str(row.get("udh")).upper() == sent["udh"].upper()


def submitted_at(row: Row) -> datetime:
    """Return when an SMS was sent; long ago where emnify does not say so."""
    return moment_in(row, "submit_date") or _LONG_AGO


def may_be_parts_of_one(sms: Row, other: Row) -> bool:
    """Tell whether two parts were sent so close to each other that one text can have them.

    A device that restarts counts its texts from the beginning: what is left of one that never came whole is
    no part of the next one with its number.
    """
    times = submitted_at(sms), submitted_at(other)
    return _LONG_AGO in times or abs(times[0] - times[1]) <= _PARTS_WITHIN
