"""What operators that wait have in common: begin, wait in the worker or the triggerer, cancel when killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_emnify.airflow_names import Context
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.api.waits.wait import Id, Reading, Wait, look
from airflow_provider_emnify.arguments import Argument, parse_seconds
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.operators.base import EmnifyBaseOperator
from airflow_provider_emnify.triggers.shared.cancel import cancel
from airflow_provider_emnify.triggers.task import WaitingTask

CANCEL_MAY_TAKE = 30.0
"""Seconds that cancelling may take; Airflow kills a task that takes longer to end."""


class EmnifyWaitingOperator(WaitingTask, EmnifyBaseOperator):
    """Base of operators that begin something at emnify and can wait for its end.

    A subclass begins the work in ``execute``, and returns ``self.wait_until(wait, result)``. In
    deferrable mode that defers, after the work was begun and with a deadline that is a point in time; else it
    looks again and again from the worker. Transient errors are ridden out until ``timeout``. A failure state,
    a permanent error, and time that runs out fail the task without retries.

    :param wait_for_completion: Wait until it is over (default True).
    :param deferrable: Wait in the triggerer instead of in a worker. Default: ``[operators]
        default_deferrable``.
    :param poll_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait is given up; what was begun goes on at emnify.
        Default 1 day. Airflow's ``execution_timeout``, counted from the task's start, ends the wait too, in
        the triggerer as in a worker; then what was begun is cancelled as when the task is killed.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the last state of each, by
        id. It fails all the same when nothing could be read, or when ``execution_timeout`` ends the wait.
    :param emnify_conn_id: The connection to emnify.
    """

    wait_for_completion = Argument(parse_bool, default=True, templated=False)
    poll_interval = Argument(parse_seconds, default=60.0, templated=False)
    timeout = Argument(parse_seconds, default=timedelta(days=1), templated=False)

    _begun: Sequence[dict[str, Any]] = ()

    def wait_until(self, wait: Wait, result: Any) -> Any:
        """Wait for the end of what was begun, if ``wait_for_completion`` says so.

        :param wait: The wait.
        :param result: What :meth:`finish` is given when it is done: plain values, for they may cross to
            another process.
        :returns: ``result`` at once without ``wait_for_completion``; else what :meth:`finish` returns, or
            :meth:`finish_late`. In deferrable mode this does not return.
        """
        if not self.wait_for_completion:
            return result
        if not wait.ids:
            return self.finish(result, {})
        self.log.info("%r, for at most %.0f s", wait, self.timeout)
        if self.deferrable:
            self.wait_in_triggerer(wait, self.poll_interval, self.timeout, self._begun, result)
        seen, late = self._wait_here(wait, time.monotonic() + self.timeout)
        self._begun = []
        return self.finish_late(result, seen) if late else self.finish(result, seen)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Take the trigger's event. Called by Airflow when the wait in the triggerer is over."""
        seen, late = self.states_in(event)
        result = (event or {}).get("result")
        return self.finish_late(result, seen) if late else self.finish(result, seen)

    def finish(self, result: Any, seen: Mapping[str, str]) -> Any:
        """Return the task's result once the wait is done. It has no client in deferrable mode.

        :param result: What :meth:`wait_until` was given.
        :param seen: The last state of each id, by id (as text).
        """
        return result

    def finish_late(self, result: Any, seen: Mapping[str, str]) -> Any:
        """Return the task's result when time has run out, with ``on_timeout="return"``: the states so far.

        :param result: What :meth:`wait_until` was given.
        :param seen: The last state of each id, by id (as text).
        """
        return seen

    def _wait_here(self, wait: Wait, deadline: float) -> tuple[Mapping[str, str], bool]:
        readings: dict[Id, Reading] = {}
        self._last = ""
        while True:
            verdict = self.judge(lambda: look(self.client, wait, readings))
            if verdict is not None and verdict.done:
                return verdict.seen, False
            left = deadline - time.monotonic()
            if left <= 0:
                message = f"Time ran out: {self._last}"
                return self.states_at_timeout(message, wait.judge(readings).seen), True
            time.sleep(min(self.poll_interval, left))


class EmnifyCancellingOperator(EmnifyWaitingOperator):
    """Base of operators that can cancel what they have begun, when someone ends the task while it waits.

    A subclass tells :meth:`began` how.

    :param cancel_on_kill: Whether to cancel what was begun when someone ends the task while it waits
        (default True): by marking it, and in a worker also by clearing it. A deferred task that is cleared
        goes on with what was begun. In a triggerer that shuts down, nothing is cancelled.
    """

    cancel_on_kill = Argument(parse_bool, default=True, templated=False)

    def pre_execute(self, context: Context) -> None:
        """Forget what an earlier attempt has begun. Called by Airflow before each try."""
        super().pre_execute(context)
        self._begun = []

    def began(self, call: str, **arguments: Any) -> None:
        """Remember how to cancel what has just been begun.

        :param call: A call as on the client, for example ``sms.cancel``.
        :param arguments: Its arguments, plain values.
        """
        if self.cancel_on_kill:
            self._begun = [*self._begun, {"call": call, "arguments": arguments}]

    def on_kill(self) -> None:
        """Cancel what was begun. Called by Airflow when the task is killed in a worker."""
        calls, self._begun = self._begun, []
        if not calls:
            return
        self.log.info("The task was killed: cancelling what it began")
        # In a thread: this may run in a signal handler, on top of code that holds a lock.
        thread = threading.Thread(target=self._cancel, args=(calls,), name="emnify-cancel", daemon=True)
        thread.start()
        thread.join(CANCEL_MAY_TAKE)
        if thread.is_alive():
            self.log.warning("Cancelling takes too long: what the task began may go on at emnify")

    def _cancel(self, calls: Sequence[Mapping[str, Any]]) -> None:
        hook: EmnifyHook | None = self.__dict__.get("hook")
        if hook is not None:
            cancel(hook.get_conn(), calls)
            return
        with EmnifyHook(self.emnify_conn_id, log_calls=False) as own:
            cancel(own.get_conn(), calls)
