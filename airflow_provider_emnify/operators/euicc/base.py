"""What the operators of eUICC and SIM operations have in common: actions, what was begun, and the report."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from airflow_provider_emnify.api import EmnifyPartialError, EmnifyServerError
from airflow_provider_emnify.api.enums import OperationState
from airflow_provider_emnify.api.transport.answers import number
from airflow_provider_emnify.api.types import Row, Rows
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.api.waits.wait import WAITS, Wait
from airflow_provider_emnify.arguments import Argument, parse_seconds, shorten
from airflow_provider_emnify.operators.base.waiting import EmnifyCancellingOperator

_OVER = (OperationState.SUCCEEDED, OperationState.PARTLY_FAILED, OperationState.FAILED)


def parse_action(value: Any, field: str) -> str:
    """Return the id or the name of an action as a text.

    :raises ValueError: when it is neither.
    """
    text = "" if isinstance(value, bool) or not isinstance(value, (int, str)) else str(value)
    if not _plain(text):
        raise ValueError(f"{field}: {value!r} is neither an id nor a name")
    return text


class EmnifyOperationOperator(EmnifyCancellingOperator):
    """Base of operators that begin operations, which emnify carries out when it reaches the devices.

    A subclass names its ``kind`` of wait, begins operations in ``execute``, and says in :meth:`failures`
    which of an operation's devices failed.

    :param action: What to do: the id of an action, or its name as emnify's lookup has it.
    :param wait_for_completion: Wait until all operations are over (default True).
    :param fail_on_error: Fail the task when it failed on a device (default True); otherwise the result says
        so.
    :param timeout: Seconds (or a timedelta) until the wait times out; the operations go on at emnify.
        Default 2 days.
    """

    kind: ClassVar[str]
    idempotent: ClassVar[bool] = True

    action = Argument(parse_action)
    fail_on_error = Argument(parse_bool, default=True, templated=False)
    timeout = Argument(parse_seconds, default=timedelta(days=2), templated=False)

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
            "failed": {self.report_name(name): why for name, why in failed.items()},
            "pending": [name for names in operations.values() for name in names],
        }
        if self.wait_for_completion:
            return self.wait_until(Wait(self.kind, [*operations], _OVER, ()), result)
        if result["failed"] and self.fail_on_error:
            raise self._failure(result, transient=False)
        return self._report(result)

    def finish(self, result: Any, seen: Mapping[str, str]) -> Any:
        """Return the report once all operations are over."""
        failed = dict(result["failed"])
        done, pending = list(result["done"]), []
        for key, names in result["operations"].items():
            state, _, reason = seen.get(key, OperationState.PENDING).partition(": ")
            if state == OperationState.PENDING:
                pending += names
                continue
            lost = {} if state == OperationState.SUCCEEDED else self.failures(key, names, state, reason)
            failed |= {self.report_name(name): why for name, why in lost.items()}
            done += [name for name in names if name not in lost]
        over = {**result, "done": done, "failed": failed, "pending": pending}
        if failed and self.fail_on_error:
            raise self._failure(over, transient=len(failed) > len(result["failed"]))
        self.log.info("%s: done for %d, failed for %d", result["action"], len(done), len(failed))
        return self._report(over)

    def finish_late(self, result: Any, seen: Mapping[str, str]) -> Any:
        """Return the report of what is over by now; the rest is ``pending``."""
        return self.finish(result, seen)

    def report_name(self, name: str) -> str:
        """Return how a device that failed is named in the report."""
        return name

    @abstractmethod
    def failures(self, key: str, names: Sequence[str], state: str, reason: str) -> dict[str, str]:
        """Return those of an operation's devices where it failed, and why.

        :param key: Id of the operation.
        :param names: The devices.
        :param state: How it ended, an :class:`~airflow_provider_emnify.api.enums.OperationState`.
        :param reason: What emnify says about it.
        """

    def _failure(self, result: Mapping[str, Any], *, transient: bool) -> EmnifyPartialError:
        failed = result["failed"]
        total = len(failed) + sum(1 for name in result["done"] if name not in failed)
        error = EmnifyPartialError(
            f"{result['action']}: failed for {len(failed)} of {total}: "
            f"{shorten([f'{name} ({why})' for name, why in failed.items()])}",
            done=result["done"],
            not_done=[*failed, *result["pending"]],
        )
        error.transient = transient  # another try begins a new operation for those that failed
        return error

    def _report(self, result: Mapping[str, Any]) -> Row:
        return {
            "operation_ids": [*result["operations"]],
            "succeeded": len(result["done"]),
            "failed": result["failed"],
            "pending": result["pending"],
        }


def state_of(kind: str, row: Row) -> str:
    """Return how far an operation is, an :class:`~airflow_provider_emnify.api.enums.OperationState`."""
    return str(WAITS[kind].reading(row).value)


def find_action(actions: Rows, wanted: str) -> tuple[int, str]:
    """Return id and name of the action that ``wanted`` means: its id, or its name in any spelling.

    :param actions: emnify's lookup.
    :raises ValueError: naming all actions, when there is none like it.
    :raises EmnifyServerError: when it may be one of which emnify gives no id or no description.
    """
    named = {
        key: name
        for row in actions
        if (key := number(row, "id")) is not None and _plain(name := str(row.get("description") or ""))
    }
    for key, name in named.items():
        if _plain(wanted) in {str(key), _plain(name)}:
            return key, name
    there = ", ".join(f"{name!r} ({key})" for key, name in named.items())
    if len(named) < len(actions):
        raise EmnifyServerError(
            f"The list of actions could not be read: one has no id or no description, and {wanted!r} is none "
            f"of the others: {there}"
        )
    raise ValueError(f"action: {wanted!r} is not a valid action; allowed: {there}")


def _plain(action: str) -> str:
    """Return an action without case, blanks and hyphens."""
    return re.sub(r"[\W_]+", " ", action).strip().lower()
