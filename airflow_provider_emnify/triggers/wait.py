"""EmnifyWaitTrigger: the deferred half of every sensor, and of every operator that waits.

:class:`~airflow_provider_emnify.triggers.task.WaitingTask` makes a task wait with it, and reads its event.
"""

from __future__ import annotations

from asyncio import CancelledError, sleep
from collections.abc import AsyncIterator, Mapping, Sequence
from time import monotonic, time
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_emnify.airflow_names import conf
from airflow_provider_emnify.api.waits.wait import Wait
from airflow_provider_emnify.arguments import parse_seconds
from airflow_provider_emnify.triggers.shared.cancel import cancel_in_triggerer, check_calls
from airflow_provider_emnify.triggers.shared.garbage import WAITS

TELLS_A_KILL = hasattr(BaseTrigger, "on_kill")
"""Whether Airflow itself tells a trigger that its task was killed: from 3.3 on."""

EXECUTION_TIMEOUT = "execution_timeout"
"""The status of a wait that the task's own timeout has ended."""

_ARGUMENTS = ("emnify_conn_id", "wait", "poll_interval", "deadline", "result", "ends_execution")
_KNOWN_AFTER = 2.0  # seconds in which a scheduler hears that the process of the task has ended ...
_KNOWN_AFTER_AT_MOST = 10.0  # ... and one that is behind, unless ``[emnify] event_hold`` says otherwise
_KNOWN_AFTER_SHARE = 0.5  # of the poll interval: a wait ends that much later than it could be, at most
_LATE = 1.0  # seconds by which Airflow may be before the deadline when it ends the wait itself


class EmnifyWaitTrigger(BaseTrigger):
    """Wait in the triggerer until emnify's devices or users are in a state.

    All triggers of one connection share one poller, one client and one auth token; see
    ``triggers/shared/poller.py``. The event's payload is ``{"status": "success" | "failed" | "timeout",
    "seen": {id: state}, "message": ...}``. Its arguments are plain values and the deadline is a point in
    time, so that a restarted triggerer goes on where it was.

    .. code-block:: python

        self.defer(
            trigger=EmnifyWaitTrigger(
                emnify_conn_id="emnify_default",
                wait=Wait("endpoint_status", [7, 8], "enabled").to_dict(),
                poll_interval=60,
                deadline=time.time() + 3600,
            ),
            method_name="execute_complete",
        )

    :param emnify_conn_id: The connection to emnify.
    :param wait: What to wait for, as :meth:`~airflow_provider_emnify.api.waits.wait.Wait.to_dict` gives it.
    :param poll_interval: Seconds between two reads.
    :param deadline: When the wait times out, in seconds since 1970.
    :param cancel: Calls that undo what the task began, made when someone marks it failed or successful:
        ``[{"call": "sms.cancel", "arguments": {...}}]``. A triggerer that shuts down makes none of them.
    :param result: Plain values that the event brings back as ``result``, for the task to go on with. What
        Airflow keeps for a deferred task itself is lost in ``dag.test()``.
    :param ends_execution: The deadline is that of the task's ``execution_timeout``. Then what the task began
        is cancelled at the deadline, and the event says so: ``"execution_timeout": True``.
    :raises ValueError: at once, in the task and not in the triggerer, for a wait that makes no sense.
    """

    def __init__(
        self,
        emnify_conn_id: str,
        wait: Mapping[str, Any],
        poll_interval: float,
        deadline: float,
        cancel: Sequence[Mapping[str, Any]] = (),
        result: Any = None,
        ends_execution: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(deadline, (int, float)) or isinstance(deadline, bool):
            raise ValueError(f"deadline: {deadline!r} is not a valid point in time; give seconds since 1970")  # noqa: TRY004 - as all bad arguments
        self._wait = Wait.from_dict(wait)
        self.emnify_conn_id = emnify_conn_id
        self.poll_interval = parse_seconds(poll_interval, "poll_interval")
        self.deadline = deadline
        self.cancel = check_calls(cancel)
        self.result = result
        self.ends_execution = ends_execution

    @property
    def wait(self) -> dict[str, Any]:
        """What is waited for, as plain values."""
        return self._wait.to_dict()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer makes the trigger of: plain values, none of them secret."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: getattr(self, name) for name in _ARGUMENTS} | {"cancel": list(self.cancel)},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event: not before Airflow's scheduler knows that the task has deferred."""
        from airflow_provider_emnify.triggers.shared.poller import poller_for  # for a triggerer alone

        poller, began = poller_for(self.emnify_conn_id, self._wait), monotonic()
        in_triggerer = self.trigger_id is not None  # and not in dag.test()
        if in_triggerer:
            WAITS.begins()
        try:
            outcome = await poller.join(self._wait, self.poll_interval, self.deadline)
            timed_out = self.ends_execution and outcome.status == "timeout"
            if timed_out:
                await self._cancel_all(timed_out=True)
            if in_triggerer:
                await sleep(max(0.0, began + self._hold() - monotonic()))
        except CancelledError:
            await self._cancelled()
            raise
        finally:
            if in_triggerer:
                WAITS.ends()
        more = {} if self.result is None else {"result": self.result}
        if timed_out:
            more[EXECUTION_TIMEOUT] = True
        yield TriggerEvent({**outcome.payload(), **more})  # type: ignore[no-untyped-call]

    def _hold(self) -> float:
        """Return for how many seconds from its beginning on the end of the wait is held back.

        A scheduler that has not noticed yet that the task has deferred takes it for lost. Where the poll
        interval is long, that costs little.
        """
        most: float = conf.getfloat("emnify", "event_hold", fallback=_KNOWN_AFTER_AT_MOST)
        hold: float = min(most, max(_KNOWN_AFTER, self.poll_interval * _KNOWN_AFTER_SHARE))
        if self.ends_execution:  # Airflow 2 ends the wait itself at that time
            hold = min(hold, max(_KNOWN_AFTER, self.deadline - time()))
        return hold

    async def _cancelled(self) -> None:
        """Undo what the task began, where it is the task that ends and not the triggerer."""
        if self.ends_execution and time() >= self.deadline - _LATE:  # Airflow 2 has ended the wait itself
            await self._cancel_all(timed_out=True)
        elif not TELLS_A_KILL:
            await self.on_kill()

    async def on_kill(self) -> None:
        """Undo what the task began, if it has ended. Called by Airflow 3.3 when someone acts on the task."""
        await self._cancel_all()

    async def _cancel_all(self, *, timed_out: bool = False) -> None:
        if self.cancel:
            await cancel_in_triggerer(self, self.emnify_conn_id, self.cancel, timed_out=timed_out)
