"""WaitingTask: what a sensor and an operator that waits do alike, in the worker and around the deferral."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from time import time
from typing import Any, ClassVar, NoReturn

from airflow_provider_emnify.airflow_names import AirflowFailException, AirflowTaskTimeout, conf
from airflow_provider_emnify.api.errors import EmnifyError, one_line
from airflow_provider_emnify.api.values import parse_bool
from airflow_provider_emnify.api.waits.wait import Verdict, Wait
from airflow_provider_emnify.arguments import Argument, parse_choice
from airflow_provider_emnify.hooks.connection import EmnifyConnectionConfigError
from airflow_provider_emnify.hooks.task import EmnifyTask
from airflow_provider_emnify.retry import is_permanent

_TRIGGERER_MAY_LAG = 300.0  # seconds after the deadline at which Airflow itself ends the wait
_CENTURY = 100 * 365 * 86_400.0  # seconds; Airflow cannot name a moment after the year 9999


class WaitingTask(EmnifyTask):
    """Base of the sensors and of the operators that wait. Transient errors are ridden out.

    :param deferrable: Wait in the triggerer instead of in a worker.
    :param on_timeout: When time runs out, ``"fail"`` or ``"return"`` the states so far. It fails all the same
        when nothing could be read, and when the task's ``execution_timeout`` ends the wait.
    """

    deferrable = Argument(
        parse_bool,
        default=conf.getboolean("operators", "default_deferrable", fallback=False),
        templated=False,
    )
    on_timeout = Argument(parse_choice("fail", "return"), default="fail", templated=False)

    #: What the task fails with when time runs out.
    timeout_error: ClassVar[type[BaseException]] = AirflowFailException

    _last = ""

    def judge(self, look: Callable[[], Verdict | None]) -> Verdict | None:
        """Look once; None when nothing was found out this time. A wait that cannot succeed fails."""
        try:
            verdict = look()
        except (EmnifyError, EmnifyConnectionConfigError) as error:
            if is_permanent(error):
                self.fail_task(str(error))
            self.say(f"Polling failed: {error}")
            return None
        if verdict is None:
            return None
        self.say(verdict.message)
        if verdict.failed:
            self.fail_task(verdict.message)
        return verdict

    def wait_in_triggerer(
        self, wait: Wait, interval: float, timeout: float, cancel: Sequence[Any] = (), result: Any = None
    ) -> None:
        """Defer for a wait that begins now.

        The task's ``execution_timeout`` ends it too, whichever comes first: Airflow 3 itself does not look at
        that while a task is deferred.

        :param interval: Seconds between two reads.
        :param timeout: Seconds until time runs out.
        :param cancel: Calls to make when the task is marked failed or cleared meanwhile.
        :param result: Plain values that the event brings back.
        """
        from airflow_provider_emnify.triggers.wait import EmnifyWaitTrigger

        task: Any = self
        now, end = time(), self._deadline
        deadline = now + timeout if end is None else min(now + timeout, end)
        task.defer(
            trigger=EmnifyWaitTrigger(
                emnify_conn_id=self.emnify_conn_id,
                wait=wait.to_dict(),
                poll_interval=interval,
                deadline=deadline,
                cancel=cancel,
                result=result,
                ends_execution=end is not None and end < now + timeout,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=min(max(deadline - now, 0.0), _CENTURY) + _TRIGGERER_MAY_LAG),
        )

    def states_in(self, event: Mapping[str, Any] | None) -> tuple[dict[str, str], bool]:
        """Return the last state of each id that a trigger's event brings, and whether time has run out."""
        from airflow_provider_emnify.triggers.wait import EXECUTION_TIMEOUT

        event = event or {"status": "failed", "message": "the trigger sent no event"}
        message, seen = one_line(str(event.get("message", ""))), dict(event.get("seen") or {})
        if event.get(EXECUTION_TIMEOUT):
            self.fail_task(f"The task's execution_timeout is over. {message}", AirflowTaskTimeout)
        if event.get("status") == "timeout":
            return self.states_at_timeout(message, seen), True
        if event.get("status") != "success":
            self.fail_task(message)
        self.log.info("%s", message)
        return seen, False

    def states_at_timeout(self, message: str, seen: dict[str, str]) -> dict[str, str]:
        """Return the states so far, if that is what ``on_timeout`` asks for; else fail."""
        if self.on_timeout == "fail" or not seen:
            self.fail_task(message, self.timeout_error)
        self.log.warning("%s (on_timeout='return': these states are the result)", message)
        return seen

    def say(self, message: str) -> None:
        """Log what has changed since the last look, once."""
        if message != self._last:
            self.log.info("%s", message)
            self._last = message

    def fail_task(self, message: str, kind: type[BaseException] = AirflowFailException) -> NoReturn:
        """Fail without retries."""
        raise kind(message)
