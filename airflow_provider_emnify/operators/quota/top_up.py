"""Adding to quotas as a task. Imported as :mod:`airflow_provider_emnify.operators.quota`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_emnify.arguments import parse_amount, shorten
from airflow_provider_emnify.operators.batch import each, partial
from airflow_provider_emnify.operators.endpoint.rows import endpoint_ids as parse_endpoint_ids
from airflow_provider_emnify.operators.idempotency.attempt import earlier_tries_since, unknown_outcome
from airflow_provider_emnify.operators.quota.base import UNITS, QuotaOperator, is_added, marked
from airflow_provider_emnify.operators.quota.history import Assigned, assigned_of, read_assigned

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.resources.fields import Row

_SETTLES = 5.0  # seconds from reading a quota to having written it, in which another host may do the same
_CLOCKS_MAY_DIFFER = timedelta(minutes=1)


class _UnsureError(Exception):
    """Nobody can tell whether what this task adds to a quota is in it."""


class _Written(NamedTuple):
    """A quota as this task has set it.

    :param target: What it was set to.
    :param read_at: When it was read before.
    :param over: When it was written, by the monotonic clock.
    :param late: Whether there was more time in between than another host waits for.
    """

    target: float
    read_at: datetime
    over: float
    late: bool


class EmnifyTopUpQuotaOperator(QuotaOperator):
    """Add to what endpoints (devices) may still use: read, add, write, and read back.

    emnify keeps the volume that was added last, in the quota and in its events. Some millionths of it tell
    which task that was, so that a later try of the task (a retry, or after clearing) adds nothing a second
    time, whatever was used or added since.

    emnify has no way to add in one step. Tasks that add to the same endpoint wait for each other as far as
    they share a store of the rate limits (``rate_limit_store``), and then no addition is lost. For others,
    each task reads back five seconds after its last write, and fails when its addition is lost.

    .. code-block:: python

        EmnifyTopUpQuotaOperator(task_id="top_up", endpoint_ids="{{ params.endpoint_ids }}", volume=100)

    :param endpoint_ids: One id or many (templated).
    :param volume: What they may use in addition: MB, or a number of SMS (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param expiry_date: When they may use nothing more, in UTC (templated). By default as it is; needed where
        there is no quota yet, or an expired one.
    :param threshold_percentage: Percentage left at which there is an event (templated). By default as it is.
    :param threshold_volume: Volume left at which there is an event, in MB or SMS (templated). By default as
        it is.
    :param auto_refill: Whether emnify fills it up every day with the volume that was added last, which is
        this one then. By default as it is.
    :param emnify_conn_id: The connection to emnify.
    :returns: What each may use now, in MB or SMS, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and nothing was added; the next try looks again.
    :raises AirflowFailException: when someone else has set the quota at the same moment, or emnify does not
        say whether an earlier try has added (an
        :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError` with what to check), and for any
            permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post
    """

    def execute(self, context: Context) -> dict[str, float]:
        """Add to one after another, and read them back."""
        ids, volume = parse_endpoint_ids(self.endpoint_ids), parse_amount(self.volume, "volume")
        added, since = marked(volume, context), earlier_tries_since(context)
        self.log.info(
            "Adding %g %s to the quota of %d endpoints (%s)",
            volume,
            UNITS[self.quota_type],
            len(ids),
            shorten(ids) or "none",
        )
        now: dict[str, float] = {}
        written: dict[int, _Written] = {}
        unsure: list[str] = []

        def top_up(endpoint_id: int) -> None:
            with self.client.lock(f"{self.quota_type} quotas", endpoint_id):
                read_at, begun = datetime.now(UTC), time.monotonic()
                quota = self._read(endpoint_id) or {}
                before = assigned_of(quota).volume or 0.0
                if since is not None and self._was_added(endpoint_id, quota, volume, added, since):
                    self.log.info("An earlier try has added to the quota of endpoint %s", endpoint_id)
                    now[str(endpoint_id)] = before
                    return
                target = round(before + volume, 6)
                self._write(endpoint_id, target, added, quota)
                over = time.monotonic()
                written[endpoint_id] = _Written(target, read_at, over, over - begun > _SETTLES)

        def read_back(endpoint_id: int) -> None:
            quota = self._read(endpoint_id) or {}
            self._check(endpoint_id, quota, volume, added, written[endpoint_id])
            now[str(endpoint_id)] = after = assigned_of(quota).volume or 0.0
            self.log.info("Endpoint %s has %g %s now", endpoint_id, after, UNITS[self.quota_type])

        def told(act: Callable[[int], None]) -> Callable[[int], None]:
            def tell(endpoint_id: int) -> None:
                try:
                    act(endpoint_id)
                except _UnsureError as error:
                    unsure.append(f"endpoint {endpoint_id}: {error}")

            return tell

        refused = each(ids, told(top_up), label=str, what="add to the quota of endpoint")
        if written:
            last = max(one.over for one in written.values())
            time.sleep(max(0.0, last + _SETTLES - time.monotonic()))
        refused |= each([*written], told(read_back), label=str, what="read back the quota of endpoint")
        if unsure:
            raise unknown_outcome(
                f"{shorten(unsure)}. Check these endpoints, and set what they shall have with "
                f"EmnifySetQuotaOperator; {len(now)} of {len(ids)} are done"
            )
        if refused:
            raise partial(ids, refused, label=str, what="add to the quota of endpoint")
        return {str(endpoint_id): now[str(endpoint_id)] for endpoint_id in ids}

    def _was_added(self, endpoint_id: int, quota: Row, volume: float, added: float, since: datetime) -> bool:
        """Tell whether an earlier try has added.

        :raises _UnsureError: when that cannot be told, or someone else has overwritten what it added.
        """
        if is_added(quota, added):
            return True
        events = read_assigned(self.client, self.quota_type, endpoint_id, since)
        own = _index(events, added)
        if own is not None:
            self._must_be_in(volume, events[own].volume, [*events[own + 1 :], assigned_of(quota)][0])
            return True
        if assigned_of(quota).added == volume:
            raise _UnsureError(
                f"it has {quota.get('volume')} {UNITS[self.quota_type]}, and {volume:g} were added last, by "
                "an earlier try or by someone else: nothing was added"
            )
        untold = sum(event.added is None for event in events)
        if untold > 1:  # with one, that was someone else, who has also added last
            raise _UnsureError(
                f"it was set {untold} times since {since:%Y-%m-%d %H:%M} UTC, perhaps by an earlier try too: "
                "nothing was added"
            )
        return False

    def _check(self, endpoint_id: int, quota: Row, volume: float, added: float, written: _Written) -> None:
        """Find out whether what was added is in the quota, and whether that of another host is.

        :raises _UnsureError: when one of them is not.
        """
        if is_added(quota, added) and not written.late:
            return
        since = written.read_at - _CLOCKS_MAY_DIFFER
        events = read_assigned(self.client, self.quota_type, endpoint_id, since)
        own, last = _index(events, added), assigned_of(quota)
        if is_added(quota, added):
            self._must_have_kept(events if own is None else events[max(own - 1, 0) : own + 1])
        elif own is None and last.added == volume:
            self.log.warning(
                "emnify says that %g were added to endpoint %s, without the mark of this task: if the task "
                "is run again, it cannot tell",
                volume,
                endpoint_id,
            )
        else:
            later = [] if own is None else events[own + 1 :]
            self._must_be_in(volume, written.target, [*later, last][0])

    def _must_be_in(self, volume: float, before: float | None, then: Assigned) -> None:
        """Refuse what someone else has set a quota to, when what this task has added is not in it."""
        if then.lacks(volume, before):
            raise _UnsureError(
                f"this task has made it {before} {UNITS[self.quota_type]}, and someone else at the same "
                f"moment {then.volume} by adding {then.added}: the {volume:g} of this task seem to be lost"
            )

    @staticmethod
    def _must_have_kept(events: list[Assigned]) -> None:
        """Refuse what this task has set a quota to, when it took long and what others had added is not in it.

        :param events: The one before, and this task's own.
        """
        if len(events) > 1 and events[-1].lacks(events[0].added or 0.0, events[0].volume):
            raise _UnsureError(
                f"this task took more than {_SETTLES:g} s to set it, and the {events[0].added} that someone "
                "else has added meanwhile seem to be lost"
            )


def _index(events: list[Assigned], added: float) -> int | None:
    """Return where in the events this task has added."""
    return next((number for number, event in enumerate(events) if event.added == added), None)
