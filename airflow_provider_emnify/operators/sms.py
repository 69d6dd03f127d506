"""SMS as tasks: send a text of any length to devices, cancel what is not delivered."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context, XComArg
from airflow_provider_emnify.api import EmnifyError, SmsStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.fields import given
from airflow_provider_emnify.api.resources.sms import is_same_sms, submitted_at
from airflow_provider_emnify.api.sms_text import SmsPart, parse_sender, split_text
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_ids, parse_moment, parse_pairs
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, Ids, optional, parse_label, shorten
from airflow_provider_emnify.hooks.selection import SelectsEndpoints
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.base.waiting import EmnifyCancellingOperator
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

_NOT_SENT = frozenset({SmsStatus.FAILED, SmsStatus.EXPIRED, SmsStatus.CANCELED})
_OVER = frozenset({SmsStatus.DELIVERED, *_NOT_SENT})


def _parse_sms_text(value: Any, _: str) -> str:
    split_text(value)  # its message says that it is the text
    return str(value)


class EmnifySendSmsOperator(SelectsEndpoints, EmnifyCancellingOperator):
    r"""Send a text to endpoints (devices), and wait for its delivery if asked. **Each part bills.**

    A text of the GSM 7 bit alphabet has 160 characters in one SMS and 153 in each part of a longer one;
    ``^{}\[~]|€`` count twice. Any other text goes as UCS-2: 70 and 67 characters, of which an emoji takes
    two. The device puts parts together by a reference number, which is the same in each try of the task.

    A retry, and a task that was cleared, look first for what an earlier attempt has sent: SMS of the same
    text, sender and part since that attempt (before Airflow 3.3: since the DAG run started, or was due, where
    a task of a finished run was cleared). They send only what is missing, failed, expired or was cancelled.
    So the text should be the same in each attempt (no ``now()`` in a template), and another one than that of
    other tasks of the run.

    Two runs that overlap, share a lock (``rate_limit_store``) and send the same text to the same endpoint
    send it once: what the other sends after this one has begun is this one's too, though it is not cancelled
    with it. What the other had sent before, to that endpoint, does not count: this run sends its own.

    .. code-block:: python

        EmnifySendSmsOperator(
            task_id="reboot", endpoint_ids=[7, 8], text="reboot", wait_for_completion=True, deferrable=True
        )

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param text: The text, at most 255 parts (templated).
    :param source_address: The sender (templated): a number of at most 15 digits, with ``+`` before an
        international one, or a name of at most 11 characters, to which nobody can answer. Default: emnify's.
    :param dest_address: Where answers go: the identifier of a callback (templated).
    :param expiry_date: When emnify gives up, in UTC (templated). Default: emnify's own.
    :param wait_for_completion: Wait until all are delivered (default False). It fails when one fails, expires
        or is cancelled.
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default 1 day.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the status of each, by pair.
    :param cancel_on_kill: Whether to cancel what is not delivered when someone marks the task failed while it
        waits, or clears it in a worker (default True). A deferred task that is cleared goes on waiting.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the SMS of each endpoint, in the order of the text, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a text or a sender that cannot be sent.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and the SMS not found; the next try looks again.
    :raises AirflowFailException: when one is not delivered, and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-id-post
    """

    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    endpoint_ids = Argument(parse_ids, default=None)
    text = Argument(_parse_sms_text)
    source_address = Argument(optional(parse_sender))
    dest_address = Argument(optional(parse_label))
    expiry_date = Argument(optional(parse_moment))

    def __init__(
        self,
        *,
        endpoint_ids: Ids | None = NOT_GIVEN,
        text: str | XComArg,
        source_address: str | XComArg | None = None,
        dest_address: str | XComArg | None = None,
        expiry_date: datetime | str | XComArg | None = None,
        wait_for_completion: bool = False,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> dict[str, list[int]]:
        """Look for what was sent, send the rest, and wait."""
        ids, parts = self.endpoint_ids, split_text(self.text, reference=zlib.crc32(self.text.encode()) & 0xFF)
        what = f"{len(self.text)} characters as {len(parts)} SMS ({parts[0].alphabet})"
        number = len(parts) * len(ids)
        self.log.info("Sending %s to endpoints %s: %d SMS, which emnify bills", what, shorten(ids), number)
        attempt = Attempt(self, context)
        done, _ = for_each(
            ids,
            lambda endpoint_id: [self._send(attempt, endpoint_id, part) for part in parts],
            what="send the SMS to endpoint",
        )
        sent = {str(endpoint_id): found for endpoint_id, found in done.items()}
        lines = [f"{endpoint_id} {sms_ids}" for endpoint_id, sms_ids in sent.items()]
        self.log.info("Sent, by endpoint: %s", shorten(lines))
        pairs = [f"{endpoint_id}/{sms_id}" for endpoint_id, found in sent.items() for sms_id in found]
        delivered: dict[str, list[int]] = self.wait_until(
            Wait("sms_delivery", pairs, SmsStatus.DELIVERED), sent
        )
        return delivered

    def _send(self, attempt: Attempt, endpoint_id: int, part: SmsPart) -> int:
        """Send one part, unless an earlier attempt or an overlapping run has, and return the SMS's id."""
        sender = self.source_address
        content = given(
            payload=part.payload, udh=part.udh, source_address=None if sender is None else sender.address
        )

        def decide(rows: Rows, may_be_ours: Callable[[Row], bool]) -> Row | None:
            same = [row for row in rows if may_be_ours(row) and is_same_sms(row, content)]
            return max(
                (row for row in same if status_of(row) not in _NOT_SENT), key=submitted_at, default=None
            )

        send = partial(
            self.client.sms.send,
            endpoint_id,
            **content,
            dcs=part.dcs,
            source_address_type_id=None if sender is None else sender.type_id,
            dest_address=self.dest_address,
            expiry_date=self.expiry_date,
        )
        sms, created = create_once(
            attempt,
            lock=("SMS", f"{endpoint_id} {content}"),
            look=lambda: [*self.client.sms.list(endpoint_id)],
            decide=decide,
            create=lambda _: send(),
        )
        if created or attempt.created(sms):
            self.began("sms.cancel", endpoint_id=endpoint_id, sms_id=sms["id"])
        if not created:
            sent = sms.get("submit_date")
            self.log.info("Endpoint %s has it already: SMS %s, sent at %s", endpoint_id, sms["id"], sent)
        return int(sms["id"])


