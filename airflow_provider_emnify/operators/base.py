"""What all operators have in common: the hook, the end of the client, the kinds of failure."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emnify.airflow_names import BaseOperator
from airflow_provider_emnify.api.errors import one_line
from airflow_provider_emnify.api.secrets.one_line_log import one_line_log
from airflow_provider_emnify.hooks.emnify import EmnifyHook
from airflow_provider_emnify.retry import fail_for_good

if TYPE_CHECKING:
    from airflow_provider_emnify.airflow_names import Context
    from airflow_provider_emnify.api import EmnifyClient

_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


class OneLineLog:
    """Gives a task a log in which names that came from emnify or a user forge no lines."""

    @property
    def log(self) -> Any:
        """The task's log, under the name that Airflow's own operators have."""
        kind = type(self)
        return one_line_log(f"airflow.task.operators.{kind.__module__}.{kind.__qualname__}")


class EmnifyBaseOperator(OneLineLog, BaseOperator):
    """Base of all operators of this provider.

    A subclass lists its ``template_fields``, checks in ``__init__`` what can be known when the DAG is
    parsed (:func:`check_early`), and does its work in :meth:`perform`. What no retry can mend fails the
    task at once; the rest is left to the task's retries.

    :param emnify_conn_id: The connection to emnify.
    """

    template_fields: Sequence[str] = ("emnify_conn_id",)
    ui_color = "#d8f3ec"

    #: Whether :meth:`perform` finds out by itself what an earlier try has done, so that Airflow may retry
    #: a write whose outcome is unknown.
    looks_first: ClassVar[bool] = False

    def __init__(self, *, emnify_conn_id: str = EmnifyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.emnify_conn_id = emnify_conn_id

    @cached_property
    def hook(self) -> EmnifyHook:
        """The hook, one for an execution."""
        return EmnifyHook(self.emnify_conn_id)

    @property
    def client(self) -> EmnifyClient:
        """The client. Nothing is fetched or sent before something is asked of it."""
        return self.hook.get_conn()

    def execute(self, context: Context) -> Any:
        """Do the work, close the client, and tell Airflow whether a failure is worth a retry."""
        try:
            with fail_for_good(looks_first=self.looks_first):
                return self.perform(context)
        finally:
            hook = self.__dict__.pop("hook", None)
            if hook is not None:
                hook.close()

    def perform(self, context: Context) -> Any:
        """Do the work and return a small value that JSON can hold."""
        raise NotImplementedError(f"{type(self).__name__} has no perform()")


def is_known(value: Any) -> bool:
    """Tell whether a value is what it will be in ``execute``: no template, and no other task's result."""
    if isinstance(value, Enum) or value is None:
        return True
    if isinstance(value, str):
        return _TEMPLATE.search(value) is None
    if isinstance(value, Mapping):
        return all(is_known(key) and is_known(item) for key, item in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_known(item) for item in value)
    return isinstance(value, (int, float, bool, range))


def check_early(parse: Callable[..., Any], value: Any, *args: Any) -> None:
    """Refuse a bad argument when the DAG is parsed, if it is known by then.

    :param parse: What ``execute`` will do with it; raises ``ValueError``.
    :param value: The argument.
    :param args: More arguments for ``parse``.
    :raises ValueError: as ``parse`` does.
    """
    if is_known(value):
        parse(value, *args)


def choice(value: Any, allowed: Sequence[str], field: str) -> str:
    """Return ``value`` if it is one of a few words.

    :raises ValueError: naming the field, the value and what is allowed.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise ValueError(f"{field}: {value!r} is not one of {', '.join(map(repr, allowed))}")


def text(value: Any, field: str) -> str:
    """Return ``value`` if it is a text that is not empty.

    :raises ValueError: naming the field and the value.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise ValueError(f"{field}: {value!r} is no text; give one that is not empty")


def flag(value: Any, field: str) -> bool:
    """Return a yes or no, also from what a template renders to (``"True"``, ``"false"``, ``"1"``).

    :raises ValueError: naming the field and the value.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "1", "yes"}:
        return True
    if isinstance(value, str) and value.strip().lower() in {"false", "0", "no", ""}:
        return False
    raise ValueError(f"{field}: {value!r} is neither True nor False")


def mapping(value: Any, field: str) -> dict[str, Any]:
    """Return values by name, also from the text that a template renders a dict to. Nothing is none of them.

    :raises ValueError: naming the field and the value.
    """
    given = value
    if isinstance(value, str):
        given = _literal(value.strip())
    if given is None or given == "":
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{field}: {value!r} is no dict of values by name")  # noqa: TRY004 - as all bad arguments
    return {str(name): item for name, item in given.items()}


def _literal(text: str) -> Any:
    """Return what a text says in JSON or Python, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return text


def one_id(value: Any, field: str) -> int:
    """Return a single id, also from what a template renders to.

    :raises ValueError: naming the field and the value.
    """
    from airflow_provider_emnify.api.values import parse_id

    return parse_id(value, field)


def optional_id(value: Any, field: str) -> int | None:
    """Return a single id, or None for nothing (``None``, ``""``, ``"None"``).

    :raises ValueError: naming the field and the value.
    """
    nothing = value is None or (isinstance(value, str) and value.strip() in {"", "None", "null"})
    return None if nothing else one_id(value, field)


def amount(value: Any, field: str) -> float:
    """Return a volume, also from what a template renders to.

    :raises ValueError: naming the field and the value, when it is no number above 0.
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{field}: {value!r} is no number above 0")
    return number


def confirmed(value: Any, what: str) -> None:
    """Refuse to do what cannot be undone, unless it was confirmed.

    :param value: The operator's ``confirm``.
    :param what: What would be done, for the message.
    :raises ValueError: when it is anything but True.
    """
    if value is not True:
        raise ValueError(f"confirm: {what} cannot be undone; set confirm=True to do it")


def some(ids: Sequence[object], most: int = 10) -> str:
    """Return ids as a log line can hold them."""
    shown = one_line(", ".join(map(str, ids[:most])))
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most} more"
