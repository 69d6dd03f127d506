"""What the operators of eUICC and SIM operations have in common: actions, what was begun, and the report."""

from __future__ import annotations

import re
from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.api import EmnifyPartialError
from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.api.waits.wait import WAITS, Wait
from airflow_provider_emnify.arguments import check_early, shorten
from airflow_provider_emnify.operators.idempotency.attempt import earlier_tries_since, parse_moment
from airflow_provider_emnify.operators.idempotency.journal import Journal
from airflow_provider_emnify.operators.waiting import EmnifyCancellingOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.types import Row, Rows

_CLOCKS_MAY_DIFFER = timedelta(minutes=1)
_STORED_IDS, _STORED_SINCE = "emnify_operations", "emnify_operations_since"
_OVER = (OperationState.SUCCEEDED, OperationState.PARTLY_FAILED, OperationState.FAILED)


class EmnifyOperationOperator(EmnifyCancellingOperator):
    """Base of operators that begin operations, which emnify carries out when it reaches the devices.

    A subclass names its ``kind`` of wait, begins operations in ``execute``, and says in :meth:`failures`
    which of an operation's devices failed.

    :param action: What to do: the id of an action, or its name as emnify's lookup has it.
    :param wait_for_completion: Wait until all operations are over (default True).
    :param fail_on_error: Fail the task when it failed on a device (default True); otherwise the result says
        so.
    :param timeout: Seconds (or a timedelta) until the wait is given up; the operations go on at emnify.
        Default 2 days.
    """

    kind: ClassVar[str]
    idempotent: ClassVar[bool] = True

    def __init__(
        self,
        *,
        action: int | str,
        wait_for_completion: bool = True,
        fail_on_error: bool = True,
        timeout: float | timedelta = timedelta(days=2),
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        check_early(_plain, action)
        for name, value in (("wait_for_completion", wait_for_completion), ("fail_on_error", fail_on_error)):
            if not isinstance(value, bool):
                raise ValueError(f"{name}: {value!r} is neither True nor False")  # noqa: TRY004 - as all bad arguments
        self.action = action
        self.wait_for_completion = wait_for_completion
        self.fail_on_error = fail_on_error

    def follow(
        self,
        action: str,
        operations: Mapping[str, Sequence[str]],
        done: Sequence[str],
        failed: Mapping[str, str],
    ) -> Any:
        """Wait for operations, and return the report.

        :param action: Name of what is done.
        :param operations: Which devices (by eID) each operation is for, by its id.
        :param done: The devices where it was done before.
        :param failed: The devices where it could not begin, and why.
        """
        result = {
            "action": action,
            "operations": {key: [*names] for key, names in operations.items()},
            "done": [*done],
            "failed": {**failed},
        }
        if self.wait_for_completion:
            return self.wait_until(Wait(self.kind, [*operations], _OVER, ()), result)
        if failed and self.fail_on_error:
            raise self._failure(result, transient=False)
        return self._report(result)

    def finish(self, result: Any, seen: Mapping[str, str]) -> Any:
        """Return the report once all operations are over."""
        failed = dict(result["failed"])
        done = list(result["done"])
        for key, names in result["operations"].items():
            state, _, reason = seen[key].partition(": ")
            lost = {} if state == OperationState.SUCCEEDED else self.failures(key, names, state, reason)
            failed |= lost
            done += [name for name in names if name not in lost]
        over = {**result, "done": done, "failed": failed}
        if failed and self.fail_on_error:
            raise self._failure(over, transient=len(failed) > len(result["failed"]))
        self.log.info("%s: done for %d, failed for %d", result["action"], len(done), len(failed))
        return self._report(over)

    @abstractmethod
    def failures(self, key: str, names: Sequence[str], state: str, reason: str) -> dict[str, str]:
        """Return those of an operation's devices where it failed, and why.

        :param key: Id of the operation.
        :param names: The devices.
        :param state: How it ended, an :class:`~airflow_provider_emnify.api.enums.OperationState`.
        :param reason: What emnify says about it.
        """

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Take the trigger's event, and report."""
        return super().execute_complete(context, event)

    def _failure(self, result: Mapping[str, Any], *, transient: bool) -> EmnifyPartialError:
        failed = result["failed"]
        total = len(failed) + sum(1 for name in result["done"] if name not in failed)
        error = EmnifyPartialError(
            f"{result['action']}: failed for {len(failed)} of {total}: "
            f"{shorten([f'{name} ({why})' for name, why in failed.items()])}",
            done=result["done"],
            not_done=[*failed],
        )
        error.transient = transient  # another try begins a new operation for those that failed
        return error

    def _report(self, result: Mapping[str, Any]) -> Row:
        return {
            "operation_ids": [*result["operations"]],
            "succeeded": len(result["done"]),
            "failed": result["failed"],
        }


class OwnOperations:
    """Which operations are this task instance's own, of this try or an earlier one.

    Airflow 3.3 and later keep their ids, and since when there can be any, for all tries of a task instance.
    Before, an operation is taken for this task's own when it was created since its first try.

    :param context: The task's context.
    :param log: Is told when Airflow's store fails.
    """

    def __init__(self, context: Context, log: Any) -> None:
        self._store = Journal(context, log)
        self.ids = [str(key) for key in self._store.get(_STORED_IDS) or []]
        self._since = parse_moment(self._store.get(_STORED_SINCE))
        if not self._store.exists:
            self._since = earlier_tries_since(context)

    def has(self, key: str, row: Mapping[str, Any]) -> bool:
        """Tell whether an operation is this task's own."""
        created = parse_moment(row.get("creation_date"))
        return key in self.ids or (self._since is not None and created is not None and created >= self._since)

    def soon(self) -> None:
        """Note that an operation is about to begin: its answer may never be seen."""
        if self._store.exists and self._since is None:
            self._since = datetime.now(UTC) - _CLOCKS_MAY_DIFFER
            self._store.note(_STORED_SINCE, self._since.isoformat())

    def now(self, key: str) -> None:
        """Note that an operation has begun."""
        self.ids.append(key)
        self._store.note(_STORED_IDS, self.ids)


def state_of(kind: str, row: Row) -> str:
    """Return how far an operation is, an :class:`~airflow_provider_emnify.api.enums.OperationState`."""
    return str(WAITS[kind].reading(row).value)


def is_later(row: Row, other: Row) -> bool:
    """Tell whether one operation was created after another; what cannot be told is no."""
    mine, its = parse_moment(row.get("creation_date")), parse_moment(other.get("creation_date"))
    return mine is not None and its is not None and mine > its


def find_action(actions: Rows, wanted: Any) -> Row:
    """Return the action that ``wanted`` means: its id, or its name in any spelling.

    :param actions: emnify's lookup.
    :raises ValueError: naming all actions, when there is none like it.
    """
    plain = _plain(wanted)
    for action in actions:
        if plain in {str(action["id"]), _plain(str(action.get("description")))}:
            return action
    there = ", ".join(f"{action.get('description')!r} ({action['id']})" for action in actions)
    raise ValueError(f"action: {wanted!r} is none of emnify's: {there}")


def _plain(action: Any) -> str:
    """Return an action without case, blanks and hyphens.

    :raises ValueError: when it is neither an id nor a name.
    """
    text = "" if isinstance(action, bool) or not isinstance(action, (int, str)) else str(action)
    plain = re.sub(r"[\W_]+", " ", text).strip().lower()
    if not plain:
        raise ValueError(f"action: {action!r} is neither an id nor a name")
    return plain
