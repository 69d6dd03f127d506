"""Operations on single eUICCs, as a task. Imported as :mod:`airflow_provider_emnify.operators.euicc`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api import EmnifyNotFoundError
from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.transport.recover import BEGINNING
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_bool, parse_ids
from airflow_provider_emnify.arguments import (
    NOT_GIVEN,
    Argument,
    Ids,
    MaskedArgument,
    matching,
    optional,
    parse_text,
    shorten,
)
from airflow_provider_emnify.hooks.selection import SelectsEuiccs
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.operators.euicc.base import EmnifyOperationOperator, find_action, state_of
from airflow_provider_emnify.operators.idempotency.batch import for_each
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once

_parse_iccid = matching(r"\d{18,22}", "ICCID; give its digits, with the check digit")
_HOW = ("iccid_with_luhn", "activation_code", "enable", "rollback", "validity_period")
_UNREAD = "eUICC "  # before the id of one whose eID is not known


def _whole_seconds(value: Any, field: str) -> int:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        seconds = 0 if isinstance(value, bool) else int(float(value))
    except (TypeError, ValueError, OverflowError):
        seconds = 0
    if seconds <= 0:
        raise ValueError(f"{field}: {value!r} is not a valid number of seconds; give 1 or more")
    return seconds


class EmnifyEuiccOperationOperator(SelectsEuiccs, EmnifyOperationOperator):
    """Carry out an operation on eUICCs: enable, disable, download or delete a profile, and the like.

    emnify carries it out when the device polls, which can take a day: wait deferrable. The latest operation
    on each eUICC is looked at first. One like it that is under way is waited for instead of scheduling a
    second one, and so is one that this task has scheduled before (a lost answer, a worker that died, a task
    that is cleared); when that one has succeeded, it is done. One that failed is scheduled again by a retry,
    for the devices where it failed. With ``activation_code``, only this task's own count as like it.

    Tasks wait for each other on an eUICC as far as they share a host or a Redis (``rate_limit_store``). Keep
    others apart with ``max_active_runs=1`` or ``max_active_tis_per_dag=1``.

    .. code-block:: python

        EmnifyEuiccOperationOperator(
            task_id="enable",
            euicc_ids=[12, 13],
            action="Enable profile",
            iccid_with_luhn="{{ params.iccid }}",
            deferrable=True,
        )

    :param euicc_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsEuiccs`.
    :param action: Id of the action, or its name as ``client.euiccs.operation_actions()`` has it, in any
        spelling (templated). Looked up when the task runs.
    :param iccid_with_luhn: ICCID of the profile that it is for, 20 digits (templated).
    :param activation_code: Activation code of a profile to download; masked in logs (templated).
    :param enable: Whether a downloaded profile is enabled (templated).
    :param rollback: Whether to go back to the last profile when the new one does not connect (templated).
    :param validity_period: Seconds (or a timedelta) until it expires, by default a day (templated).
    :param wait_for_completion: Wait until all operations are over (default True).
    :param fail_on_error: Fail the task when it failed on an eUICC (default True); otherwise the result says
        so.
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out; the operations go on at emnify.
        Default 2 days.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the report so far.
    :param cancel_on_kill: Whether to cancel what this task scheduled when someone marks it failed while it
        waits, or clears it in a worker (default True). emnify may refuse that; the log says so. A deferred
        task that is cleared goes on waiting for it.
    :param emnify_conn_id: The connection to emnify.
    :returns: ``{"operation_ids": ["12/..."], "succeeded": 1, "failed": {eID: reason}, "pending": []}``; the
        ids are as ``EmnifyEuiccOperationSensor`` takes them; ``pending`` are the eIDs where it
        was not over yet.
    :raises EmnifyPartialError: naming the eIDs where it failed and where it was done.
    :raises AirflowFailException: for an unknown action or eUICC, when time runs out, and for any other
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/euicc-operation/schedule-operations
    """

    operator_extra_links = (EmnifySimsLink(),)
    kind: ClassVar[str] = "euicc_operation"
    keeps_rows = True

    euicc_ids = Argument(parse_ids, default=None)
    iccid_with_luhn = Argument(optional(_parse_iccid))
    activation_code = MaskedArgument(optional(parse_text))
    enable = Argument(optional(parse_bool))
    rollback = Argument(optional(parse_bool))
    validity_period = Argument(optional(_whole_seconds))

    def __init__(
        self,
        *,
        action: int | str,
        euicc_ids: Ids | None = NOT_GIVEN,
        iccid_with_luhn: str | None = None,
        activation_code: str | None = None,
        enable: bool | str | None = None,
        rollback: bool | str | None = None,
        validity_period: float | timedelta | str | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())

    def execute(self, context: Context) -> Any:
        """Look for what is under way, schedule the rest, and wait."""
        ids = self.euicc_ids
        if not ids:
            self.log.info("No eUICCs given: nothing to do")
            return self.follow(self.action, {}, [], {})
        attempt = Attempt(self, context)
        action_id, action = find_action(self.client.euiccs.operation_actions(), self.action)
        # Reports name each eUICC by its eID. A single one is read only when something failed.
        names = {ids[0]: f"{_UNREAD}{ids[0]}"} if len(ids) == 1 else self._read_eids(ids)

        def schedule(euicc_id: int) -> Row:
            row, is_new = create_once(
                attempt,
                lock=("eUICC operations", euicc_id),
                look=lambda: self._latest(euicc_id),
                decide=lambda rows, may_be_ours: self._decide(euicc_id, action_id, rows, may_be_ours),
                create=lambda _: self._schedule(euicc_id, action_id),
                always_look=True,
                each_run=bool(self.activation_code),  # what another run downloads is not known
            )
            if not is_new:
                self.log.info("%s: operation %s is under way or done", names[euicc_id], row["id"])
            return row

        what = f"schedule {action!r} on eUICC"
        where = f"{len(ids)} eUICCs ({shorten([*names.values()])})"
        self.log.info("%s: scheduling it on %s, where it is not under way or done", action, where)
        shown = {key: name.removeprefix(_UNREAD) for key, name in names.items()}
        found, refused = for_each(ids, schedule, label=shown.__getitem__, what=what, fail_on_error=False)
        done = [key for key, row in found.items() if state_of(self.kind, row) == OperationState.SUCCEEDED]
        return self.follow(
            action,
            {f"{key}/{row['id']}": [names[key]] for key, row in found.items() if key not in done},
            [names[key] for key in done],
            {names[key]: str(error) for key, error in refused.items()},
        )

    def failures(self, key: str, names: Sequence[str], state: str, reason: str) -> dict[str, str]:
        """Return the one eUICC of an operation that failed."""
        return dict.fromkeys(names, reason or state)

    def report_name(self, name: str) -> str:
        """Return the eID, also of an eUICC that was not read before."""
        key = name.removeprefix(_UNREAD)
        return name if key == name else self._read_eids([int(key)])[int(key)]

    def _read_eids(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the eID of each eUICC.

        :raises ValueError: naming those that do not exist.
        """
        euiccs, rows = self.client.euiccs, self.selected_rows
        if rows is None:
            rows = read_rows(ids, get=euiccs.get, list_all=euiccs.list)
        missing = [key for key in ids if key not in rows]
        if missing:
            raise ValueError(f"euicc_ids: there is no eUICC {shorten(missing)}; nothing was scheduled")
        return {key: str(rows[key].get("eid") or f"{_UNREAD}{key}") for key in ids}

    def _latest(self, euicc_id: int) -> Rows:
        """Return the latest operations on an eUICC, the newest first."""
        try:
            with self.client.euiccs.operations(euicc_id, per_page=BEGINNING) as listing:
                return [*islice(listing, BEGINNING)]
        except EmnifyNotFoundError:
            self._read_eids([euicc_id])  # says so when there is no such eUICC
            raise

    def _schedule(self, euicc_id: int, action_id: int) -> Row:
        how = {name: getattr(self, name) for name in _HOW}
        row = self.client.euiccs.schedule_operation(euicc_id, action_id=action_id, **how)
        self._can_be_cancelled(euicc_id, row)
        return row

    def _decide(
        self, euicc_id: int, action_id: int, rows: Rows, may_be_ours: Callable[[Row], bool]
    ) -> Row | None:
        """Return the operation that makes a new one needless: an open one of ours, or the latest of all."""
        like = [row for row in rows if self._is_like(row, action_id)]
        for row in like:
            if may_be_ours(row) and state_of(self.kind, row) == OperationState.PENDING:
                self._can_be_cancelled(euicc_id, row)
                return row
        if not like or like[0] is not rows[0]:
            return None
        shared = OperationState.SUCCEEDED if may_be_ours(rows[0]) else OperationState.PENDING
        is_known = shared == OperationState.SUCCEEDED or not self.activation_code
        return rows[0] if is_known and state_of(self.kind, rows[0]) == shared else None

    def _is_like(self, row: Row, action_id: int) -> bool:
        return part(row, "action").get("id") == action_id and (
            self.iccid_with_luhn in {None, row.get("iccid_with_luhn")}
        )

    def _can_be_cancelled(self, euicc_id: int, row: Row) -> None:
        self.began("euiccs.cancel_operation", euicc_id=euicc_id, operation_id=row["id"])
