"""What every task that calls emnify has, an operator as a sensor: a hook, a log, and clean-up.

Airflow calls ``execute`` of a task, and ``execute_complete`` after a deferral. Each class's own is wrapped
when the class is defined, so that it holds the work alone: before it the arguments are parsed; around it a
permanent error becomes an ``AirflowFailException``, which fails the task at once, and the client is closed.
Airflow wraps ``execute`` the same way, in its metaclass (``ExecutorSafeguard``); its wrapper stays inside
this one, on every version.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.api.values import unknown_name
from airflow_provider_emnify.arguments import NOT_GIVEN, Argument, parse_text
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.retry import fail_without_retry

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api import EmnifyClient


class EmnifyTask:
    """Beside Airflow's own base class, the base of this provider's operators and sensors.

    Airflow wraps the ``__init__`` of each class, to apply ``default_args``, and each wrapper costs every task
    6 to 8 µs. So the bases of tasks only declare their arguments, with defaults, and get an ``__init__`` of
    these; and that of an operator calls :meth:`init_task` instead of ``super().__init__``.

    :param emnify_conn_id: The connection to emnify.
    """

    emnify_conn_id = Argument(parse_text, default=EmnifyHook.default_conn_name)

    #: Whether a repeated ``execute`` finds out by itself what an earlier attempt has done, so that Airflow
    #: may retry a write whose outcome is unknown.
    idempotent: ClassVar[bool] = False
    #: The arguments that a class and its bases have declared, by their names in ``__init__``.
    declared: ClassVar[Mapping[str, Argument[Any]]] = {"emnify_conn_id": emnify_conn_id}
    #: The names of those that may hold templates.
    templated: ClassVar[tuple[str, ...]] = ("emnify_conn_id",)
    #: The same, unless a class or a base of it lists others.
    template_fields: Collection[str] = templated

    _deadline: float | None = None
    _runs = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("execute", "execute_complete"):
            if name in cls.__dict__:
                setattr(cls, name, _wrap(cls.__dict__[name]))
        tasks = [base for base in reversed(cls.__mro__) if issubclass(base, EmnifyTask)]
        values = [value for base in tasks for value in vars(base).values()]
        inherits, lists_others = cls.declared, cls.template_fields is not cls.templated
        cls.declared = {value.field: value for value in values if isinstance(value, Argument)}
        cls.templated = tuple(argument.name for argument in cls.declared.values() if argument.templated)
        if not lists_others:
            cls.template_fields = cls.templated
        is_new = inherits.keys() < cls.declared.keys() or cls.__init__ is EmnifyTask.__init__
        if is_new and issubclass(cls, BaseOperator) and "__init__" not in vars(cls):
            setattr(cls, "__init__", _init_of(cls))  # noqa: B010 - a type checker takes no other

    def __init__(self, **kwargs: Any) -> None:
        self.init_task(locals())

    def init_task(self, passed: Mapping[str, Any]) -> None:
        """Hand Airflow's arguments to Airflow, and check and keep those that are declared.

        :param passed: What ``__init__`` was given: its ``locals()``. What it was not given is in
            ``default_args`` or has the default that was declared.
        :raises TypeError: for names that there are not.
        :raises ValueError: for values that cannot be.
        """
        kwargs, given = passed["kwargs"], []
        defaults = kwargs.get("default_args") or {}
        for name, argument in self.declared.items():
            if name in passed:
                given.append((argument, passed[name]))
            elif name in kwargs:
                given.append((argument, kwargs.pop(name)))
            elif name in defaults and argument.default is not NOT_GIVEN:
                given.append((argument, defaults[name]))
        kind: Any = type(self)
        allowed = _names_of_arguments(kind)
        if not kwargs.keys() <= allowed:
            unknown = [unknown_name("argument", name, allowed) for name in kwargs if name not in allowed]
            raise TypeError(f"{type(self).__name__}: {', '.join(unknown)}")
        super().__init__(**kwargs)
        for argument, value in given:
            if value is not NOT_GIVEN:
                argument.__set__(self, value)
        self.check_arguments()

    def check_arguments(self) -> None:
        """Check what single arguments do not show, of what :meth:`init_task` was given.

        :raises ValueError: for arguments that do not go together.
        """

    @property
    def log(self) -> Any:
        """The task's log, under the name that Airflow's own operators have.

        Names that came from emnify or a user forge no lines in it.
        """
        kind = type(self)
        return one_line_log(f"airflow.task.operators.{kind.__module__}.{kind.__qualname__}")

    def resolve(self) -> None:
        """Find out at emnify what the arguments mean. Called before ``execute``, once they are parsed."""

    @cached_property
    def hook(self) -> EmnifyHook:
        """The hook, one for an execution."""
        return EmnifyHook(self.emnify_conn_id, log_calls=False)

    @property
    def client(self) -> EmnifyClient:
        """The client. Nothing is fetched or sent before something is asked of it."""
        return self.hook.get_conn()


def _init_of(cls: type[EmnifyTask]) -> Callable[..., None]:
    """Return the ``__init__`` of a class that has none: Airflow asks its signature for names."""

    def __init__(self: Any, **kwargs: Any) -> None:
        super(cls, self).__init__(**kwargs)

    own = inspect.signature(__init__)
    taken = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if argument.default is NOT_GIVEN else argument.default,
        )
        for name, argument in cls.declared.items()
    ]
    first, last = own.parameters.values()
    vars(__init__)["__signature__"] = own.replace(parameters=[first, *taken, last])
    return __init__


@functools.cache
def _names_of_arguments(kind: type[EmnifyTask]) -> frozenset[str]:
    """Return the names that a class and its bases take, Airflow's among them."""
    inits = [vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base)]
    taken = {name for init in inits for name in inspect.signature(init).parameters}
    return frozenset(taken | kind.declared.keys())


def _wrap(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``execute`` or ``execute_complete``."""

    @functools.wraps(method)
    def run(self: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        hook: EmnifyHook | None
        self._deadline = execution_deadline(context, self.execution_timeout)
        is_inner, self._runs = self._runs, True
        try:
            with fail_without_retry(idempotent=self.idempotent):
                for argument in self.declared.values():
                    argument.parse_in(self)
                if method.__name__ == "execute" and not is_inner:
                    self.resolve()
                result = method(self, context, *args, **kwargs)
                hook = self.__dict__.get("hook")
                return result if hook is None else hook.redact(result)
        finally:
            self._runs = is_inner
            hook = self.__dict__.pop("hook", None)
            if hook is not None:
                hook.close()

    return run


def execution_deadline(context: Context, execution_timeout: timedelta | None) -> float | None:
    """Return when the time of a task's try is over, in seconds since 1970; None when it has no end."""
    if execution_timeout is None:
        return None
    started: datetime | None = getattr(context.get("ti"), "start_date", None)
    return (time.time() if started is None else started.timestamp()) + execution_timeout.total_seconds()
