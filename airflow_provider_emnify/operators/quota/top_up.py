"""Adding to quotas as a task. Imported as :mod:`airflow_provider_emnify.operators.quota`."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import EmnifyServerError
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.arguments import shorten
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once, unknown_outcome
from airflow_provider_emnify.operators.quota.base import UNITS, QuotaOperator, volumes_of


class EmnifyTopUpQuotaOperator(QuotaOperator):
    """Add to what endpoints (devices) may still use: read, add, and write.

    emnify has no way to add in one step. Tasks that add to the same endpoint wait for each other as far as
    they share a host or a Redis (``rate_limit_store``), and then no addition is lost. Keep others apart with
    ``max_active_runs=1`` or ``max_active_tis_per_dag=1``.

    A later attempt (a retry, or after clearing) finds what an earlier one has added in emnify's events, which
    tell of each time a quota was set. On Airflow 3.3 the journal says to what it was set. Before, each
    addition of this volume since the run began counts as this task's.

    .. code-block:: python

        EmnifyTopUpQuotaOperator(task_id="top_up", endpoint_ids="{{ params.endpoint_ids }}", volume=100)

    :param endpoint_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEndpoints`.
    :param volume: What they may use in addition: MB, or a number of SMS (templated).
    :param quota_type: ``"data"`` (default) or ``"sms"``.
    :param expiry_date: When they may use nothing more, in UTC (templated). By default as it is; needed where
        there is no quota yet, or an expired one.
    :param threshold_percentage: Percentage left at which there is an event (templated). By default as it is.
    :param threshold_volume: Volume left at which there is an event, in MB or SMS (templated). By default as
        it is.
    :param auto_refill: Whether emnify fills it up every day with the volume that was added last, which is
        this one then. By default as it is.
    :param only_if: Act only on those in this state, see
        :class:`~airflow_provider_emnify.operators.base.only_if.OnlyIf`.
    :param emnify_conn_id: The connection to emnify.
    :returns: What each may use now, in MB or SMS, by endpoint (as text).
    :raises ValueError: when the DAG is parsed, for a bad argument.
    :raises EmnifyUnknownOutcomeError: if an answer is lost and nothing was added; the next attempt looks
        again.
    :raises AirflowFailException: when emnify does not say whether an earlier attempt has added (an
        :class:`~airflow_provider_emnify.api.EmnifyUnknownOutcomeError` with what to check), and for any
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/endpoint/endpoint-quota-data-by-endpoint-id-post
    """

    def execute(self, context: Context) -> dict[str, float]:
        """Add to one after another."""
        ids, volume, unit = self.endpoint_ids, self.volume, UNITS[self.quota_type]
        attempt = Attempt(self, context)
        self.log.info("Adding %g %s to the quota of %d endpoints: %s", volume, unit, len(ids), shorten(ids))
        now: dict[str, float] = {}
        unknown: list[str] = []

        def top_up(endpoint_id: int) -> None:
            addition = _Addition(self, attempt, endpoint_id)
            quota, is_new = create_once(
                attempt,
                lock=addition.lock,
                look=addition.look,
                decide=lambda rows, _: addition.find(rows),
                create=addition.add,
                always_look=True,
                each_run=True,
            )
            if quota is addition.UNKNOWN:
                unknown.append(f"endpoint {endpoint_id} has {addition.before:g}")
                return
            now[str(endpoint_id)] = left = volumes_of(quota)[0] or 0.0
            who = "This" if is_new else "An earlier"
            self.log.info(
                "%s attempt has added %g: endpoint %s has %g %s", who, volume, endpoint_id, left, unit
            )

        for_each(ids, top_up, what="add to the quota of endpoint")
        if unknown:
            raise unknown_outcome(
                f"{shorten(unknown)} {unit}. An earlier attempt may have added "
                f"{volume:g}, and emnify's events do not tell: nothing was added. Check these endpoints, and "
                f"set what they shall have with EmnifySetQuotaOperator; {len(now)} of {len(ids)} are done"
            )
        return {str(endpoint_id): now[str(endpoint_id)] for endpoint_id in ids}


class _Addition:
    """What is added to the quota of one endpoint.

    The journal says what there was before, and what it was to be with it.
    """

    UNKNOWN: ClassVar[Row] = {}

    def __init__(self, operator: EmnifyTopUpQuotaOperator, attempt: Attempt, endpoint_id: int) -> None:
        self._operator = operator
        self._attempt = attempt
        self._endpoint_id = endpoint_id
        self._volume = operator.volume
        self._note = f"emnify_{operator.quota_type}_top_up_{endpoint_id}"
        self.lock = (f"{operator.quota_type} quotas", endpoint_id)
        self._since = attempt.since if attempt.may_have_added(self.lock) else None
        self._planned: Any = None if self._since is None else attempt.journal.get(self._note)
        self.before = 0.0

    def look(self) -> Rows:
        """Read the quota, and after a write the times that it was set."""
        there = self._operator.read_quota(self._endpoint_id)
        left = 0.0 if there is None else volumes_of(there)[0]
        if left is None:
            raise EmnifyServerError(
                "the answer does not say the volume that is left, so nothing can be added to it",
                method="GET",
                path=f"/api/v1/endpoint/{self._endpoint_id}/quota/{self._operator.quota_type}",
            )
        quota, self.before = there or {}, left
        if self._since is None and self._planned is None:
            return [quota]
        since = self._since or self._attempt.began_at
        return [quota, *self._operator.read_assigned(self._endpoint_id, since)]

    def find(self, rows: Rows) -> Row | None:
        """Return the quota if this task has added to it, :attr:`UNKNOWN` if that is unknown."""
        quota, *events = rows
        if self._planned is not None:
            before, target = self._planned
            left, added = volumes_of(quota)
            if added == self._volume and left is not None and before < left <= target:
                return quota
            if any(volumes_of(event) == (target, self._volume) for event in events):
                return quota
        elif any(volumes_of(event)[1] == self._volume for event in events):
            return quota
        return self.UNKNOWN if any(volumes_of(event)[1] is None for event in events) else None

    def add(self, rows: Rows) -> Row:
        """Set the quota to what there is and the volume, and return it."""
        target = round(self.before + self._volume, 6)
        self._planned = [self.before, target]
        self._attempt.journal.note(self._note, self._planned)
        self._operator.write_quota(self._endpoint_id, target, self._volume, rows[0])
        return {"volume": target, "last_volume_added": self._volume}
