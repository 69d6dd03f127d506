"""EmnifyWaitSensor: a :class:`~airflow_provider_emnify.api.waits.wait.Wait` as a sensor, in each mode."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow_provider_emnify.airflow_names import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)
from airflow_provider_emnify.api.errors import EmnifyError
from airflow_provider_emnify.api.waits.wait import Wait, look
from airflow_provider_emnify.arguments import is_known, parse_choice
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.hooks.task import EmnifyTask
from airflow_provider_emnify.retry import is_permanent
from airflow_provider_emnify.sensors.first_look import first_look
from airflow_provider_emnify.triggers.wait import EXECUTION_TIMEOUT, deferral, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api.waits.wait import Id, Reading, Verdict


class EmnifyWaitSensor(EmnifyTask, BaseSensorOperator):
    """Base of the sensors that wait for a state of devices, SIMs or users.

    A subclass lists its ``template_fields`` and says in :meth:`wait` what to wait for. Whether it pokes,
    reschedules or defers, the outcome is the same: transient errors are retried until ``timeout``; a
    failure state, a thing that does not exist, and a permanent error fail the task without retries (or
    skip it, with ``soft_fail``). An id that was seen in the target state is not looked at again, except in
    reschedule mode, where each look stands by itself. No ids: nothing to wait for.

    :param wait_for: ``"all"`` ids (default) or ``"any"`` one of them.
    :param deferrable: Wait in the triggerer instead of in a worker. The task then looks once itself where
        that costs no waiting, and does not defer when the wait is over already. It needs no connection in the
        worker. Default: ``[operators] default_deferrable``.
    :param poke_interval: Seconds (or a timedelta) between two looks. Default 60.
    :param timeout: Seconds (or a timedelta) until the wait times out. Default: ``[sensors]
        default_timeout``, 7 days. Airflow's ``execution_timeout`` ends a wait in the triggerer too.
    :param soft_fail: Skip the task instead of failing it.
    :param mode: ``"poke"`` or ``"reschedule"``, where it is not deferrable.
    :param emnify_conn_id: The connection to emnify.
    :returns: The last state of each id, by id (as text).
    :raises AirflowSensorTimeout: when time runs out; no retries.
    :raises AirflowFailException: when the target cannot be reached any more, or for a permanent error.
    """

    template_fields: Sequence[str] = ("emnify_conn_id",)
    ui_color = "#d8f3ec"

    def __init__(
        self,
        *,
        wait_for: Literal["all", "any"] = "all",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        emnify_conn_id: str = EmnifyHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        parse_choice(wait_for, ("all", "any"), "wait_for")
        self.wait_for = wait_for
        self.deferrable = deferrable
        self.emnify_conn_id = emnify_conn_id
        self._readings: dict[Id, Reading] = {}
        self._last = ""

    @abstractmethod
    def wait(self) -> Wait:
        """Return what to wait for, of fields whose templates are rendered.

        :raises ValueError: for arguments that make no sense.
        """

    def _make_wait(
        self,
        kind: str,
        ids: Any,
        target: Any,
        failures: Any = None,
        filters: Mapping[str, Any] | None = None,
    ) -> Wait:
        """Return a wait. Its errors name the arguments as the template fields do: connection, ids, target."""
        return Wait(
            kind, ids, target, failures, self.wait_for, filters=filters, named=self.template_fields[1:3]
        )

    def _check_early(self, make: Callable[..., object], *values: Any) -> None:
        """Refuse bad arguments when the DAG is parsed, as far as they are known by then."""
        if all(is_known(value) for value in values):
            make()

    def execute(self, context: Context) -> Any:
        """Wait: here in the worker, or by deferring."""
        wait = self.wait()
        if not wait.ids:
            self.log.info("No ids given: nothing to wait for")
            return {}
        self.log.info("%r, for at most %.0f s", wait, self.timeout)
        if self.deferrable:
            verdict = self._look_first(wait)
            if verdict is not None and verdict.done:
                return verdict.seen
            self.defer(
                **deferral(
                    self.emnify_conn_id,
                    wait,
                    self.poke_interval,
                    self.timeout,
                    execution_deadline=self._deadline,
                )
            )
        try:
            return super().execute(context)
        except AirflowSensorTimeout as timeout:
            raise AirflowSensorTimeout(f"{timeout} {self._last}".strip()) from None

    def _look_first(self, wait: Wait) -> Verdict | None:
        """Look once where that costs no waiting: what is over already needs no triggerer."""
        try:
            verdict = first_look(self.emnify_conn_id, wait)
        except EmnifyError as error:
            self._give_up(str(error))
        if verdict is None:
            self.log.info("A look would cost waiting here: the first one is left to the triggerer")
        else:
            self._say(verdict.message)
            if verdict.failed:
                self._give_up(verdict.message)
        return verdict

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once. Called by Airflow in poke and reschedule modes."""
        del context
        try:
            verdict = look(self.client, self.wait(), self._readings)
        except EmnifyError as error:
            if is_permanent(error):
                self._give_up(str(error))
            self._say(f"Polling failed: {error}")
            return PokeReturnValue(False)
        self._say(verdict.message)
        if verdict.failed:
            self._give_up(verdict.message)
        return PokeReturnValue(verdict.done, verdict.seen if verdict.done else None)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Take the trigger's event. Called by Airflow when the wait in the triggerer is over."""
        del context
        status, message, seen = outcome(event)
        if status == EXECUTION_TIMEOUT:
            raise AirflowSkipException(message) if self.soft_fail else AirflowTaskTimeout(message)
        if status != "success":
            self._give_up(message, timed_out=status == "timeout")
        self.log.info("%s", message)
        return seen

    def _say(self, message: str) -> None:
        """Log what has changed since the last look, once."""
        if message != self._last:
            self.log.info("%s", message)
            self._last = message

    def _give_up(self, message: str, *, timed_out: bool = False) -> NoReturn:
        if self.soft_fail or self.never_fail:
            raise AirflowSkipException(message)
        raise AirflowSensorTimeout(message) if timed_out else AirflowFailException(message)
