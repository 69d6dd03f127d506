"""SMS as tasks: send a text of any length to devices, cancel what is not delivered."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api import EmnifyError, EmnifyUnknownOutcomeError, SmsStatus
from airflow_provider_emnify.api.resources.bulk import status_of
from airflow_provider_emnify.api.resources.fields import moment
from airflow_provider_emnify.api.resources.sms import is_same_sms, read_sms, submitted_at
from airflow_provider_emnify.api.sms_text import parse_sender, split_text
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import check_early, parse_bool, parse_sms_ids, shorten
from airflow_provider_emnify.links import EmnifyDevicesLink
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.operators.batch import each, partial
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.idempotency.attempts import (
    earlier_tries_since,
    identity,
    unknown_for_good,
)
from airflow_provider_emnify.operators.waiting import EmnifyCancellingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.resources.fields import Row
    from airflow_provider_emnify.api.sms_text import Sender, SmsPart

_NOT_SENT = frozenset({SmsStatus.FAILED, SmsStatus.EXPIRED, SmsStatus.CANCELED})
_OVER = frozenset({SmsStatus.DELIVERED, *_NOT_SENT})
_CONCATENATED = re.compile(r"050003([0-9A-Fa-f]{2})[0-9A-Fa-f]{4}")  # the header of a part


class EmnifySendSmsOperator(EmnifyCancellingOperator):
    r"""Send a text to endpoints (devices), and wait for its delivery if asked. **Each part bills.**

    A text of the GSM 7 bit alphabet has 160 characters in one SMS and 153 in each part of a longer one;
    ``^{}\[~]|€`` count twice. Any other text goes as UCS-2: 70 and 67 characters, of which an emoji takes
    two. The device puts parts together by a reference number, which is the same in each try of the task.

    A later try (a retry, or after clearing) looks first for what an earlier one has sent: SMS of the same
    text, sender and part since the DAG run started, or was due, where a task of a finished run was cleared.
    It sends only what is missing, failed, expired or was cancelled. So the text should be the same in each
    try (no ``now()`` in a template), and another one than that of other tasks of the run.

    Two runs that send the same text to the same endpoint at the same moment send it once: what another task
    has sent, whole, since this one began is this one's too, though it is not cancelled with it. One that
    begins after the other has sent sends its own. That holds among tasks that share a store of the rate
    limits (``rate_limit_store``). Others can both send; the later one then fails with the ids of both.

    .. code-block:: python

        EmnifySendSmsOperator(
            task_id="reboot", endpoint_ids=[7, 8], text="reboot", wait_for_delivery=True, deferrable=True
        )

    :param endpoint_ids: One id or many (templated).
    :param text: The text, at most 255 parts (templated).
    :param source_address: The sender (templated): a number of at most 15 digits, with ``+`` before an
        international one, or a name of at most 11 characters, to which nobody can answer. Default: emnify's.
    :param dest_address: Where answers go: the identifier of a callback (templated).
    :param expiry_date: When emnify gives up, in UTC (templated). Default: emnify's own.
    :param wait_for_delivery: Wait until all are delivered. It fails when one fails, expires or is cancelled.
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait is given up. Default 1 day.
    :param cancel_on_kill: Whether to cancel what is not delivered when someone marks the task failed while it
        waits, or clears it in a worker (default True). A deferred task that is cleared goes on waiting.
    :param emnify_conn_id: The connection to emnify.
    :returns: The ids of the SMS of each endpoint, in the order of the text, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a text or a sender that cannot be sent.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and the SMS not found; the next try looks again.
    :raises AirflowFailException: when one is not delivered, when a run on another host has sent the same at
        the same moment (an :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError` with the ids of
        both), and for any permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-id-post
    """

    template_fields: Sequence[str] = (
        "emnify_conn_id",
        "endpoint_ids",
        "text",
        "source_address",
        "dest_address",
        "expiry_date",
    )
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        endpoint_ids: Any,
        text: str,
        source_address: str | None = None,
        dest_address: str | None = None,
        expiry_date: datetime | str | None = None,
        wait_for_delivery: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_early(parse_endpoint_ids, endpoint_ids)
        check_early(split_text, text)
        check_early(parse_sender, source_address)
        if isinstance(expiry_date, str):
            check_early(_expiry, expiry_date)
        self.endpoint_ids = endpoint_ids
        self.text = text
        self.source_address = source_address
        self.dest_address = dest_address
        self.expiry_date = expiry_date
        self.wait_for_delivery = parse_bool(wait_for_delivery, "wait_for_delivery")

    def execute(self, context: Context) -> dict[str, list[int]]:
        """Look for what was sent, send the rest, and wait."""
        ids = parse_endpoint_ids(self.endpoint_ids)
        parts = split_text(self.text, reference=identity(context))
        if not ids:
            self.log.info("No endpoints given: nothing to send")
            return {}
        self.log.info(
            "Sending %d characters as %d SMS (%s) to each of %d endpoints (%s): %d SMS, which emnify bills",
            len(self.text),
            len(parts),
            parts[0].alphabet,
            len(ids),
            shorten(ids),
            len(parts) * len(ids),
        )
        message = _Message(self.text, parts, parse_sender(self.source_address), _expiry(self.expiry_date))
        since, begun = earlier_tries_since(context), time.monotonic()
        sent: dict[str, list[int]] = {}
        twins: list[str] = []

        def send(endpoint_id: int) -> None:
            with self.client.lock("SMS", endpoint_id) as lock:
                asked, others = time.monotonic(), list[int]()
                there, now = read_sms(self.client, endpoint_id)
                mine = [] if since is None else message.among(there, since)
                if now is not None and not any(mine):
                    others = message.of_another_run(there, _start(now, begun, asked, lock.held_since(begun)))
                if others:
                    self.log.info("Another run has just sent it to endpoint %s: %s", endpoint_id, others)
                own = [] if others else self._send(endpoint_id, message, mine, there)
                sent[str(endpoint_id)] = others or own
                if own and not any(mine):
                    twin = self._look_again(endpoint_id, message, own, max(begun, lock.released))
                    twins.extend([f"{own} and before it {twin} to endpoint {endpoint_id}"] if twin else [])

        refused = each(ids, send, label=str, what="send the SMS to endpoint")
        if twins:
            raise unknown_for_good(
                f"text: another run has sent the same at the same moment: {shorten(twins)}. Check whether "
                "these devices mind to get it twice; EmnifyCancelSmsOperator cancels what is not delivered. "
                "If SMS to others are missing, clear this task: it sends only those"
            )
        if refused:
            raise partial(ids, refused, label=str, what="send the SMS to endpoint")
        self.log.info("Sent %s", sent)
        if not self.wait_for_delivery:
            return sent
        pairs = [f"{endpoint_id}/{sms_id}" for endpoint_id, found in sent.items() for sms_id in found]
        delivered: dict[str, list[int]] = self.wait_until(
            Wait("sms_delivery", pairs, SmsStatus.DELIVERED), sent
        )
        return delivered

    def _send(
        self, endpoint_id: int, message: _Message, found: Sequence[Row | None], there: Sequence[Row]
    ) -> list[int]:
        """Send the parts that were not found.

        :param found: The SMS by which an earlier try has sent a part, for each part.
        :param there: All SMS of the endpoint before.
        """
        known = {str(row.get("id")) for row in there}
        sender, ids = message.sender, []
        for part, sms in zip_longest(message.parts, found):
            if sms is None:
                sms = self.client.sms.send(  # noqa: PLW2901 - the SMS of this part
                    endpoint_id,
                    payload=part.payload,
                    udh=part.udh,
                    dcs=part.dcs,
                    source_address=None if sender is None else sender.address,
                    source_address_type_id=None if sender is None else sender.type_id,
                    dest_address=self.dest_address,
                    expiry_date=message.expiry,
                )
                if str(sms["id"]) in known:
                    raise EmnifyUnknownOutcomeError(
                        f"the answer was lost, and endpoint {endpoint_id} has no newer SMS like it than "
                        f"{sms['id']}, which was there before"
                    )
            else:
                self.log.info(
                    "SMS %s to endpoint %s was sent by an earlier try, at %s",
                    sms["id"],
                    endpoint_id,
                    sms.get("submit_date"),
                )
            ids.append(int(sms["id"]))
            self.began("sms.cancel", endpoint_id=endpoint_id, sms_id=ids[-1])
        return ids

    def _look_again(self, endpoint_id: int, message: _Message, own: Sequence[int], begun: float) -> list[int]:
        """Return the SMS by which another host, which no turn kept waiting, has sent the same just before.

        :param own: What this task has sent.
        :param begun: Since when that counts, by this host's clock: emnify's is told by what was sent.
        """
        ago = timedelta(seconds=time.monotonic() - begun)
        rows, _ = read_sms(self.client, endpoint_id)
        last = next((row for row in rows if str(row.get("id")) == str(own[-1])), None)
        if last is None:
            return []
        others = [row for row in rows if int(row["id"]) not in own]
        found = message.of_another_run(others, submitted_at(last) - ago)
        return found if found and max(found) < max(own) else []


@dataclass(frozen=True)
class _Message:
    """A text as it is sent to each endpoint, and how it is known again."""

    text: str
    parts: Sequence[SmsPart]
    sender: Sender | None
    expiry: str | None

    def among(
        self, there: Sequence[Row], since: datetime, parts: Sequence[SmsPart] | None = None
    ) -> list[Row | None]:
        """Return the SMS that has sent each part since then, unless it did not arrive. Each counts once."""
        left = [row for row in there if _status(row) not in _NOT_SENT]
        found: list[Row | None] = []
        for part in self.parts if parts is None else parts:
            told: Row = {"payload": part.payload}
            if part.udh is not None:
                told["udh"] = part.udh
            if self.sender is not None:
                told["source_address"] = self.sender.address
            found.append(next((row for row in left if is_same_sms(row, told, since)), None))
            left = [row for row in left if row is not found[-1]]
        return found

    def of_another_run(self, there: Sequence[Row], since: datetime) -> list[int]:
        """Return the SMS by which another run has sent the whole text since then; none if there are not all.

        The parts of a long text have another reference then, the same in all of them.
        """
        is_long = self.parts[0].udh is not None
        references = dict.fromkeys(_reference(row) for row in there) if is_long else {0: None}
        for reference in references:
            if reference is not None:
                found = self.among(there, since, split_text(self.text, reference=reference))
                if all(found):
                    return [int(row["id"]) for row in found if row is not None]
        return []


def _start(now: datetime, begun: float, asked: float, other: bool) -> datetime:
    """Return when this task began, by emnify's clock.

    That shows whole seconds. What they leave open is the task's own time when another task has been at the
    endpoint in it, and else the time before.

    :param now: What emnify's clock showed in an answer that has just come.
    :param begun: When this task began, by this host's clock.
    :param asked: When it asked for that answer.
    :param other: Whether another task has held the lock of the endpoint since this one began.
    """
    if other:
        return (now - timedelta(seconds=time.monotonic() - begun)).replace(microsecond=0)
    return now + timedelta(seconds=1 - (asked - begun))


def _reference(row: Row) -> int | None:
    """Return what an SMS has in common with the other parts of its text; None when it is no part of one."""
    header = _CONCATENATED.fullmatch(str(row.get("udh")))
    return None if header is None else int(header[1], 16)


class EmnifyCancelSmsOperator(EmnifyBaseOperator):
    """Cancel SMS that are not delivered yet. Those that are over already stay as they are.

    .. code-block:: python

        EmnifyCancelSmsOperator(task_id="cancel", sms_ids="{{ ti.xcom_pull('reboot') }}")

    :param sms_ids: The SMS (templated): what :class:`EmnifySendSmsOperator` returned, or pairs of the ids of
        endpoint and SMS: ``"7/12"``, ``["7/12", "8/13"]``.
    :param emnify_conn_id: The connection to emnify.
    :returns: The status of each SMS, by pair: ``{"7/12": "Canceled"}``.
    :raises ValueError: when the DAG is parsed, for what is no such pair.
    :raises AirflowFailException: for a permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-sms-by-endpoint-id-and-sms-id-delete
    """

    template_fields: Sequence[str] = ("emnify_conn_id", "sms_ids")
    operator_extra_links = (EmnifyDevicesLink(),)
    idempotent: ClassVar[bool] = True

    def __init__(self, *, sms_ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_early(parse_sms_ids, sms_ids)
        self.sms_ids = sms_ids

    def execute(self, context: Context) -> dict[str, str]:
        """Look at each, and cancel it if it is not over."""
        del context
        pairs = parse_sms_ids(self.sms_ids)
        if not pairs:
            self.log.info("No SMS given: nothing to do")
            return {}
        self.log.info("Cancelling %d SMS: %s", len(pairs), shorten(pairs))
        seen: dict[str, str] = {}

        def cancel(pair: str) -> None:
            seen[pair] = self._cancel(*map(int, pair.split("/")))

        refused = each(pairs, cancel, label=str, what="cancel SMS")
        if refused:
            raise partial(pairs, refused, label=str, what="cancel SMS")
        self.log.info("Status of the SMS: %s", shorten([f"{pair} {label}" for pair, label in seen.items()]))
        return seen

    def _cancel(self, endpoint_id: int, sms_id: int) -> str:
        sms = self.client.sms
        status = _status(sms.get(endpoint_id, sms_id))
        if status not in _OVER:
            try:
                sms.cancel(endpoint_id, sms_id)
            except EmnifyError:
                status = _status(sms.get(endpoint_id, sms_id))
                if status not in _OVER:  # it was not delivered meanwhile, so that is not why
                    raise
            else:
                status = SmsStatus.CANCELED
        return status.label if status is not None else "unknown"


def _expiry(value: Any) -> str | None:
    """Return when an SMS expires, as emnify writes it.

    :raises ValueError: for what is no point in time.
    """
    if value is None or (isinstance(value, str) and value.strip() in {"", "None"}):
        return None
    try:
        return moment(value)
    except ValueError as error:
        raise ValueError(f"expiry_date: {error}") from None


def _status(row: Row) -> SmsStatus | None:
    """Return the status of an SMS; None for one that is not known here."""
    try:
        return SmsStatus.parse(status_of(row))
    except ValueError:
        return None