class EmnifyCancelSmsOperator(EmnifyBaseOperator):
    """Cancel SMS that are not delivered yet. Those that are over already stay as they are.

    .. code-block:: python

        EmnifyCancelSmsOperator(task_id="cancel", sms_ids="{{ ti.xcom_pull('reboot') }}")

    :param sms_ids: The SMS (templated): what :class:`EmnifySendSmsOperator` returned, or pairs of the ids of
        endpoint and SMS: ``"7/12"``, ``["7/12", "8/13"]``.
    :param emnify_conn_id: The connection to emnify.
    :returns: The status of each SMS, by pair: ``{"7/12": "Canceled"}``.
    :raises ValueError: when the DAG is parsed, for anything else.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-endpoint-id-and-sms-id-delete
    """

    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    sms_ids = Argument(parse_pairs)

    def __init__(
        self, *, sms_ids: str | Iterable[Any] | Mapping[int | str, Ids] | XComArg, **kwargs: Any
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> dict[str, str]:
        """Look at each, and cancel it if it is not over."""
        pairs = self.sms_ids
        self.log.info("Cancelling %d SMS: %s", len(pairs), shorten(pairs))
        seen, _ = for_each(pairs, lambda pair: self._cancel(*map(int, pair.split("/"))), what="cancel SMS")
        self.log.info("Status of the SMS: %s", shorten([f"{pair} {label}" for pair, label in seen.items()]))
        return seen

    def _cancel(self, endpoint_id: int, sms_id: int) -> str:
        sms = self.client.sms
        status = status_of(sms.get(endpoint_id, sms_id))
        if status not in _OVER:
            try:
                sms.cancel(endpoint_id, sms_id)
            except EmnifyError:
                status = status_of(sms.get(endpoint_id, sms_id))
                if status not in _OVER:  # it was not delivered meanwhile, so that is not why
                    raise
            else:
                status = SmsStatus.CANCELED
        return SmsStatus(status).label if status in {*SmsStatus} else "unknown"
