"""EmnifyWaitSensor: a :class:`~airflow_provider_emnify.api.waits.wait.Wait` as a sensor, in each mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, TypeVar

from airflow_provider_emnify.airflow_names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    XComArg,
)
from airflow_provider_emnify.api.types import Row
from airflow_provider_emnify.api.waits.wait import WAITS, Id, Reading, Wait, look, parse_target
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, parse_choice
from airflow_provider_emnify.sensors.first_look import first_look
from airflow_provider_emnify.triggers.task import WaitingTask

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context

S = TypeVar("S", bound=Enum)
#: One or several states, each as enum, name or number.
Target: TypeAlias = S | int | str | Iterable[S | int | str] | XComArg


class EmnifyWaitSensor(WaitingTask, BaseSensorOperator):
    """Base of the sensors that wait for a state of devices, SIMs or users.

    A subclass names its ``kind`` of wait and what it calls the ids (``kind="user_status", ids="user_ids"``);
    so ids and target are declared, and parsed as the wait does. What else it takes, it declares itself
    (:mod:`~airflow_provider_emnify.arguments`). Whether it pokes, reschedules or defers, the outcome is the
    same: transient errors are retried until ``timeout``; a failure state, a thing that does not exist, and a
    permanent error fail the task without retries (or skip it, with ``soft_fail``). An id that was seen in the
    target state is not looked at again, except in reschedule mode, where each look stands by itself. No ids:
    nothing to wait for.

    :param wait_for: ``"all"`` ids (default) or ``"any"`` one of them.
    :param deferrable: Wait in the triggerer instead of in a worker. The task then looks once itself where
        that costs no waiting, and does not defer when the wait is over already. It needs no connection in the
        worker. Default: ``[operators] default_deferrable``.
    :param poke_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default: ``[sensors]
        default_timeout``, 7 days. Airflow's ``execution_timeout`` ends a wait in the triggerer too.
    :param on_timeout: When time runs out, ``"fail"`` (default), or ``"return"`` the last state of each id. It
        fails all the same when nothing could be read, or when ``execution_timeout`` ends the wait.
    :param soft_fail: Skip the task instead of failing it.
    :param mode: ``"poke"`` or ``"reschedule"``, where it is not deferrable.
    :param emnify_conn_id: The connection to emnify.
    :returns: The last state of each id, by id (as text).
    :raises AirflowSensorTimeout: when time runs out; no retries.
    :raises AirflowFailException: when the target cannot be reached any more, or for a permanent error.
    """

    ui_color = "#d8f3ec"
    timeout_error = AirflowSensorTimeout

    kind: ClassVar[str]
    ids: ClassVar[str]
    target_status: Any

    wait_for = Argument(parse_choice("all", "any"), default="all", templated=False)

    #: The list that was selected from, where it says the states: it is the first look.
    selected_rows: Mapping[int, Row] | None = None

    _context: Mapping[str, Any] = {}  # of the run, once it is executed
    _seen: Mapping[str, str] = {}
    _has_failed = False

    @cached_property
    def _readings(self) -> dict[Id, Reading]:
        return {}

    def __init_subclass__(cls, *, kind: str = "", ids: str = "", **kwargs: Any) -> None:
        """Declare ids and target as arguments, unless the class has its own.

        :param kind: A key of :data:`~airflow_provider_emnify.api.waits.wait.WAITS`.
        :param ids: What the class calls the ids. Default: as what can be selected in their place.
        """
        if kind:
            selects = getattr(cls, "selects", "")
            cls.kind, cls.ids, waits = kind, ids or selects, WAITS[kind]
            taken = Argument(waits.parse, default=None if cls.ids == selects else NOT_GIVEN)
            target = Argument(partial(parse_target, waits.states))
            for name, argument in ((cls.ids, taken), ("target_status", target)):
                if name not in vars(cls):
                    argument.__set_name__(cls, name)
                    setattr(cls, name, argument)
        super().__init_subclass__(**kwargs)

    def wait(self) -> Wait:
        """Return what to wait for, of arguments whose templates are rendered.

        :raises ValueError: for arguments that make no sense.
        """
        return self._make_wait()

    def _make_wait(self, kind: str = "", target: Any = None, **options: Any) -> Wait:
        """Return a wait for the class's kind and the task's target, or others. Its errors name arguments."""
        kind, target = kind or self.kind, self.target_status if target is None else target
        ids, named = getattr(self, self.ids), (self.ids, "target_status")
        return Wait(kind, ids, target, wait_for=self.wait_for, named=named, **options)

    def execute(self, context: Context) -> Any:
        """Wait: here in the worker, or by deferring."""
        self._context, self._last = context, ""
        self._seen, self._has_failed = {}, False
        wait = self.wait()
        if not wait.ids:
            self.log.info("No ids given: nothing to wait for")
            return {}
        self.log.info("%r, for at most %.0f s", wait, self.timeout)
        selected, self.selected_rows = self.selected_rows or {}, None
        self._readings = {key: WAITS[self.kind].reading(row) for key, row in selected.items()}
        if self.deferrable:
            verdict = self.judge(
                lambda: wait.judge(self._readings) if selected else first_look(self.emnify_conn_id, wait)
            )
            if verdict is None:
                self.log.info("The first look is left to the triggerer: in the worker it would have to wait")
            elif verdict.done:
                return verdict.seen
            self.wait_in_triggerer(wait, self.poke_interval, self.timeout)
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if self._has_failed or end.__cause__ is not None:  # it is another end that Airflow skips for
                raise
            return self.states_at_timeout(f"{end} {self._last}".strip(), dict(self._seen))

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. Called by Airflow in poke and reschedule modes."""
        self._context = context
        verdict = self.judge(lambda: look(self.client, self.wait(), self._readings))
        if verdict is None:
            return PokeReturnValue(False)
        self._seen = verdict.seen
        return PokeReturnValue(verdict.done, verdict.seen if verdict.done else None)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Take the trigger's event. Called by Airflow when the wait in the triggerer is over."""
        del context
        return self.states_in(event)[0]

    def fail_task(self, message: str, kind: type[BaseException] = AirflowFailException) -> NoReturn:
        """Fail without retries, or skip the task where that is asked for."""
        self._has_failed = True
        raise AirflowSkipException(message) if self.soft_fail or self.never_fail else kind(message)
