"""Operations on eSIMs as tasks: on single eUICCs, and (from another module) on many SIMs at once."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.api.resources.few import read_rows
from airflow_provider_emnify.api.transport.answers import part
from airflow_provider_emnify.api.transport.recover import BEGINNING
from airflow_provider_emnify.api.values import parse_ids
from airflow_provider_emnify.arguments import MaskedArgument, check_early, is_known, parse_bool, shorten
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.operators.batch import each
from airflow_provider_emnify.operators.euicc.base import (
    EmnifyOperationOperator,
    OwnOperations,
    find_action,
    is_later,
    state_of,
)
from airflow_provider_emnify.operators.euicc.sim_operation import EmnifySimOperationOperator
from airflow_provider_emnify.operators.idempotency.attempt import unknown_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row

_ICCID = re.compile(r"\d{18,22}")


class EmnifyEuiccOperationOperator(EmnifyOperationOperator):
    """Carry out an operation on eUICCs: enable, disable, download or delete a profile, and the like.

    emnify carries it out when the device polls, which can take a day: wait deferrable. The latest operation
    on each eUICC is looked at first. One like it that is under way is waited for instead of scheduling a
    second one, and so is one that this task has scheduled before (a lost answer, a worker that died, a task
    that is cleared); when that one has succeeded, it is done. One that failed is scheduled anew by a retry,
    for the devices where it failed. With ``activation_code``, only this task's own count as like it.

    Tasks take turns on an eUICC as far as they share a store of the rate limits (``rate_limit_store``). Where
    another host has scheduled the same at the same moment, the later one fails and names both.

    .. code-block:: python

        EmnifyEuiccOperationOperator(
            task_id="enable",
            euicc_ids=[12, 13],
            action="Enable profile",
            iccid_with_luhn="{{ params.iccid }}",
            deferrable=True,
        )

    :param euicc_ids: One id or many (templated).
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
    :param timeout: Seconds (or a timedelta) until the wait is given up; the operations go on at emnify.
        Default 2 days.
    :param cancel_on_kill: Whether to cancel what this task scheduled when someone marks it failed while it
        waits, or clears it in a worker (default True). emnify may refuse that; the log says so. A deferred
        task that is cleared goes on waiting for it.
    :param emnify_conn_id: The connection to emnify.
    :returns: ``{"operation_ids": ["12/..."], "succeeded": 1, "failed": {eID: reason}}``; the ids are as
        ``EmnifyEuiccOperationSensor`` takes them.
    :raises EmnifyPartialError: naming the eIDs where it failed and where it was done.
    :raises AirflowFailException: for an unknown action or eUICC, when time runs out, and for any other
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/euicc-operation/schedule-operations
    """

    template_fields: Sequence[str] = (
        "emnify_conn_id",
        "euicc_ids",
        "action",
        "iccid_with_luhn",
        "activation_code",
        "enable",
        "rollback",
        "validity_period",
    )
    operator_extra_links = (EmnifySimsLink(),)
    kind: ClassVar[str] = "euicc_operation"

    activation_code = MaskedArgument()

    def __init__(
        self,
        *,
        euicc_ids: Any,
        action: int | str,
        iccid_with_luhn: str | None = None,
        activation_code: str | None = None,
        enable: bool | str | None = None,
        rollback: bool | str | None = None,
        validity_period: float | timedelta | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(action=action, **kwargs)
        check_early(parse_ids, euicc_ids, "euicc_ids")
        check_early(_iccid, iccid_with_luhn)
        check_early(_flag, enable, "enable")
        check_early(_flag, rollback, "rollback")
        if is_known(validity_period) or isinstance(validity_period, timedelta):
            _validity(validity_period)
        self.euicc_ids = euicc_ids
        self.iccid_with_luhn = iccid_with_luhn
        self.activation_code = activation_code
        self.enable = enable
        self.rollback = rollback
        self.validity_period = validity_period

    def execute(self, context: Context) -> Any:
        """Look for what is under way, schedule the rest, and wait."""
        ids = parse_ids(self.euicc_ids, "euicc_ids")
        how: dict[str, Any] = {
            "iccid_with_luhn": _iccid(self.iccid_with_luhn),
            "activation_code": self.activation_code or None,
            "enable": _flag(self.enable, "enable"),
            "rollback": _flag(self.rollback, "rollback"),
            "validity_period": _validity(self.validity_period),
        }
        if not ids:
            self.log.info("No eUICCs given: nothing to do")
            return {"operation_ids": [], "succeeded": 0, "failed": {}}
        euiccs = self.client.euiccs
        action = find_action(euiccs.operation_actions(), self.action)
        eids = self._read_eids(ids)
        own = OwnOperations(context, self.log)
        found: dict[int, Row] = {}
        twins: list[str] = []

        def look_or_schedule(euicc_id: int) -> None:
            with self.client.lock("eUICC operations", euicc_id):
                row, latest = self._earlier(euicc_id, int(action["id"]), own)
                if row is None:
                    own.soon()
                    row = euiccs.schedule_operation(euicc_id, action_id=action["id"], **how)
                    own.now(f"{euicc_id}/{row['id']}")
                    self._can_be_cancelled(euicc_id, row)
                    twin = self._look_again(euicc_id, int(action["id"]), row, latest)
                    if twin is not None:
                        twins.append(f"{row['id']} and before it {twin} on eUICC {eids[euicc_id]}")
                else:
                    self.log.info("eUICC %s: operation %s is under way or done", eids[euicc_id], row["id"])
            found[euicc_id] = row

        what = f"schedule {action['description']!r} on eUICC"
        self.log.info(
            "%s: scheduling it on %d eUICCs (%s), where it is not under way or done",
            action["description"],
            len(ids),
            shorten([*eids.values()]),
        )
        refused = each(ids, look_or_schedule, label=eids.__getitem__, what=what)
        if twins:
            raise unknown_outcome(
                f"{action['description']}: another run has scheduled the same at the same moment: "
                f"{shorten(twins)}. Check them, cancel those that are too many with "
                "client.euiccs.cancel_operation, and clear this task: it goes on with what is under way"
            )
        done = [key for key, row in found.items() if state_of(self.kind, row) == OperationState.SUCCEEDED]
        return self.follow(
            str(action["description"]),
            {f"{key}/{row['id']}": [eids[key]] for key, row in found.items() if key not in done},
            [eids[key] for key in done],
            {eids[key]: str(error) for key, error in refused.items()},
        )

    def failures(self, key: str, names: Sequence[str], state: str, reason: str) -> dict[str, str]:
        """Return the one eUICC of an operation that failed."""
        del key
        return dict.fromkeys(names, reason or state)

    def _read_eids(self, ids: Sequence[int]) -> dict[int, str]:
        euiccs = self.client.euiccs
        rows = read_rows(ids, get=euiccs.get, list_all=euiccs.list)
        missing = [key for key in ids if key not in rows]
        if missing:
            raise ValueError(f"euicc_ids: there is no eUICC {shorten(missing)}; nothing was scheduled")
        return {key: str(rows[key].get("eid") or f"eUICC {key}") for key in ids}

    def _earlier(self, euicc_id: int, action_id: int, own: OwnOperations) -> tuple[Row | None, str | None]:
        """Return the operation on an eUICC that makes a new one needless, or else the id of the latest."""
        euiccs = self.client.euiccs
        for key in reversed([key for key in own.ids if key.startswith(f"{euicc_id}/")]):
            row = euiccs.get_operation(euicc_id, key.partition("/")[2])
            if state_of(self.kind, row) == OperationState.PENDING:
                self._can_be_cancelled(euicc_id, row)
                return row, None
        for row in islice(euiccs.operations(euicc_id, per_page=BEGINNING), 1):
            if not self._is_like(row, action_id):
                return None, str(row["id"])
            state, is_own = state_of(self.kind, row), own.has(f"{euicc_id}/{row['id']}", row)
            if is_own and state == OperationState.PENDING:
                self._can_be_cancelled(euicc_id, row)
            if (is_own and state in {OperationState.PENDING, OperationState.SUCCEEDED}) or (
                state == OperationState.PENDING and not self.activation_code
            ):
                return row, None
            return None, str(row["id"])
        return None, None

    def _look_again(self, euicc_id: int, action_id: int, new: Row, latest: str | None) -> str | None:
        """Return the id of an operation like a new one that another host has scheduled just before it."""
        if self.activation_code:
            return None  # what another one downloads is not known
        rows = islice(self.client.euiccs.operations(euicc_id, per_page=BEGINNING), BEGINNING)
        since = [*takewhile(lambda row: str(row["id"]) != latest, rows)]
        own = next((row for row in since if str(row["id"]) == str(new["id"])), new)
        for row in since:
            if row is not own and self._is_like(row, action_id) and not is_later(row, own):
                return str(row["id"])
        return None

    def _is_like(self, row: Row, action_id: int) -> bool:
        return part(row, "action").get("id") == action_id and (
            _iccid(self.iccid_with_luhn) in {None, row.get("iccid_with_luhn")}
        )

    def _can_be_cancelled(self, euicc_id: int, row: Row) -> None:
        self.began("euiccs.cancel_operation", euicc_id=euicc_id, operation_id=row["id"])


def _iccid(value: Any) -> str | None:
    """Return an ICCID, None for nothing.

    :raises ValueError: for anything else.
    """
    if value is None or value == "":
        return None
    text = "" if isinstance(value, bool) else str(value).strip()
    if not _ICCID.fullmatch(text):
        raise ValueError(f"iccid_with_luhn: {value!r} is no ICCID; give its digits, with the check digit")
    return text


def _flag(value: Any, field: str) -> bool | None:
    return None if value is None or value in {"", "None"} else parse_bool(value, field)


def _validity(value: Any) -> int | None:
    """Return a length of time in whole seconds, None for nothing.

    :raises ValueError: when it is none, or not longer than nothing.
    """
    if value is None or value == "":
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        seconds = 0 if isinstance(value, bool) else int(float(value))
    except (TypeError, ValueError):
        seconds = 0
    if seconds <= 0:
        raise ValueError(f"validity_period: {value!r} is no number of seconds")
    return seconds


__all__ = ["EmnifyEuiccOperationOperator", "EmnifySimOperationOperator"]
