"""Operations on many SIMs at once, as a task. Imported as :mod:`airflow_provider_emnify.operators.euicc`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.api.transport.answers import moment_in, part, parts
from airflow_provider_emnify.api.transport.recover import BEGINNING
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_ids, parse_texts
from airflow_provider_emnify.arguments import Argument, Ids, OneId, parse_optional_id, shorten
from airflow_provider_emnify.hooks.selection import SelectsSims
from airflow_provider_emnify.links import EmnifySimsLink
from airflow_provider_emnify.operators.euicc.base import EmnifyOperationOperator, find_action, state_of
from airflow_provider_emnify.operators.idempotency.create_once import Attempt, create_once
from airflow_provider_emnify.operators.sim.transitions import read_sims

Target = int | str
"""What an operation is carried out on: the id of a SIM, or an eID."""
Earlier = dict[Target, tuple[str, bool]]

_EID = re.compile(r"\d{32}")
_LONG_AGO = timedelta(days=7)  # an operation that began before that is over


def _eids(value: Any, field: str) -> list[str]:
    """Return the eIDs that ``value`` means.

    :raises ValueError: for what is none.
    """
    eids = parse_texts(value, field)
    wrong = [eid for eid in eids if not _EID.fullmatch(eid)]
    if wrong:
        raise ValueError(f"{field}: {shorten(wrong)} is not a valid eID; an eID has 32 digits")
    return eids


class EmnifySimOperationOperator(SelectsSims, EmnifyOperationOperator):
    """Carry out one operation on many SIMs, which emnify finishes later and may finish in part.

    The latest operations are looked at first, SIM by SIM. One like it that is under way is waited for
    instead of beginning a second one, and so is one that this task has begun before (a lost answer, a worker
    that died, a task that is cleared). A new operation is begun for those SIMs that are left: where it has
    not succeeded yet.

    Tasks wait for each other as far as they share a host or a Redis (``rate_limit_store``). Keep others apart
    with ``max_active_runs=1`` or ``max_active_tis_per_dag=1``.

    .. code-block:: python

        EmnifySimOperationOperator(
            task_id="link", sim_ids=[1001, 1002], action="Link profile", deferrable=True
        )

    :param action: Id of the action, or its name as ``client.sim_operations.actions()`` has it, in any
        spelling (templated). Looked up when the task runs.
    :param sim_ids: One id or many (templated); or else ``select``, with ``max_selected`` and
        ``fail_if_empty``, see :class:`~airflow_provider_emnify.hooks.selection.SelectsSims`.
    :param eids: eIDs, one or many, beside or instead of ``sim_ids`` (templated).
    :param product_id: The product, where the action needs one (templated).
    :param wait_for_completion: Wait until all operations are over (default True).
    :param fail_on_error: Fail the task when it failed on a SIM (default True); otherwise the result says so.
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out; the operations go on at emnify.
        Default 2 days.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the report so far.
    :param cancel_on_kill: Say in the log which operations go on when the task is killed in a worker (default
        True). emnify has no call that cancels them.
    :param emnify_conn_id: The connection to emnify.
    :returns: ``{"operation_ids": [...], "succeeded": 2, "failed": {eID: reason}, "pending": []}``; the
        ids are as ``EmnifySimOperationSensor`` takes them; ``pending`` are the eIDs where it
        was not over yet.
    :raises ValueError: when the DAG is parsed, without SIMs and eIDs.
    :raises EmnifyPartialError: naming the eIDs where it failed and where it was done.
    :raises AirflowFailException: for an unknown action or SIM, when time runs out, and for any other
        permanent error.

    Vendor page: https://docs.emnify.com/developers/api/sim-operation/trigger-sim-operation
    """

    operator_extra_links = (EmnifySimsLink(),)
    kind: ClassVar[str] = "sim_operation"
    keeps_rows = True

    sim_ids = Argument(parse_ids)
    eids = Argument(_eids)
    product_id = Argument(parse_optional_id)

    _running: Sequence[str] = ()

    def __init__(
        self,
        *,
        action: int | str,
        sim_ids: Ids | None = None,
        eids: Ids | None = None,
        product_id: OneId | None = None,
        **kwargs: Any,
    ) -> None:
        self.init_task(locals())
        sims = [given for given in (sim_ids, self.select) if given is not None]
        if len(sims) > 1 or (not sims and eids is None):
            raise ValueError("sim_ids, select, eids: give one of the first two, or eids, or both")

    def execute(self, context: Context) -> Any:
        """Look for what is under way, begin the rest, and wait."""
        targets: list[Target] = [*self.sim_ids, *self.eids]
        if not targets:
            self.log.info("No SIMs given: nothing to do")
            return self.follow(self.action, {}, [], {})
        operations = self.client.sim_operations
        action_id, action = find_action(operations.actions(), self.action)
        names = self._names(targets)
        under_way: Earlier = {}

        def decide(rows: Rows, may_be_ours: Callable[[Row], bool]) -> Earlier | None:
            under_way.update(self._under_way(names, action_id, rows, may_be_ours))
            return under_way if len(under_way) == len(names) else None

        def trigger(_: Rows) -> Earlier:
            new = [target for target in targets if target not in under_way]
            doing, shown = f"{action}: beginning it for SIMs", [names[target] for target in new]
            self.log_change(doing, shown, len(names), "where it is under way or done")
            row = operations.trigger(
                action_id=action_id,
                sim_ids=[target for target in new if isinstance(target, int)] or None,
                eids=[target for target in new if isinstance(target, str)] or None,
                product_id=self.product_id,
            )
            return under_way | dict.fromkeys(new, (str(row["id"]), False))

        earlier, _ = create_once(
            Attempt(self, context),
            lock=("SIM operations", ""),
            look=lambda: self._latest(names),
            decide=decide,
            create=trigger,
            always_look=True,
        )
        done = [names[target] for target, (_, is_done) in earlier.items() if is_done]
        pending: dict[str, list[str]] = {}
        for target, (operation_id, is_done) in earlier.items():
            if not is_done:
                pending.setdefault(operation_id, []).append(names[target])
        self._running = [*pending]
        result = self.follow(action, pending, done, {})
        self._running = []
        return result

    def failures(self, key: str, names: Sequence[str], state: str, reason: str) -> dict[str, str]:
        """Read which SIMs of an operation failed."""
        row = self.client.sim_operations.get(key)
        said = {str(error.get("eid")): str(error.get("message")) for error in parts(row, "error")}
        if state == OperationState.FAILED:
            return {name: said.get(name) or reason or state for name in names}
        unnamed = {name: "emnify names no eID for it" for name in names if name.startswith("SIM ")}
        return unnamed | {name: said[name] for name in names if name in said}

    def on_kill(self) -> None:
        """Say what goes on. Called by Airflow when the task is killed in a worker."""
        running, self._running = self._running, []
        if running and self.cancel_on_kill:
            self.log.warning("emnify has no call that cancels a SIM operation: %s goes on", shorten(running))

    def _names(self, targets: Sequence[Target]) -> dict[Target, str]:
        """Return how a report names each: by eID, as emnify's errors do.

        :raises ValueError: naming SIMs that do not exist, before anything begins.
        """
        rows = read_sims(self.client, self.sim_ids) if self.selected_rows is None else self.selected_rows
        missing = [key for key in self.sim_ids if key not in rows]
        if missing:
            raise ValueError(f"sim_ids: there is no SIM {shorten(missing)}; nothing was begun")
        return {
            target: target if isinstance(target, str) else str(rows[target].get("eid") or f"SIM {target}")
            for target in targets
        }

    def _under_way(
        self,
        names: Mapping[Target, str],
        action_id: int,
        rows: Rows,
        may_be_ours: Callable[[Row], bool],
    ) -> Earlier:
        """Return the operation that is under way or done for each target, and whether it is done.

        Whatever was done to a SIM last is how the SIM is.
        """
        found: Earlier = {}
        left = set(names)
        for row in rows:
            same = self._is_like(row, action_id)
            for target in [target for target in names if target in left and _covers(row, target)]:
                state = self._state(row, names[target])
                is_done = state == OperationState.SUCCEEDED and may_be_ours(row)
                if same and (state == OperationState.PENDING or is_done):
                    found[target] = (str(row["id"]), is_done)
                left.discard(target)
        return found

    def _latest(self, targets: Collection[Target]) -> Rows:
        """Return the latest operations of anybody, the newest first, as far as they can be under way."""
        rows: Rows = []
        left = set(targets)
        with self.client.sim_operations.list(per_page=BEGINNING) as listing:
            for row in listing:
                created = moment_in(row, "creation_date")
                if created is not None and created < datetime.now(UTC) - _LONG_AGO:
                    break
                rows.append(row)
                left = {target for target in left if not _covers(row, target)}
                if not left:
                    break
        return rows

    def _state(self, row: Row, name: str) -> str:
        """Return how an operation stands for one SIM."""
        state = state_of(self.kind, row)
        if state != OperationState.PARTLY_FAILED:
            return state
        failed = {str(error.get("eid")) for error in row.get("error") or []}
        return OperationState.FAILED if name in failed else OperationState.SUCCEEDED

    def _is_like(self, row: Row, action_id: int) -> bool:
        product = part(row, "product").get("id")  # emnify's own choice when none was asked for
        return part(row, "action").get("id") == action_id and self.product_id in {None, product}


def _covers(row: Row, target: Target) -> bool:
    return any(target in (part(there, "sim").get("id"), there.get("eid")) for there in parts(row, "target"))
